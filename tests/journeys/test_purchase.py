"""Purchases, from the payment step to the order on both sides."""

import re

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import Visit
from tests.journeys.shopper import Shopper
from tests.journeys.system import LUCIA, MARC, System, cents

pytestmark = pytest.mark.xdist_group("stack")


@pytest.mark.parametrize(
    ("product", "campaign"), [("i1", ""), ("pp5", "temporary"), ("sp1", ""), ("pp3", "")]
)
def test_every_method_and_campaign_pays(
    system: System, visit: Visit, product: str, campaign: str
) -> None:
    shopper = visit()
    number = shopper.buy(product, campaign)

    order, sequra = system.order(shopper.checkout_id), system.sequra_order(number)
    assert (order["id"], order["status_id"]) == (number, 11)
    assert (sequra["product"], sequra["campaign"]) == (product, campaign)
    assert sequra["state"] == "confirmed"
    assert order["payment_method"].startswith("SeQura - ")
    assert order["payment_provider_id"] == sequra["uuid"]
    assert sequra["unshipped_cart"]["order_total_with_tax"] == cents(order["total_inc_tax"])


@pytest.mark.parametrize(("country", "merchant"), [("FR", "demo_fr"), ("IT", "demo_it")])
def test_another_selling_country_pays_its_own_merchant(
    system: System, visit: Visit, country: str, merchant: str
) -> None:
    shopper = visit(country=country)
    shopper.choose("pp3").button.click()
    expect(shopper.form().locator("[name=nin]")).to_be_enabled()

    (sequra,) = system.sequra_orders(shopper.checkout_id)
    assert sequra["merchant"] == merchant


def test_a_guest_may_come_back_to_the_confirmation_with_its_link_only(visit: Visit) -> None:
    shopper = visit()
    shopper.buy()
    page = shopper.page

    page.reload()
    expect(page.get_by_text("Your order number is")).to_be_visible()
    page.goto(page.url.partition("?")[0])
    expect(page.get_by_role("heading", name="Order not found")).to_be_visible()


def test_a_customer_needs_no_token_for_the_confirmation(
    system: System, new_shopper: Shopper
) -> None:
    shopper = new_shopper
    shopper.log_in("Marc Puig i Serra")
    shopper.put_into_cart("Linen bedding Delta")
    shopper.check_out()
    number = shopper.buy()

    shopper.page.goto(shopper.page.url.partition("?")[0])
    expect(shopper.page.get_by_text(f"Your order number is {number}")).to_be_visible()
    assert system.order(shopper.checkout_id)["customer_id"] == MARC
    customer = system.sequra_order(number)["solicited"]["customer"]
    assert customer["email"] == "fulano@example.com"


@pytest.mark.parametrize("carried", [False, True], ids=["we use it", "BigCommerce uses it"])
def test_store_credit_pays_a_part(system: System, visit: Visit, carried: bool) -> None:
    system.sandbox.knobs(store_credit_carried=carried)
    shopper = visit(customer_id=LUCIA)
    expect(shopper.page.locator("#useStoreCredit")).to_be_checked()
    number = shopper.buy()

    order, sequra = system.order(shopper.checkout_id), system.sequra_order(number)
    rest = cents(order["total_inc_tax"]) - 5000
    assert sequra["unshipped_cart"]["order_total_with_tax"] == rest
    assert cents(order["store_credit_amount"]) == 5000
    assert system.store_credit(LUCIA) == "0.00"


def test_store_credit_that_is_left_alone_stays(system: System, visit: Visit) -> None:
    shopper = visit(customer_id=LUCIA)
    expect(shopper.options.first).to_be_visible()
    shopper.page.locator("#useStoreCredit").uncheck()
    number = shopper.buy()

    order, sequra = system.order(shopper.checkout_id), system.sequra_order(number)
    assert sequra["unshipped_cart"]["order_total_with_tax"] == cents(order["total_inc_tax"])
    assert system.store_credit(LUCIA) == "50.00"


def test_a_coupon_makes_it_cheaper_for_sequra_too(system: System, visit: Visit) -> None:
    shopper = visit()
    expect(shopper.options.first).to_be_visible()
    before = shopper.to_pay.text_content()
    shopper.redeem("SAVE10")
    expect(shopper.to_pay).not_to_have_text(str(before))
    number = shopper.buy()

    order, sequra = system.order(shopper.checkout_id), system.sequra_order(number)
    lines = sequra["unshipped_cart"]["items"]
    assert sequra["unshipped_cart"]["order_total_with_tax"] == cents(order["total_inc_tax"])
    assert [line["total_with_tax"] < 0 for line in lines if line["type"] == "discount"] == [True]


def test_another_method_after_closing_the_form(system: System, visit: Visit) -> None:
    shopper = visit()
    shopper.open_form("pp3").locator("#close").click()
    expect(shopper.page.locator("iframe.sequra-identification-iframe")).to_have_count(0)
    expect(shopper.button).to_be_enabled()
    number = shopper.buy("i1")

    (sequra,) = system.sequra_orders(shopper.checkout_id)
    assert (sequra["product"], sequra["order_ref_1"]) == ("i1", str(number))


def test_a_native_method_after_closing_the_form(system: System, visit: Visit) -> None:
    shopper = visit()
    shopper.open_form("pp3").locator("#close").click()
    shopper.pay_natively()

    (sequra,) = system.sequra_orders(shopper.checkout_id)
    assert (sequra["state"], sequra["order_ref_1"]) == ("solicited", "")


def test_a_shopper_whom_sequra_declines_chooses_another_way(system: System, visit: Visit) -> None:
    shopper = visit("lang=es")
    form = shopper.open_form("pp3")
    shopper.fill_in(form, given_names="Test Decline")
    form.get_by_role("button", name="Volver a la tienda").click()
    shopper.pay_natively()

    assert len(system.orders(shopper.checkout_id)) == 1


def test_a_cart_changed_after_the_form_opened_is_a_conflict(system: System, visit: Visit) -> None:
    shopper = visit("lang=es")
    form = shopper.open_form()
    system.shopper_does("add_line", shopper.checkout_id, product_id=107)
    shopper.identify(form)
    expect(form.get_by_text("Tu carrito ha cambiado")).to_be_visible()

    assert system.orders(shopper.checkout_id) == []
    form.get_by_role("button", name="Volver a la tienda").click()
    expect(shopper.alert).to_have_text(
        "Tu carrito ha cambiado durante el pago. No se te ha cobrado nada."
    )
    expect(shopper.options.first).to_be_visible()
    number = shopper.buy()
    states = [order["state"] for order in system.sequra_orders(shopper.checkout_id)]
    assert states == ["cancelled", "confirmed"]
    assert [order["id"] for order in system.orders(shopper.checkout_id)] == [number]


def test_a_cart_changed_before_the_form_opens_is_shown_first(system: System, visit: Visit) -> None:
    shopper = visit()
    expect(shopper.options.first).to_be_visible()
    shopper.page.wait_for_load_state("networkidle")
    shopper.choose("pp3")
    system.shopper_does("add_line", shopper.checkout_id, product_id=107)
    shopper.button.click()

    expect(shopper.alert).to_have_text(re.compile(r"The amount to pay is now €?\d+\.\d\d"))
    assert system.orders(shopper.checkout_id) == []
    shopper.buy()


def test_a_page_under_a_strict_nonce_policy(visit: Visit) -> None:
    shopper = visit("csp=strict")
    broken: list[str] = []
    shopper.page.on("console", lambda message: broken.append(message.text))
    shopper.buy()

    assert [text for text in broken if "Content Security Policy" in text] == []


def test_errors_of_another_script_do_not_matter(system: System, new_shopper: Shopper) -> None:
    new_shopper.page.add_init_script(
        "setInterval(() => { throw new Error('another script') }, 50);"
        "addEventListener('click', () => { throw new Error('another script') }, true)"
    )
    number = new_shopper.come_with().buy()

    assert "another script" in new_shopper.thrown[0]
    assert system.sequra_order(number)["state"] == "confirmed"


def test_a_telephone(visit: Visit) -> None:
    shopper = visit("lang=es", width=390)
    expect(shopper.options).to_have_count(4)
    assert shopper.overflow() <= 0
    form = shopper.open_form()
    assert shopper.page.locator("#sq-identification-pp3").bounding_box() == {
        "x": 0, "y": 0, "width": 390, "height": 900,
    }  # fmt: skip
    shopper.identify(form)
    shopper.confirmed()


def test_a_page_in_spanish(visit: Visit) -> None:
    shopper = visit("lang=es")
    expect(shopper.button).to_have_text("Continuar con SeQura")
    form = shopper.open_form("sp1")

    expect(form.locator("html")).to_have_attribute("lang", "es")
    shopper.identify(form)
    shopper.confirmed()
