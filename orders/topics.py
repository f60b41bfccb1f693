"""What each kind of webhook event is about: a row per scope that we understand.

https://docs.bigcommerce.com/docs/integrations/webhooks/events
An event is a pointer: all that counts is which order to read again. Three outcomes: it points to
an order, it is about the store, or (every other scope) it is ignored.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from orders.models import WebhookEvent
from stores import install
from stores.models import Store
from stores.tasks import refresh_store, wake

_Data = Mapping[str, Any]
_MOST_DIGITS = 20  # of an id in PostgreSQL


def _id(data: _Data) -> Any:
    return data.get("id")


def _order_id(data: _Data) -> Any:
    """Shipments have an id of their own."""
    return data.get("orderId")


ORDER_OF: dict[str, Callable[[_Data], Any]] = {
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
    number = ORDER_OF[scope](data)
    if (
        isinstance(number, str)
        and number.isascii()
        and number.isdecimal()
        and len(number) < _MOST_DIGITS
    ):
        number = int(number)
    is_id = isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**63
    return number if is_id else None


# Webhook events that are about a store itself, not about an order.
_AHEAD = 300  # seconds that BigCommerce's clock may be ahead of ours


def handle(store_id: int, scope: str) -> None:
    """The store is cancelled: forget it. Or it has a new name, language, address: read it again."""
    store = Store.objects.get(pk=store_id)
    if scope == UNINSTALLED:
        if not _is_from_before(store):
            install.uninstall(store)
    elif store.is_installed:
        wake(refresh_store, store_id)


def _is_from_before(store: Store) -> bool:
    """Is the newest such event about an earlier installation? Deliveries may be days late."""
    events = WebhookEvent.objects.filter(store=store, scope=UNINSTALLED)
    newest = events.order_by("-received_at").first()
    created = newest.payload.get("created_at") if newest else None
    if type(created) is not int or created > time.time() + _AHEAD:
        # BigCommerce dates every event: one without a date, or with one that is not yet, proves
        # nothing about this installation. BigCommerce knows, and is asked again later.
        return install.ask_whether_granted(store)
    return created < int(store.installed_at.timestamp())
