"""The demo shop's pages in front of the pretend BigCommerce: what a shopper can do there."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from local.sandbox_control import SandboxControl

FORM = '[data-test="payment-form"]'
TOTAL = '[data-test="cart-total"] [data-test="cart-price-value"]'


@pytest.fixture
def shop(sandbox: SandboxControl, page: Page) -> Page:
    """The shop's first page; what its own pages throw is a failure."""
    page.set_default_timeout(30_000)
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(sandbox.origin("shop"))
    return page


def to_checkout(shop: Page, query: str = "") -> None:
    shop.get_by_role("button", name="Add Lamp Montseny to cart").click()
    shop.goto(f"{shop.url.rsplit('/', 1)[0]}/checkout{query}")
    expect(shop.locator(f"{FORM} input").first).to_be_focused()  # the step opens with that


def world_order(sandbox: SandboxControl) -> dict[str, Any]:
    orders: list[dict[str, Any]] = sandbox.held("bigcommerce_orders")
    assert len(orders) == 1
    return dict(orders[0]["order"])


def test_a_guest_buys_with_a_method_of_the_shop(sandbox: SandboxControl, shop: Page) -> None:
    to_checkout(shop)

    shop.get_by_label("Cash on delivery").check()
    shop.get_by_role("button", name="Place order").click()

    expect(shop.get_by_role("heading", name="Thank you Lucía!")).to_be_visible()
    order = world_order(sandbox)
    expect(shop.get_by_text(f"Your order number is {order['id']}")).to_be_visible()
    assert order["payment_method"] == "Cash on delivery"
    shop.goto(f"{sandbox.origin('shop')}/cart")
    expect(shop.get_by_text("Your cart is empty.")).to_be_visible()


def test_another_browser_needs_a_token_to_see_the_confirmation(
    sandbox: SandboxControl, shop: Page
) -> None:
    to_checkout(shop)
    shop.get_by_role("button", name="Place order").click()
    expect(shop.get_by_role("heading", name="Thank you")).to_be_visible()

    shop.context.clear_cookies()
    answer = shop.goto(f"{shop.url}?t=guessed")

    assert answer is not None
    assert answer.status == 404
    expect(shop.get_by_role("heading", name="Order not found")).to_be_visible()


def test_store_credit_is_applied_by_itself_and_can_be_taken_back(
    sandbox: SandboxControl, shop: Page
) -> None:
    shop.get_by_text("Guest", exact=True).first.click()
    shop.get_by_role("button", name="Lucía Fernández Ortiz").click()
    to_checkout(shop)

    credit = shop.locator("#useStoreCredit")
    expect(credit).to_be_checked()
    expect(shop.locator(TOTAL).first).to_have_text("€44.90")
    credit.uncheck()
    expect(shop.locator(TOTAL).first).to_have_text("€94.90")
    expect(credit).not_to_be_checked()


def test_credit_that_covers_everything_needs_no_payment(
    sandbox: SandboxControl, shop: Page
) -> None:
    shop.get_by_text("Guest", exact=True).first.click()
    shop.get_by_role("button", name="Chiara Rossi").click()
    to_checkout(shop)

    expect(shop.locator(".storeCreditOverlay")).to_be_visible()


def test_a_coupon_and_a_gift_certificate_change_the_total(
    sandbox: SandboxControl, shop: Page
) -> None:
    to_checkout(shop)

    for code in ("SAVE10", "GIFT-30"):
        shop.locator("#redeemableCode").fill(code)
        shop.locator('[data-test="redeemableEntry-submit"]').click()
        expect(shop.get_by_text(code)).to_be_visible()

    expect(shop.locator(TOTAL).first).to_have_text("€55.90")
    shop.locator("#redeemableCode").fill("NONSENSE")
    shop.locator("#redeemableCode").press("Enter")
    expect(shop.get_by_text("This code is not valid.")).to_be_visible()


def test_a_new_address_and_shipping_reach_bigcommerce(sandbox: SandboxControl, shop: Page) -> None:
    to_checkout(shop)

    shop.locator('[data-test="step-edit-button-shipping"]').click()
    shop.get_by_label("First name").fill("Camille")
    shop.get_by_label("Country").select_option("FR")
    shop.get_by_role("button", name="Continue").first.click()
    shop.wait_for_selector(FORM)
    shop.locator('[data-test="step-edit-button-shipping"]').click()
    with shop.expect_response(lambda answer: "/consignments/" in answer.url):
        shop.get_by_label("Express delivery").check()

    [checkout] = sandbox.held("checkouts")
    [consignment] = checkout["consignments"]
    assert consignment["address"]["country_code"] == "FR"
    assert consignment["address"]["first_name"] == "Camille"
    assert checkout["billing_address"]["country_code"] == "FR"
    assert consignment["selected_shipping_option"]["id"] == "express"


def test_unticked_terms_stop_the_native_order(sandbox: SandboxControl, shop: Page) -> None:
    to_checkout(shop, "?terms=1")

    shop.get_by_role("button", name="Place order").click()

    expect(shop.locator("#terms-field-error-message")).to_be_visible()
    assert sandbox.held("bigcommerce_orders") == []


def test_no_page_is_wider_than_the_screen(sandbox: SandboxControl, shop: Page) -> None:
    shop.get_by_role("button", name="Add Lamp Montseny to cart").click()
    too_wide = []
    for path in ("/", "/products/101", "/cart", "/checkout"):
        shop.goto(f"{sandbox.origin('shop')}{path}")
        shop.wait_for_load_state("networkidle")
        for width in (390, 1440):
            shop.set_viewport_size({"width": width, "height": 900})
            if shop.evaluate("document.documentElement.scrollWidth - innerWidth") > 0:
                too_wide.append((path, width))

    assert too_wide == []
