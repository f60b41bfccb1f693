"""Read BigCommerce's documents of one order with as few calls as possible.

Three to six calls: the order, its products and its refunds always; addresses unless nothing is
delivered; shipments when there are signs of any; fees when the total cannot be explained without
them. Nothing in an order shows that it has refunds (`refunded_amount` is always 0), so they are
always read.
"""

from bigcommerce.client import BigCommerce
from bigcommerce.errors import Rejected, Unavailable
from payloads.order import lines
from payloads.order.lines import Document
from payloads.order.order_update import Snapshot

_PARTLY_SHIPPED, _SHIPPED = 3, 2
_TRIES = 3


class PartMissing(Unavailable):
    """The order exists and a part of it does not: BigCommerce answers, so it is not down."""


def read_snapshot(api: BigCommerce, order_id: int, *, has_shipments: bool) -> Snapshot:
    """Return the order as it is now. Raise Rejected (404: no such order) and Unavailable.

    The documents are read one by one. When their amounts contradict each other, the order may have
    been edited in between: then they are read again until the order did not change meanwhile.
    """
    order = api.order(order_id)
    for _ in range(_TRIES):
        snapshot = _read(api, order_id, order, has_shipments)
        if not lines.unexplained(order, lines.goods(snapshot["products"])):
            return snapshot
        snapshot["fees"] = api.fees(order_id)
        again = api.order(order_id)
        if again.get("date_modified") == order.get("date_modified"):
            return snapshot
        order = again
    return snapshot


def _read(api: BigCommerce, order_id: int, order: Document, has_shipments: bool) -> Snapshot:
    """Return the order with its parts. A missing part raises PartMissing."""
    try:
        return _parts(api, order_id, order, has_shipments)
    except Rejected as refusal:
        if refusal.status != 404:
            raise
        raise PartMissing(f"BigCommerce shows a part only: {refusal.call}") from refusal


def _parts(api: BigCommerce, order_id: int, order: Document, has_shipments: bool) -> Snapshot:
    snapshot: Snapshot = {
        "order": order,
        "products": api.order_products(order_id),
        "refunds": api.refunds(order_id),
    }
    if has_shipments or _shows_shipments(snapshot):
        snapshot["shipments"] = api.shipments(order_id)
    if _is_delivered(order):
        snapshot["shipping_addresses"] = api.shipping_addresses(order_id)
    return snapshot


def _shows_shipments(snapshot: Snapshot) -> bool:
    order, products = snapshot["order"], snapshot["products"]
    return (
        order["status_id"] in (_SHIPPED, _PARTLY_SHIPPED)
        or bool(order.get("items_shipped"))
        or any(product.get("quantity_shipped") for product in products)
    )


def _is_delivered(order: Document) -> bool:
    return not order.get("order_is_digital") and order.get("shipping_address_count") != 0
