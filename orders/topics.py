"""What each kind of webhook event is about: a row per scope that we understand.

https://docs.bigcommerce.com/docs/integrations/webhooks/events
An event is a pointer: all that counts is which order to read again. Three outcomes: it points to
an order, it is about the store, or (every other scope) it is ignored.
"""

from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, Any]
MOST_DIGITS = 20  # of an id in PostgreSQL


def _id(data: Data) -> Any:
    return data.get("id")


def _order_id(data: Data) -> Any:
    """Shipments have an id of their own."""
    return data.get("orderId")


ORDER_OF: dict[str, Callable[[Data], Any]] = {
    "store/order/created": _id,
    "store/order/updated": _id,
    "store/order/statusUpdated": _id,
    "store/order/archived": _id,
    "store/order/refund/created": _id,
    "store/shipment/created": _order_id,
    "store/shipment/updated": _order_id,
    "store/shipment/deleted": _order_id,
}
UNINSTALLED = "store/app/uninstalled"
INFORMATION = "store/information/updated"
SHIPMENTS = "store/shipment/"


def order_id(scope: str, data: object) -> int | None:
    """The order an event points to; None when it is about none, or names what cannot be one."""
    if scope not in ORDER_OF or not isinstance(data, Mapping):
        return None
    told = ORDER_OF[scope](data)
    if isinstance(told, str) and told.isascii() and told.isdecimal() and len(told) < MOST_DIGITS:
        told = int(told)
    is_id = isinstance(told, int) and not isinstance(told, bool) and 0 < told < 2**63
    return told if is_id else None
