"""The whole system as its merchant and his shoppers use it: over HTTP, process by process."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import Any

import psycopg2

from local.demo import STORE, install
from local.sandbox_control import SandboxControl, plain_session
from local.stack import Stack

Document = dict[str, Any]
PROMISED = 25.0  # seconds until a change in BigCommerce must be at SeQura
PATIENCE = 90.0  # seconds, where nothing but a busy machine is in the way


COPY = """
import uuid
from django.utils import timezone
from orders.models import Reconciliation
from stores.models import Store
store = Store.objects.get(hash="%s")
accounts = list(store.connections.prefetch_related("merchants"))
store.pk, store.hash, store.public_id = None, "%s", uuid.uuid4()
store.save()
now = timezone.now()  # nothing changed before: the goods are those of the other store
Reconciliation.objects.create(store=store, until=now, webhooks_at=now)
for account in accounts:
    merchants = list(account.merchants.all())
    account.pk, account.store = None, store
    account.save()
    for merchant in merchants:
        merchant.pk, merchant.store, merchant.connection = None, store, account
        merchant.save()
print(store.public_id)
"""


class World:
    """A store of the running system, freshly installed."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.sandbox = SandboxControl(stack.sandbox_port, stack.app_port)
        self.sandbox.reset()
        install(stack, self.sandbox)
        destination = self.sandbox.held("hooks")[0]["destination"]
        self.public_id = destination.rpartition("/")[2]
        self.http = plain_session()

    def another_store(self, name: str) -> "World":
        """A second store with the same goods: own hash, own rows here, the same SeQura account."""
        with psycopg2.connect(self.stack.urls["SANDBOX_DATABASE_URL"]) as database:
            database.cursor().execute(
                "INSERT INTO bigcommerce_store (hash, access_token, scopes, details)"
                " SELECT %s, access_token, scopes, details FROM bigcommerce_store LIMIT 1",
                [name],
            )
        database.close()
        other = copy(self)
        other.public_id = self.stack.manage("shell", "-v0", "-c", COPY % (STORE, name)).split()[-1]
        return other

    def store_id(self) -> int:
        with psycopg2.connect(self.stack.urls["DATABASE_URL"]) as database:
            cursor = database.cursor()
            cursor.execute("SELECT id FROM stores_store WHERE public_id = %s", [self.public_id])
            found = cursor.fetchone()
        database.close()
        assert found
        return int(found[0])

    def figures(self) -> dict[str, float]:
        """What a web process tells Prometheus, by name and labels."""
        page = self.http.get(f"http://127.0.0.1:{self.stack.app_port}/metrics", timeout=60).text
        lines = [line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def buy(self) -> int:
        """The number of an order that a shopper bought with SeQura; its webhooks are worked off."""
        number = self.buys_quickly()
        self.wait(lambda: self.is_known(number), "the purchase is known")
        return number

    @property
    def address(self) -> str:
        """Where the shop's pages ask the app."""
        return f"http://127.0.0.1:{self.stack.app_port}/storefront/{self.public_id}"

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Host": self.stack.app_url.split("//")[1],
            "Origin": self.stack.origin("shop"),
        }

    def asks(self) -> tuple[str, str]:
        """The shopper asks for SeQura: our number of the attempt, and SeQura's reference."""
        asked = {"checkout_id": self.sandbox.checkout()["checkout_id"], "layout": "desktop"}
        reply = self.http.post(
            f"{self.address}/payment-methods", json=asked, headers=self.headers, timeout=60
        )
        reply.raise_for_status()
        return reply.json()["solicitation"], self.sandbox.held("sequra_orders")[-1]["uuid"]

    def buys_quickly(self) -> int:
        """The shopper asks for SeQura, finishes the form, and SeQura notifies the app."""
        attempt, reference = self.asks()
        self.sandbox.drive("approve", reference, product="pp3")
        status = f"{self.address}/solicitations/{attempt}"

        def order() -> int | None:
            answer = self.http.get(status, headers=self.headers, timeout=60).json()
            return int(answer["order"]) if answer["status"] == "confirmed" else None

        return int(self.wait(order, "the order is made"))

    def is_known(self, number: int) -> bool:
        """Did the app read the order after its purchase?"""
        path = f"/v3/orders/{number}/payment_actions/refunds"
        return bool(self.sandbox.calls("bigcommerce", in_path=path))

    def does(self, action: str, number: int, **arguments: Any) -> Any:
        arguments = {"order_id": number, **arguments}
        return self.sandbox.control("POST", f"merchant/{action}", arguments)

    def lines(self, number: int) -> list[Document]:
        orders = self.sandbox.held("bigcommerce_orders")
        return next(one["products"] for one in orders if one["order"]["id"] == number)

    def told(self, number: int) -> Document:
        """The order as SeQura has it."""
        orders = self.sandbox.held("sequra_orders")
        return next(one for one in orders if is_about(one["order_ref_1"], number))

    def totals(self, number: int) -> tuple[int, int]:
        """Cents that wait to be shipped, and cents that were."""
        told = self.told(number)
        return (
            told["unshipped_cart"]["order_total_with_tax"],
            told["shipped_cart"]["order_total_with_tax"],
        )

    def updates(self, number: int) -> list[Document]:
        """The order updates SeQura was sent."""
        return [
            call
            for call in self.sandbox.calls("sequra", in_path="/merchants/")
            if call["path"].startswith("/merchants/")
            and is_about(call["path"].rpartition("/orders/")[2], number)
        ]

    def wait(self, ready: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        until = time.monotonic() + seconds
        while not (found := ready()):
            assert time.monotonic() < until, f"{what}: not within {seconds:g} s"
            time.sleep(0.1)
        return found

    def kill(self, name: str) -> None:
        """`kill -9` of a process and of everything it started."""
        tether = self.stack.processes[name].tether
        assert tether
        for pid in reversed(list(descendants(tether.pid))):
            os.kill(pid, signal.SIGKILL)
        self.stack.stop(name)


def is_about(reference: str | None, number: int) -> bool:
    """Where stores share a merchant id, SeQura's reference begins with the store's hash."""
    return reference in (str(number), f"{STORE}-{number}")


def descendants(pid: int) -> Iterator[int]:
    """The processes below this one, parents first."""
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, thread.read_text().split()):
            yield child
            yield from descendants(child)
