"""What SeQura would be sent about an order now: computed and checked, and never sent.

The decision is `sync_order` itself. In place of SeQura it gets an account that keeps the statement.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bigcommerce.client import BigCommerce
from orders.models import Order
from orders.queue.lease import Lease
from orders.sync.sync import Result, sync_order
from payloads.order.comparison import CARTS
from sequra.client import Sequra


class _KeepsStatements(Sequra):
    """An account at SeQura that accepts every order update without a call."""

    def __init__(self) -> None:
        """Hold no address and no password, so that no other method can reach SeQura."""

    def update_order(
        self, merchant: str, order_ref_1: str, update: Mapping[str, Any], **_: Any
    ) -> None:
        """Accept it. The result of `sync_order` carries it."""


def preview(order: Order, shop: BigCommerce) -> Result:
    """Return how a synchronisation would end: `Kind.SENT` with what SeQura would be sent.

    BigCommerce is read; the row, SeQura and the staff notes are left alone.
    """
    return sync_order(order, shop, _KeepsStatements(), Lease())


def faults(update: Mapping[str, Any]) -> Iterator[str]:
    """Yield what SeQura would reject in any order update, whatever it knows of the order."""
    if not all(update.get("merchant_reference", {}).values()):
        yield "merchant_reference is incomplete"
    for name in CARTS:
        cart = update.get(name)
        if cart is None:
            yield f"{name} is missing"
            continue
        total = sum(line["total_with_tax"] for line in cart["items"])
        if total != cart["order_total_with_tax"]:
            yield f"{name}: the lines add up to {total}, order_total_with_tax is not that"
