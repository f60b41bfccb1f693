"""From a checkout to the lines of SeQura's cart, to the cent.

`grand_total` is the one figure that is certainly right: what the shopper pays. The lines are read
from the rest of the document and must add up to it. Where BigCommerce's documentation leaves two
ways of reading an amount, both are tried, and the first that adds up is taken. Nothing adds up:
refused, never papered over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product as combinations

from payments.charges import Charge, other_charges, shipping_charges
from payments.parts import (
    Document,
    Part,
    coupons,
    discount_parts,
    exact_cents,
    product_parts,
    shipping_coupons,
    wrapping_parts,
)
from payments.reasons import NotOffered, Reason
from sequra.cart import Line, Unbalanced, balance, other_payment
from sequra.money import round_half_up, round_together, to_cents


@dataclass(frozen=True)
class Reading:
    """One way of reading a checkout: what follows the tax of the prices, and what is settled."""

    goods: list[Part]
    charges: list[Charge]
    tax_included: bool
    tax: int

    def lines(self, total: int) -> list[Line]:
        """The lines, adding up to `total` cents, or `Unbalanced`."""
        charged = [line for charge in self.charges for line in charge.lines()]
        if self.tax_included or not self.tax:
            cents = [round_half_up(part.amount) for part in self.goods]
            return balance([*self._goods(cents), *charged], total)
        goods_total = total - sum(charge.with_tax for charge in self.charges)
        return [*self._goods(self._with_tax(goods_total, total)), *charged]

    def _goods(self, cents: Sequence[int]) -> Iterator[Line]:
        for part, amount in zip(self.goods, cents, strict=True):
            yield from part.lines(amount)

    def _with_tax(self, goods_total: int, total: int) -> list[int]:
        """Net amounts to cents with tax, adding up to `goods_total`.

        V3 tells the tax of the whole checkout, and of shipping, handling and fees; what is left is
        the goods' and no line knows its share. So every taxable net amount, discounts too, grows by
        the same factor (a discount only as far as it falls on taxable goods), which is exact when
        there is one rate, and all are rounded together so that no cent is lost or made up. The tax
        found this way must be the tax that was told, or an amount is missing here.
        """
        net = sum((part.amount for part in self.goods), Fraction(0))
        tax = goods_total - net
        if abs(tax - self.tax) > max(1, len(self.goods) + len(self.charges)):
            raise Unbalanced(total, total - round_half_up(tax - self.tax))
        weights = taxable_amounts(self.goods)
        taxable = sum(weights, Fraction(0))
        if tax and taxable <= 0:
            raise Unbalanced(total, total - round_half_up(tax))
        factor = tax / taxable if tax else Fraction(0)
        exact = [
            part.amount + weight * factor for part, weight in zip(self.goods, weights, strict=True)
        ]
        return round_together(exact)


def taxable_amounts(goods: Sequence[Part]) -> list[Fraction]:
    """How much of each amount is taxed: all, nothing, or of a discount the taxed goods' share."""
    positive = sum((part.amount for part in goods if part.amount > 0), Fraction(0))
    taxed = sum((part.amount for part in goods if part.amount > 0 and part.taxable), Fraction(0))
    if not taxed:
        return [part.amount for part in goods]
    return [
        part.amount * (taxed / positive if part.amount < 0 else int(part.taxable)) for part in goods
    ]


def readings(checkout: Document) -> Iterator[Reading]:
    """Every way of reading the checkout, the documented one first.

    Not told by the documentation: is wrapping charged per line or per unit; does a coupon's amount
    hold its share of shipping; do sale prices already hold coupons ("after all discounts"). Its
    own examples lack `tax_included` and show prices with tax, so it only says what to try first.
    """
    included_first = checkout["cart"].get("tax_included") is True
    for discounts, per_unit, shipping, included in combinations(
        discount_ways(checkout),
        (False, True),
        shipping_charges(checkout),
        (included_first, not included_first),
    ):
        charges = [shipping, *other_charges(checkout)]
        wrapping = wrapping_parts(checkout, per_unit=per_unit)
        goods = [*product_parts(checkout), *(part for part in wrapping if part.amount), *discounts]
        tax = _tax_total(checkout) - sum(charge.tax for charge in charges)
        yield Reading(goods, charges, included, tax)


def discount_ways(checkout: Document) -> Iterator[list[Part]]:
    """The discounts: as told, with the coupons' share of shipping taken out or added, or none."""
    on_goods, on_shipping = coupons(checkout), shipping_coupons(checkout)
    order_discount = exact_cents(checkout["cart"].get("discount_amount"))
    for sign in (0, -1, 1) if on_shipping else (0,):
        amounts = {
            code: on_goods.get(code, Fraction(0)) + sign * on_shipping.get(code, Fraction(0))
            for code in on_goods | on_shipping
        }
        parts = discount_parts(amounts, order_discount)
        yield [part for part in parts if part.amount < 0]
    if on_goods or order_discount:
        yield []


def _tax_total(checkout: Document) -> int:
    told = checkout.get("tax_total")
    if told is None:
        return sum(to_cents(tax["amount"]) for tax in checkout.get("taxes") or [])
    return to_cents(told)


def cart_lines(checkout: Document, credit: int = 0) -> list[Line]:
    """The lines of what the shopper still has to pay: `grand_total` less `credit` cents.

    Raises `NotOffered` when no reading adds up, or when nothing is left to pay.
    """
    total = to_cents(checkout["grand_total"])
    if credit < 0 or total - credit <= 0:
        raise NotOffered(Reason.NOTHING_LEFT_TO_PAY)
    lines = _balanced_lines(checkout, total)
    if not credit:
        return lines
    paid = other_payment(reference="store_credit", name="Store credit", total_with_tax=-credit)
    return [*lines, paid]


def _balanced_lines(checkout: Document, total: int) -> list[Line]:
    refusals = []
    for reading in readings(checkout):
        try:
            return reading.lines(total)
        except Unbalanced as refusal:
            refusals.append(refusal)
    raise NotOffered(Reason.UNBALANCED, str(refusals[0]))
