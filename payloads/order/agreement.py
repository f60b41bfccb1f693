"""Does an order update say what SeQura agreed to at the checkout? Pure.

The checkout (V3) and the order (V2) describe the same purchase in different words, discounts above
all. When total, units, addresses and customer agree, the first order update is what SeQura knows
already, and nothing has to be told.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]
PLACE = (
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


def agrees(update: Document, solicited: Document) -> bool:
    """Is this update the purchase that was solicited, with nothing shipped yet?"""
    if "cart" not in solicited or update["shipped_cart"]["items"]:
        return False
    return _essence(update, update["unshipped_cart"]) == _essence(solicited, solicited["cart"])


def _essence(order: Document, cart: Document) -> dict[str, Any]:
    return {
        "currency": cart["currency"],
        "total": cart["order_total_with_tax"],
        "units": _units(cart),
        "delivery": _place(order.get("delivery_address") or {}),
        "invoice": _place(order.get("invoice_address") or {}),
        "email": str((order.get("customer") or {}).get("email", "")).casefold(),
    }


def _units(cart: Document) -> Counter[str]:
    units = Counter[str]()
    for item in cart["items"]:
        if item["type"] in ("product", "service"):
            units[str(item["reference"])] += int(item["quantity"])
    return units


def _place(address: Document) -> list[str]:
    return [" ".join(str(address.get(key) or "").split()).casefold() for key in PLACE]
