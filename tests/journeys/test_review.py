"""SeQura wants to look at a payment first: the notice, and what becomes of the order."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Error, Page, expect

from tests.browser.axe import violations
from tests.journeys.conftest import Visit
from tests.journeys.merchant import Merchant
from tests.journeys.shopper import CONTINUE, SPAIN, Shopper
from tests.journeys.system import System, eventually

pytestmark = pytest.mark.xdist_group("stack")

REVIEW_LASTS = 3600  # seconds: as long as this test needs


def arrive_at_the_notice(page: Page) -> int:
    """Stop the page's clock there. Return how many seconds are left until it goes on."""
    page.wait_for_url("**/return/*")
    page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=5))
    notice = page.get_by_role("heading", name="SeQura está revisando tu pago")

    def is_there() -> bool:
        with suppress(Error):  # it may load itself anew at this moment
            page.clock.run_for(500)  # until the payment is known, the page asks every second
        return notice.is_visible()

    assert eventually(is_there)
    return int(page.get_by_role("timer").inner_text())


def to_the_notice(shopper: Shopper, persona: str) -> int:
    """Buy, up to our page's notice. Return how many seconds it shows; its clock stands still."""
    shopper.page.clock.install()
    form = shopper.open_form()
    shopper.identify(form, given_names=persona, surnames=persona)
    form.get_by_role("button", name="Volver a la tienda").click()
    return arrive_at_the_notice(shopper.page)


def under_review(shopper: Shopper, persona: str) -> int:
    """A purchase that ends with the notice and then the confirmation; the order's number."""
    to_the_notice(shopper, persona)
    page = shopper.page
    page.clock.resume()
    page.get_by_role("link", name="Continuar a tu pedido").click()
    number = shopper.confirmed()
    expect(page.get_by_text("Estamos revisando tu pago")).to_be_visible()
    return number


@pytest.mark.parametrize(
    ("persona", "verb", "status", "state"),
    [
        ("Review Test Approve", "approve", "Ready to pack", "confirmed"),
        ("Review Test Cancel", "cancel", "Cancelled by us", "cancelled"),
    ],
    ids=["approved", "cancelled"],
)
def test_a_review_moves_the_same_order_on(
    system: System,
    visit: Visit,
    merchant: Merchant,
    persona: str,
    verb: str,
    status: str,
    state: str,
) -> None:
    system.sequra_knobs(review_seconds=REVIEW_LASTS)
    shopper = visit("lang=es")
    number = under_review(shopper, persona)
    sequra = system.sequra_order(number)
    assert (merchant.status_of(number), sequra["state"]) == (
        "Manual Verification Required",
        "on_hold",
    )

    system.sandbox.drive(verb, sequra["uuid"])

    assert eventually(lambda: merchant.status_of(number) == status)
    assert eventually(lambda: system.sequra_order(number)["state"] == state)
    assert [order["id"] for order in system.orders(shopper.checkout_id)] == [number]


def test_the_notice_goes_on_to_the_order_by_itself(system: System, visit: Visit) -> None:
    system.sequra_knobs(review_seconds=REVIEW_LASTS)
    shopper = visit("lang=es")
    left = to_the_notice(shopper, "Review Test Approve")
    page = shopper.page

    page.clock.run_for(3_000)
    expect(page.get_by_role("timer")).to_have_text(str(left - 3))
    page.clock.run_for(9_000)
    page.clock.resume()

    number = shopper.confirmed()
    assert [order["id"] for order in system.orders(shopper.checkout_id)] == [number]


def test_a_shopper_may_stay_with_the_notice(system: System, visit: Visit) -> None:
    system.sequra_knobs(review_seconds=REVIEW_LASTS)
    shopper = visit("lang=es")
    to_the_notice(shopper, "Review Test Approve")
    page = shopper.page

    page.get_by_role("button", name="Quedarme en esta página").press("Enter")
    page.clock.run_for(60_000)
    page.reload()
    expect(page.get_by_role("button", name="Quedarme en esta página")).to_be_hidden()
    page.clock.run_for(60_000)

    assert "/return/" in page.url
    onward = page.get_by_role("link", name="Continuar a tu pedido")
    expect(onward).to_be_focused()
    expect(page.get_by_role("status")).to_have_text(
        "Esta página seguirá abierta hasta que continúes."
    )
    page.clock.resume()  # axe waits for timers of its own
    assert violations(page) == []
    onward.press("Enter")
    shopper.confirmed()


def test_a_purchase_by_keyboard_alone(system: System, visit: Visit) -> None:
    """From the payment step through SeQura's form and our notice to the order's confirmation."""
    system.sequra_knobs(review_seconds=REVIEW_LASTS)
    shopper = visit("lang=es&terms=1")
    expect(shopper.options).to_have_count(4)
    page, keyboard, form = shopper.page, shopper.page.keyboard, shopper.form()
    page.clock.install()

    shopper.tab_to(shopper.option("i1"), "Space")
    while not shopper.option("pp3").is_checked():
        keyboard.press("ArrowDown")
    shopper.tab_to(page.locator("#terms"), "Space")
    shopper.tab_to(shopper.button, "Enter")
    expect(page.locator("#sq-identification-pp3")).to_be_focused()
    expect(form.locator("[name=nin]")).to_be_enabled()
    persona = "Review Test Approve"
    for name, value in (SPAIN | {"given_names": persona, "surnames": persona}).items():
        shopper.tab_to(form.locator(f"[name={name}]"), "ControlOrMeta+a")
        keyboard.type(value)
    shopper.tab_to(form.locator("#sequra_privacy_policy_accepted"), "Space")
    shopper.tab_to(form.locator(CONTINUE), "Enter")
    expect(form.get_by_label("Please enter OTP character 1")).to_be_focused()
    keyboard.type(SPAIN["mobile_phone"][-5:])
    keyboard.press("Enter")
    expect(form.get_by_role("button", name="Volver a la tienda")).to_be_focused()
    keyboard.press("Enter")
    arrive_at_the_notice(page)
    shopper.tab_to(page.get_by_role("button", name="Quedarme en esta página"), "Enter")
    expect(page.get_by_role("link", name="Continuar a tu pedido")).to_be_focused()
    page.clock.resume()
    keyboard.press("Enter")

    number = shopper.confirmed()
    assert system.sequra_order(number)["state"] == "on_hold"
    assert [order["id"] for order in system.orders(shopper.checkout_id)] == [number]
