"""Addresses, customer and delivery method of an order update.

Names, addresses, e-mail and phone follow the order. What only the checkout contains (language,
browser, IP address, earlier orders) stays as it was solicited.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from payloads.codes import mobile_phone
from payloads.order.lines import Document, text

_Solicited = Mapping[str, Any]


def delivery_address(order: Document, addresses: Sequence[Document]) -> dict[str, str]:
    """Return the first shipping address, or the billing address when there is none.

    Digital and collected orders have no shipping address. SeQura stores one address.
    """
    return sequra_address(addresses[0] if addresses else order["billing_address"])


def sequra_address(address: Document) -> dict[str, str]:
    """Return a V2 address for SeQura, which requires the keys.

    The localised `country` is ignored.
    """
    country, phone = _text(address, "country_iso2").upper(), _text(address, "phone")
    given = {
        "given_names": _text(address, "first_name"),
        "surnames": _text(address, "last_name"),
        "company": _text(address, "company"),
        "address_line_1": _text(address, "street_1"),
        "address_line_2": _text(address, "street_2"),
        "postal_code": _text(address, "zip"),
        "city": _text(address, "city"),
        "country_code": country,
    }
    optional = {
        "state": _text(address, "state"),
        "phone": phone,
        "mobile_phone": mobile_phone(phone, country),
    }
    return given | {key: value for key, value in optional.items() if value}


def customer(order: Document, solicited: _Solicited) -> dict[str, Any]:
    """Return the solicited customer with names and e-mail of the order's billing address."""
    billing = order["billing_address"]
    given = {
        "given_names": _text(billing, "first_name"),
        "surnames": _text(billing, "last_name"),
        "company": _text(billing, "company"),
        "email": _text(billing, "email"),
    }
    known = dict(solicited.get("customer") or {})
    return known | {key: value for key, value in given.items() if value}


def known_of(order: Document) -> Document:
    """Return what SeQura requires of a customer and only the checkout knew, as far as it shows."""
    language, _, _rest = str(order.get("customer_locale") or "").replace("_", "-").partition("-")
    country = str(order["billing_address"].get("country_iso2") or "").upper()
    language = language.lower() if len(language) == 2 else country.lower()
    known = {
        "language_code": f"{language}-{country}",
        "ip_number": _ip_number(order),
        "user_agent": "unknown",
        "logged_in": "unknown",
    }
    return known | ({"ref": str(order["customer_id"])} if order.get("customer_id") else {})


def _ip_number(order: Document) -> str:
    for key in ("ip_address", "ip_address_v6"):
        try:
            return str(ip_address(str(order.get(key) or "")))
        except ValueError:
            continue
    return "0.0.0.0"  # noqa: S104 (no address: nothing listens here)


def delivery_method(addresses: Sequence[Document], solicited: _Solicited) -> dict[str, Any]:
    """Return the solicited method, unless staff chose another shipping method since."""
    known = dict(solicited.get("delivery_method") or {"name": "Shipping", "home_delivery": True})
    name = _text(addresses[0], "shipping_method") if addresses else ""
    if not name or name in ("None", known["name"]):
        return known
    return {"name": name, "home_delivery": True}


def _text(address: Document, key: str) -> str:
    return text(address.get(key) or "")
