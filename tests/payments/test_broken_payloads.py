"""Our own payloads, broken on purpose: the pretend SeQura refuses each as the real one does.

What goes through unbroken is what every other test sends; here one thing is wrong at a time.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from orders.models import Order
from orders.sync.sync import _read
from payments.confirm import confirm
from payments.models import Solicitation
from payments.solicited_order import sent_order
from sequra.client import Rejected, Sequra
from stores.clients import bigcommerce_for, sequra_for
from tests.payments.shop import Shop

Payload = dict[str, Any]
Break = Callable[[Payload], None]


def more_than_its_lines(cart: Payload) -> None:
    cart["order_total_with_tax"] += 42


def lower_case_country(order: Payload) -> None:
    order["delivery_address"]["country_code"] = "es"


def foreign_country(order: Payload) -> None:
    order["delivery_address"]["country_code"] = "DE"


def positive_discount(order: Payload) -> None:
    extra = {"type": "discount", "reference": "x", "name": "x", "total_with_tax": 100}
    order["cart"]["items"].append(extra)
    order["cart"]["order_total_with_tax"] += 100


def fractional_cents(order: Payload) -> None:
    order["cart"]["items"][0]["total_with_tax"] += 0.5


SOLICITATIONS: dict[str, tuple[Break, str]] = {
    "sum": (lambda order: more_than_its_lines(order["cart"]), "The diff is 42."),
    "currency": (lambda order: order["cart"].update(currency="USD"), "currency"),
    "no country": (lambda order: order["delivery_address"].pop("country_code"), "country_code"),
    "lower case": (lower_case_country, "country_code"),
    "another country": (foreign_country, "country"),
    "no customer": (lambda order: order.pop("customer"), "customer"),
    "no e-mail": (lambda order: order["customer"].pop("email"), "email"),
    "no address": (lambda order: order.pop("invoice_address"), "invoice_address"),
    "positive discount": (positive_discount, "less than or equal to -1"),
    "fraction": (fractional_cents, "total_with_tax"),
    "unknown item": (lambda order: order["cart"]["items"][0].update(type="gift"), "type"),
    "no notify_url": (lambda order: order["merchant"].update(notify_url="here"), "notify_url"),
    "layout": (lambda order: order["gui"].update(layout="watch"), "layout"),
}
CONFIRMATIONS: dict[str, Break] = {
    "quantity": lambda order: order["cart"]["items"][0].update(quantity=9),
    "address": lambda order: order["delivery_address"].update(city="Madrid"),
    "customer": lambda order: order["customer"].update(email="somebody@example.com"),
    "notify_url": lambda order: order["merchant"].update(notify_url="https://example.com/"),
}


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(Rejected) as refused:
        call()
    return refused.value.status, refused.value.message


@pytest.mark.parametrize("name", SOLICITATIONS)
def test_broken_solicitation_is_refused(shop: Shop, name: str) -> None:
    break_it, words = SOLICITATIONS[name]
    attempt = shop.solicited()
    order = deepcopy(sent_order(attempt))
    break_it(order)

    status, said = refusal(lambda: api_of(attempt).solicit(attempt.merchant_ref, order))

    assert (status, words in said) == (409, True), said


def api_of(attempt: Solicitation) -> Sequra:
    return sequra_for(attempt.connection)


def test_solicitation_for_somebody_else_s_merchant_is_forbidden(shop: Shop) -> None:
    attempt = shop.solicited()
    order = sent_order(attempt)
    order["merchant"]["id"] = "test"

    status, said = refusal(lambda: api_of(attempt).solicit("test", order))

    assert (status, said) == (403, "Bad merchant id 'test' for demo")


def test_wrong_password_is_denied_in_plain_text(shop: Shop) -> None:
    attempt = shop.solicited()
    connection = attempt.connection
    connection.password = "wrong"

    status, said = refusal(
        lambda: sequra_for(connection).solicit(attempt.merchant_ref, sent_order(attempt))
    )

    assert (status, said) == (401, "HTTP Basic: Access denied.")


def test_form_of_an_unknown_order_is_not_found(shop: Shop) -> None:
    attempt = shop.solicited()
    unknown = "00000000-0000-4000-8000-000000000000"

    status, _ = refusal(lambda: api_of(attempt).form(attempt.merchant_ref, unknown, "pp3"))

    assert status == 404


@pytest.mark.parametrize("name", CONFIRMATIONS)
def test_confirmation_of_something_else_is_a_conflict(shop: Shop, name: str) -> None:
    attempt = shop.approved()
    order = sent_order(attempt) | {"state": "confirmed"}
    CONFIRMATIONS[name](order)

    status, _ = refusal(
        lambda: api_of(attempt).put_order(attempt.merchant_ref, attempt.sequra_order, order)
    )

    assert status == 409


def test_confirmation_before_the_approval_is_a_conflict(shop: Shop) -> None:
    attempt = shop.solicited()
    order = sent_order(attempt) | {"state": "confirmed"}

    status, _ = refusal(
        lambda: api_of(attempt).put_order(attempt.merchant_ref, attempt.sequra_order, order)
    )

    assert status == 409


def test_number_of_another_order_is_a_conflict(shop: Shop) -> None:
    first, second = shop.approved(), shop.approved()
    confirm(first.pk)
    number = Order.objects.get().order_ref_1
    order = sent_order(second) | {
        "state": "confirmed",
        "merchant_reference": {"order_ref_1": number},
    }

    status, _ = refusal(
        lambda: api_of(second).put_order(second.merchant_ref, second.sequra_order, order)
    )

    assert status == 409


@pytest.fixture
def update(shop: Shop) -> tuple[Order, Payload]:
    """A confirmed order and the order update that says how it is."""
    confirm(shop.approved().pk)
    order = Order.objects.select_related("store", "connection").get()
    return order, deepcopy(_read(order, bigcommerce_for(order.store)).update)


def refused_update(order: Order, payload: Payload) -> tuple[int, str]:
    api = sequra_for(order.connection)
    return refusal(lambda: api.update_order(order.merchant_ref, order.order_ref_1, payload))


def test_carts_that_do_not_add_up_are_named(update: tuple[Order, Payload]) -> None:
    order, payload = update
    for cart in ("shipped_cart", "unshipped_cart"):
        broken = deepcopy(payload)
        more_than_its_lines(broken[cart])
        status, said = refused_update(order, broken)
        assert (status, f"In {cart}, items' total_with_tax add up to" in said) == (409, True)
        assert said.endswith("The diff is 42.")


def test_more_than_was_approved_is_a_conflict(update: tuple[Order, Payload]) -> None:
    order, payload = update
    payload["unshipped_cart"]["items"][0]["total_with_tax"] += 1
    payload["unshipped_cart"]["order_total_with_tax"] += 1

    status, said = refused_update(order, payload)

    assert (status, "approved" in said) == (409, True)


@pytest.mark.parametrize(
    ("merchant", "reference", "status"), [("test", "", 403), ("", "A14/12345", 404)]
)
def test_update_of_somebody_else_s_or_no_order(
    update: tuple[Order, Payload], merchant: str, reference: str, status: int
) -> None:
    order, payload = update
    merchant, reference = merchant or order.merchant_ref, reference or order.order_ref_1
    payload["merchant"]["id"] = merchant
    payload["merchant_reference"]["order_ref_1"] = reference

    found, _ = refusal(
        lambda: sequra_for(order.connection).update_order(merchant, reference, payload)
    )

    assert found == status


@pytest.mark.parametrize("part", ["shipped_cart", "unshipped_cart", "merchant_reference"])
def test_update_without_a_required_part_is_refused(
    update: tuple[Order, Payload], part: str
) -> None:
    order, payload = update
    del payload[part]

    status, said = refused_update(order, payload)

    assert (status, part in said) == (409, True)
