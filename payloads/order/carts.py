"""Divide an order into the two carts of an order update: shipped and not shipped, and into parcels.

https://docs.sequra.com/docs/order-update-api: the shopper owes the sum of both carts. Moving goods
from one cart to the other therefore never changes that sum. A line names its parcel by
`tracking_reference`; the parcels are the update's `trackings`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from payloads import cart
from payloads.money import share_out
from payloads.order.ledger import (
    Ledger,
    Taken,
    kept_weights,
    shipped_units_taken,
    units_by_side,
    wanted_in_unshipped,
)
from payloads.order.lines import Charge, Document, Goods, text
from payloads.order.refunds import Remains


@dataclass(slots=True)
class _Side:
    """One of the two carts while it is filled."""

    units: int = 0
    worth: int = 0  # cents of its goods
    lines: list[cart.Line] = field(default_factory=list)

    @property
    def total(self) -> int:
        return cart.lines_total(self.lines)

    def add(self, line: Goods, units: int, amount: int, tracking: str | None = None) -> None:
        """Put units of goods into the cart."""
        self.units += units
        self.worth += amount
        self.lines.append(
            cart.product(
                reference=line.reference,
                name=line.name,
                quantity=units,
                total_with_tax=amount,
                downloadable=line.digital,
                product_id=str(line.product_id) if line.product_id else None,
                tracking_reference=tracking,
            )
        )


@dataclass(frozen=True)
class Carts:
    """The lines of both carts, what each refund took from which, and how charges were divided."""

    unshipped: list[cart.Line]
    shipped: list[cart.Line]
    taken: dict[str, Taken]
    weights: Sequence[int] = ()

    @property
    def totals(self) -> tuple[int, int]:
        return cart.lines_total(self.unshipped), cart.lines_total(self.shipped)


def shipped_units(goods: Sequence[Goods], shipments: Iterable[Document]) -> Counter[int]:
    """Return units with a shipment record, by id of the goods.

    An edit in the control panel may give lines new ids. A record of a line that is gone counts for
    lines of the same product that have units left.
    """
    units, lost = Counter[int](), Counter[int]()
    items = [item for shipment in shipments for item in shipment.get("items") or ()]
    if not items:
        return units
    ids = {line.id for line in goods}
    for item in items:
        if int(item["order_product_id"]) in ids:
            units[int(item["order_product_id"])] += int(item["quantity"])
        else:
            lost[int(item.get("product_id") or 0)] += int(item["quantity"])
    for line in goods:
        units[line.id] = min(line.quantity, units[line.id])
        found = min(line.quantity - units[line.id], lost[line.product_id])
        units[line.id] += found
        lost[line.product_id] -= found
    return units


def all_shipped(
    goods: Sequence[Goods], shipped: Mapping[int, int], refunded: Mapping[int, int]
) -> bool:
    """Return whether shipment records cover every unit that needs one and was not refunded."""
    if not any(shipped.values()):
        return False
    physical = [line for line in goods if not line.digital]
    return any(shipped[line.id] for line in physical) and all(
        shipped[line.id] + refunded[line.id] >= line.quantity for line in physical
    )


def split(
    remains: Remains,
    shipped: Mapping[int, int],
    tracking: Mapping[int, str],
    ledger: Ledger,
    *,
    is_cancelled: bool = False,
) -> Carts:
    """Return the lines of the unshipped and of the shipped cart.

    Goods go where their units are, and charges are divided in proportion to the goods. A refund
    stays in the cart where SeQura accepted it; a new one reduces the unshipped cart as far as
    possible.
    """
    unshipped, sent = _Side(), _Side()
    taken: dict[str, Taken] = {}
    reported = shipped_units_taken(ledger) if remains.taken else Counter[tuple[str, str]]()
    for line in remains.goods:
        waiting = line.quantity - shipped.get(line.id, 0)
        if remains.taken:
            waiting -= _refunded(line, remains, line.quantity - waiting, (ledger, reported), taken)
        gone = line.quantity - remains.units.get(line.id, 0) - waiting
        amount = remains.amount(line)
        amounts = share_out(amount, [waiting, gone]) if waiting and gone else (amount, amount)
        if waiting:
            unshipped.add(line, waiting, amounts[0])
        if gone:
            sent.add(line, gone, amounts[1], tracking.get(line.id))
    weights = kept_weights(ledger, remains.goods, shipped)
    if weights is None:
        weights = _weights(unshipped, sent, any(shipped.values()))
    charges = sorted(remains.charges, key=lambda charge: charge.amount < 0)  # what adds comes first
    for charge in charges:
        fee = _fee_weights(taken.get(charge.key.removeprefix("r_")), unshipped, sent, is_cancelled)
        _place(charge, share_out(charge.amount, fee or weights)[0], unshipped, sent)
    for refund in remains.amounts:
        wanted = wanted_in_unshipped(refund, ledger, sent.total)
        cents = _place(refund, wanted, unshipped, sent)
        taken.setdefault(refund.key.removeprefix("r_"), _nothing())["amount"] = cents
    return Carts(unshipped.lines, sent.lines, taken, weights)


def _refunded(
    line: Goods,
    remains: Remains,
    shipped: int,
    before: tuple[Ledger, Counter[tuple[str, str]]],
    taken: dict[str, Taken],
) -> int:
    """Return the unshipped units of a line that were refunded, and note what each refund took."""
    sides = units_by_side(line, remains, shipped, *before)
    for key, units in sides.items():
        taken.setdefault(key, _nothing())["units"][str(line.id)] = list(units)
    return sum(units.unshipped for units in sides.values())


def _fee_weights(
    refund: Taken | None, unshipped: _Side, sent: _Side, is_cancelled: bool
) -> Sequence[int] | None:
    """Where a fee that the merchant kept of a refund belongs: to what its goods were part of.

    None where no unshipped goods are left; in a cancelled order the shipped ones bear it then.
    """
    units = refund["units"].values() if refund else ()
    before, after = (sum(sides[side] for sides in units) for side in (0, 1))
    found = [before * bool(unshipped.units), after]
    if any(found):
        return found
    return [0, 1] if before and is_cancelled and sent.units else None


def _nothing() -> Taken:
    return {"units": {}, "amount": [0, 0]}


def _weights(unshipped: _Side, sent: _Side, anything_sent: bool) -> list[int]:
    """In what proportion charges are shared: by worth, else by units, else where goods were."""
    if unshipped.units and sent.units:
        if unshipped.worth + sent.worth:
            return [unshipped.worth, sent.worth]
        return [unshipped.units, sent.units]
    if unshipped.units or sent.units:
        return [int(bool(unshipped.units)), int(bool(sent.units))]
    return [int(not anything_sent), int(anything_sent)]


def _place(charge: Charge, in_unshipped: int, unshipped: _Side, sent: _Side) -> list[int]:
    """Put a charge in both carts. One below zero never takes a cart below zero.

    Returns the cents that it takes from each.
    """
    if charge.amount < 0:
        in_unshipped = max(in_unshipped, -unshipped.total)
        in_unshipped = min(in_unshipped, charge.amount + sent.total)
    unshipped.lines += charge.lines(in_unshipped)
    sent.lines += charge.lines(charge.amount - in_unshipped)
    return [-in_unshipped, in_unshipped - charge.amount]


def trackings(shipments: Iterable[Document]) -> list[dict[str, Any]]:
    """Return one tracking per shipment that has a number or a URL."""
    return [_tracking(shipment) for shipment in _by_id(shipments) if _can_be_followed(shipment)]


def parcels(shipments: Iterable[Document]) -> dict[int, str]:
    """Return the reference of the first parcel that carries a line, by id of the goods."""
    carried: dict[int, str] = {}
    for shipment in filter(_can_be_followed, _by_id(shipments)):
        for item in shipment.get("items") or ():
            carried.setdefault(int(item["order_product_id"]), str(shipment["id"]))
    return carried


def parcel_units(
    goods: Sequence[Goods], shipments: Iterable[Document]
) -> dict[str, dict[str, int]]:
    """Return the units of each line in each parcel, by the parcel's and the line's reference.

    SeQura's lines name one parcel; a line whose units travel in several is divided here only.
    """
    by_id = {line.id: line.reference for line in goods}
    by_product = {line.product_id: line.reference for line in reversed(goods)}
    found: dict[str, dict[str, int]] = {}
    for shipment in _by_id(shipments):
        units = found.setdefault(str(shipment["id"]), {})
        for item in shipment.get("items") or ():
            product = int(item.get("product_id") or 0)
            known = by_id.get(int(item["order_product_id"])) or by_product.get(product)
            reference = known or str(product)
            units[reference] = units.get(reference, 0) + int(item["quantity"])
    return found


def _by_id(shipments: Iterable[Document]) -> list[Document]:
    return sorted(shipments, key=lambda shipment: int(shipment["id"]))


def _can_be_followed(shipment: Document) -> bool:
    return bool(text(shipment.get("tracking_number")) or _url(shipment))


def _tracking(shipment: Document) -> dict[str, Any]:
    known = {
        "tracking_number": text(shipment.get("tracking_number")),
        "tracking_url": _url(shipment),
    }
    return {
        "type": "postal",
        "reference": str(shipment["id"]),
        "carrier": _carrier(shipment),
        **{key: value for key, value in known.items() if value},
    }


def _carrier(shipment: Document) -> str:
    """Return the carrier's name; merchants often fill in one of four fields."""
    names = ("shipping_provider_display_name", "tracking_carrier", "shipping_provider")
    for name in (*names, "shipping_method"):
        if found := text(shipment.get(name)):
            return found
    return "other"


def _url(shipment: Document) -> str:
    """Return the merchant's link, else BigCommerce's, if a browser can open it."""
    for name in ("tracking_link", "generated_tracking_link"):
        url = str(shipment.get(name) or "").strip()
        if _opens(url):
            return url
    return ""


def _opens(url: str) -> bool:
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
