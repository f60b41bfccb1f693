from collections.abc import Collection
from typing import TYPE_CHECKING

from stores import lifecycle

if TYPE_CHECKING:
    from stores.models import Store


class AlertsConfig(lifecycle.StoreApp):
    name = "alerts"

    def uninstalled(self, store: "Store", /) -> Collection[int]:
        """Delete what waits to be sent, with its addresses, and what it was about."""
        from alerts.models import Alert, Delivery, Recipient

        Delivery.objects.filter(store=store).delete()
        Recipient.objects.filter(store=store).delete()
        Alert.objects.filter(store=store).delete()
        return ()
