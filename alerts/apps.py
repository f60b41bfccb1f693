from collections.abc import Collection
from typing import TYPE_CHECKING

from stores import lifecycle

if TYPE_CHECKING:
    from stores.models import Store


class AlertsConfig(lifecycle.StoreApp):
    name = "alerts"

    def uninstalled(self, store: "Store", /) -> Collection[int]:
        """Delete the addresses with the mails that wait for them, and what they were about."""
        from alerts.models import Alert, Recipient

        Recipient.objects.filter(store=store).delete()
        Alert.objects.filter(store=store).delete()
        return ()
