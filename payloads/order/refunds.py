"""Subtract refunds from an order: units of goods, parts of charges, and plain amounts.

Refunds: https://developer.bigcommerce.com/docs/rest-management/orders/order-refunds The money
decides. Whatever units and charges a refund names, together it subtracts exactly what was paid back
through SeQura; a difference between the two is an amount of its own.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from payloads.money import share_out, to_cents
from payloads.order.lines import Charge, Document, Goods, cents, rounding, total

_NOT_THROUGH_SEQURA = ("storecredit", "giftcertificate")
_CHARGE_OF_ITEM = {"SHIPPING": "shipping", "HANDLING": "handling", "GIFT_WRAPPING": "wrapping"}


@dataclass(slots=True)
class Remains:
    """What is left of an order after its refunds."""

    goods: Sequence[Goods]
    charges: list[Charge]
    products: Mapping[int, int] = field(
        default_factory=dict
    )  # by id of the goods, replaced ones too
    units: Counter[int] = field(default_factory=Counter)  # refunded units by id of the goods
    taken: dict[int, Counter[int]] = field(default_factory=dict)  # the same for each refund
    amounts: list[Charge] = field(default_factory=list)  # below zero: refunds of no line

    # Made for the first refund of a line, so that one of many lines costs no more than their
    # number. Of each product the lines in which units are left: what is used up is dropped when it
    # comes first.
    _by_id: dict[int, Goods] = field(default_factory=dict, init=False)
    _by_product: dict[int, deque[Goods]] = field(default_factory=dict, init=False)

    def _index(self) -> None:
        self._by_id = {line.id: line for line in self.goods}
        for line in self.goods:
            self._by_product.setdefault(line.product_id, deque()).append(line)

    def amount(self, line: Goods) -> int:
        """Return the cents still owed for the units of a line that were not refunded."""
        gone = self.units.get(line.id, 0)
        return _part(line.amount, line.quantity - gone, line.quantity) if gone else line.amount

    @property
    def owed(self) -> int:
        goods = sum(map(self.amount, self.goods)) if self.units else total(self.goods)
        return goods + total(self.charges) + total(self.amounts)

    def line(self, goods_id: object) -> Goods | None:
        """Return the goods that a refund names; None when an edit has removed them.

        A line that an edit has given another id is found by its product.
        """
        if not isinstance(goods_id, int):
            return None
        if not self._by_id:
            self._index()
        if same := self._by_id.get(goods_id):
            return same
        product = self.products.get(goods_id)
        left = self._by_product.get(product) if product else None
        while left and left[0].quantity <= self.units[left[0].id]:
            left.popleft()
        return left[0] if left else None

    def charge(self, key: str) -> int:
        """Return what is left of a charge in cents; 0 when the order has none of that name."""
        return sum(charge.amount for charge in self.charges if charge.key == key)

    def change(self, key: str, by: int) -> None:
        self.charges = [
            Charge(c.key, c.reference, c.name, c.amount + by, c.kind) if c.key == key else c
            for c in self.charges
        ]


def _part(amount: int, units: int, of: int) -> int:
    """Return the cents of some units of a line: 0 for none, all for all, else rounded."""
    return amount if units == of else (2 * amount * units + of) // (2 * of)


def through_sequra(refund: Document) -> int:
    """Return the cents paid back through SeQura, not as store credit or gift certificate.

    Declined payments do not count. `total_amount` counts all of them, and must not be used when the
    payments are known.
    """
    if not refund.get("payments"):
        return cents(refund, "total_amount")
    return sum(
        cents(payment, "amount")
        for payment in refund["payments"]
        if not payment.get("is_declined") and payment.get("provider_id") not in _NOT_THROUGH_SEQURA
    )


def happened(refund: Document) -> bool:
    """Return whether any money was paid back, in whatever way."""
    payments: Iterable[Document] = refund.get("payments") or ({},)
    return any(not payment.get("is_declined") for payment in payments)


def refunded(refunds: Iterable[Document]) -> int:
    """Return the cents that all refunds together paid back through SeQura."""
    return sum(through_sequra(refund) for refund in refunds)


def after_refunds(
    goods: Sequence[Goods],
    charges: Sequence[Charge],
    refunds: Iterable[Document],
    products: Mapping[int, int] | None = None,
) -> Remains:
    """Return the order less its refunds, never below zero."""
    remains = Remains(goods, list(charges), products or {})
    owed = remains.owed
    for refund in sorted(refunds, key=lambda document: int(document["id"])):
        money = through_sequra(refund)
        if money > 0:
            _take(remains, refund, money)
            owed -= money
    if missing := max(0, owed) - remains.owed:
        missing += remains.charge("rounding")
        remains.charges = [charge for charge in remains.charges if charge.key != "rounding"]
        remains.charges += [rounding(missing)] if missing else []
    return remains


def _take(remains: Remains, refund: Document, money: int) -> None:
    """Take one refund. A refund shared with store credit returns money but settles no line."""
    items = refund.get("items") or ()
    left = money
    if money + _rounding_of(items) >= cents(refund, "total_amount"):
        left -= _take_units(remains, int(refund["id"]), items)
        left -= _take_charges(remains, items, left)
    if abs(left) > _rounding_of(items):
        _take_amount(remains, int(refund["id"]), left)


def _take_units(remains: Remains, refund_id: int, items: Iterable[Document]) -> int:
    """Take the refunded units, and say how many cents they were."""
    taken, units = 0, remains.taken.setdefault(refund_id, Counter())
    for item in items:
        line = remains.line(item.get("item_id"))
        if item["item_type"] == "PRODUCT" and line:
            before, rest = remains.amount(line), line.quantity - remains.units[line.id]
            refunded = min(int(item.get("quantity") or 0), rest)
            remains.units[line.id] += refunded
            units[line.id] += refunded
            taken += before - remains.amount(line)
    return taken


def _take_charges(remains: Remains, items: Iterable[Document], money: int) -> int:
    """Take shipping, handling, wrapping and fees, and say how many cents they were.

    The amounts that were asked for may be without tax; the money is with tax. So the money, less
    what belongs to no line, is shared out in proportion to them.
    """
    wanted = Counter[str]()
    for item in items:
        key = _charge_key(item)
        if key and remains.charge(key) > 0:
            wanted[key] += _wanted(remains, item, key)
    money -= sum(
        to_cents(i.get("requested_amount") or 0) for i in items if i["item_type"] == "ORDER"
    )
    if money <= 0 or not wanted.total():
        return 0
    taken = 0
    for key, share in zip(wanted, share_out(money, list(wanted.values())), strict=True):
        taken += min(share, remains.charge(key))
        remains.change(key, -min(share, remains.charge(key)))
    return taken


def _charge_key(item: Document) -> str:
    if item["item_type"] == "FEE":
        return f"fee {item['item_id']}"
    return _CHARGE_OF_ITEM.get(item["item_type"], "")


def _wanted(remains: Remains, item: Document, key: str) -> int:
    """Return the cents an item takes of a charge: its amount, its wrapped units, or all."""
    if item.get("requested_amount") is not None:
        return to_cents(item["requested_amount"])
    wrapped = remains.line(item.get("item_id"))
    if key == "wrapping" and wrapped and wrapped.wrapping and item.get("quantity"):
        return _part(wrapped.wrapping, int(item["quantity"]), wrapped.quantity)
    return remains.charge(key)


def _rounding_of(items: Iterable[Document]) -> int:
    """Return a cent for each unit and each charge."""
    rounded = [item for item in items if item["item_type"] != "ORDER"]
    return sum(max(1, int(item.get("quantity") or 1)) for item in rounded)


def _take_amount(remains: Remains, refund_id: int, money: int) -> None:
    """Money that belongs to no line, or, below zero, goods that were worth more than came back.

    In the second case the goods carried a part of the order's discount, which goes with them;
    what remains was kept by the merchant, for example a restocking fee.
    """
    reference = f"r_{refund_id}"
    if money > 0:
        remains.amounts.append(Charge(reference, reference, "Refund", -money, "other_payment"))
        return
    from_discount = min(-money, -remains.charge("discount"))
    remains.change("discount", from_discount)
    if kept := -money - from_discount:
        remains.charges.append(Charge(reference, reference, "Refund adjustment", kept))
