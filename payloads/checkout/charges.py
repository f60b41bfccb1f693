"""What a V3 checkout charges besides the goods: shipping, handling, fees, all told with tax."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from payloads import cart
from payloads.cart import Line
from payloads.checkout.parts import Document
from payloads.money import is_told, optional_cents, round_half_up, to_cents
from payloads.order.lines import text
from wire.reading import section, sections

# Where a discount of a consignment tells its amount, if it does: documented is only its id.
AMOUNTS = ("amount", "discounted_amount", "discount_amount")


@dataclass(frozen=True)
class Charge:
    """Shipping, handling or a fee: told with and without tax, in cents."""

    reference: str
    name: str
    with_tax: int
    tax: int = 0

    def lines(self) -> list[Line]:
        return cart.adjustment(
            reference=self.reference, name=self.name, total_with_tax=self.with_tax
        )

    def less(self, cents: int) -> "Charge":
        """The charge after a discount, which takes its part of the tax along."""
        if not cents or not self.with_tax:
            return self
        left = max(0, self.with_tax - cents)
        tax = round_half_up(Fraction(self.tax * left, self.with_tax))
        return replace(self, with_tax=left, tax=tax)


def charge(reference: str, name: str, with_tax: Any, without: Any) -> Charge:
    """A charge from major units; without a net amount nothing is known of its tax."""
    gross = optional_cents(with_tax if is_told(with_tax) else without)
    net = to_cents(without) if is_told(without) else gross
    return Charge(reference, name, gross, gross - net)


def consignments(checkout: Document) -> list[Document]:
    return sections(checkout.get("consignments"))


def shipping_charges(checkout: Document) -> list[Charge]:
    """The shipping cost in each of the ways it may be meant, the documented one first.

    A consignment's cost may or may not hold its discounts, the total "before any discounts" does
    not, and a promotion that makes shipping free is told without an amount.
    """
    parcels, name = consignments(checkout), shipping_name(checkout)
    added = _added(parcels, "shipping", name)
    total = charge(
        "shipping",
        name,
        checkout.get("shipping_cost_total_inc_tax"),
        checkout.get("shipping_cost_total_ex_tax"),
    )
    promoted = sum(_promoted(one) for one in parcels)
    ways = [added, total] if parcels else [total]
    ways += [way.less(promoted) for way in ways]
    if any(one.get("discounts") for one in parcels):
        ways.append(Charge("shipping", name, 0))
    return list(dict.fromkeys(ways))


def _added(parcels: list[Document], kind: str, name: str) -> Charge:
    """The shipping or handling cost of every consignment together."""
    parts = [
        charge(kind, name, one.get(f"{kind}_cost_inc_tax"), one.get(f"{kind}_cost_ex_tax"))
        for one in parcels
    ]
    return Charge(kind, name, sum(p.with_tax for p in parts), sum(p.tax for p in parts))


def _promoted(told: Document) -> int:
    """What promotions take off a consignment or a fee, where an amount is told."""
    named = [
        next(filter(is_told, map(one.get, AMOUNTS)), None)
        for one in sections(told.get("discounts"))
    ]
    return sum(map(optional_cents, [told.get("discount_amount"), *named]))


def shipping_name(checkout: Document) -> str:
    """What the shopper chose, of every consignment."""
    chosen = [
        text(section(one.get("selected_shipping_option")).get("description"))
        for one in consignments(checkout)
    ]
    return ", ".join(dict.fromkeys(name for name in chosen if name)) or "Shipping"


def other_charges(checkout: Document) -> list[list[Charge]]:
    """Handling and the fees of the checkout: as they stand, and less what is taken off them."""
    inc, ex = (checkout.get(f"handling_cost_total_{part}_tax") for part in ("inc", "ex"))
    handling = charge("handling", "Handling", inc, ex)
    if not (is_told(inc) or is_told(ex)):
        handling = _added(consignments(checkout), "handling", "Handling")
    fees = sections(checkout.get("fees"))
    told = [handling, *map(_fee, fees)]
    less = [handling, *(_fee(fee).less(_promoted(fee)) for fee in fees)]
    return [told] if less == told else [told, less]


def _fee(fee: Document) -> Charge:
    name = text(fee.get("display_name") or fee.get("name")) or "Fee"
    reference = text(fee.get("name")) or "fee"
    return charge(reference, name, fee.get("cost_inc_tax"), fee.get("cost_ex_tax"))
