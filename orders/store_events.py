"""Webhook events that are about a store itself, not about an order."""

from orders.topics import UNINSTALLED
from stores import install
from stores.models import Store
from stores.tasks import look_after_store, wake


def handle(store_id: int, scope: str) -> None:
    """The store is cancelled: forget it. Or it has a new name, language, address: read it again."""
    store = Store.objects.get(pk=store_id)
    if scope == UNINSTALLED:
        install.uninstall(store)
    elif store.is_installed:
        wake(look_after_store, store_id)
