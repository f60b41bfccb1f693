"""A snapshot of a BigCommerce order → the order update SeQura should have accepted. Pure.

An order update is a full statement: what is still to be shipped, what was shipped and kept, and for
whom. Editing, shipping, refunding and cancelling are the same call with other carts, and the
shopper owes the sum of both. https://docs.sequra.com/docs/order-update-api
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from orders import lines, parties
from orders.lines import Document, Goods
from orders.refunds import Remains, after_refunds, happened
from orders.split import all_shipped, shipped_units, split
from orders.trackings import parcels, trackings
from sequra.cart import cart

REFUNDED = 4
OrderUpdate = dict[str, Any]


class Snapshot(TypedDict):
    """BigCommerce's documents for one order at one moment."""

    order: Document
    products: Sequence[Document]
    refunds: Sequence[Document]
    shipping_addresses: NotRequired[Sequence[Document]]
    shipments: NotRequired[Sequence[Document]]
    fees: NotRequired[Sequence[Document]]


@dataclass(frozen=True, kw_only=True)
class OrderFacts:
    """What we know of the order and BigCommerce does not."""

    merchant_ref: str
    order_ref_1: str
    reference: str  # SeQura's
    currency: str = "EUR"
    solicited: Mapping[str, Any] = field(default_factory=dict)
    shipped_by_status: bool = False  # its status once said shipped, without shipment records


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the merchant decides about statuses."""

    shipped_statuses: frozenset[int] = frozenset({2, 10})
    cancelling_statuses: frozenset[int] = frozenset({5, 6})
    refunded_status_refunds: bool = False


@dataclass(frozen=True)
class Held:
    """Why nothing can be told yet: the documents contradict each other or the agreement."""

    reason: str
    detail: str = ""


def order_update(snapshot: Snapshot, facts: OrderFacts, rules: Rules) -> OrderUpdate | Held:
    """What SeQura should believe about the order, or why that cannot be said."""
    order = snapshot["order"]
    if order["default_currency_code"] != facts.currency:
        return Held("currency_changed", str(order["default_currency_code"]))
    goods = lines.goods(snapshot["products"])
    is_cancelled = order["status_id"] in rules.cancelling_statuses
    if not goods and not is_cancelled and lines.cents(order, "total_inc_tax") > 0:
        return Held("no_products")
    unshipped, shipped = _carts(snapshot, goods, facts, rules)
    return _statement(snapshot, facts) | {"unshipped_cart": unshipped, "shipped_cart": shipped}


def shipped_by_status(snapshot: Snapshot, facts: OrderFacts, rules: Rules) -> bool:
    """Was everything shipped by word of the status alone? To be remembered: statuses move on."""
    goods = lines.goods(snapshot["products"])
    remains = _remains(snapshot, goods)
    recorded = shipped_units(goods, snapshot.get("shipments") or ())
    return _says_shipped(snapshot, facts, rules) and not all_shipped(goods, recorded, remains.units)


def _says_shipped(snapshot: Snapshot, facts: OrderFacts, rules: Rules) -> bool:
    return facts.shipped_by_status or snapshot["order"]["status_id"] in rules.shipped_statuses


def _carts(
    snapshot: Snapshot, goods: Sequence[Goods], facts: OrderFacts, rules: Rules
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The unshipped and the shipped cart. Cancelling empties the first and never the second."""
    remains = _remains(snapshot, goods)
    tracking = parcels(snapshot.get("shipments") or ())
    shipped = _shipped(snapshot, goods, remains, facts, rules)
    status = snapshot["order"]["status_id"]
    is_cancelled = status in rules.cancelling_statuses
    unshipped_lines, shipped_lines = split(remains, shipped, tracking, is_cancelled=is_cancelled)
    if remains.owed <= 0 or (status == REFUNDED and _refunded_by_status(snapshot, rules)):
        unshipped_lines, shipped_lines = [], []
    elif is_cancelled:
        unshipped_lines = []
    return (
        {**cart(facts.currency, unshipped_lines)},
        {**cart(facts.currency, shipped_lines)},
    )


def _remains(snapshot: Snapshot, goods: Sequence[Goods]) -> Remains:
    addresses = snapshot.get("shipping_addresses") or ()
    shipping = lines.text(addresses[0].get("shipping_method")) if addresses else ""
    shipping = "" if shipping == "None" else shipping
    charges = lines.charges(snapshot["order"], goods, snapshot.get("fees") or (), shipping)
    return after_refunds(goods, charges, snapshot["refunds"])


def _refunded_by_status(snapshot: Snapshot, rules: Rules) -> bool:
    """Status Refunded without a refund record: counts only where the merchant said so."""
    recorded = any(happened(refund) for refund in snapshot["refunds"])
    return rules.refunded_status_refunds and not recorded


def _shipped(
    snapshot: Snapshot, goods: Sequence[Goods], remains: Remains, facts: OrderFacts, rules: Rules
) -> Mapping[int, int]:
    """Units shipped, by id of the goods.

    Downloads have no shipments: they count as shipped with the last parcel, or by status.
    """
    if _says_shipped(snapshot, facts, rules):
        return {line.id: line.quantity for line in goods}
    units = shipped_units(goods, snapshot.get("shipments") or ())
    if all_shipped(goods, units, remains.units):
        units.update({line.id: line.quantity for line in goods if line.digital})
    return units


def _statement(snapshot: Snapshot, facts: OrderFacts) -> OrderUpdate:
    """Everything but the carts."""
    order, addresses = snapshot["order"], snapshot.get("shipping_addresses") or ()
    followed = trackings(snapshot.get("shipments") or ())
    statement = {
        "merchant": {"id": facts.merchant_ref},
        "merchant_reference": {"order_ref_1": facts.order_ref_1, "order_ref_2": facts.reference},
        "trackings": followed,
        "delivery_method": parties.delivery_method(addresses, facts.solicited),
        "delivery_address": parties.delivery_address(order, addresses),
        "invoice_address": parties.sequra_address(order["billing_address"]),
        "customer": parties.customer(order, facts.solicited),
        "platform": dict(facts.solicited.get("platform") or {}),
    }
    return {key: value for key, value in statement.items() if value}
