"""Check that the cart is still the one that SeQura assessed: read it again, compare it whole."""

from typing import Any

from bigcommerce.api import Rejected
from bigcommerce.documents import Checkout
from payloads.checkout.lines import Claim, credit_balance, store_credit
from payloads.checkout.parts import customer_number
from payloads.checkout.reasons import NotOffered
from payloads.checkout.solicitation import fingerprint
from payloads.money import NotMoney, to_cents
from payments.models import Solicitation
from payments.solicited_order import order_of
from payments.steps.outcomes import Refused
from payments.steps.placed_orders import is_unpaid, shows_credit
from stores.clients import bigcommerce_for


def check_cart(solicitation: Solicitation) -> None:
    """Raise Refused when the checkout is gone, ordered otherwise, or not what was solicited."""
    api = bigcommerce_for(solicitation.store)
    try:
        checkout = api.checkout(solicitation.checkout_id)
    except Rejected as error:
        if error.status == 404:
            raise Refused("checkout_gone") from error
        raise
    ordered, credit = checkout.get("order_id"), solicitation.store_credit
    order = api.order(int(ordered)) if ordered else None
    if order and not is_unpaid(order, credit):
        raise Refused("already_ordered", f"as order {ordered}")
    # An order unknown to this restored row may have used the credit: the balance is lower.
    is_used = order is not None and shows_credit(order, credit)
    if _current_fingerprint(solicitation, checkout, is_used=is_used) != solicitation.fingerprint:
        raise Refused("cart_changed", f"it is {checkout.get('grand_total')} now")
    solicitation.is_unordered = not ordered


def _current_fingerprint(
    solicitation: Solicitation, checkout: Checkout, *, is_used: bool = False
) -> str:
    """Return the fingerprint of the checkout as it is now; empty when it cannot be paid any more.

    `is_used`: an unpaid order of this checkout has used the store credit already.
    """
    try:
        if not is_used and solicitation.store_credit != _current_credit(solicitation, checkout):
            return ""
        return fingerprint(order_of(solicitation, checkout))
    except (NotOffered, NotMoney):
        return ""


def _current_credit(solicitation: Solicitation, checkout: Checkout) -> int:
    claim = Claim(**solicitation.claim)
    if not claim.applied:
        return 0
    customer_id = customer_number(checkout)
    api = bigcommerce_for(solicitation.store)
    customer: Any = api.customer(customer_id) if customer_id else None
    return store_credit(credit_balance(customer), to_cents(checkout.get("grand_total", "")), claim)
