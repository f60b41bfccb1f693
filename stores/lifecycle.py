"""What the other apps contribute when a store is uninstalled or erased, or replaces an account.

`stores` does its own part and asks every installed app for the rest, in the same transaction. An
app takes part when its configuration in `apps.py` derives from `StoreApp`; Django's INSTALLED_APPS
is the only list of them.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from django.apps import AppConfig, apps

if TYPE_CHECKING:  # configurations are loaded before models
    from stores.models import Connection, Store


class StoreApp(AppConfig):
    """An app that keeps rows of stores. By default it has nothing to do."""

    def uninstalled(self, _store: "Store", /) -> Collection[int]:
        """Delete the app's secrets of the store and end what is under way.

        Return the ids of the accounts whose password is still needed for that.
        """
        return ()

    def references_needed(self, _store: "Store", /) -> Collection[UUID]:
        """Return the SeQura references whose personal data unfinished work still needs."""
        return ()

    def references_under_way(self, _store: "Store", /) -> Collection[UUID]:
        """Return the SeQura references of payments that an erasure on request would break."""
        return ()

    def move_to_account(self, account: "Connection", earlier: list[int], refs: list[str]) -> None:
        """Move the rows of these earlier accounts with these merchant ids to the account."""


def store_apps() -> list[StoreApp]:
    """Return the apps that take part, in the order of INSTALLED_APPS."""
    return [config for config in apps.get_app_configs() if isinstance(config, StoreApp)]
