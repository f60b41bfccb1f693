"""What a V3 checkout charges for, part by part, as BigCommerce gives it.

https://docs.bigcommerce.com, checkouts.v3: prices of items, wrapping and discounts include tax only
when `cart.tax_included`; shipping, handling and fees are given with and without.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from payloads import cart
from payloads.cart import Line
from payloads.checkout.reasons import NotOffered, Reason
from payloads.money import Amount, NotMoney, is_given, to_decimal
from payloads.order.lines import BOUGHT_CERTIFICATE, text
from transport.reading import number_of, section, sections

Document = Mapping[str, Any]
ZERO = Fraction(0)
_URL = re.compile(r"https?://[^\s\0-\x1f]+")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One future line with its exact amount in cents, before anything is rounded."""

    kind: Literal["product", "adjustment"]
    reference: str
    name: str
    amount: Fraction
    taxed: Fraction | None = Fraction(1)  # how much of it bears tax; None: as the goods do
    factor: Fraction = Fraction(1)  # from this amount to the one with tax, where items tell it
    quantity: int = 1
    downloadable: bool = False
    product_id: str | None = None
    url: str | None = None

    def lines(self, cents: int) -> list[Line]:
        """The line for this amount; none for a surcharge or a discount of nothing.

        An item below zero is a discount that somebody entered as an item.
        """
        if self.kind == "adjustment" or cents < 0:
            return cart.adjustment(reference=self.reference, name=self.name, total_with_tax=cents)
        return [
            cart.product(
                reference=self.reference,
                name=self.name,
                quantity=self.quantity,
                total_with_tax=cents,
                downloadable=self.downloadable,
                product_id=self.product_id,
                url=self.url,
            )
        ]


def _exact_cents(amount: Amount | None) -> Fraction:
    """Return an optional amount in exact cents, 0 when absent. Raise `NotMoney`."""
    return Fraction(to_decimal(amount)) * 100 if amount is not None and is_given(amount) else ZERO


def cart_of(checkout: Document) -> Document:
    return section(checkout.get("cart"))


def currency_of(checkout: Document) -> str:
    """Return the code of the checkout's currency; empty when it is missing."""
    return text(section(cart_of(checkout).get("currency")).get("code"))


def customer_number(checkout: Document) -> int | None:
    """Return the registered customer's number; None for a guest."""
    return number_of(cart_of(checkout).get("customer_id"))


def is_readable(checkout: Document) -> bool:
    """Is every part there that an offer needs, in the shape that is documented?

    What the shopper has not entered yet may be missing; that has reasons of its own.
    """
    cart = cart_of(checkout)
    billing, consignments = checkout.get("billing_address"), checkout.get("consignments")
    return (
        isinstance(cart.get("line_items"), Mapping)
        and currency_of(checkout) != ""
        and (billing is None or isinstance(billing, Mapping | list))
        and (consignments is None or isinstance(consignments, Mapping | list))
    )


def items(checkout: Document, *groups: str) -> Iterator[Document]:
    """Yield the line items of these groups: physical_items, digital_items, custom_items …"""
    for group in groups:
        yield from sections(section(cart_of(checkout).get("line_items")).get(group))


def all_items(checkout: Document) -> Iterator[Document]:
    """Yield everything with a price per unit: all items but gift certificates."""
    return items(checkout, "physical_items", "digital_items", "custom_items")


def product_parts(checkout: Document) -> Iterator[Part]:
    """Yield products at their sale price, which includes the discounts of a single item."""
    for item in items(checkout, "physical_items"):
        yield _product(item, downloadable=False)
    for item in items(checkout, "digital_items"):
        yield _product(item, downloadable=True)
    for item in items(checkout, "custom_items"):
        yield _product(item, downloadable=False)
    for item in items(checkout, "gift_certificates"):
        yield _certificate(item)


def reference_of(item: Document) -> str:
    """Return the SKU; without one the product's id; a line typed in by hand has only its name."""
    return text(item.get("sku")) or text(item.get("product_id") or "") or _name(item)


def _product(item: Document, *, downloadable: bool) -> Part:
    product_id = text(item.get("product_id") or "")
    return Part(
        kind="product",
        reference=reference_of(item),
        name=_name(item),
        amount=_price_of(item),
        taxed=Fraction(_is_taxed(item)),
        quantity=_quantity(item),
        downloadable=downloadable,
        product_id=product_id or None,
        url=_url(item.get("url")),
    )


def _price_of(item: Document) -> Fraction:
    """Return the price of all units; items entered by hand have no sale price."""
    for key in ("extended_sale_price", "extended_list_price"):
        if is_given(item.get(key)):
            return _exact_cents(item[key])
    single = next((item[key] for key in ("sale_price", "list_price") if is_given(item.get(key))), 0)
    return _exact_cents(single) * _quantity(item)


def _is_taxed(item: Document) -> bool:
    return item.get("is_taxable") is not False and item.get("taxable") is not False


def _certificate(item: Document) -> Part:
    """Return a bought gift certificate: sent by e-mail, so nothing is shipped."""
    return Part(
        kind="product",
        reference=BOUGHT_CERTIFICATE,
        name=text(item.get("name")) or "Gift certificate",
        amount=_exact_cents(item.get("amount")),
        taxed=Fraction(item.get("taxable") is True),
        downloadable=True,
    )


def _name(item: Document) -> str:
    """Return the product's name with its options: `T-shirt (Size: M, Colour: Red)`."""
    name = text(item.get("name")) or text(item.get("sku")) or "Product"
    chosen = ", ".join(
        f"{text(option.get('name'))}: {text(option['value'])}"
        for option in sections(item.get("options"))
        if text(option.get("value"))
    )
    return f"{name} ({chosen})" if chosen else name


def _quantity(item: Document) -> int:
    """Return the quantity: SeQura requires whole, positive units."""
    try:
        quantity = to_decimal(item.get("quantity", ""))
    except NotMoney:
        raise NotOffered(Reason.UNREADABLE, f"no quantity of {_name(item)}") from None
    if quantity < 1 or quantity != int(quantity):
        raise NotOffered(Reason.UNREADABLE, f"a quantity of {quantity} of {_name(item)}")
    return int(quantity)


def _url(url: object) -> str | None:
    return url if isinstance(url, str) and _URL.fullmatch(url) else None


def wrapping_parts(checkout: Document, *, per_unit: bool) -> Iterator[Part]:
    for item in items(checkout, "physical_items"):
        wrapping = section(item.get("gift_wrapping"))
        name = text(wrapping.get("name"))
        amount = _exact_cents(wrapping.get("amount"))
        if amount:
            yield Part(
                kind="adjustment",
                reference="gift_wrapping",
                name=f"Gift wrapping: {name}" if name else "Gift wrapping",
                amount=amount * (_quantity(item) if per_unit else 1),
            )


# Discounts ---------------------------------------------------------------------------------------
#
# V3 documents hold one and the same discount in up to four places, and which of them hold which
# kind is documented in two ways: `cart.discount_amount` "includes order-level automatic promotions
# plus manual discounts" (checkouts) and is "order-based only" (carts), while the example of a
# manual discount has it in `cart.manual_discount_amount`, in `cart.discounts[]` and in the item's
# `discounts[]`. Coupons are separate everywhere, with their shares of the items.


def coupons(checkout: Document) -> dict[str, Fraction]:
    """Return what each coupon code subtracts, in exact cents."""
    given = sections(checkout.get("coupons")) or sections(cart_of(checkout).get("coupons"))
    return _sums((coupon.get("code"), coupon.get("discounted_amount")) for coupon in given)


def shipping_coupons(checkout: Document) -> dict[str, Fraction]:
    """Return what each coupon code subtracts from the shipping cost, in exact cents."""
    return _sums(
        (coupon.get("code"), coupon.get("amount"))
        for consignment in sections(checkout.get("consignments"))
        for coupon in sections(consignment.get("coupon_discounts"))
    )


def _sums(pairs: Iterable[tuple[object, Amount | None]]) -> dict[str, Fraction]:
    sums: dict[str, Fraction] = {}
    for given, amount in pairs:
        code = text(given) or "coupon"
        sums[code] = sums.get(code, ZERO) + _exact_cents(amount)
    return sums


def order_discounts(checkout: Document) -> list[Fraction]:
    """Every amount that the discounts besides coupons may come to, the documented one first."""
    cart = cart_of(checkout)
    given = _exact_cents(cart.get("discount_amount"))
    manual = _exact_cents(cart.get("manual_discount_amount"))
    on_items = [_listed(checkout), sum(map(_field_discount, all_items(checkout)), ZERO)]
    of_cart = _without_coupons(cart.get("discounts"))
    coupon_total = sum(coupons(checkout).values(), ZERO)
    ways = [given, given + manual, manual]
    for amount in on_items:
        ways += [given + amount, given + manual + amount, manual + amount, amount]
    ways += [of_cart, of_cart - coupon_total]
    return [amount for amount in dict.fromkeys(ways) if amount >= 0]


def _listed(checkout: Document) -> Fraction:
    """Return the discounts that items list, without those of coupons."""
    return sum((item_discount(item) for item in all_items(checkout)), ZERO)


def item_discount(item: Document) -> Fraction:
    return _without_coupons(item.get("discounts"))


def _field_discount(item: Document) -> Fraction:
    return _exact_cents(item.get("discount_amount"))


def _without_coupons(discounts: object) -> Fraction:
    found = (one for one in sections(discounts) if one.get("id") != "coupon")
    return sum((_exact_cents(one.get("discounted_amount")) for one in found), ZERO)


def item_coupons(item: Document) -> Fraction:
    """Return the item's share of all coupons."""
    if is_given(item.get("coupon_amount")):
        return _exact_cents(item["coupon_amount"])
    named = [one for one in sections(item.get("discounts")) if one.get("id") == "coupon"]
    return sum((_exact_cents(one.get("discounted_amount")) for one in named), ZERO)


class Shares:
    """How the items share a discount: which part of it is taxed, and the factor of its tax.

    Only if the shares that the items show add up to the discount, except for a cent per item.
    """

    def __init__(self, checkout: Document, share_of: Callable[[Document], Fraction]) -> None:
        self.items = list(all_items(checkout))
        self.shares = [share_of(item) for item in self.items]
        self.total = sum(self.shares, ZERO)

    def explain(self, amount: Fraction) -> bool:
        return self.total > 0 and abs(self.total - amount) <= len(self.items)

    def parts(self, named: Mapping[tuple[str, str], Fraction]) -> list[Part]:
        """Return a negative part for each (reference, name) with its amount, none for zero."""
        explained = self.explain(sum(named.values(), ZERO))
        taxed = (
            self._mean([Fraction(_is_taxed(item)) for item in self.items]) if explained else None
        )
        factors = [_growth(item) for item in self.items]
        factor = self._mean(factors) if explained else max(factors, default=Fraction(1))
        return [
            Part(
                kind="adjustment",
                reference=reference,
                name=name,
                amount=-amount,
                taxed=taxed,
                factor=factor,
            )
            for (reference, name), amount in named.items()
            if amount > 0
        ]

    def _mean(self, values: list[Fraction]) -> Fraction:
        pairs = zip(self.shares, values, strict=True)
        return sum((share * value for share, value in pairs), ZERO) / self.total


def _growth(item: Document) -> Fraction:
    """Return an item's price over its list price: above 1 where the price includes tax."""
    net, price = _exact_cents(item.get("extended_list_price")), _price_of(item)
    return price / net if 0 < net < price else Fraction(1)
