"""What SeQura refuses reaches the merchant, with what to do; what is only late heals by itself."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import FrameLocator, Locator, expect

from tests.journeys.conftest import Visit
from tests.journeys.merchant import Merchant
from tests.journeys.system import System, eventually

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture(autouse=True)
def _webhooks_arrive(system: System) -> Iterator[None]:
    yield
    system.sandbox.control("POST", "webhooks/release", {})


def edit_price(merchant: Merchant, number: int, price: str) -> None:
    """In the control panel: the order's page, its Edit dialog."""
    merchant.page.goto(f"{merchant.panel}/manage/orders/{number}")
    merchant.page.get_by_role("button", name="Edit", exact=True).first.click()
    dialog = merchant.page.locator("dialog[open]")
    dialog.get_by_label("Price of").first.fill(price)
    dialog.get_by_role("button", name="Save changes").click()
    merchant.page.wait_for_load_state()


def open_log(merchant: Merchant, number: int) -> FrameLocator:
    """Our app in the control panel, at the log, filtered by order."""
    merchant.page.goto(f"{merchant.panel}/manage/app")
    merchant.go_to("Transaction log")
    merchant.app.get_by_label("Order number or SeQura reference").fill(str(number))
    merchant.app.get_by_role("button", name="Search").click()
    # Until the answer is there, the page still lists the other orders.
    expect(merchant.app.get_by_role("link", name="Clear")).to_be_visible()
    return merchant.app


def outcome_in_log(merchant: Merchant, number: int, word: str) -> bool:
    """Does the newest entry of the order say so? Read anew."""
    log = open_log(merchant, number)
    return word in (log.locator("table.log tbody tr").first.text_content() or "")


def shows_in_log(merchant: Merchant, number: int, what: Locator) -> bool:
    """Is this on the log's page now? Read anew."""
    open_log(merchant, number)
    return what.count() == 1


def test_refused_update_is_seen_corrected_retried_and_closed(
    system: System, visit: Visit, merchant: Merchant
) -> None:
    system.sequra_knobs(increase="refused")
    number = visit("lang=es").buy()
    reference = system.sequra_order(number)["uuid"]

    edit_price(merchant, number, "200.00")

    assert eventually(lambda: outcome_in_log(merchant, number, "Rejected"))
    row = merchant.app.locator("table.log tbody tr").first
    expect(row.get_by_text("that SeQura approved.")).to_be_visible()
    row.get_by_text("SeQura's message").click()
    expect(row.get_by_text("but the approved amount is")).to_be_visible()
    shop, portal = row.locator("a.out").all()
    assert (shop.get_attribute("href") or "").endswith(f"/manage/orders/{number}")
    assert portal.get_attribute("href") == (
        f"{system.stack.origin('sequra')}/portal/orders/{reference}"
    )
    with merchant.page.context.expect_page() as opened:
        portal.click()
    expect(opened.value.get_by_text(reference).first).to_be_visible()
    opened.value.close()

    side = merchant.open_side_panel(number)
    expect(side.get_by_role("heading", name="Needs attention")).to_be_visible()
    side.get_by_role("link", name="Compare", exact=False).first.click()
    changed = side.locator("tr.differs").first
    expect(changed.get_by_text("Changed")).to_be_visible()
    expect(changed.get_by_text("€200.00").first).to_be_visible()

    system.sandbox.control("POST", "webhooks/hold", {})
    edit_price(merchant, number, "50.00")
    side = merchant.open_side_panel(number)
    side.get_by_role("button", name="Retry").click()
    expect(side.get_by_text("SeQura accepted the update")).to_be_visible()
    expect(side.get_by_role("heading", name="Needs attention")).to_have_count(0)
    expect(side.get_by_text("Resolved")).to_be_visible()
    cart = system.sequra_order(number)["unshipped_cart"]
    assert 5000 in [item["total_with_tax"] for item in cart["items"]]


def test_refused_update_is_found_and_settled_in_the_log_s_side_panel(
    system: System, visit: Visit, merchant: Merchant
) -> None:
    system.sequra_knobs(increase="refused")
    number = visit("lang=es").buy()
    reference = system.sequra_order(number)["uuid"]
    edit_price(merchant, number, "200.00")
    assert eventually(lambda: outcome_in_log(merchant, number, "Rejected"))

    side = merchant.open_side_panel(number)
    side.get_by_role("link", name="Transaction log", exact=True).click()
    expect(side.locator("details.fold:not([open])")).to_be_visible()  # the page is narrow
    side.get_by_text("Filters", exact=True).click()
    side.get_by_label("Order number or SeQura reference").fill(reference)
    side.get_by_label("Status").select_option("Needs action")
    side.get_by_role("button", name="Search").click()
    row = side.locator("table.log tbody tr")
    expect(row).to_have_count(1)
    row.get_by_text("SeQura's message").click()
    expect(row.get_by_text("but the approved amount is")).to_be_visible()
    shop, portal = row.locator("a.out").all()
    assert (shop.get_attribute("href") or "").endswith(f"/manage/orders/{number}")
    assert (portal.get_attribute("href") or "").endswith(f"/portal/orders/{reference}")

    system.sandbox.control("POST", "webhooks/hold", {})
    edit_price(Merchant(merchant.page.context.new_page(), system), number, "50.00")
    row.get_by_role("button", name="Retry").click()
    expect(side.get_by_text("SeQura accepted the update")).to_be_visible()
    expect(side.get_by_text("No entries match")).to_be_visible()
    side.get_by_role("link", name=f"Order {number}", exact=True).click()
    expect(side.get_by_text("Resolved")).to_be_visible()


def test_delayed_update_heals_by_itself(system: System, visit: Visit, merchant: Merchant) -> None:
    number = visit("lang=es").buy()
    system.sequra_order(number)
    # Of this order alone: others of the same shop may still be told.
    system.sandbox.fault(rf"/merchants/[^/]+/orders/{number}$", method="PUT", status=503)

    edit_price(merchant, number, "80.00")

    # The purchase was accepted too: what we wait for is the delay, and then what settles it.
    delayed = merchant.app.locator("table.log tbody tr", has_text="SeQura didn't respond.")
    settled = delayed.get_by_text("Resolved", exact=True)
    assert eventually(lambda: shows_in_log(merchant, number, settled), 60)
    assert outcome_in_log(merchant, number, "Accepted")
    expect(delayed.get_by_text("SeQura didn't respond.")).to_be_visible()


def test_order_page_and_expanded_row_carry_the_payment(
    system: System, visit: Visit, merchant: Merchant
) -> None:
    number = visit("lang=es").buy()
    reference = system.sequra_order(number)["uuid"]
    noted = eventually(lambda: "[SeQura]" in notes_of(system, number))
    assert noted
    merchant.page.goto(f"{merchant.panel}/manage/orders/{number}")
    merchant.page.get_by_label("Add a note").fill("Ring twice")
    merchant.page.get_by_role("button", name="Add note").click()

    row = merchant.order(number)
    row.get_by_label(f"Details of order {number}").click()
    details = merchant.page.locator(f"#details-{number}")
    expect(details.get_by_text("SeQura - ").first).to_be_visible()
    expect(details.get_by_text(reference).first).to_be_visible()
    expect(details.locator("pre.notes")).to_contain_text("Ring twice")
    expect(details.locator("pre.notes")).to_contain_text(f"/portal/orders/{reference}")


def notes_of(system: System, number: int) -> str:
    orders = (one["order"] for one in system.sandbox.held("bigcommerce_orders"))
    return next(str(order["staff_notes"]) for order in orders if order["id"] == number)
