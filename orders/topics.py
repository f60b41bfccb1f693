"""What each kind of webhook event is about: a row per scope that we understand.

https://docs.bigcommerce.com/docs/integrations/webhooks/events
An event is a pointer: all that counts is which order to read again. Three outcomes: it points to
an order, it is about the store, or (every other scope) it is ignored.
"""

from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, Any]


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

# What a merchant reads where an event is mentioned, by scope.
LABELS = {
    "store/order/created": "created",
    "store/order/updated": "edited",
    "store/order/statusUpdated": "status changed",
    "store/order/archived": "archived",
    "store/order/refund/created": "refunded",
    "store/shipment/created": "shipped",
    "store/shipment/updated": "shipment edited",
    "store/shipment/deleted": "shipment deleted",
    UNINSTALLED: "uninstalled",
    INFORMATION: "store changed",
}


def order_id(scope: str, data: Data) -> int | None:
    """The order an event points to; None when it is about none. ValueError when it is no id."""
    if scope not in ORDER_OF:
        return None
    told = ORDER_OF[scope](data)
    number = int(told) if isinstance(told, int | str) and not isinstance(told, bool) else 0
    if not 0 < number < 2**63:
        raise ValueError("no order id")
    return number
