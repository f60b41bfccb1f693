"""Translate a checkout into the lines of SeQura's cart, to the cent.

`grand_total` is the one certain figure: what the shopper pays. The lines are read from the rest of
the document and must add up to it. Where BigCommerce's documentation allows two readings of an
amount, both are tried, and the first that adds up is used. If none does, SeQura is not offered.

V3 checkouts contain neither store credit nor gift certificates as payments
(https://docs.bigcommerce.com/docs/storefront/cart-checkout). Where nothing else shows them
(`payloads.checkout.other_payments`), the browser sends what it shows, and its claim is accepted
only if the customer's balance, read server to server, explains it to the cent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product as combinations
from typing import Any, Self

from payloads import cart
from payloads.cart import Line, Unbalanced, balance, other_payment
from payloads.checkout.parts import (
    ZERO,
    Document,
    Part,
    Shares,
    cart_of,
    coupons,
    item_coupons,
    item_discount,
    order_discounts,
    product_parts,
    shipping_coupons,
    wrapping_parts,
)
from payloads.checkout.reasons import NotOffered, Reason
from payloads.money import (
    Amount,
    euros,
    is_given,
    optional_cents,
    round_half_up,
    round_together,
    to_cents,
)
from payloads.order.lines import text
from transport.reading import section, sections

# What a V3 checkout charges besides the goods: shipping, handling, fees, all given with tax.
# Where a discount of a consignment tells its amount, if it does: documented is only its id.
_AMOUNTS = ("amount", "discounted_amount", "discount_amount")


@dataclass(frozen=True)
class _Charge:
    """Shipping, handling or a fee, with and without tax, in cents."""

    reference: str
    name: str
    with_tax: int
    tax: int = 0

    def lines(self) -> list[Line]:
        return cart.adjustment(
            reference=self.reference, name=self.name, total_with_tax=self.with_tax
        )

    def less(self, cents: int) -> "_Charge":
        """Return the charge after a discount, which reduces its tax too."""
        if not cents or not self.with_tax:
            return self
        left = max(0, self.with_tax - cents)
        tax = round_half_up(Fraction(self.tax * left, self.with_tax))
        return replace(self, with_tax=left, tax=tax)


def _charge(reference: str, name: str, with_tax: Any, without: Any) -> _Charge:
    """Return a charge from major units; without a net amount its tax is unknown."""
    gross = optional_cents(with_tax if is_given(with_tax) else without)
    net = to_cents(without) if is_given(without) else gross
    return _Charge(reference, name, gross, gross - net)


def _consignments(checkout: Document) -> list[Document]:
    return sections(checkout.get("consignments"))


def _shipping_charges(checkout: Document) -> list[_Charge]:
    """Return the shipping cost in each possible reading, the documented one first.

    A consignment's cost may or may not include its discounts, the total "before any discounts" does
    not, and a promotion that makes shipping free has no amount.
    """
    parcels, name = _consignments(checkout), _shipping_name(checkout)
    added = _added(parcels, "shipping", name)
    total = _charge(
        "shipping",
        name,
        checkout.get("shipping_cost_total_inc_tax"),
        checkout.get("shipping_cost_total_ex_tax"),
    )
    promoted = sum(_promoted(one) for one in parcels)
    ways = [added, total] if parcels else [total]
    ways += [way.less(promoted) for way in ways]
    if any(one.get("discounts") for one in parcels):
        ways.append(_Charge("shipping", name, 0))
    return list(dict.fromkeys(ways))


def _added(parcels: list[Document], kind: str, name: str) -> _Charge:
    """Return the shipping or handling cost of all consignments together."""
    parts = [
        _charge(kind, name, one.get(f"{kind}_cost_inc_tax"), one.get(f"{kind}_cost_ex_tax"))
        for one in parcels
    ]
    return _Charge(kind, name, sum(p.with_tax for p in parts), sum(p.tax for p in parts))


def _promoted(given: Document) -> int:
    """Return what promotions subtract from a consignment or a fee, where an amount is given."""
    named = [
        next(filter(is_given, map(one.get, _AMOUNTS)), None)
        for one in sections(given.get("discounts"))
    ]
    return sum(map(optional_cents, [given.get("discount_amount"), *named]))


def _shipping_name(checkout: Document) -> str:
    """Return the shipping options that the shopper chose."""
    chosen = [
        text(section(one.get("selected_shipping_option")).get("description"))
        for one in _consignments(checkout)
    ]
    return ", ".join(dict.fromkeys(name for name in chosen if name)) or "Shipping"


def _other_charges(checkout: Document) -> list[list[_Charge]]:
    """Handling and the fees of the checkout: as they stand, and less what is taken off them."""
    inc, ex = (checkout.get(f"handling_cost_total_{part}_tax") for part in ("inc", "ex"))
    handling = _charge("handling", "Handling", inc, ex)
    if not (is_given(inc) or is_given(ex)):
        handling = _added(_consignments(checkout), "handling", "Handling")
    fees = sections(checkout.get("fees"))
    given = [handling, *map(_fee, fees)]
    less = [handling, *(_fee(fee).less(_promoted(fee)) for fee in fees)]
    return [given] if less == given else [given, less]


def _fee(fee: Document) -> _Charge:
    name = text(fee.get("display_name") or fee.get("name")) or "Fee"
    reference = text(fee.get("name")) or "fee"
    return _charge(reference, name, fee.get("cost_inc_tax"), fee.get("cost_ex_tax"))


@dataclass(frozen=True)
class _Reading:
    """One way of reading a checkout: what follows the tax of the prices, and what is settled."""

    goods: list[Part]
    charges: list[_Charge]
    tax_included: bool
    tax: int

    def lines(self, total: int) -> list[Line]:
        """Return the lines, adding up to `total` cents. Raise `Unbalanced`."""
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
        """Convert net amounts to cents with tax, adding up to `goods_total`.

        V3 gives the tax of the whole checkout, and of shipping, handling and fees. The rest is the
        tax of the goods, without each line's share. So every taxable net amount, discounts too,
        grows by the same factor (a discount only as far as it applies to taxable goods), which is
        exact when there is one rate. All are rounded together so that no cent is lost or invented.
        The resulting tax must be the one given, or an amount is missing here.
        """
        net = sum((part.amount for part in self.goods), ZERO)
        tax = goods_total - net
        if abs(tax - self.tax) > max(1, len(self.goods) + len(self.charges)):
            raise Unbalanced(total, total - round_half_up(tax - self.tax))
        weights = _taxable_amounts(self.goods)
        taxable = sum(weights, ZERO)
        if tax and taxable <= 0:
            raise Unbalanced(total, total - round_half_up(tax))
        factor = tax / taxable if tax else ZERO
        exact = [
            part.amount + weight * factor for part, weight in zip(self.goods, weights, strict=True)
        ]
        return round_together(exact)


def _taxable_amounts(goods: Sequence[Part]) -> list[Fraction]:
    """How much of each amount is taxed: what it tells, or of a discount the taxed goods' share."""
    positive = sum((part.amount for part in goods if part.amount > 0), ZERO)
    taxed = sum((part.amount * (part.taxed or 0) for part in goods if part.amount > 0), ZERO)
    if not taxed:
        return [part.amount for part in goods]
    share = taxed / positive
    return [part.amount * (share if part.taxed is None else part.taxed) for part in goods]


def _readings(checkout: Document) -> Iterator[_Reading]:
    """Yield every way of reading the checkout, the documented one first.

    Not documented: is wrapping charged per line or per unit; does a coupon's amount include its
    share of shipping; do sale prices already include coupons ("after all discounts"); which field
    holds which discount. Its own examples lack `tax_included`, and show prices with tax beside list
    prices without: so it only decides what to try first.
    """
    products, charged_tax = list(product_parts(checkout)), _tax_total(checkout)
    wrappings = [list(wrapping_parts(checkout, per_unit=per_unit)) for per_unit in (False, True)]
    included_first = cart_of(checkout).get("tax_included") is True
    for discounts, wrapping, shipping, others in combinations(
        _discount_ways(checkout),
        wrappings[:1] if wrappings[0] == wrappings[1] else wrappings,
        _shipping_charges(checkout),
        _other_charges(checkout),
    ):
        charges, goods = [shipping, *others], [*products, *wrapping]
        tax = charged_tax - sum(charge.tax for charge in charges)
        for included in (included_first, not included_first):
            yield _Reading([*goods, *discounts], charges, included, tax)
        if not included_first and any(part.factor > 1 for part in discounts):
            grown = [replace(part, amount=part.amount * part.factor) for part in discounts]
            yield _Reading([*goods, *grown], charges, tax_included=True, tax=tax)


def _discount_ways(checkout: Document) -> list[list[Part]]:
    """The discounts in every way they may be meant; last of all, prices already hold them."""
    on_goods, on_shipping = coupons(checkout), shipping_coupons(checkout)
    of_coupons, of_order = Shares(checkout, item_coupons), Shares(checkout, item_discount)
    ways = []
    for amount in order_discounts(checkout):
        for sign in (0, -1, 1) if on_shipping else (0,):
            amounts = {
                (code, f"Coupon {code}"): on_goods.get(code, ZERO)
                + sign * on_shipping.get(code, ZERO)
                for code in on_goods | on_shipping
            }
            order_discount = {("order_discount", "Discount"): amount}
            ways.append([*of_coupons.parts(amounts), *of_order.parts(order_discount)])
    return _unique([*ways, []])


def _unique(ways: list[list[Part]]) -> list[list[Part]]:
    return [way for n, way in enumerate(ways) if way not in ways[:n]]


def _tax_total(checkout: Document) -> int:
    given: Any = checkout.get("tax_total")
    if not is_given(given):
        return sum(optional_cents(tax.get("amount")) for tax in sections(checkout.get("taxes")))
    return to_cents(given)


def cart_lines(checkout: Document, credit: int = 0, certificates: int = 0) -> list[Line]:
    """Return the lines of what the shopper still has to pay.

    That is `grand_total` less store credit and gift certificates, both in cents. Their lines are
    those of the order that will show them (`payloads.order.lines`).

    Raise `NotOffered` when no reading adds up, or when nothing is left to pay.
    """
    total = to_cents(checkout.get("grand_total", ""))
    if min(credit, certificates) < 0 or total - credit - certificates <= 0:
        raise NotOffered(Reason.NOTHING_LEFT_TO_PAY)
    paid = (
        ("store_credit", "Store credit", credit),
        ("gift_certificate", "Gift certificate", certificates),
    )
    return [
        *_balanced_lines(checkout, total),
        *(
            other_payment(reference=reference, name=name, total_with_tax=-cents)
            for reference, name, cents in paid
            if cents
        ),
    ]


def _balanced_lines(checkout: Document, total: int) -> list[Line]:
    refusals = []
    for reading in _readings(checkout):
        try:
            return reading.lines(total)
        except Unbalanced as refusal:
            refusals.append(refusal)
    raise NotOffered(Reason.UNBALANCED, str(refusals[0]))


@dataclass(frozen=True)
class Claim:
    """The browser's claim: credit is applied, and so many cents are left to pay."""

    applied: bool = False
    outstanding: int | None = None

    @classmethod
    def of(cls, applied: bool, outstanding: Amount | None) -> Self:
        """Return the claim of major units, as the storefront shows them. Raise ValueError."""
        return cls(applied, None if outstanding is None else to_cents(outstanding))

    def __str__(self) -> str:
        return f"{'credit' if self.applied else 'no credit'}, {self.outstanding} left"


def credit_balance(customer: Mapping[str, Any] | None) -> int:
    """Return a customer's store credit in cents, of GET /v3/customers?include=storecredit."""
    amounts = sections(section(customer).get("store_credit_amounts"))
    return max(0, sum(to_cents(entry.get("amount", "")) for entry in amounts))


def store_credit(balance: int, total: int, claim: Claim) -> int:
    """Return the credit that pays part of `total`, in cents: the whole balance, or none.

    BigCommerce always uses the whole balance. A claim that this does not explain is refused: a
    lower amount to pay means a payment unknown to us, such as a gift certificate; a higher one
    means that the browser or we have an old checkout.
    """
    credit = max(0, min(balance, total)) if claim.applied else 0
    left = total - credit
    if claim.outstanding is None or claim.outstanding == left:
        return credit
    detail = f"the browser showed {euros(claim.outstanding)} to pay, we computed {euros(left)}"
    unseen = 0 <= claim.outstanding < left
    raise NotOffered(Reason.GIFT_CERTIFICATE if unseen else Reason.UNEXPLAINED_BALANCE, detail)
