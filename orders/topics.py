"""What each kind of webhook event is about: one row per scope that this project handles.

An event is a pointer: it only determines which order to read again. There are three outcomes: the
event is about an order, it is about the store, or (any other scope) it is ignored.
https://docs.bigcommerce.com/docs/integrations/webhooks/events
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
    """Return the order of a shipment event, whose `id` is the shipment's."""
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
REFUNDS = "store/order/refund/"


def order_id(scope: str, data: object) -> int | None:
    """Return the order that an event is about. None when it names no order or no possible id."""
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


_AHEAD = 300  # seconds that BigCommerce's clock may be ahead of ours


def handle(store_id: int, scope: str) -> None:
    """Handle an event about the store itself: uninstall the app, or read the store's settings."""
    store = Store.objects.get(pk=store_id)
    if scope == UNINSTALLED:
        _uninstall(store)
    elif store.is_installed:
        wake(refresh_store, store_id)


def _uninstall(store: Store) -> None:
    """Uninstall the app unless the newest such event is about an earlier installation.

    Events may be days late. BigCommerce dates every event: one without a date, or with one in the
    future, proves nothing about this installation, so the next maintenance run asks BigCommerce
    whether the token still works.
    """
    events = WebhookEvent.objects.filter(store=store, scope=UNINSTALLED)
    newest = events.order_by("-received_at").first()
    created = newest.payload.get("created_at") if newest else None
    if type(created) is not int or created > time.time() + _AHEAD:
        install.check_soon(store)
    elif created >= int(store.installed_at.timestamp()):
        install.uninstall(store)
