"""What a checkout costs, as BigCommerce adds it up. Decimals in major units.

Prices are as entered (with or without tax, `Checkout.tax_included`); each line's total is rounded
to cents once, unit prices keep four decimals. Coupons and the order discount are spread over the
lines in proportion to their price.
"""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.bigcommerce.models import Checkout, Coupon, Customer, Document, GiftCertificate

ZERO = Decimal(0)
SHIPPING_TAX = Decimal(21)
COUPON_TYPES = (
    "per_item_discount", "percentage_discount", "per_total_discount",
    "shipping_discount", "free_shipping",
)  # fmt: skip


def cents(amount: Decimal) -> Decimal:
    """Rounded to cents, half up."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def fine(amount: Decimal) -> Decimal:
    """Rounded to four decimals, half up."""
    return amount.quantize(Decimal("0.0001"), ROUND_HALF_UP)


@dataclass
class Amount:
    """With and without tax."""

    inc: Decimal = ZERO
    ex: Decimal = ZERO

    @property
    def tax(self) -> Decimal:
        return self.inc - self.ex

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.inc + other.inc, self.ex + other.ex)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.inc - other.inc, self.ex - other.ex)


def total(amounts: "list[Amount]") -> Amount:
    return sum(amounts, Amount())


def taxed(entered: Decimal, rate: Decimal, *, included: bool, places: int = 2) -> Amount:
    """`entered` with and without `rate` percent of tax."""
    rounded = cents if places == 2 else fine
    factor = 1 + rate / 100
    if included:
        return Amount(rounded(entered), rounded(entered / factor))
    return Amount(rounded(entered * factor), rounded(entered))


def spread(amount: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """`amount` in parts proportional to `weights`; the last one that weighs takes the rest."""
    whole, left, parts = sum(weights, ZERO), amount, []
    last = max((i for i, weight in enumerate(weights) if weight), default=-1)
    for i, weight in enumerate(weights):
        part = left if i == last else cents(amount * weight / whole) if whole else ZERO
        left -= part
        parts.append(part)
    return parts


@dataclass
class Line:
    """One line with its money. `coupon` and `discount` are as entered."""

    line: Document
    included: bool
    coupon: Decimal = ZERO
    discount: Decimal = ZERO

    @property
    def quantity(self) -> int:
        return int(self.line["quantity"])

    @property
    def rate(self) -> Decimal:
        return Decimal(self.line["tax_rate"])

    @property
    def extended(self) -> Decimal:
        return Decimal(self.line["price"]) * self.quantity

    @property
    def promoted(self) -> Decimal:
        """The extended price less the line's own promotion."""
        return self.extended - Decimal(self.line.get("promotion", "0"))

    def amount(self, entered: Decimal, places: int = 2) -> Amount:
        return taxed(entered, self.rate, included=self.included, places=places)

    @property
    def price(self) -> Amount:
        return self.amount(Decimal(self.line["price"]), places=4)

    @property
    def full(self) -> Amount:
        """The line before coupons and discounts."""
        return self.amount(self.extended)

    @property
    def final(self) -> Amount:
        """The line as paid, without gift wrapping."""
        return self.amount(self.promoted - self.coupon - self.discount)

    @property
    def wrapping(self) -> Amount:
        wrapping = self.line.get("wrapping") or {}
        return self.amount(Decimal(wrapping.get("amount", 0)) * self.quantity)


@dataclass
class Totals:
    """Everything a checkout adds up to."""

    lines: list[Line] = field(default_factory=list)
    deliveries: list[Amount] = field(default_factory=list)
    shipping_discount: Decimal = ZERO
    fees: list[tuple[Document, Amount]] = field(default_factory=list)
    coupons: list[tuple[Coupon, Decimal]] = field(default_factory=list)
    store_credit: Decimal = ZERO
    gift_certificates: list[tuple[GiftCertificate, Decimal]] = field(default_factory=list)

    @property
    def subtotal(self) -> Amount:
        """The goods before coupons and discounts."""
        return total([line.full for line in self.lines])

    @property
    def goods(self) -> Amount:
        """The goods as paid: BigCommerce's cart amount."""
        return total([line.final for line in self.lines])

    @property
    def shipping(self) -> Amount:
        return total(self.deliveries)

    @property
    def wrapping(self) -> Amount:
        return total([line.wrapping for line in self.lines])

    @property
    def grand(self) -> Amount:
        """What is to pay before store credit and gift certificates."""
        return self.goods + self.wrapping + self.shipping + total([fee for _, fee in self.fees])

    @property
    def discount(self) -> Decimal:
        """Discounts other than coupons."""
        return sum((line.discount + line.extended - line.promoted for line in self.lines), ZERO)

    @property
    def coupon_discount(self) -> Decimal:
        return sum((amount for _, amount in self.coupons), ZERO)

    @property
    def outstanding(self) -> Decimal:
        certificates = sum((amount for _, amount in self.gift_certificates), ZERO)
        return self.grand.inc - self.store_credit - certificates


def of(checkout: Checkout) -> Totals:
    """The totals of a checkout as it is now."""
    totals = Totals([Line(line, checkout.tax_included) for line in checkout.lines])
    for coupon in Coupon.objects.filter(code__in=checkout.coupons):
        apply_coupon(totals, coupon)
    weights = [line.promoted - line.coupon for line in totals.lines]
    for line, part in zip(totals.lines, spread(checkout.discount, weights), strict=True):
        line.discount = part
    totals.deliveries = shipping(checkout, totals)
    totals.fees = [(fee, fee_amount(checkout, fee)) for fee in checkout.fees]
    settle(checkout, totals)
    return totals


def apply_coupon(totals: Totals, coupon: Coupon) -> None:
    """Take the coupon off the lines (or remember it for the shipping)."""
    weights = [line.promoted - line.coupon for line in totals.lines]
    name = COUPON_TYPES[coupon.type]
    if name == "percentage_discount":
        parts = [cents(weight * coupon.amount / 100) for weight in weights]
    elif name == "per_item_discount":
        parts = [
            min(weight, coupon.amount * line.quantity)
            for weight, line in zip(weights, totals.lines, strict=True)
        ]
    elif name == "per_total_discount":
        parts = spread(min(coupon.amount, sum(weights, ZERO)), weights)
    else:
        parts = [ZERO] * len(weights)
        totals.shipping_discount = coupon.amount if name == "shipping_discount" else Decimal(10**6)
    for line, part in zip(totals.lines, parts, strict=True):
        line.coupon += part
    totals.coupons.append((coupon, sum(parts, ZERO)))


def shipping(checkout: Checkout, totals: Totals) -> list[Amount]:
    """What each consignment's shipping costs; a shipping coupon is used up from the first on."""
    found, left = [], totals.shipping_discount
    for consignment in checkout.consignments:
        option = consignment.get("option")
        cost = Decimal(option["cost"]) if option else ZERO
        discount = min(left, cost)
        left -= discount
        found.append(taxed(cost - discount, SHIPPING_TAX, included=checkout.tax_included))
    totals.shipping_discount -= left
    return found


def fee_amount(checkout: Checkout, fee: Document) -> Amount:
    rate = Decimal(str(fee.get("tax_rate", 21)))
    return taxed(Decimal(str(fee["cost"])), rate, included=checkout.tax_included)


def settle(checkout: Checkout, totals: Totals) -> None:
    """Gift certificates first, then all the store credit there is, up to what is left."""
    left = totals.grand.inc
    known = GiftCertificate.objects.in_bulk(checkout.gift_certificates)
    for certificate in filter(None, map(known.get, checkout.gift_certificates)):
        used = min(left, certificate.balance)
        totals.gift_certificates.append((certificate, used))
        left -= used
    if checkout.store_credit_applied and checkout.customer_id:
        balance = Customer.objects.get(id=checkout.customer_id).store_credit
        totals.store_credit = cents(min(left, balance))


def taxes(totals: Totals) -> dict[str, Decimal]:
    """Tax by rate, as the checkout lists it."""
    found: dict[str, Decimal] = {}
    for line in totals.lines:
        tax = line.final.tax + line.wrapping.tax
        name = f"IVA {line.rate.normalize():f}%"
        found[name] = found.get(name, ZERO) + tax
    extra = totals.shipping.tax + sum((fee.tax for _, fee in totals.fees), ZERO)
    if extra:
        found["IVA 21%"] = found.get("IVA 21%", ZERO) + extra
    return found


def number(amount: Decimal) -> Any:
    """An amount as V3 writes it: a JSON number."""
    value = float(amount)
    return int(value) if value == int(value) else value
