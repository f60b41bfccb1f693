"""Compare two order updates, and the first update with the purchase. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from payloads.order.order_update import Rules, Snapshot
from payloads.order.refunds import refunded

_Update = Mapping[str, Any]
CARTS = ("unshipped_cart", "shipped_cart")


def what_happened(before: _Update | None, after: _Update, snapshot: Snapshot, rules: Rules) -> str:
    """Return `cancel`, `refund`, `ship`, `address` or `edit`: the most important that applies.

    Without a `before` the whole order is new: then the order itself decides.
    """
    if _is_cancelled(after, snapshot, rules) and (
        before is None or before["unshipped_cart"]["items"]
    ):
        return "cancel"
    if refunded(snapshot["refunds"]) and (before is None or _total(after) < _total(before)):
        return "refund"
    if _shipment(before) != _shipment(after):
        return "ship"
    if before is not None and all(before[cart] == after[cart] for cart in CARTS):
        return "address"
    return "edit"


def _is_cancelled(after: _Update, snapshot: Snapshot, rules: Rules) -> bool:
    cancels = snapshot["order"]["status_id"] in rules.cancelling_statuses
    return cancels and not after["unshipped_cart"]["items"]


def _total(update: _Update) -> int:
    return sum(int(update[cart]["order_total_with_tax"]) for cart in CARTS)


def _shipment(update: _Update | None) -> tuple[Counter[str], Any]:
    """Units in the shipped cart, and the parcels they travel in."""
    units = Counter[str]()
    for item in update["shipped_cart"]["items"] if update else ():
        units[str(item.get("reference"))] += int(item.get("quantity", 0))
    return units, (update or {}).get("trackings") or []


_PLACE = (
    "given_names",
    "surnames",
    "company",
    "address_line_1",
    "address_line_2",
    "postal_code",
    "city",
    "country_code",
    "phone",
)


def agrees(update: _Update, solicited: _Update) -> bool:
    """Return whether this update is the purchase as solicited, with nothing shipped yet.

    The checkout (V3) and the order (V2) describe the same purchase differently, especially
    discounts. When total, units, addresses and customer agree, SeQura holds this update already.
    """
    if "cart" not in solicited or update["shipped_cart"]["items"]:
        return False
    return _essence(update, update["unshipped_cart"]) == _essence(solicited, solicited["cart"])


def _essence(order: _Update, cart: _Update) -> dict[str, Any]:
    return {
        "currency": cart["currency"],
        "total": cart["order_total_with_tax"],
        "units": _units(cart),
        "delivery": _place(order.get("delivery_address") or {}),
        "invoice": _place(order.get("invoice_address") or {}),
        "email": str((order.get("customer") or {}).get("email", "")).casefold(),
    }


def _units(cart: _Update) -> Counter[str]:
    units = Counter[str]()
    for item in cart["items"]:
        if item["type"] in ("product", "service"):
            units[str(item["reference"])] += int(item["quantity"])
    return units


def _place(address: _Update) -> list[str]:
    return [" ".join(str(address.get(key) or "").split()).casefold() for key in _PLACE]
