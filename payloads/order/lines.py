"""Translate a BigCommerce order into lines: goods with units, and charges of the whole order.

Everything is in cents with tax. The lines add up to what the shopper owes for the order: its total
less store credit and gift certificates. Refunds follow in `payloads.order.refunds`. V2 documents:
https://developer.bigcommerce.com/docs/rest-management/orders
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from payloads import cart
from payloads.money import optional_cents, to_cents
from transport.reading import clean_text

Document = Mapping[str, Any]
# A gift certificate that is bought has no number, and another name in V2 than in the checkout.
BOUGHT_CERTIFICATE = "bought_gift_certificate"
_Kind = Literal["charge", "other_payment"]


class Goods(NamedTuple):
    """One order product: `amount` is what the shopper pays for all its units, in cents."""

    id: int
    product_id: int
    reference: str
    name: str
    quantity: int
    amount: int
    wrapping: int = 0
    digital: bool = False


class Charge(NamedTuple):
    """A line of the whole order. A negative charge is a discount or another payment."""

    key: str
    reference: str
    name: str
    amount: int
    kind: _Kind = "charge"

    def lines(self, amount: int) -> list[cart.Line]:
        """This charge in a cart, with its part of the amount; nothing when the part is zero."""
        if self.kind == "other_payment" and amount:
            return [
                cart.other_payment(reference=self.reference, name=self.name, total_with_tax=amount)
            ]
        return cart.adjustment(reference=self.reference, name=self.name, total_with_tax=amount)


def goods(products: Iterable[Document]) -> list[Goods]:
    """Return the order products in the order of their ids, without those of quantity 0."""
    found = [_goods(product) for product in products if int(product["quantity"]) > 0]
    return sorted(found, key=itemgetter(0))  # the id


def charges(
    order: Document, lines: Sequence[Goods], fees: Sequence[Document] = (), shipping: str = ""
) -> list[Charge]:
    """Return shipping, handling, wrapping, fees, the rest of the total, and other payments.

    The rest is a discount or surcharge that BigCommerce has on no line: a discount of the whole
    order, a total entered by hand, or rounding. SeQura must receive the order's total, so it
    becomes a line.
    """
    known = [*_costs(order, shipping), *_fees(fees)]
    left = to_cents(order["total_inc_tax"]) - total(lines) - total(known)
    return [*known, *_left(left, len(lines) + len(known)), *_other_payments(order)]


def unexplained(order: Document, lines: Sequence[Goods], fees: Sequence[Document] = ()) -> int:
    """Return the cents of the total that nothing explains.

    Goods, costs, fees, rounding and a discount of the whole order do.
    """
    known = [*_costs(order, ""), *_fees(fees)]
    left = to_cents(order["total_inc_tax"]) - total(lines) - total(known)
    least = min(abs(left), abs(left + cents(order, "discount_amount")))
    return left if least > _rounding(len(lines) + len(known)) else 0


def total(lines: Iterable[Goods | Charge]) -> int:
    return sum([line.amount for line in lines])


def _goods(product: Document) -> Goods:
    reference = _reference(product)
    return Goods(
        int(product["id"]),
        int(product.get("product_id") or 0),
        reference,
        _name(product, reference),
        int(product["quantity"]),
        _paid(product),
        cents(product, "wrapping_cost_inc_tax"),
        product.get("type") in ("digital", "giftcertificate"),
    )


def _name(product: Document, reference: str) -> str:
    """The name with the chosen options, as it was solicited: `T-shirt (Size: M, Colour: Red)`."""
    name = text(product.get("name")) or reference
    if not (options := product.get("product_options")):
        return name
    chosen = [
        f"{option.get('display_name')}: {option['display_value']}"
        for option in options
        if option.get("display_value")
    ]
    return text(f"{name} ({', '.join(chosen)})") if chosen else name


def _reference(product: Document) -> str:
    """The SKU; without one the product's id; a line typed in by hand has only its name."""
    if product.get("type") == "giftcertificate":
        return BOUGHT_CERTIFICATE
    for key in ("sku", "product_id", "name"):
        if (value := product.get(key)) and (named := text(value)):
            return named
    return "item"


def _paid(product: Document) -> int:
    """Return the line's total after all discounts, in cents.

    `discounted_total_inc_tax` holds it, yet BigCommerce's own examples show it as zero for lines
    that are not free: then the discounts on the line are subtracted from its total.
    """
    paid = cents(product, "discounted_total_inc_tax")
    if paid > 0:
        return paid
    discounts = product.get("applied_discounts") or ()
    taken = sum(cents(discount, "amount") for discount in discounts)
    return max(0, cents(product, "total_inc_tax") - taken)


def _costs(order: Document, shipping: str) -> list[Charge]:
    costs = (
        ("shipping", "shipping", shipping or "Shipping", cents(order, "shipping_cost_inc_tax")),
        ("handling", "handling", "Handling", cents(order, "handling_cost_inc_tax")),
        ("wrapping", "gift_wrapping", "Gift wrapping", cents(order, "wrapping_cost_inc_tax")),
    )
    return [Charge(*cost) for cost in costs if cost[-1]]


def _fees(fees: Iterable[Document]) -> list[Charge]:
    return [
        Charge(
            f"fee {fee['id']}",
            f"fee_{fee['id']}",
            text(fee.get("display_name_customer") or fee.get("display_name_merchant")) or "Fee",
            cents(fee, "cost_inc_tax"),
        )
        for fee in fees
        if cents(fee, "cost_inc_tax")
    ]


def _left(amount: int, lines: int) -> list[Charge]:
    if not amount:
        return []
    if abs(amount) <= _rounding(lines):
        return [rounding(amount)]
    if amount < 0:
        return [Charge("discount", "order_discount", "Discount", amount)]
    return [Charge("surcharge", "additional_handling", "Surcharge", amount)]


def rounding(amount: int) -> Charge:
    """A few cents, under the names that SeQura's own integrations use for them."""
    if amount < 0:
        return Charge("rounding", "additional_discount", "Discount", amount)
    return Charge("rounding", "additional_handling", "Surcharge", amount)


def _rounding(lines: int) -> int:
    """Each line was rounded once."""
    return max(1, lines)


def _other_payments(order: Document) -> list[Charge]:
    payments = (
        ("store_credit", "Store credit", cents(order, "store_credit_amount")),
        ("gift_certificate", "Gift certificate", cents(order, "gift_certificate_amount")),
    )
    return [
        Charge(key, key, name, -amount, "other_payment") for key, name, amount in payments if amount
    ]


def text(value: object) -> str:
    """Return one line of text. Documents may hold nulls, line breaks, NULs and lone surrogates.

    A list or an object is no text, and becomes an empty one.
    """
    if not isinstance(value, str):
        value = "" if value is None or isinstance(value, dict | list) else str(value)
    return " ".join((value if value.isprintable() else clean_text(value)).split())


def cents(document: Document, field: str) -> int:
    """Return an amount of a V2 document in cents; absent, null and empty are 0."""
    value = document.get(field)
    return 0 if value == "0.0000" else optional_cents(value)
