from typing import TYPE_CHECKING

from stores import lifecycle

if TYPE_CHECKING:
    from stores.models import Connection


class OrdersConfig(lifecycle.StoreApp):
    name = "orders"

    def move_to_account(self, account: "Connection", earlier: list[int], refs: list[str]) -> None:
        """Move the orders of a replaced account, and its unfinished delivery reports."""
        from orders.queue import claim
        from orders.reports import run

        claim.take_along(account, earlier, refs)
        run.take_along(account, earlier, refs)
