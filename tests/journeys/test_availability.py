"""SeQura is not there when it should not be, and BigCommerce's checkout works without it."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import Visit
from tests.journeys.shopper import PAYMENT_FORM, Shopper
from tests.journeys.system import CHIARA, System

pytestmark = pytest.mark.xdist_group("stack")


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ({"country": "DE"}, "country"),
        ({"currency": "USD"}, "currency"),
        ({"lines": [{"product_id": 108}]}, "digital_only_without_services"),
    ],
    ids=["German address", "dollars", "digital"],
)
def test_not_offered(
    system: System, new_shopper: Shopper, wishes: dict[str, Any], reason: str
) -> None:
    with new_shopper.waiting_for_the_offer() as offer:
        new_shopper.come_with(**wishes)

    assert offer["reasons"] == [reason]
    expect(new_shopper.options).to_have_count(0)
    new_shopper.pay_natively()
    assert system.sequra_orders(new_shopper.checkout_id) == []


def test_terms_come_first(system: System, visit: Visit) -> None:
    shopper = visit("terms=1")
    shopper.choose("pp3").button.click()

    expect(shopper.page.locator(".checkout-terms [role=alert]")).to_have_text(
        "Please agree to the terms and conditions to continue."
    )
    expect(shopper.page.locator("#terms")).to_be_focused()
    assert shopper.forms_asked_for == []
    shopper.page.locator("#terms").check()
    shopper.buy()


def test_a_gift_certificate_takes_sequra_away_and_says_so(system: System, visit: Visit) -> None:
    shopper = visit("lang=es")
    expect(shopper.options).to_have_count(4)
    shopper.redeem("GIFT-30")

    expect(shopper.page.locator(".sequra-note")).to_have_text(
        "SeQura no se puede combinar con una tarjeta regalo. Quítala para pagar con SeQura."
    )
    expect(shopper.page.locator("input[name=sequraPayment]")).to_have_count(0)
    shopper.page.locator("[data-test=cart-gift-certificate] button").click()
    expect(shopper.option("pp3")).to_be_visible()


def test_credit_that_covers_everything_leaves_nothing_to_finance(visit: Visit) -> None:
    shopper = visit(customer_id=CHIARA)
    expect(shopper.page.get_by_text("Payment is not required for this order.")).to_be_visible()
    expect(shopper.options).to_have_count(0)

    shopper.page.locator("#useStoreCredit").uncheck()
    expect(shopper.option("pp3")).to_be_visible()


def untouched(shopper: Shopper) -> str:
    """The payment form of this checkout as BigCommerce alone draws it."""
    page = shopper.page.context.new_page()
    page.route("**/sequra-checkout*", lambda route: route.abort())
    page.goto(shopper.page.url)
    html = page.locator(PAYMENT_FORM).inner_html()
    page.close()
    return html


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "times": 0},
        {"reset": True, "times": 0},
        {"status": 500, "body": "<h1>Oh no</h1>", "times": 0},
        {"status": 409, "body": {"errors": ["Cart is not balanced"]}, "times": 0},
    ],
    ids=["down", "hangs up", "broken", "refusing"],
)
def test_without_sequra_the_checkout_is_as_it_was(
    system: System, new_shopper: Shopper, fault: dict[str, Any]
) -> None:
    system.sandbox.fault("^/orders", **fault)
    with new_shopper.waiting_for_the_offer() as offer:
        new_shopper.come_with()

    assert offer["methods"] == []
    expect(new_shopper.page.locator(".sequra-room")).to_have_count(0)
    assert new_shopper.page.locator(PAYMENT_FORM).inner_html() == untouched(new_shopper)
    new_shopper.pay_natively()


def test_a_slow_sequra_keeps_nobody_waiting(system: System, visit: Visit) -> None:
    system.sandbox.fault("^/orders", delay=8)
    shopper = visit()

    expect(shopper.native_button).to_be_enabled()
    expect(shopper.options).to_have_count(0)
    shopper.pay_natively()


def test_our_own_app_away_is_no_harm_either(new_shopper: Shopper) -> None:
    new_shopper.page.route("**/payment-methods", lambda route: route.abort())
    with new_shopper.page.expect_event("requestfailed"):
        new_shopper.come_with()

    expect(new_shopper.page.locator(".sequra-room")).to_have_count(0)
    assert new_shopper.page.locator(PAYMENT_FORM).inner_html() == untouched(new_shopper)
    new_shopper.pay_natively()


def test_sequra_goes_away_when_the_form_should_open(system: System, visit: Visit) -> None:
    shopper = visit("lang=es")
    expect(shopper.options.first).to_be_visible()
    system.sandbox.fault("/form_v2", status=503, times=0)
    shopper.choose("pp3").button.click()

    expect(shopper.alert).to_have_text(
        "SeQura no responde en este momento. No se te ha cobrado nada. Inténtalo de nuevo en un"
        " momento o elige otro método de pago."
    )
    shopper.pay_natively()
