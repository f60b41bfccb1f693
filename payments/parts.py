"""What a V3 checkout charges for, part by part, as BigCommerce tells it.

https://docs.bigcommerce.com, checkouts.v3: prices of items, wrapping and discounts hold tax only
when `cart.tax_included`; shipping, handling and fees are told both ways.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from orders.lines import BOUGHT_CERTIFICATE, text
from payments.reasons import NotOffered, Reason
from sequra import cart
from sequra.cart import Line
from sequra.money import Amount, to_decimal

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One future line with its exact amount in cents, before anything is rounded."""

    kind: Literal["product", "adjustment"]
    reference: str
    name: str
    amount: Fraction
    taxable: bool = True
    quantity: int = 1
    downloadable: bool = False
    product_id: str | None = None
    url: str | None = None

    def lines(self, cents: int) -> list[Line]:
        """The line for this amount; none for a surcharge or a discount of nothing."""
        if self.kind == "adjustment":
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


def exact_cents(amount: Amount | None) -> Fraction:
    return Fraction(to_decimal(amount or 0)) * 100


def items(checkout: Document, *groups: str) -> Iterator[Document]:
    """The line items of these groups: physical_items, digital_items, custom_items …"""
    for group in groups:
        yield from checkout["cart"].get("line_items", {}).get(group) or []


def product_parts(checkout: Document) -> Iterator[Part]:
    """Products at their sale price, which already holds the discounts of a single item."""
    for item in items(checkout, "physical_items"):
        yield _product(item, downloadable=False)
    for item in items(checkout, "digital_items"):
        yield _product(item, downloadable=True)
    for item in items(checkout, "custom_items"):
        yield _product(item, downloadable=False)
    for item in items(checkout, "gift_certificates"):
        yield _certificate(item)


def _product(item: Document, *, downloadable: bool) -> Part:
    price = item.get("extended_sale_price")
    product_id = item.get("product_id") or None
    name = _name(item)
    return Part(
        kind="product",
        reference=text(item.get("sku")) or (str(product_id) if product_id else name),
        name=name,
        amount=exact_cents(item.get("extended_list_price") if price is None else price),
        taxable=item.get("is_taxable") is not False,
        quantity=_quantity(item),
        downloadable=downloadable,
        product_id=str(product_id) if product_id else None,
        url=_url(item.get("url")),
    )


def _certificate(item: Document) -> Part:
    """A gift certificate that is bought: sent by e-mail, so nothing is shipped."""
    return Part(
        kind="product",
        reference=BOUGHT_CERTIFICATE,
        name=item.get("name") or "Gift certificate",
        amount=exact_cents(item.get("amount")),
        taxable=item.get("taxable") is True,
        downloadable=True,
    )


def _name(item: Document) -> str:
    """The product's name with the chosen options: `T-shirt (Size: M, Colour: Red)`."""
    name = " ".join(str(item.get("name") or "").split()) or str(item.get("sku") or "Product")
    chosen = ", ".join(
        f"{option.get('name')}: {option['value']}"
        for option in item.get("options") or []
        if option.get("value")
    )
    return f"{name} ({chosen})" if chosen else name


def _quantity(item: Document) -> int:
    """SeQura counts in whole, positive units."""
    quantity = to_decimal(item["quantity"])
    if quantity < 1 or quantity != int(quantity):
        raise NotOffered(Reason.UNREADABLE, f"a quantity of {quantity} of {_name(item)}")
    return int(quantity)


def _url(url: str | None) -> str | None:
    return url if url and url.startswith(("https://", "http://")) else None


def wrapping_parts(checkout: Document, *, per_unit: bool) -> Iterator[Part]:
    for item in items(checkout, "physical_items"):
        wrapping = item.get("gift_wrapping") or {}
        name = wrapping.get("name")
        yield Part(
            kind="adjustment",
            reference="gift_wrapping",
            name=f"Gift wrapping: {name}" if name else "Gift wrapping",
            amount=exact_cents(wrapping.get("amount")) * (_quantity(item) if per_unit else 1),
        )


def discount_parts(coupons: Mapping[str, Fraction], order_discount: Fraction) -> Iterator[Part]:
    """A discount per coupon code, and one for the promotions of the whole order."""
    for code, amount in coupons.items():
        yield Part(kind="adjustment", reference=code, name=f"Coupon {code}", amount=-amount)
    yield Part(
        kind="adjustment", reference="order_discount", name="Discount", amount=-order_discount
    )


def coupons(checkout: Document) -> dict[str, Fraction]:
    """What each coupon code takes off, in exact cents."""
    told = checkout.get("coupons") or checkout["cart"].get("coupons") or []
    return _sums((coupon["code"], coupon.get("discounted_amount")) for coupon in told)


def shipping_coupons(checkout: Document) -> dict[str, Fraction]:
    """What each coupon code takes off the shipping cost, in exact cents."""
    return _sums(
        (coupon["code"], coupon.get("amount"))
        for consignment in checkout.get("consignments") or []
        for coupon in consignment.get("coupon_discounts") or []
    )


def _sums(pairs: Iterable[tuple[str, Amount | None]]) -> dict[str, Fraction]:
    sums: dict[str, Fraction] = {}
    for code, amount in pairs:
        sums[code] = sums.get(code, Fraction(0)) + exact_cents(amount)
    return sums
