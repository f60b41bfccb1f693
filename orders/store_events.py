"""Webhook events that are about a store itself, not about an order."""

import time

from orders.models import WebhookEvent
from orders.topics import UNINSTALLED
from stores import install
from stores.models import Store
from stores.tasks import look_after_store, wake

AHEAD = 300  # seconds that BigCommerce's clock may be ahead of ours


def handle(store_id: int, scope: str) -> None:
    """The store is cancelled: forget it. Or it has a new name, language, address: read it again."""
    store = Store.objects.get(pk=store_id)
    if scope == UNINSTALLED:
        if not _is_from_before(store):
            install.uninstall(store)
    elif store.is_installed:
        wake(look_after_store, store_id)


def _is_from_before(store: Store) -> bool:
    """Is the newest such event about an earlier installation? Deliveries may be days late."""
    events = WebhookEvent.objects.filter(store=store, scope=UNINSTALLED)
    newest = events.order_by("-received_at").first()
    created = newest.payload.get("created_at") if newest else None
    if type(created) is not int or created > time.time() + AHEAD:
        # BigCommerce dates every event: one without a date, or with one that is not yet, proves
        # nothing about this installation. BigCommerce knows, and is asked again later.
        return install.ask_whether_granted(store)
    return created < int(store.installed_at.timestamp())
