"""The demo control panel: its buttons do to an order what BigCommerce's would."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from local.sandbox_control import SandboxControl


@pytest.fixture
def order_id(sandbox: SandboxControl) -> int:
    """An order of a lamp and two coffee sets, paid on delivery."""
    lines = [{"product_id": 102, "quantity": 1}, {"product_id": 104, "quantity": 2}]
    checkout = sandbox.checkout(lines=lines)["checkout_id"]
    placed = sandbox.control("POST", "shopper/place_order", {"checkout_id": checkout})
    return int(placed["order_id"])


@pytest.fixture
def panel(sandbox: SandboxControl, page: Page, order_id: int) -> Page:
    """The order's page."""
    page.set_default_timeout(30_000)
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{sandbox.origin('panel')}/manage/orders/{order_id}")
    return page


def documents(sandbox: SandboxControl) -> dict[str, Any]:
    return dict(sandbox.held("bigcommerce_orders")[0])


def test_the_list_shows_the_order_and_its_details(
    sandbox: SandboxControl, panel: Page, order_id: int
) -> None:
    panel.goto(f"{sandbox.origin('panel')}/manage/orders")

    row = panel.locator(f'tr[data-order="{order_id}"]')
    expect(row).to_contain_text("€204.70")
    row.get_by_role("button", name=f"Details of order {order_id}").click()
    details = panel.locator(f"#details-{order_id}")
    expect(details).to_contain_text("Lamp Montseny")
    expect(details).to_contain_text("Cash on Delivery")


def test_editing_lines_shipping_and_discount(sandbox: SandboxControl, panel: Page) -> None:
    panel.get_by_role("button", name="Edit", exact=True).first.click()
    dialog = panel.get_by_role("dialog")
    dialog.get_by_label("Quantity of Coffee set Terra, 6 pieces").fill("1")
    dialog.get_by_label("Price of Lamp Montseny").fill("80.00")
    dialog.get_by_label("Add something else").fill("Engraving")
    dialog.get_by_label("Price", exact=True).fill("5.00")
    dialog.get_by_label("Shipping cost").fill("9.95")
    dialog.get_by_label("Manual discount").fill("10")
    dialog.get_by_role("button", name="Save changes").click()

    expect(panel.get_by_role("status")).to_contain_text("has been updated")
    order = documents(sandbox)["order"]
    assert order["total_inc_tax"] == "139.8500"  # 80 + 54.90 + 5 + 9.95 − 10
    assert order["discount_amount"] == "10.0000"


def test_shipping_some_then_the_rest(sandbox: SandboxControl, panel: Page) -> None:
    panel.get_by_role("button", name="Ship items").click()
    dialog = panel.get_by_role("dialog")
    dialog.get_by_label("Quantity of Lamp Montseny to ship").fill("0")
    dialog.get_by_label("Quantity of Coffee set Terra, 6 pieces to ship").fill("1")
    dialog.get_by_label("Carrier").select_option("seur")
    dialog.get_by_label("Tracking number").fill("ES123")
    dialog.get_by_role("button", name="Create shipment").click()

    expect(panel.get_by_role("heading", name="Order")).to_contain_text("Partially Shipped")
    [shipment] = documents(sandbox)["shipments"]
    assert [item["quantity"] for item in shipment["items"]] == [1]
    assert (shipment["tracking_number"], shipment["tracking_carrier"]) == ("ES123", "seur")

    panel.get_by_role("button", name="Ship items").click()
    panel.get_by_role("dialog").get_by_role("button", name="Create shipment").click()
    expect(panel.get_by_role("heading", name="Order")).to_contain_text("Shipped")
    assert documents(sandbox)["order"]["status_id"] == 2
    expect(panel.get_by_role("button", name="Ship items")).to_be_disabled()


def test_changing_and_deleting_a_shipment(sandbox: SandboxControl, panel: Page) -> None:
    panel.get_by_role("button", name="Ship items").click()
    panel.get_by_role("dialog").get_by_role("button", name="Create shipment").click()

    shipment = panel.locator(".shipment")
    shipment.get_by_label("Tracking number").fill("NEW-1")
    shipment.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("status")).to_contain_text("has been updated")
    assert documents(sandbox)["shipments"][0]["tracking_number"] == "NEW-1"
    panel.locator(".shipment").get_by_role("button", name="Delete").click()

    expect(panel.get_by_text("Nothing has been shipped.")).to_be_visible()
    assert documents(sandbox)["shipments"] == []
    assert documents(sandbox)["order"]["status_id"] == 2  # BigCommerce does not take it back


def test_refunding_a_line_and_shipping(sandbox: SandboxControl, panel: Page) -> None:
    panel.get_by_role("button", name="Refund", exact=True).first.click()
    dialog = panel.get_by_role("dialog")
    dialog.get_by_label("Quantity of Coffee set Terra, 6 pieces to refund").fill("1")
    dialog.get_by_label("Refund shipping").check()
    dialog.get_by_role("button", name="Refund", exact=True).click()

    expect(panel.get_by_role("status")).to_contain_text("€59.85")
    [refund] = documents(sandbox)["refunds"]
    assert refund["total_amount"] == 59.85
    assert documents(sandbox)["order"]["status_id"] == 14


def test_a_refund_that_is_too_much_says_so(sandbox: SandboxControl, panel: Page) -> None:
    panel.get_by_role("button", name="Refund", exact=True).first.click()
    dialog = panel.get_by_role("dialog")
    dialog.get_by_label("Or an amount of the order").fill("9999")
    dialog.get_by_role("button", name="Refund", exact=True).click()

    expect(panel.get_by_role("alert")).to_be_visible()
    assert documents(sandbox)["refunds"] == []


def test_addresses_notes_and_status(sandbox: SandboxControl, panel: Page) -> None:
    panel.get_by_role("button", name="Edit", exact=True).last.click()
    dialog = panel.get_by_role("dialog", name="Shipping address")
    dialog.get_by_label("City").fill("Girona")
    dialog.get_by_role("button", name="Save changes").click()
    panel.get_by_label("Add a note").fill("Call before delivery")
    panel.get_by_role("button", name="Add note").click()
    panel.locator("#status").select_option("12")
    panel.get_by_role("button", name="Update").click()

    expect(panel.get_by_role("status")).to_contain_text("Manual Verification Required")
    kept = documents(sandbox)
    assert kept["shipping_addresses"][0]["city"] == "Girona"
    assert kept["order"]["billing_address"]["city"] == "Barcelona"
    assert kept["order"]["staff_notes"] == "Call before delivery"
    assert kept["order"]["status_id"] == 12


def test_cancelling_from_the_action_menu(
    sandbox: SandboxControl, panel: Page, order_id: int
) -> None:
    panel.goto(f"{sandbox.origin('panel')}/manage/orders")
    panel.get_by_label(f"Action menu of order {order_id}").click()
    panel.get_by_role("button", name="Cancel order").click()

    expect(panel.get_by_role("status")).to_contain_text("has been cancelled")
    assert documents(sandbox)["order"]["status_id"] == 5


def test_the_shop_shows_the_order_to_whoever_comes_from_here(
    sandbox: SandboxControl, panel: Page, order_id: int
) -> None:
    panel.goto(f"{sandbox.origin('panel')}/manage/orders/{order_id}/shop")

    expect(panel.get_by_text(f"Your order number is {order_id}")).to_be_visible()


def test_no_page_is_wider_than_the_screen(
    sandbox: SandboxControl, panel: Page, order_id: int
) -> None:
    too_wide = []
    for path in ("", f"/{order_id}", f"/{order_id}#edit", f"/{order_id}#refund"):
        panel.goto("about:blank")
        panel.goto(f"{sandbox.origin('panel')}/manage/orders{path}")
        for width in (390, 1440):
            panel.set_viewport_size({"width": width, "height": 900})
            if panel.evaluate("document.documentElement.scrollWidth - innerWidth") > 0:
                too_wide.append((path, width))

    assert too_wide == []
