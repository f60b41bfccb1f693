"""Look at the shop first: is the cart the one that SeQura assessed, is it ordered already?

PostgreSQL may fail over, or be restored from a backup, and lose the last commits while both vendors
keep theirs. So before a checkout is converted, refused or taken back, its orders are read: one that
carries the SeQura reference, in whatever status, was placed by this app.
https://docs.bigcommerce.com/docs/rest-management/orders
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from bigcommerce.api import Rejected
from bigcommerce.documents import Checkout
from bigcommerce.documents import Order as OrderDocument
from payloads.checkout.lines import Claim, credit_balance
from payloads.checkout.other_payments import OtherPayments, Shown, other_payments
from payloads.checkout.parts import customer_number
from payloads.checkout.reasons import NotOffered
from payloads.checkout.solicitation import fingerprint
from payloads.money import NotMoney, to_cents
from payments.balance import balance_of, may_ask
from payments.models import Solicitation
from payments.solicited_order import order_of
from payments.steps.outcomes import Refused
from stores.clients import bigcommerce_for
from stores.models import Store


def check_cart(solicitation: Solicitation) -> None:
    """Raise Refused when the checkout is gone, ordered otherwise, or not what was solicited."""
    api = bigcommerce_for(solicitation.store)
    try:
        checkout = api.checkout(solicitation.checkout_id)
    except Rejected as error:
        if error.status == 404:
            raise Refused("checkout_gone") from error
        raise
    ordered, agreed = checkout.get("order_id"), solicitation.other_payments
    order = api.order(int(ordered)) if ordered else None
    if order and not is_unpaid(order, agreed):
        raise Refused("already_ordered", f"as order {ordered}")
    # An order unknown to this restored row may have used the credit: the balance is lower.
    is_used = order is not None and _shows_a_part(order, agreed)
    if _current_fingerprint(solicitation, checkout, is_used=is_used) != solicitation.fingerprint:
        raise Refused("cart_changed", f"it is {checkout.get('grand_total')} now")
    solicitation.is_unordered = not ordered


def _current_fingerprint(
    solicitation: Solicitation, checkout: Checkout, *, is_used: bool = False
) -> str:
    """Return the fingerprint of the checkout as it is now; empty when it cannot be paid any more.

    `is_used`: an unpaid order of this checkout has used credit or certificates already.
    """
    try:
        if not is_used and solicitation.other_payments != _current(solicitation, checkout):
            return ""
        return fingerprint(order_of(solicitation, checkout))
    except (NotOffered, NotMoney):
        return ""


def _current(solicitation: Solicitation, checkout: Checkout) -> OtherPayments:
    """Return what pays a part of the checkout now.

    What a storefront's API does not show at the moment is believed to be as before: the order will
    show whether it is.
    """
    claim, shown = Claim(**solicitation.claim), balance_of(solicitation.store, checkout)
    if shown is None and (solicitation.certificates or may_ask(solicitation.store)):
        shown = Shown(solicitation.amount, solicitation.other_payments.certificates)
    customer_id = customer_number(checkout) if claim.applied or shown else None
    api = bigcommerce_for(solicitation.store)
    customer: Any = api.customer(customer_id) if customer_id else None
    total = to_cents(checkout.get("grand_total", ""))
    return other_payments(credit_balance(customer), total, claim, shown)


_INCOMPLETE, _PENDING, _CANCELLED = 0, 1, 5
# Written in one call with the first status, so an order that has them was placed.
_REFERENCE_FIELDS = ("external_order_id", "payment_provider_id")


def finished_order(store: Store, checkout_id: str, reference: UUID) -> OrderDocument | None:
    """Return the order of this checkout that was placed for this SeQura order, if there is one.

    Archived orders count. Raise Rejected or Unavailable when BigCommerce gives no usable answer.
    """
    api = bigcommerce_for(store)
    found = finished(api.orders(cart_id=checkout_id), reference)
    return found or finished(api.orders(cart_id=checkout_id, is_deleted="true"), reference)


def finished(orders: Iterable[OrderDocument], reference: UUID) -> OrderDocument | None:
    """Return the order that was placed for this SeQura order, the first that is not cancelled."""
    ours = [order for order in orders if is_finished(order, reference)]
    return min(
        ours, key=lambda order: (order["status_id"] == _CANCELLED, order["id"]), default=None
    )


def is_finished(order: OrderDocument, reference: UUID) -> bool:
    """Return whether this order was placed for this SeQura order."""
    written = {str(order.get(name) or "").strip().lower() for name in _REFERENCE_FIELDS}
    return order["status_id"] != _INCOMPLETE and str(reference) in written


def is_unpaid(order: OrderDocument, agreed: OtherPayments) -> bool:
    """Return whether this order is Incomplete, or Pending by these other payments alone."""
    if order["status_id"] != _PENDING:
        return order["status_id"] == _INCOMPLETE
    return _shows_a_part(order, agreed) and not order.get("external_order_id")


def _shows_a_part(order: OrderDocument, agreed: OtherPayments) -> bool:
    """Return whether this order has used a part of these payments, and nothing else."""
    paid, left = paid_otherwise(order), agreed.left(*paid_otherwise(order))
    return left is not None and any(paid)


def paid_otherwise(order: OrderDocument) -> tuple[int, int]:
    """Return the cents that gift certificates, and store credit, pay of an order."""
    return to_cents(order["gift_certificate_amount"]), to_cents(order["store_credit_amount"])
