"""The shopper as SeQura's `customer`: who asks, in which language, with what history."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from orders.codes import INCOMPLETE, payment_code, status_code
from payments.parts import Document
from sequra.money import to_cents

_LANGUAGE_OF = {"ES": "es", "FR": "fr", "IT": "it", "PT": "pt"}


def language_code(locale: str, country: str) -> str:
    """`es-ES`: the shopper's language, with the region of the locale, else the country.

    An unknown locale falls back to the country's own language, or English.
    """
    match = re.fullmatch(r"([a-z]{2,3})(?:[-_].*?)??(?:[-_]([a-z]{2}))?", locale.strip().lower())
    language = match[1] if match else _LANGUAGE_OF.get(country, "en")
    region = ((match and match[2]) or country).upper()
    return f"{language}-{region}" if region else language


def previous_orders(orders: Iterable[Document]) -> list[dict[str, Any]]:
    """A registered customer's last ten orders, newest first, of `GET /v2/orders?customer_id=`.

    Incomplete and deleted ones were never orders of the customer.
    """
    placed = [
        order
        for order in orders
        if order.get("status_id") != INCOMPLETE and not order.get("is_deleted")
    ]
    newest = sorted(placed, key=_created_at, reverse=True)
    return [_previous_order(order) for order in newest[:10]]


def _created_at(order: Document) -> datetime:
    """V2 writes RFC 2822 dates; a missing one is very old."""
    told = order.get("date_created")
    return parsedate_to_datetime(told) if told else datetime(1970, 1, 1, tzinfo=UTC)


def _previous_order(order: Document) -> dict[str, Any]:
    address = order.get("billing_address") or {}
    method = order.get("payment_method") or ""
    return {
        "created_at": _created_at(order).isoformat(),
        "amount": to_cents(order["total_inc_tax"]),
        "currency": order.get("default_currency_code") or order.get("currency_code"),
        "raw_status": order.get("status"),
        "status": status_code(order.get("status_id")),
        "payment_method_raw": method or None,
        "payment_method": payment_code(method) if method else None,
        "postal_code": address.get("zip") or None,
        "country_code": address.get("country_iso2") or None,
    }


def email(checkout: Document) -> str:
    """The address the order's mails go to."""
    billing = checkout.get("billing_address") or {}
    return str(billing.get("email") or checkout["cart"].get("email") or "").strip()
