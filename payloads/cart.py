"""SeQura's cart: lines and their sums, in cents with tax included.

SeQura answers 409 to every cart whose `order_total_with_tax` is not exactly the sum of its lines,
so `cart` computes the total itself and takes none. The kinds of lines and their fields:
https://docs.sequrapi.com (order, items).
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NotRequired, TypedDict

from payloads.money import euros


class _Product(TypedDict):
    """Goods. `total_with_tax` counts; `price_with_tax` is only shown."""

    type: Literal["product"]
    reference: str
    name: str
    price_with_tax: int
    quantity: int
    total_with_tax: int
    downloadable: bool
    product_id: NotRequired[str]
    url: NotRequired[str]
    category: NotRequired[str]
    tracking_reference: NotRequired[str]  # names one of the order's `trackings`


class _Service(TypedDict):
    """A service, with either end (`payloads.order.services`)."""

    type: Literal["service"]
    reference: str
    name: str
    price_with_tax: int
    quantity: int
    total_with_tax: int
    downloadable: bool
    ends_on: NotRequired[str]
    ends_in: NotRequired[str]


class _Named(TypedDict):
    """An amount of the whole order."""

    reference: str
    name: str
    total_with_tax: int


class _Handling(_Named):
    """Shipping, wrapping, a fee: always positive."""

    type: Literal["handling"]


class _Discount(_Named):
    """A reduction: always negative."""

    type: Literal["discount"]


class _OtherPayment(_Named):
    """An amount paid, or given back, in another way: always negative."""

    type: Literal["other_payment"]


class _Registration(_Named):
    """The part of a service's price that is due at once."""

    type: Literal["registration"]


Line = _Product | _Service | _Handling | _Discount | _OtherPayment | _Registration


class _Cart(TypedDict):
    currency: str
    gift: bool
    order_total_with_tax: int
    items: list[Line]
    cart_ref: NotRequired[str]


class Unbalanced(Exception):
    """The lines differ from the total by more than rounding can explain."""

    def __init__(self, total: int, lines_total: int) -> None:
        self.total, self.lines_total = total, lines_total
        super().__init__(f"the lines add up to {euros(lines_total)}, the order is {euros(total)}")


def product(
    *,
    reference: str,
    name: str,
    quantity: int,
    total_with_tax: int,
    price_with_tax: int | None = None,
    downloadable: bool = False,
    product_id: str | None = None,
    url: str | None = None,
    category: str | None = None,
    tracking_reference: str | None = None,
) -> _Product:
    """Return a line of goods. The default price, which is only shown, is rounded."""
    if quantity < 1:
        raise ValueError(f"a quantity of {quantity}")
    if price_with_tax is None:
        price_with_tax = (2 * total_with_tax + quantity) // (2 * quantity)
    line: _Product = {
        "type": "product",
        "reference": reference,
        "name": name,
        "price_with_tax": price_with_tax,
        "quantity": quantity,
        "total_with_tax": total_with_tax,
        "downloadable": downloadable,
    }
    if product_id is not None:
        line["product_id"] = product_id
    if url is not None:
        line["url"] = url
    if category is not None:
        line["category"] = category
    if tracking_reference is not None:
        line["tracking_reference"] = tracking_reference
    return line


def _handling(*, reference: str, name: str, total_with_tax: int) -> _Handling:
    """Return a surcharge. Raise ValueError unless it is positive."""
    return {"type": "handling", **_named(reference, name, total_with_tax, sign=1)}


def _discount(*, reference: str, name: str, total_with_tax: int) -> _Discount:
    """Return a reduction. Raise ValueError unless it is negative."""
    return {"type": "discount", **_named(reference, name, total_with_tax, sign=-1)}


def other_payment(*, reference: str, name: str, total_with_tax: int) -> _OtherPayment:
    """Return an amount paid or refunded otherwise. Raise ValueError unless it is negative."""
    return {"type": "other_payment", **_named(reference, name, total_with_tax, sign=-1)}


def _named(reference: str, name: str, total: int, *, sign: Literal[1, -1]) -> _Named:
    if total * sign <= 0:
        raise ValueError(f"{reference} of {total} cents")
    return {"reference": reference, "name": name, "total_with_tax": total}


def adjustment(*, reference: str, name: str, total_with_tax: int) -> list[Line]:
    """Return a line for an amount of either sign: handling, a discount, or none for zero."""
    if total_with_tax > 0:
        return [_handling(reference=reference, name=name, total_with_tax=total_with_tax)]
    if total_with_tax < 0:
        return [_discount(reference=reference, name=name, total_with_tax=total_with_tax)]
    return []


def lines_total(lines: Iterable[Line]) -> int:
    return sum([line["total_with_tax"] for line in lines])


def cart(currency: str, lines: Sequence[Line], *, cart_ref: str | None = None) -> _Cart:
    """Return a cart whose total is the sum of its lines: SeQura accepts nothing else."""
    whole: _Cart = {
        "currency": currency,
        "gift": False,
        "order_total_with_tax": lines_total(lines),
        "items": list(lines),
    }
    if cart_ref is not None:
        whole["cart_ref"] = cart_ref
    return whole


def balance(lines: Sequence[Line], total: int) -> list[Line]:
    """Return the lines, with one more for rounding when they miss the total by a few cents.

    Each line was rounded once, so at most one cent per line (and one for an empty cart) can be
    rounding; SeQura's own clients use the same limit. Beyond it something is missing or wrong, and
    an invented line would hide it: raise `Unbalanced`. Names and references are those of SeQura's
    integrations, so that its staff recognise the line.
    """
    missing = total - lines_total(lines)
    if abs(missing) > max(1, len(lines)):
        raise Unbalanced(total, lines_total(lines))
    if missing < 0:
        reference, name = "additional_discount", "Discount"
    else:
        reference, name = "additional_handling", "Surcharge"
    return [*lines, *adjustment(reference=reference, name=name, total_with_tax=missing)]
