"""Is the cart still the one that SeQura assessed? Read again from BigCommerce, compared whole."""

from typing import Any

from bigcommerce.documents import Checkout
from bigcommerce.errors import Rejected
from payments.models import Solicitation
from payments.outcomes import Refused
from payments.payloads import fingerprint
from payments.reasons import NotOffered
from payments.solicited_order import order_of
from payments.store_credit import Claim, credit_balance, store_credit
from sequra.money import NotMoney, to_cents
from stores.clients import bigcommerce_for

INCOMPLETE = 0


def check_cart(solicitation: Solicitation) -> None:
    """Raises Refused when the checkout is gone, ordered otherwise, or not what was solicited."""
    api = bigcommerce_for(solicitation.store)
    try:
        checkout = api.checkout(solicitation.checkout_id)
    except Rejected as error:
        if error.status == 404:
            raise Refused("checkout_gone") from error
        raise
    ordered = checkout.get("order_id")
    if ordered and api.order(int(ordered))["status_id"] != INCOMPLETE:
        raise Refused("already_ordered", f"as order {ordered}")
    if current_fingerprint(solicitation, checkout) != solicitation.fingerprint:
        raise Refused("cart_changed", f"it is {checkout.get('grand_total')} now")
    solicitation.is_unordered = not ordered


def current_fingerprint(solicitation: Solicitation, checkout: Checkout) -> str:
    """The fingerprint of the checkout as it is now; empty when it cannot be solicited any more."""
    try:
        if solicitation.store_credit != _current_credit(solicitation, checkout):
            return ""
        return fingerprint(order_of(solicitation, checkout))
    except (NotOffered, NotMoney):
        return ""


def _current_credit(solicitation: Solicitation, checkout: Checkout) -> int:
    claim = Claim(**solicitation.claim)
    if not claim.applied:
        return 0
    customer: Any = bigcommerce_for(solicitation.store).customer(checkout["cart"]["customer_id"])
    return store_credit(credit_balance(customer), to_cents(checkout.get("grand_total", "")), claim)
