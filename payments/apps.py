from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from stores import lifecycle

if TYPE_CHECKING:
    from stores.models import Connection, Store


class PaymentsConfig(lifecycle.StoreApp):
    name = "payments"

    def uninstalled(self, store: "Store", /) -> Collection[int]:
        """Make unfinished payments due, and delete the tokens that open confirmation pages."""
        from payments import retention

        return retention.begin_to_end(store)

    def references_needed(self, store: "Store", /) -> Collection[UUID]:
        """Return the payments that are finished or taken back after the uninstallation."""
        from payments import retention

        return retention.references_being_ended(store)

    def references_under_way(self, store: "Store", /) -> Collection[UUID]:
        """Return the payments that are neither over nor abandoned."""
        from payments import retention

        return retention.references_under_way(store)

    def move_to_account(self, account: "Connection", earlier: list[int], refs: list[str]) -> None:
        """Move the payments of a replaced account."""
        from payments import retention

        retention.take_along(account, earlier, refs)
