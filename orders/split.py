"""What was shipped and what was not: the two carts of an order update.

https://docs.sequra.com/docs/order-update-api: the shopper owes the sum of both carts. Moving goods
from one cart to the other therefore never changes that sum.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orders.lines import Charge, Document, Goods
from orders.refunds import Remains
from sequra import cart
from sequra.money import share_out


@dataclass(slots=True)
class Side:
    """One of the two carts while it is filled."""

    units: int = 0
    worth: int = 0  # cents of its goods
    lines: list[cart.Line] = field(default_factory=list)

    @property
    def total(self) -> int:
        return cart.lines_total(self.lines)

    def add(self, line: Goods, units: int, amount: int, tracking: str | None = None) -> None:
        """Put units of goods into the cart; none of them make no line."""
        if units:
            self.units += units
            self.worth += amount
            self.lines.append(_product(line, units, amount, tracking))


def shipped_units(goods: Sequence[Goods], shipments: Iterable[Document]) -> Counter[int]:
    """Units with a shipment record, by id of the goods.

    An edit in the control panel may give lines new ids. A record of a line that is gone counts for
    lines of the same product that have units left.
    """
    units, lost = Counter[int](), Counter[int]()
    ids = {line.id for line in goods}
    for item in (item for shipment in shipments for item in shipment.get("items") or ()):
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
    """Do shipment records cover every unit that needs one and was not refunded?"""
    physical = [line for line in goods if not line.digital]
    return any(shipped[line.id] for line in physical) and all(
        shipped[line.id] + refunded[line.id] >= line.quantity for line in physical
    )


def split(
    remains: Remains,
    shipped: Mapping[int, int],
    tracking: Mapping[int, str],
    *,
    is_cancelled: bool = False,
) -> tuple[list[cart.Line], list[cart.Line]]:
    """The lines of the unshipped and of the shipped cart.

    Goods go where their units are, charges in proportion to the goods, refunds of an amount to
    the unshipped cart as far as it can bear them. That of a cancelled order is emptied and bears
    nothing: a refund in it would never be told.
    """
    unshipped, sent = Side(), Side()
    for line in remains.goods:
        parcel = tracking.get(line.id)
        _place_goods(line, remains, shipped[line.id], unshipped, sent, parcel=parcel)
    weights = _weights(unshipped, sent, any(shipped.values()))
    charges = sorted(remains.charges, key=lambda charge: charge.amount < 0)  # what adds comes first
    for charge in charges:
        _place(charge, share_out(charge.amount, weights)[0], unshipped, sent)
    for refund in remains.amounts:
        _place(refund, 0 if is_cancelled else refund.amount, unshipped, sent)
    return unshipped.lines, sent.lines


def _place_goods(
    line: Goods, remains: Remains, shipped: int, unshipped: Side, sent: Side, *, parcel: str | None
) -> None:
    """Refunded units are taken from those that were not shipped, then from those that were."""
    refunded = remains.units[line.id]
    waiting = max(0, line.quantity - shipped - refunded)
    gone = line.quantity - refunded - waiting
    amounts = share_out(remains.amount(line), [waiting, gone])
    unshipped.add(line, waiting, amounts[0])
    sent.add(line, gone, amounts[1], parcel)


def _product(line: Goods, units: int, amount: int, tracking: str | None) -> cart.Product:
    return cart.product(
        reference=line.reference,
        name=line.name,
        quantity=units,
        total_with_tax=amount,
        downloadable=line.digital,
        product_id=str(line.product_id) if line.product_id else None,
        tracking_reference=tracking,
    )


def _weights(unshipped: Side, sent: Side, anything_sent: bool) -> list[int]:
    """In what proportion charges are shared: by worth, else by units, else where goods were."""
    if unshipped.units and sent.units:
        if unshipped.worth + sent.worth:
            return [unshipped.worth, sent.worth]
        return [unshipped.units, sent.units]
    if unshipped.units or sent.units:
        return [int(bool(unshipped.units)), int(bool(sent.units))]
    return [int(not anything_sent), int(anything_sent)]


def _place(charge: Charge, in_unshipped: int, unshipped: Side, sent: Side) -> None:
    """Put a charge in both carts. One below zero never takes a cart below zero."""
    if charge.amount < 0:
        in_unshipped = max(in_unshipped, -unshipped.total)
        in_unshipped = min(in_unshipped, charge.amount + sent.total)
    unshipped.lines += charge.lines(in_unshipped)
    sent.lines += charge.lines(charge.amount - in_unshipped)
