"""Orders that BigCommerce has and a restored row does not know.

PostgreSQL may fail over, or be restored from a backup, and lose the last commits while both vendors
keep theirs. So before a checkout is converted, refused or taken back, its orders are read: one that
carries the SeQura reference, in whatever status, was placed by this app.
https://docs.bigcommerce.com/docs/rest-management/orders
"""

from collections.abc import Iterable
from uuid import UUID

from bigcommerce.documents import Order as OrderDocument
from payloads.money import to_cents
from stores.clients import bigcommerce_for
from stores.models import Store

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


def is_unpaid(order: OrderDocument, credit: int) -> bool:
    """Return whether this order is Incomplete, or Pending by our store credit (cents) alone."""
    if order["status_id"] != _PENDING:
        return order["status_id"] == _INCOMPLETE
    return shows_credit(order, credit) and not order.get("external_order_id")


def shows_credit(order: OrderDocument, credit: int) -> bool:
    """Return whether this order has used exactly this store credit (cents), and any at all."""
    return bool(credit) and to_cents(order["store_credit_amount"]) == credit
