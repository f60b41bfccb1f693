"""What merchants ask, each answered after at most two clicks, by mouse and by keyboard alone."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import Visit
from tests.journeys.merchant import Merchant
from tests.journeys.system import System, eventually

pytestmark = pytest.mark.xdist_group("stack")


@dataclass
class Hand:
    """Clicks, or reaches with Tab and presses Enter; counts either."""

    page: Page
    has_mouse: bool
    clicks: int = 0

    def on(self, what: Locator) -> None:
        self.clicks += 1
        if self.has_mouse:
            what.click()
            return
        for _ in range(150):
            if what.evaluate("one => one === document.activeElement"):
                break
            self.page.keyboard.press("Tab")
        expect(what).to_be_focused()
        self.page.keyboard.press("Enter")


@pytest.fixture(params=["mouse", "keyboard"])
def hand(request: pytest.FixtureRequest) -> Callable[[Page], Hand]:
    return lambda page: Hand(page, request.param == "mouse")


def open_order(merchant: Merchant, with_: Hand, number: int) -> None:
    """From the order list to our panel of the order: the Action menu and its entry."""
    row = merchant.order(number)
    with_.on(row.get_by_label(f"Action menu of order {number}"))
    with_.on(row.get_by_role("link", name="SeQura order"))


def test_is_it_working(visit: Visit, merchant: Merchant, hand: Callable[[Page], Hand]) -> None:
    visit().buy()
    merchant.page.goto(f"{merchant.panel}/manage/orders")
    by = hand(merchant.page)

    by.on(merchant.page.get_by_role("navigation").get_by_role("link", name="SeQura", exact=True))

    state = merchant.app.get_by_text("SeQura runs in sandbox mode in 4 countries. Last order:")
    expect(state).to_be_visible()
    assert by.clicks <= 2


def test_why_was_this_refused_and_what_do_i_do(
    system: System, visit: Visit, merchant: Merchant, hand: Callable[[Page], Hand]
) -> None:
    system.sequra_knobs(increase="refused")
    number = visit().buy()
    before = system.sequra_order(number)["unshipped_cart"]["order_total_with_tax"]
    body = {"order_id": number, "lines": [{"name": "Gift", "price": "111.00", "quantity": 1}]}
    system.sandbox.control("POST", "merchant/edit_order", body)
    side = merchant.page.frame_locator("#side iframe")
    rejected = side.get_by_role("heading", name="Needs attention")

    def is_rejected() -> bool:
        merchant.open_side_panel(number)
        expect(side.get_by_role("heading", name=f"Order {number}")).to_be_visible()
        return rejected.count() == 1

    assert eventually(is_rejected)
    by = hand(merchant.page)
    open_order(merchant, by, number)

    approved = f"€{before / 100:,.2f}"
    expect(
        side.get_by_text(f"is €111.00 above the {approved} that SeQura approved.")
    ).to_be_visible()
    expect(side.get_by_text("Lower the total by €111.00 in BigCommerce")).to_be_visible()
    expect(side.get_by_role("link", name="Compare", exact=False).first).to_be_visible()
    assert by.clicks <= 2


def test_did_sequra_get_my_shipment(
    system: System, visit: Visit, merchant: Merchant, hand: Callable[[Page], Hand]
) -> None:
    number = visit().buy()
    system.sequra_order(number)
    system.sandbox.control("POST", "merchant/ship", {"order_id": number})
    assert eventually(lambda: system.sequra_order(number)["shipped_cart"]["items"])
    side = merchant.page.frame_locator("#side iframe")
    shipment = side.locator(".timeline li", has_text="Shipment").first

    def is_noted() -> bool:
        merchant.open_side_panel(number)
        expect(side.get_by_role("heading", name=f"Order {number}")).to_be_visible()
        return shipment.count() == 1

    assert eventually(is_noted)
    by = hand(merchant.page)
    open_order(merchant, by, number)

    expect(shipment).to_contain_text("Accepted")
    expect(shipment).to_contain_text("Not shipped €0.00")
    assert by.clicks <= 2


def test_the_self_test_sees_a_real_event_come_back(
    system: System, visit: Visit, merchant: Merchant, hand: Callable[[Page], Hand]
) -> None:
    number = visit().buy()
    system.sequra_order(number)
    merchant.page.goto(f"{merchant.panel}/manage/app")
    by = hand(merchant.page)
    app = merchant.app
    by.on(app.get_by_role("link", name="Self-test"))
    by.on(app.get_by_role("button", name="Run self-test"))
    expect(app.get_by_role("heading", name="Results")).to_be_visible()

    sentence = f"BigCommerce sent the event of order {number} back after"
    back = app.locator(".step", has_text=sentence)
    waiting = app.get_by_role("link", name="Reload")

    def has_come_back() -> bool:
        expect(back.or_(waiting).first).to_be_visible()
        if back.count():
            return True
        waiting.click()
        return False

    assert eventually(has_come_back)
    expect(app.locator("#report")).to_contain_text(sentence)
    assert by.clicks <= 2
