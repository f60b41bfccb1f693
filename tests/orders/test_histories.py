"""Random histories: whatever the webhooks do, SeQura ends up with what the shop says.

Merchants edit, ship, refund, cancel, decline and reopen at random; webhooks are duplicated,
reordered, held back for long; both systems fail, before and after the effect. The suite runs
thirty, `make histories` two thousand; `HISTORIES` names another number and `SEED` others; a failure
names both.
"""

import os
import random
import time
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django.fixtures import Settings

from bigcommerce.api import Rejected, Unavailable
from local.sandbox_control import ControlRefused
from orders.models import Gate, Order, WebhookEvent
from orders.queue import claim
from orders.sync.snapshot import read_snapshot
from orders.sync.worker import drain
from payloads.order.order_update import _NOT_REOPENING, PARTLY_REFUNDED, Snapshot, compute
from stores.clients import bigcommerce_for
from stores.registration import parts
from tests.orders.merchant import Merchant
from transaction_log.explanations import UPDATES
from transaction_log.models import Entry

TOGETHER = 30
CANCEL, CARTS = (5, 6), ("unshipped_cart", "shipped_cart")
HISTORIES = int(os.environ.get("HISTORIES", "30"))
SEED = int(os.environ.get("SEED", "1"))
PATHS = (r"/merchants/[^/]+/orders/.*", r"/stores/.*/v[23]/orders/.*")
CALM = {"webhook_duplicates": 0, "webhook_shuffle": 0.0, "webhook_hold": False}


class Chance:
    """What merchants and networks do next, from one seed."""

    def __init__(self, merchant: Merchant, seed: int) -> None:
        self.merchant, self.random = merchant, random.Random(seed)

    def acts(self, order: Order) -> None:
        """One action in the control panel, if the control panel lets him."""
        acts = (self.edits, self.moves, self.ships, self.unships, self.refunds, self.refunds_money)
        rare = (self.cancels, self.reopens, self.sets_status, self.is_corrected)
        act = self.random.choice(rare if self.random.random() < 0.2 else acts)
        try:
            act(order)
        except (ControlRefused, Rejected, Unavailable):
            return

    def some(self, order: Order) -> list[dict[str, Any]]:
        lines = self.merchant.lines(order)
        chosen = self.random.sample(lines, self.random.randint(1, len(lines)))
        return [
            {"order_product_id": line["id"], "quantity": self.random.randint(1, line["quantity"])}
            for line in chosen
        ]

    def edits(self, order: Order) -> None:
        line = self.random.choice(self.merchant.lines(order))
        price = Decimal(line["price_inc_tax"]) * self.random.randint(50, 100) / 100
        wishes: list[dict[str, Any]] = [
            {"lines": [{"id": line["id"], "price": f"{price:.2f}"}]},
            {"lines": [{"id": line["id"], "quantity": self.random.randint(0, line["quantity"])}]},
            {"discount": f"{self.random.randint(0, 900) / 100:.2f}"},
            {"shipping_cost": f"{self.random.randint(0, 495) / 100:.2f}"},
        ]
        self.merchant.acts("edit_order", order, **self.random.choice(wishes))

    def moves(self, order: Order) -> None:
        where = f"Calle Mayor, {self.random.randint(1, 99)}"
        action = self.random.choice(["edit_billing_address", "edit_shipping_address"])
        self.merchant.acts(action, order, street_1=where)

    def ships(self, order: Order) -> None:
        items = self.some(order) if self.random.random() < 0.7 else None
        self.merchant.acts("ship", order, items=items, tracking_number="T", carrier="seur")

    def unships(self, order: Order) -> None:
        api = bigcommerce_for(self.merchant.store)
        for shipment in api.shipments(order.bigcommerce_id)[:1]:
            self.merchant.acts("unship", order, shipment_id=shipment["id"])

    def refunds(self, order: Order) -> None:
        self.merchant.acts("refund", order, items=self.some(order))

    def refunds_money(self, order: Order) -> None:
        wishes: list[dict[str, Any]] = [
            {"amount": self.random.randint(1, 3000) / 100},
            {"shipping": True},
        ]
        wish = self.random.choice(wishes)
        self.merchant.acts("refund", order, **wish)

    def cancels(self, order: Order) -> None:
        self.merchant.acts("set_status", order, status_id=self.random.choice([5, 6]))

    def reopens(self, order: Order) -> None:
        self.merchant.acts("set_status", order, status_id=11)

    def sets_status(self, order: Order) -> None:
        self.merchant.acts("set_status", order, status_id=self.random.choice([2, 7, 9, 10, 13]))

    def is_corrected(self, order: Order) -> None:
        """SeQura knows a better address, and nobody has decided about it."""
        Order.objects.filter(pk=order.pk).update(corrected={"delivery_address.city": "Girona"})

    def troubles(self) -> None:
        """Sometimes something fails, with or without having done it; webhooks do as they like."""
        if self.random.random() < 0.2:
            self.merchant.sandbox.fault(
                self.random.choice(PATHS),
                status=self.random.choice([409, 429, 500, 503]),
                effect=self.random.choice(["none", "before"]),
                reset=self.random.random() < 0.3,
                times=self.random.randint(1, 3),
            )
        self.merchant.sandbox.knobs(
            webhook_duplicates=self.random.choice([0, 0, 1, 3]),
            webhook_shuffle=self.random.choice([0.0, 0.2]),
            webhook_hold=self.random.random() < 0.3,
        )


def bought(merchant: Merchant, chance: Chance) -> Order:
    """A cart of several units, so that there is something to split."""
    lines = [
        {"product_id": number, "quantity": chance.random.randint(1, 3)}
        for number in chance.random.sample([101, 102, 103, 104], 2)
    ]
    return merchant.order(lines=lines)


def calm_down(merchant: Merchant) -> None:
    """No more trouble; all webhooks arrive; every pause is over."""
    merchant.sandbox.clear_faults()
    merchant.sandbox.knobs(**CALM)
    merchant.sandbox.control("POST", "webhooks/release", {})
    until = time.monotonic() + 60
    while merchant.sandbox.control("GET", "webhooks")["pending"]:
        assert time.monotonic() < until, "webhooks are still on their way"
        time.sleep(0.05)
    while WebhookEvent.objects.filter(outcome="new").exists() or Order.objects.filter(
        changed__gt=F("synced")
    ):
        assert time.monotonic() < until, "orders are still due"
        Gate.objects.update(failures=0, open_until=None, window_until=None)
        Order.objects.update(due_at=timezone.now())
        drain()


def difference(merchant: Merchant, order: Order, told: dict[str, Any], *, is_given: bool) -> str:
    """What SeQura believes wrongly about an order, unless the merchant is told so.

    An order that SeQura was never told about has its lines as the checkout worded them.
    """
    order.refresh_from_db()
    snapshot = read_snapshot(
        bigcommerce_for(merchant.store), order.bigcommerce_id, has_shipments=True
    )
    facts = order.facts()
    should = compute(snapshot, facts).update
    if Entry.objects.filter(
        bigcommerce_id=order.bigcommerce_id, event__in=UPDATES, outcome="rejected", closed_at=None
    ).exists():
        return ""
    status_id = snapshot["order"]["status_id"]
    silent = {*_NOT_REOPENING, PARTLY_REFUNDED}
    if status_id in CANCEL or (order.ledger["cancelled"] and status_id in silent):
        owed = sum(should[cart]["order_total_with_tax"] for cart in CARTS)
        assert should["unshipped_cart"]["items"] == []
    else:
        owed = owed_by_the_shop(snapshot)
    asked = sum(told[cart]["order_total_with_tax"] for cart in CARTS)
    if asked != owed:
        return f"order {order.bigcommerce_id}: {asked} cents instead of {owed}"
    compared = ("order_total_with_tax", "items") if is_given else ("order_total_with_tax",)
    wrong = [
        f"{cart} {key}: {told[cart][key]} instead of {should[cart][key]}"
        for cart in ("unshipped_cart", "shipped_cart")
        for key in compared
        if told[cart][key] != should[cart][key]
    ]
    return f"order {order.bigcommerce_id}: {wrong}" if wrong else ""


def owed_by_the_shop(snapshot: Snapshot) -> int:
    """Cents by the shop's own sums: the total, less what was paid or given back otherwise."""
    order = snapshot["order"]
    paid = [order[key] for key in ("store_credit_amount", "gift_certificate_amount")]
    back = [
        payment["amount"]
        for refund in snapshot["refunds"]
        for payment in refund["payments"]
        if payment["provider_id"] == "custom" and not payment["is_declined"]
    ]
    gone = sum(round(Decimal(str(amount)) * 100) for amount in (*paid, *back))
    return max(0, round(Decimal(order["total_inc_tax"]) * 100) - gone)


@pytest.mark.parametrize("first", range(0, HISTORIES, TOGETHER))
def test_histories_converge(
    merchant: Merchant, live_app: str, settings: Settings, first: int
) -> None:
    settings.APP_URL = live_app
    for change in parts.webhook_changes(bigcommerce_for(merchant.store), merchant.store):
        change.apply()
    chance = Chance(merchant, SEED * 1_000_003 + first)
    orders = [bought(merchant, chance) for _ in range(min(TOGETHER, HISTORIES - first))]
    for _ in range(6 * len(orders)):
        chance.acts(chance.random.choice(orders))
        if chance.random.random() < 0.2:
            chance.troubles()
            Gate.objects.update(open_until=None, window_until=None)
            claim.unpark()
            drain()
    calm_down(merchant)
    told = [update["path"].rpartition("/")[2] for update in merchant.updates()]
    known = {found["order_ref_1"]: found for found in merchant.sandbox.held("sequra_orders")}
    differences = [
        difference(merchant, order, known[order.order_ref_1], is_given=order.order_ref_1 in told)
        for order in orders
    ]
    wrong = [found for found in differences if found]
    assert wrong == [], f"SEED={SEED} HISTORIES={HISTORIES} first={first}"
    accepted = Entry.objects.filter(outcome="accepted").exclude(event="purchase")
    assert len(orders) <= accepted.count() <= len(told)
    open_now = Entry.objects.filter(closed_at=None, outcome="delayed")
    assert not open_now.exists()
