"""Translate a snapshot of a BigCommerce order into the order update for SeQura. Pure.

An order update is a full statement: what is still to be shipped, what was shipped and kept, and for
whom. Editing, shipping, refunding and cancelling are the same call with other carts, and the
shopper owes the sum of both. https://docs.sequra.com/docs/order-update-api
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, NotRequired, TypedDict

from payloads.cart import cart
from payloads.order import lines, people
from payloads.order.carts import (
    Carts,
    all_shipped,
    parcel_units,
    parcels,
    shipped_units,
    split,
    trackings,
)
from payloads.order.ledger import (
    BY_STATUS,
    Ledger,
    Taken,
    by_status,
    known_goods,
    products,
    refunded_before,
    written,
)
from payloads.order.lines import Document, Goods
from payloads.order.refunds import Remains, after_refunds, happened
from payloads.order.services import agreed_terms, sold_as_services
from transport.reading import section

REFUNDED = 4
# Incomplete, Refunded and Disputed do not bring a cancelled order back to life.
_NOT_REOPENING = frozenset({0, 4, 13})
# BigCommerce sets it with a refund. Set by hand, it reopens a cancelled order.
PARTLY_REFUNDED = 14
# Statuses of an order whose goods are still in the shop.
_NOT_SENT = frozenset({1, 7, 9, 11, 12})
# BigCommerce writes seconds, and its clock is not ours.
_STOOD_STILL = timedelta(minutes=1)
OrderUpdate = dict[str, Any]


class Snapshot(TypedDict):
    """BigCommerce's documents for one order at one moment."""

    order: Document
    products: Sequence[Document]
    refunds: Sequence[Document]
    shipping_addresses: NotRequired[Sequence[Document]]
    shipments: NotRequired[Sequence[Document]]
    fees: NotRequired[Sequence[Document]]
    goods: NotRequired[Sequence[Goods]]  # of `products`, once they were read
    digest: NotRequired[str]  # of `order`, when all the rest follows from it


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The merchant's settings for statuses."""

    shipped_statuses: frozenset[int] = frozenset({2, 10})
    cancelling_statuses: frozenset[int] = frozenset({5, 6})
    refunded_status_refunds: bool = False


@dataclass(frozen=True, kw_only=True)
class OrderFacts:
    """What the database knows of the order and BigCommerce does not, and the store's rules."""

    merchant_ref: str
    order_ref_1: str
    reference: str  # SeQura's
    currency: str = "EUR"
    solicited: Mapping[str, Any] = field(default_factory=dict)
    # What left because of a status, without shipment records, as a shipment names it; True where no
    # more is known. That status, and whether a webhook carried one.
    shipped_by_status: bool | Sequence[Document] = False
    shipped_word: int | None = None
    shipped_status_seen: bool = False
    ledger: Ledger = field(default_factory=Ledger)  # what SeQura accepted
    rules: Rules = field(default_factory=Rules)


class Held(Exception):
    """There is no update yet: the documents contradict each other or the agreement."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class _Question(NamedTuple):
    """A decision for the merchant: a reason of the transaction log, and cents."""

    reason: str
    cents: int


@dataclass(frozen=True)
class Computed:
    """An order update, with the facts to store about it."""

    update: OrderUpdate
    ledger: Ledger
    left_by_status: Sequence[Document]
    shipped_word: int | None
    questions: Sequence[_Question]


def compute(snapshot: Snapshot, facts: OrderFacts) -> Computed:
    """Return the order update with the facts it states. Raise Held when there is none."""
    order = snapshot["order"]
    if order["default_currency_code"] != facts.currency:
        raise Held("currency_changed", str(order["default_currency_code"]))
    goods = snapshot.get("goods") or lines.goods(snapshot["products"])
    is_cancelled = _is_cancelled(snapshot, facts.ledger, facts.rules)
    if not goods and not is_cancelled and lines.cents(order, "total_inc_tax") > 0:
        raise Held("no_products")
    remains = _remains(snapshot, goods, facts.ledger)
    left = _shipped_by_status(snapshot, goods, facts)
    shipped = _shipped(snapshot, remains, left, facts.ledger)
    carts = _carts(snapshot, remains, shipped, facts, is_cancelled=is_cancelled)
    ledger = _ledger(snapshot, goods, carts, shipped, facts, is_cancelled=is_cancelled)
    kept = carts
    if _refunded_by_status(snapshot, facts.rules):
        ledger["refunds"][BY_STATUS] = _all_of(carts, ledger)
        kept = Carts([], [], {})
    elif remains.owed <= 0:
        kept = Carts([], [], {})
    elif is_cancelled:
        kept = Carts([], carts.shipped, {})
    terms = agreed_terms(section(facts.solicited.get("cart")).get("items") or ())
    update = _statement(snapshot, facts) | {
        "unshipped_cart": {**cart(facts.currency, sold_as_services(kept.unshipped, terms))},
        "shipped_cart": {**cart(facts.currency, sold_as_services(kept.shipped, terms))},
    }
    questions = _questions(order["status_id"], facts, ledger, kept)
    return Computed(
        update, ledger, left, _shipped_status(order["status_id"], facts.rules), questions
    )


def _shipped_by_status(
    snapshot: Snapshot, goods: Sequence[Goods], facts: OrderFacts
) -> list[Document]:
    """Return the goods that left because of the status alone, as a shipment names them.

    They are stored, because statuses change. An order that reaches a shipped status ships what is
    there; goods added while it stays in that status have not left.
    """
    units = shipped_units(goods, [{"items": _remembered(goods, facts)}])
    for key, left in _units_by_status(snapshot, goods, facts).items():
        units[key] = max(units[key], left)
    if not units:
        return []
    return [
        {"order_product_id": line.id, "product_id": line.product_id, "quantity": found}
        for line in goods
        if (found := units.get(line.id))
    ]


def _remembered(goods: Sequence[Goods], facts: OrderFacts) -> Sequence[Document]:
    """Return what left by an earlier status; where no more is known, everything that is there."""
    if facts.shipped_by_status is True:
        return [{"order_product_id": line.id, "quantity": line.quantity} for line in goods]
    return facts.shipped_by_status or ()


def _units_by_status(
    snapshot: Snapshot, goods: Sequence[Goods], facts: OrderFacts
) -> Mapping[int, int]:
    """Return the units that leave because of the current status or one that a webhook carried."""
    status, ledger = _shipped_status(snapshot["order"]["status_id"], facts.rules), facts.ledger
    if status is None:
        seen = facts.shipped_status_seen and not facts.shipped_by_status
        if not seen or _are_in_parcels(snapshot, goods, ledger):
            return {}
        present, known = _present(goods, ledger), known_goods(ledger, 1)
        units = shipped_units(goods, [{"items": known}]) if known else present
        return {key: min(left, present[key]) for key, left in units.items() if key in present}
    if status == facts.shipped_word:
        return _without_parcel(snapshot, goods, ledger)
    return {} if _are_in_parcels(snapshot, goods, ledger) else _present(goods, ledger)


def _without_parcel(
    snapshot: Snapshot, goods: Sequence[Goods], ledger: Ledger
) -> Mapping[int, int]:
    """Return units that SeQura accepted as shipped and whose shipment record was deleted.

    They count while the status means that they left.
    """
    accepted = shipped_units(goods, [{"items": known_goods(ledger, 2)}])
    recorded = shipped_units(goods, snapshot.get("shipments") or ())
    physical = {line.id for line in goods if not line.digital}
    return {key: accepted[key] for key in physical if accepted[key] > recorded[key]}


def _shipped_status(status_id: int, rules: Rules) -> int | None:
    """Return the status if it means that everything was shipped."""
    return status_id if status_id in rules.shipped_statuses else None


def _present(goods: Sequence[Goods], ledger: Ledger) -> dict[int, int]:
    """Return the units that can leave: those that were not refunded before."""
    return {line.id: line.quantity - refunded_before(ledger, line) for line in goods}


def _are_in_parcels(snapshot: Snapshot, goods: Sequence[Goods], ledger: Ledger) -> bool:
    """Return whether shipment records alone show that everything was shipped."""
    recorded = shipped_units(goods, snapshot.get("shipments") or ())
    return all_shipped(goods, recorded, _remains(snapshot, goods, ledger).units)


def _is_cancelled(snapshot: Snapshot, ledger: Ledger, rules: Rules) -> bool:
    """A cancelled order comes back to life by a status in which it is worked on.

    The status that a refund brought along is none.
    """
    status_id = snapshot["order"]["status_id"]
    by_refund = status_id == PARTLY_REFUNDED and (
        ledger.get("status") == PARTLY_REFUNDED
        or len(snapshot["refunds"]) > ledger.get("refund_count", 0)
    )
    stays = ledger.get("cancelled", False) and (status_id in _NOT_REOPENING or by_refund)
    return stays or status_id in rules.cancelling_statuses


def _carts(
    snapshot: Snapshot,
    remains: Remains,
    shipped: Mapping[int, int],
    facts: OrderFacts,
    *,
    is_cancelled: bool,
) -> Carts:
    """Both carts as if the order went on: a cancellation empties the unshipped one afterwards."""
    owed = max(0, remains.owed)
    remains.amounts += by_status(facts.ledger, snapshot["refunds"], owed)
    tracking = parcels(snapshot.get("shipments") or ())
    return split(remains, shipped, tracking, facts.ledger, is_cancelled=is_cancelled)


def _all_of(carts: Carts, ledger: Ledger) -> Taken:
    """The whole order as one refund, on the sides where it stands, with what it took before."""
    before = ledger["refunds"].get(BY_STATUS, {"units": {}, "amount": [0, 0]})["amount"]
    return {
        "units": {},
        "amount": [one + more for one, more in zip(before, carts.totals, strict=True)],
    }


def _ledger(
    snapshot: Snapshot,
    goods: Sequence[Goods],
    carts: Carts,
    shipped: Mapping[int, int],
    facts: OrderFacts,
    *,
    is_cancelled: bool,
) -> Ledger:
    """The facts that SeQura accepts with this statement."""
    before = facts.ledger
    reopened = before.get("reopened", False) or before.get("cancelled", False) > is_cancelled
    accepted = before.get("refunds", {})
    kept = {BY_STATUS: accepted[BY_STATUS]} if BY_STATUS in accepted else {}
    unclear = [
        key
        for key, taken in carts.taken.items()
        if key in before.get("unclear", ())
        or (key not in accepted and taken["amount"][0] and not before.get("cancelled"))
    ]
    travelled = parcel_units(goods, snapshot.get("shipments") or ())
    return written(
        before,
        goods,
        shipped,
        carts.taken | kept,
        snapshot["refunds"],
        **{"parcels": travelled} if travelled else {},
        cancelled=is_cancelled,
        reopened=reopened,
        status=snapshot["order"]["status_id"],
        refund_count=len(snapshot["refunds"]),
        weights=list(carts.weights),
        unclear=unclear if is_cancelled or reopened else [],
    )


def _questions(
    status_id: int, facts: OrderFacts, ledger: Ledger, kept: Carts
) -> tuple[_Question, ...]:
    """Return what only the merchant can decide, with the cents it is about."""
    waiting, gone = kept.totals
    if ledger["cancelled"]:
        unclear = sum(ledger["refunds"][key]["amount"][0] for key in ledger["unclear"])
        found = {"shipped_before_cancelling": gone, "refund_of_cancelled": gone and unclear}
    elif _shipped_status(status_id, facts.rules) is not None:
        found = {"added_after_shipping": waiting}
    else:
        sent_back = bool(facts.shipped_by_status) and status_id in _NOT_SENT and not waiting
        found = {"shipped_status_left": gone if sent_back else 0}
    return tuple(_Question(reason, cents) for reason, cents in found.items() if cents)


def _remains(snapshot: Snapshot, goods: Sequence[Goods], ledger: Ledger) -> Remains:
    addresses = snapshot.get("shipping_addresses") or ()
    shipping = lines.text(addresses[0].get("shipping_method")) if addresses else ""
    shipping = "" if shipping == "None" else shipping
    charges = lines.charges(snapshot["order"], goods, snapshot.get("fees") or (), shipping)
    return after_refunds(goods, charges, snapshot["refunds"], products(ledger))


def _refunded_by_status(snapshot: Snapshot, rules: Rules) -> bool:
    """Status Refunded without a refund record: counts only where the merchant said so."""
    if snapshot["order"]["status_id"] != REFUNDED:
        return False
    recorded = any(happened(refund) for refund in snapshot["refunds"])
    return rules.refunded_status_refunds and not recorded


def _shipped(
    snapshot: Snapshot, remains: Remains, left: Sequence[Document], ledger: Ledger
) -> Mapping[int, int]:
    """Units that left, by id of the goods: by shipment record or by status.

    Downloads have no shipments: they count as shipped with the last parcel, or by status. They stay
    so when goods are added, and come back only with a parcel that is deleted.
    """
    goods = remains.goods
    units = shipped_units(goods, snapshot.get("shipments") or ())
    for item in left:
        key = int(item["order_product_id"])
        units[key] = max(units[key], int(item["quantity"]))
    accepted = shipped_units(goods, [{"items": known_goods(ledger, 2)}])
    if all_shipped(goods, units, remains.units):
        accepted = Counter(_present(goods, ledger))
    elif accepted and any(units[one.id] < accepted[one.id] for one in goods if not one.digital):
        return units
    for line in goods:
        if line.digital:
            units[line.id] = max(units[line.id], accepted[line.id])
    return units


def _statement(snapshot: Snapshot, facts: OrderFacts) -> OrderUpdate:
    """Return everything but the carts."""
    order, addresses = snapshot["order"], snapshot.get("shipping_addresses") or ()
    followed = trackings(snapshot.get("shipments") or ())
    statement = {
        "merchant": {"id": facts.merchant_ref},
        "merchant_reference": {"order_ref_1": facts.order_ref_1, "order_ref_2": facts.reference},
        "trackings": followed,
        "delivery_method": people.delivery_method(addresses, facts.solicited),
        "delivery_address": people.delivery_address(order, addresses),
        "invoice_address": people.sequra_address(order["billing_address"]),
        "customer": people.customer(order, facts.solicited),
        "platform": dict(facts.solicited.get("platform") or {}),
    }
    return {key: value for key, value in statement.items() if value}


def shipped_at(snapshot: Snapshot) -> datetime | None:
    """Return the day of the last parcel; without parcels, when the status became Shipped."""
    parcels = [shipment.get("date_created") for shipment in snapshot.get("shipments") or ()]
    known = list(_moments(parcels)) or list(_moments([snapshot["order"].get("date_shipped")]))
    return max(known, default=None)


def last_change(snapshot: Snapshot, now: datetime) -> str:
    """BigCommerce's date of the last change, as it wrote it, if the order stood still since.

    Nothing right after a change: another one within the same second would look alike.
    """
    written = str(snapshot["order"].get("date_modified") or "")
    return written[:64] if any(at < now - _STOOD_STILL for at in _moments([written])) else ""


def moment(text: object) -> datetime | None:
    """Return the moment that BigCommerce wrote, if it is readable."""
    return next(_moments([text]), None)


def _moments(texts: list[object]) -> Iterator[datetime]:
    """Yield the readable dates. V2 writes RFC 2822, sometimes ISO 8601."""
    for text in map(str, filter(None, texts)):
        for parse in (parsedate_to_datetime, datetime.fromisoformat):
            try:
                found = parse(text)
            except ValueError:
                continue
            yield found if found.tzinfo else found.replace(tzinfo=UTC)
            break
