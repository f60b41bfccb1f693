"""Sums and comparisons of carts: pure, in cents."""

from typing import Any

Cart = dict[str, Any]
# Written by the shop's clock: no part of what was sold.
INCIDENTAL = ("created_at", "updated_at")


def empty() -> Cart:
    return {"currency": "EUR", "gift": False, "order_total_with_tax": 0, "items": []}


def is_empty(cart: Cart) -> bool:
    return not cart["items"]


def sum_error(cart: Cart, name: str = "") -> str | None:
    """SeQura's own words when a cart's items and its total disagree, else nothing."""
    amounts = [item["total_with_tax"] for item in cart["items"]]
    added, declared = sum(amounts), cart["order_total_with_tax"]
    if added == declared:
        return None
    place = f"In {name}, items'" if name else "items'"
    return (
        f"Invalid data: {place} total_with_tax add up to {added} "
        f"({'+'.join(map(str, amounts))}) but order_total_with_tax is {declared}. "
        f"The diff is {abs(declared - added)}."
    )


def sold(cart: Cart) -> Cart:
    """A cart without what does not matter when two are compared."""
    return {key: value for key, value in cart.items() if key not in INCIDENTAL}


def units(cart: Cart) -> dict[str, int]:
    """How many of each product or service lie in a cart."""
    found: dict[str, int] = {}
    for item in cart["items"]:
        if item.get("type", "product") in ("product", "service"):
            key = str(item["reference"])
            found[key] = found.get(key, 0) + int(item["quantity"])
    return found


def takes_back(before: Cart, after: Cart, unshipped: Cart, unshipped_after: Cart) -> bool:
    """Whether units went from the shipped cart back to the unshipped one."""
    shipped, now = units(before), units(after)
    waiting, waiting_now = units(unshipped), units(unshipped_after)
    return any(
        now.get(key, 0) < count and waiting_now.get(key, 0) > waiting.get(key, 0)
        for key, count in shipped.items()
    )
