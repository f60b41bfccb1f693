"""Parcels: the `trackings` of an order update, and which goods are in which.

https://docs.sequra.com/docs/order-update-api: a line names its parcel by `tracking_reference`.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from payloads.order.lines import Document, text


def trackings(shipments: Iterable[Document]) -> list[dict[str, Any]]:
    """Return one tracking per shipment that has a number or a URL."""
    return [_tracking(shipment) for shipment in _by_id(shipments) if _can_be_followed(shipment)]


def parcels(shipments: Iterable[Document]) -> dict[int, str]:
    """Return the reference of the first parcel that carries a line, by id of the goods."""
    carried: dict[int, str] = {}
    for shipment in filter(_can_be_followed, _by_id(shipments)):
        for item in shipment.get("items") or ():
            carried.setdefault(int(item["order_product_id"]), str(shipment["id"]))
    return carried


def _by_id(shipments: Iterable[Document]) -> list[Document]:
    return sorted(shipments, key=lambda shipment: int(shipment["id"]))


def _can_be_followed(shipment: Document) -> bool:
    return bool(text(shipment.get("tracking_number")) or _url(shipment))


def _tracking(shipment: Document) -> dict[str, Any]:
    known = {
        "tracking_number": text(shipment.get("tracking_number")),
        "tracking_url": _url(shipment),
    }
    return {
        "type": "postal",
        "reference": str(shipment["id"]),
        "carrier": _carrier(shipment),
        **{key: value for key, value in known.items() if value},
    }


def _carrier(shipment: Document) -> str:
    """Return the carrier's name; merchants often fill in one of four fields."""
    names = ("shipping_provider_display_name", "tracking_carrier", "shipping_provider")
    for name in (*names, "shipping_method"):
        if found := text(shipment.get(name)):
            return found
    return "other"


def _url(shipment: Document) -> str:
    """Return the merchant's link, else BigCommerce's, if a browser can open it."""
    for name in ("tracking_link", "generated_tracking_link"):
        url = str(shipment.get(name) or "").strip()
        if _opens(url):
            return url
    return ""


def _opens(url: str) -> bool:
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
