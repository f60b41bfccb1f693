"""What a merchant does with orders, and what SeQura believes afterwards."""

from typing import Any

from django.db.models.functions import Now

from local.sandbox_control import SandboxControl
from orders.models import Order
from orders.queue import claim
from orders.sync.worker import drain
from payments.confirm import confirm
from stores.clients import bigcommerce_for
from stores.models import Connection
from tests.payments.shop import Shop
from transaction_log.models import Entry

Document = dict[str, Any]


def is_paused(account: Connection) -> bool:
    """Return whether no call is made for this account now, because SeQura refused it."""
    return Connection.objects.filter(pk=account.pk, paused_until__gt=Now()).exists()


class Merchant:
    """A merchant with one store; `sandbox` is BigCommerce and SeQura."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self.sandbox = sandbox
        self.shop = Shop(sandbox)
        self.store = self.shop.store

    def order(self, **wishes: Any) -> Order:
        """An order that was bought with SeQura and whose first webhooks are worked off."""
        solicitation = self.shop.approved(**wishes)
        confirm(solicitation.pk)
        assert solicitation.reference
        order = Order.objects.get(reference=solicitation.reference)
        drain()
        return order

    def does(self, action: str, order: Order, **arguments: Any) -> Any:
        """Something in the control panel; our webhook is worked off."""
        told = self.acts(action, order, **arguments)
        self.notices(order)
        return told

    def acts(self, action: str, order: Order, **arguments: Any) -> Any:
        """Something in the control panel that we have not heard of."""
        arguments = {"order_id": order.bigcommerce_id, **arguments}
        return self.sandbox.control("POST", f"merchant/{action}", arguments)

    def notices(self, order: Order) -> None:
        claim.mark_changed(pk=order.pk)
        drain()

    def lines(self, order: Order) -> list[Document]:
        """The order's products in BigCommerce."""
        found = bigcommerce_for(self.store).order_products(order.bigcommerce_id)
        return [dict(line) for line in found]

    def at_sequra(self, order: Order) -> Document:
        """The order as SeQura has it."""
        return next(
            found
            for found in self.sandbox.held("sequra_orders")
            if found["uuid"] == str(order.reference)
        )

    def updates(self) -> list[Document]:
        """The order updates SeQura was sent."""
        return [
            call
            for call in self.sandbox.calls("sequra")
            if call["method"] == "PUT" and call["path"].startswith("/merchants/")
        ]

    def entries(self, order: Order) -> list[tuple[str, str, str]]:
        """The order's lines in the transaction log: event, outcome, reason."""
        rows = Entry.objects.filter(bigcommerce_id=order.bigcommerce_id).order_by("pk")
        return list(rows.values_list("event", "outcome", "reason"))
