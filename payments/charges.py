"""What a V3 checkout charges besides the goods: shipping, handling, fees, all told with tax."""

from collections.abc import Iterator
from dataclasses import dataclass

from payments.parts import Document
from sequra import cart
from sequra.cart import Line
from sequra.money import Amount, to_cents


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


def charge(reference: str, name: str, with_tax: Amount | None, without: Amount | None) -> Charge:
    """A charge from major units; without a net amount nothing is known of its tax."""
    gross = to_cents(with_tax or 0)
    net = gross if without is None else to_cents(without)
    return Charge(reference, name, gross, gross - net)


def shipping_charges(checkout: Document) -> list[Charge]:
    """The shipping cost in each of the ways it may be meant, the documented one first.

    A consignment's cost may or may not hold its discounts, the total "before any discounts" does
    not, and a promotion that makes shipping free is told without an amount.
    """
    consignments = checkout.get("consignments") or []
    name = shipping_name(checkout)
    parts = [
        charge("shipping", name, one.get("shipping_cost_inc_tax"), one.get("shipping_cost_ex_tax"))
        for one in consignments
    ]
    added = Charge("shipping", name, sum(p.with_tax for p in parts), sum(p.tax for p in parts))
    total = charge(
        "shipping",
        name,
        checkout.get("shipping_cost_total_inc_tax"),
        checkout.get("shipping_cost_total_ex_tax"),
    )
    promoted = any(one.get("discounts") for one in consignments)
    ways = [added, total] if consignments else [total]
    return list(dict.fromkeys([*ways, Charge("shipping", name, 0)] if promoted else ways))


def shipping_name(checkout: Document) -> str:
    """What the shopper chose, of every consignment."""
    chosen = [
        (consignment.get("selected_shipping_option") or {}).get("description")
        for consignment in checkout.get("consignments") or []
    ]
    return ", ".join(dict.fromkeys(name for name in chosen if name)) or "Shipping"


def other_charges(checkout: Document) -> Iterator[Charge]:
    """Handling and the fees of the checkout."""
    yield charge(
        "handling",
        "Handling",
        checkout.get("handling_cost_total_inc_tax"),
        checkout.get("handling_cost_total_ex_tax"),
    )
    for fee in checkout.get("fees") or []:
        name = fee.get("display_name") or fee.get("name") or "Fee"
        reference = fee.get("name") or "fee"
        yield charge(reference, name, fee.get("cost_inc_tax"), fee.get("cost_ex_tax"))
