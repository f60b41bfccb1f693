"""Random histories of single orders, against a ledger of what SeQura accepted that is kept apart.

The code under test is `sync_order` and what `outcomes` remembers; BigCommerce, SeQura and the
oracle are the small models below, so that thousands of histories take minutes and need no database.
Webhooks are lost, doubled and late, statements are refused, and answers are lost on both ways.
`HISTORIES` is how many (`make histories`: 2,000) and `SEED` which; a failure names both.
"""

import os
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

import sequra.client
from orders.models import Order
from orders.queue.claim import Lease
from orders.sync import results
from orders.sync.sync import Kind, Result, sync_order
from stores.models import Connection, Store
from transaction_log import record
from transaction_log.record import statement_digest

HISTORIES = int(os.environ.get("HISTORIES", "600"))
SEED = int(os.environ.get("SEED", "1"))
STEPS = 14
SHIPPED, CANCELLING, SILENT = (2, 10), (5, 6), (0, 4, 13)
CLOSED_FOR_REFUNDS = (0, 4, 5)
ACTS = (
    "ship", "ship", "unship", "refund", "amount", "amount", "status", "cancel", "reopen", "edit",
    "renumber",
)  # fmt: skip
PERSON = {"first_name": "Ana", "country_iso2": "ES", "zip": "08010", "email": "a@example.com"}
Document = dict[str, Any]


def text(cents: int) -> str:
    return f"{cents / 100:.4f}"


class Shop:
    """One order in BigCommerce, and a merchant who does as he likes with it."""

    def __init__(self, chance: random.Random) -> None:
        self.random, self.status = chance, 11
        self.lines: list[Document] = []
        self.shipments: list[Document] = []
        self.refunds: list[Document] = []
        self.number = 0
        for _ in range(chance.randint(1, 4)):
            self.add_line()
        self.shipping = chance.choice([0, 0, 495])
        self.discount = chance.choice([0, 0, chance.randint(1, 300)])
        self.credit = chance.choice([0, 0, 0, self.total // 10])

    def next(self) -> int:
        self.number += 1
        return self.number

    def add_line(self) -> None:
        number = self.next()
        kind = self.random.choice(["physical"] * 5 + ["digital"])
        quantity, price = self.random.randint(1, 4), self.random.randint(100, 9_999)
        self.lines.append(
            {"id": number, "product": number, "kind": kind, "quantity": quantity, "price": price}
        )

    @property
    def total(self) -> int:
        goods = sum(line["quantity"] * line["price"] for line in self.lines)
        return max(1, int(goods) + self.shipping - self.discount)

    @property
    def refunded(self) -> int:
        return sum(int(refund["cents"]) for refund in self.refunds)

    @property
    def owed(self) -> int:
        return max(0, self.total - self.credit - self.refunded)

    def sent(self, line: Document) -> int:
        named = (item for shipment in self.shipments for item in shipment["items"])
        return sum(units for key, units in named if key == line["product"])

    def back(self, line: Document) -> int:
        return sum(refund["units"].get(line["product"], 0) for refund in self.refunds)

    def acts(self) -> str:
        """Do something that the control panel allows; says what kind of act it was."""
        return str(getattr(self, f"does_{self.random.choice(ACTS)}")())

    def does_ship(self) -> str:
        left = {
            line["product"]: line["quantity"] - self.sent(line) - self.back(line)
            for line in self.lines
            if line["kind"] == "physical"
        }
        items = [(key, self.random.randint(1, n)) for key, n in left.items() if n > 0]
        if not items:
            return ""
        items = self.random.sample(items, self.random.randint(1, len(items)))
        ids = {line["product"]: line["id"] for line in self.lines}
        self.shipments.append(
            {"id": self.next(), "items": items, "lines": {key: ids[key] for key, _ in items}}
        )
        gone = dict(items)
        self.status = 2 if all(gone.get(key, 0) >= n for key, n in left.items()) else 3
        return "ship"

    def does_unship(self) -> str:
        if not self.shipments:
            return ""
        self.shipments.remove(self.random.choice(self.shipments))
        return "unship"

    def does_refund(self) -> str:
        left = [line for line in self.lines if line["quantity"] > self.back(line)]
        if not left or self.status in CLOSED_FOR_REFUNDS:
            return ""
        line = self.random.choice(left)
        units = self.random.randint(1, line["quantity"] - self.back(line))
        cents = min(units * line["price"], self.total - self.credit - self.refunded)
        return self.refund(cents, {line["product"]: units}, line["id"]) if cents > 0 else ""

    def does_amount(self) -> str:
        left = self.total - self.credit - self.refunded
        if left <= 0 or self.status in CLOSED_FOR_REFUNDS:
            return ""
        return self.refund(self.random.randint(1, left), {}, 0)

    def refund(self, cents: int, units: dict[int, int], line: int) -> str:
        one = {"id": self.next(), "cents": cents, "units": units, "line": line}
        self.refunds.append(one)
        self.status = 4 if self.owed == 0 else 14
        return "units" if units else "refund"

    def does_status(self) -> str:
        self.status = self.random.choice([2, 10, 2, 10, 9, 11, 7, 13, 14, 3])
        return "word" if self.status in SHIPPED else "status"

    def does_cancel(self) -> str:
        self.status = self.random.choice(CANCELLING)
        return "status"

    def does_reopen(self) -> str:
        self.status = self.random.choice([11, 9])
        return "status"

    def does_edit(self) -> str:
        line = self.random.choice(self.lines)
        wish = self.random.choice(["add", "quantity", "price", "shipping"])
        if wish == "add" and len(self.lines) < 6:
            self.add_line()
        elif wish == "quantity":
            least = max(1, self.sent(line), self.back(line))
            line["quantity"] = self.random.randint(least, least + 3)
        elif wish == "price":
            line["price"] = self.random.randint(100, 9_999)
        else:
            self.shipping = self.random.choice([0, 495, 990])
        return "edit"

    def does_renumber(self) -> str:
        """An edit that changes nothing but the ids of the lines."""
        for line in self.lines:
            line["id"] = self.next()
        return "status"

    # What `read_snapshot` asks for.

    def whole_order(self, order_id: int) -> tuple[Document, str]:
        return self.order(order_id), ""

    def order(self, order_id: int) -> Document:
        return {
            "id": order_id,
            "status_id": self.status,
            "default_currency_code": "EUR",
            "total_inc_tax": text(self.total),
            "shipping_cost_inc_tax": text(self.shipping),
            "store_credit_amount": text(self.credit),
            "billing_address": PERSON,
            "items_shipped": sum(n for one in self.shipments for _, n in one["items"]),
        }

    def order_products(self, _: int) -> list[Document]:
        return [
            {
                "id": line["id"],
                "product_id": line["product"],
                "sku": f"S{line['product']}",
                "name": f"Thing {line['product']}",
                "type": line["kind"],
                "quantity": line["quantity"],
                "total_inc_tax": text(line["quantity"] * line["price"]),
                "discounted_total_inc_tax": text(line["quantity"] * line["price"]),
            }
            for line in self.lines
        ]

    def shipping_addresses(self, _: int) -> list[Document]:
        return [PERSON]

    def fees(self, _: int) -> list[Document]:
        return []

    def shipments_(self) -> list[Document]:
        return [
            {
                "id": one["id"],
                "items": [
                    {"order_product_id": one["lines"][key], "product_id": key, "quantity": units}
                    for key, units in one["items"]
                ],
            }
            for one in self.shipments
        ]

    def refunds_(self) -> list[Document]:
        return [
            {
                "id": one["id"],
                "total_amount": one["cents"] / 100,
                "items": [
                    {"item_type": "PRODUCT", "item_id": one["line"], "quantity": units}
                    for units in one["units"].values()
                ]
                or [{"item_type": "ORDER", "item_id": 1, "requested_amount": one["cents"] / 100}],
                "payments": [
                    {"provider_id": "custom", "amount": one["cents"] / 100, "is_declined": False}
                ],
            }
            for one in self.refunds
        ]


class Reader:
    """The shop as its API shows it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def __getattr__(self, name: str) -> Any:
        if name in ("shipments", "refunds"):
            return lambda _order_id: getattr(self.shop, f"{name}_")()
        return getattr(self.shop, name)


class Oracle:
    """What SeQura accepted, and what must be true of the next statement because of it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.is_cancelled = False
        # Of the last statement that may have arrived: was it a cancellation, the status, how many
        # refunds there were.
        self.said = (False, 0, 0)
        self.carts: tuple[Document, Document] | None = None
        self.buried: Counter[str] = Counter()  # cents of refunds that ended with cancelled goods
        self.known: set[int] = set()  # refunds
        self.acts: set[str] = set()  # of the merchant, since the last accepted statement
        self.kinds: Counter[str] = Counter()

    @property
    def cancelled(self) -> bool:
        """Is the shop's order cancelled now? Some statuses do not bring a cancelled one back.

        A refund sets Partially Refunded by itself: only a person brings the order back with it.
        """
        was_cancelled, status, refunds = self.said
        with_refund = self.shop.status == 14 and (status == 14 or len(self.shop.refunds) > refunds)
        stays = was_cancelled and (self.shop.status in SILENT or with_refund)
        return stays or self.shop.status in CANCELLING

    def hears(self) -> None:
        """Remember what the shop shows while a statement is, or may be, accepted."""
        self.said = (self.cancelled, self.shop.status, len(self.shop.refunds))

    def accepts(self, update: Mapping[str, Any]) -> None:
        """Compare a statement with the shop's sums and with the statements before."""
        carts = (update["unshipped_cart"], update["shipped_cart"])
        waiting, gone = (sum(item["total_with_tax"] for item in one["items"]) for one in carts)
        assert [one["order_total_with_tax"] for one in carts] == [waiting, gone]
        assert min(waiting, gone) >= 0
        cancelled = self.cancelled
        self.hears()
        if cancelled:
            assert waiting == 0
            assert gone <= self.shop.owed
        else:
            assert waiting + gone == self.shop.owed
        self.buried = self.ends(carts) if cancelled else Counter()
        if not self.shop.owed:  # both carts are empty: nothing is known of what is in which
            self.is_cancelled = cancelled
            return
        self.check_refunds(carts, cancelled=cancelled)
        self.check_units(carts)
        self.check_shipped_cart(carts[1])
        self.count(carts, cancelled=cancelled)
        self.is_cancelled, self.carts, self.acts = cancelled, carts, set()
        self.known = {refund["id"] for refund in self.shop.refunds}

    def ends(self, carts: tuple[Document, Document]) -> Counter[str]:
        """What ended with the cancelled goods of each refund that was accepted before."""
        now, cents = by_side(carts), {f"r_{one['id']}": one["cents"] for one in self.shop.refunds}
        before = {key: sides[0] for key, sides in by_side(self.carts).items()}
        ended = Counter(self.buried if self.is_cancelled else before)
        if not self.acts <= {"status", "refund"}:  # goods have moved, or went
            for key in ended:
                ended[key] = min(ended[key], cents[key] - now.get(key, (0, 0))[1])
        return ended

    def check_refunds(self, carts: tuple[Document, Document], *, cancelled: bool) -> None:
        """No refund of an amount is taken twice; none changes sides while the goods stay."""
        before, now = by_side(self.carts), by_side(carts)
        stood_still = self.acts <= {"status", "refund"}
        # A cart that bears no more passes cents on when order-level lines are shared out anew.
        empty = "refund" in self.acts and any(one["order_total_with_tax"] == 0 for one in carts)
        for refund in self.shop.refunds:
            key = f"r_{refund['id']}"
            unshipped, shipped = now.get(key, (0, 0))
            assert unshipped + shipped <= refund["cents"], key
            if stood_still:
                assert shipped + self.buried[key] <= refund["cents"], f"{key} is taken twice"
            if stood_still and not empty and refund["id"] in self.known and key in before:
                was = before[key]
                assert shipped == was[1], f"{key} has changed sides"
                assert cancelled or self.is_cancelled or unshipped == was[0], key

    def check_units(self, carts: tuple[Document, Document]) -> None:
        """Every unit that is owed is in one of the carts, and none comes back by itself."""
        before, now = units(self.carts), units(carts)
        for line in self.shop.lines:
            key = f"S{line['product']}"
            news = sum(
                refund["units"].get(line["product"], 0)
                for refund in self.shop.refunds
                if refund["id"] not in self.known
            )
            if self.acts <= {"status", "word", "ship", "refund", "units"}:
                assert now[key][1] >= before[key][1] - news, f"{key} is not shipped any more"
            if self.carts and self.acts <= {"status", "refund", "units"}:
                left_with_last = line["kind"] == "digital"
                assert left_with_last or now[key][1] <= before[key][1], f"{key} left by itself"

    def check_shipped_cart(self, shipped: Document) -> None:
        """A status that ships nothing never touches what was shipped."""
        if self.carts and self.acts <= {"status"}:
            assert shipped["items"] == self.carts[1]["items"]

    def count(self, carts: tuple[Document, Document], *, cancelled: bool) -> None:
        """Remember which kinds of histories came up."""
        gone = bool(carts[1]["items"])
        self.kinds["cancelled after shipping"] += cancelled and gone
        self.kinds["cancelled with a refund"] += cancelled and bool(self.buried.total())
        self.kinds["reopened"] += self.is_cancelled and not cancelled
        self.kinds["declined"] += self.shop.status == 6
        in_both = any(0 not in sides for sides in by_side(carts).values())
        self.kinds["refund on both sides"] += in_both
        self.kinds["part shipped"] += gone and bool(carts[0]["items"])


def by_side(carts: tuple[Document, Document] | None) -> dict[str, tuple[int, int]]:
    """Cents of each refund of an amount, in the unshipped and in the shipped cart."""
    found: dict[str, list[int]] = {}
    for side, one in enumerate(carts or ()):
        for item in one["items"]:
            if str(item["reference"]).startswith("r_") and item["type"] == "other_payment":
                found.setdefault(item["reference"], [0, 0])[side] -= item["total_with_tax"]
    return {key: (sides[0], sides[1]) for key, sides in found.items()}


def units(carts: tuple[Document, Document] | None) -> dict[str, tuple[int, int]]:
    """Units of each reference, in the unshipped and in the shipped cart."""
    found: dict[str, list[int]] = {}
    for side, one in enumerate(carts or ()):
        for item in one["items"]:
            if item["type"] == "product":
                found.setdefault(item["reference"], [0, 0])[side] += item["quantity"]
    return defaultdict(lambda: (0, 0), {key: (one[0], one[1]) for key, one in found.items()})


class Provider:
    """SeQura, which refuses, does not answer, or answers too late."""

    def __init__(self, oracle: Oracle, chance: random.Random) -> None:
        self.oracle, self.random, self.is_calm = oracle, chance, False

    def update_order(self, _merchant: str, _order: str, update: Mapping[str, Any]) -> None:
        fate = 1.0 if self.is_calm else self.random.random()
        if fate < 0.15:
            raise sequra.client.Rejected(409, ["Not this one"])
        if fate < 0.25:
            self.oracle.hears()
            raise sequra.client.Unavailable("it timed out", maybe_done=True)
        self.oracle.accepts(update)
        if fate < 0.35:
            raise sequra.client.Unavailable("its answer was lost", maybe_done=True)

    def is_about_us(self, *_: Any) -> bool:
        return False


class History:
    """One order from its purchase on."""

    def __init__(self, chance: random.Random) -> None:
        self.random, self.shop = chance, Shop(chance)
        self.oracle = Oracle(self.shop)
        self.provider: Any = Provider(self.oracle, chance)
        store = Store(hash="shop", language="es")
        self.order = Order(
            store=store,
            connection=Connection(store=store),
            bigcommerce_id=1,
            reference=uuid.UUID(int=1),
            order_ref_1="1",
            status=Order.Status.APPROVED,
            amount=self.shop.owed,
            has_shipments=True,
        )
        self.late: list[bool] = []  # webhooks: did each bring a shipped status?

    def happens(self) -> None:
        """Something in the shop, and whatever becomes of its webhook."""
        if act := self.shop.acts():
            self.oracle.acts.add(act)
            if self.shop.status in SHIPPED and self.order.shipped_word != self.shop.status:
                self.oracle.acts.add("word")
            event = self.shop.status in SHIPPED
            fate = self.random.choice(["lost", "late", "once", "once", "twice"])
            self.late += [event] * {"lost": 0, "late": 1, "once": 1, "twice": 2}[fate]
            if fate != "late":
                self.delivers()
        if self.random.random() < 0.2:
            part = self.random.choice(["customer.email", "delivery_address.city"])
            self.order.corrected = {part: self.random.choice(["a@example.org", "Girona"])}

    def delivers(self) -> None:
        """Webhooks arrive in any order; some are held back for longer."""
        self.random.shuffle(self.late)
        while self.late and self.random.random() < 0.7:
            if self.late.pop():
                self.order.shipped_status_seen = True
                self.oracle.acts.add("word")
            self.synchronises()

    def synchronises(self) -> Result:
        reader: Any = Reader(self.shop)
        result = sync_order(self.order, reader, self.provider, Lease())
        assert result.computed is not None, result
        results._tell_merchant(self.order, result)
        for name, value in results._facts(self.order, result).items():
            setattr(self.order, name, value)
        self.order.shipped_status_seen = False
        if result.may_have_arrived:
            self.order.unsure = True
        if result.kind in (Kind.SENT, Kind.ALREADY_KNOWN):
            self.order.accepted_update, self.order.unsure = result.update, False
            self.order.refused = ""
        if result.kind is Kind.REFUSED:
            self.order.refused = statement_digest(result.update or {})
        if result.kind is Kind.UNCHANGED:
            self.oracle.accepts(result.update or {})
        return result

    def ends(self) -> None:
        """No more trouble: whatever SeQura believes now is the whole truth."""
        self.provider.is_calm, self.order.refused = True, ""
        result = self.synchronises()
        assert result.kind in (Kind.SENT, Kind.UNCHANGED)
        self.synchronises()


def test_accepted_facts_are_never_placed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[str] = Counter()
    monkeypatch.setattr(record, "ask", lambda _s, found, _t: asked.update(list(found)))
    kinds: Counter[str] = Counter()
    for number in range(HISTORIES):
        history = History(random.Random(f"{SEED} {number}"))
        try:
            for _ in range(STEPS):
                history.happens()
            history.ends()
        except AssertionError as error:
            error.add_note(f"SEED={SEED}, history {number} of {HISTORIES}")
            raise
        kinds += history.oracle.kinds
    print(f"HISTORIES={HISTORIES} SEED={SEED} {dict(kinds)} {dict(asked)}")
    expected = {
        "cancelled after shipping",
        "cancelled with a refund",
        "reopened",
        "declined",
        "refund on both sides",
        "part shipped",
    }
    assert set(kinds) == expected
    assert set(asked) == {
        "shipped_before_cancelling",
        "refund_of_cancelled",
        "added_after_shipping",
        "shipped_status_left",
    }
