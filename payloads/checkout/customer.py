"""The shopper as SeQura's `customer`: identity, language and earlier orders."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from payloads.checkout.addresses import COUNTRY
from payloads.checkout.parts import Document, cart_of
from payloads.codes import INCOMPLETE, payment_code, status_code
from payloads.money import to_cents
from payloads.order.lines import text
from sequra.documents import READ_SPANISH
from transport.reading import section

_CURRENCY = re.compile("[A-Z]{3}")
_LANGUAGE_OF = {"ES": "es", "FR": "fr", "IT": "it", "PT": "pt"}


def language_code(locale: str, country: str) -> str:
    """`es-ES`: the shopper's language, with the region of the locale, else the country.

    An unknown locale falls back to the country's own language, or English; so does a language of
    three letters, which SeQura does not take. Catalan, Galician and Basque shoppers read Spanish,
    in SeQura's form and e-mails as on our own pages.
    """
    match = re.fullmatch(r"([a-z]{2})(?:[-_].*?)??(?:[-_]([a-z]{2}))?", locale.strip().lower())
    language = match[1] if match else _LANGUAGE_OF.get(country, "en")
    if language in READ_SPANISH:
        language = "es"
    region = ((match and match[2]) or country).upper()
    return f"{language}-{region}" if region else language


def previous_orders(orders: Iterable[Document]) -> list[dict[str, Any]]:
    """Return a registered customer's last ten orders, newest first.

    From `GET /v2/orders?customer_id=`. Incomplete and deleted ones do not count. An unreadable one
    is left out: the history is optional for SeQura, and no purchase depends on it.
    """
    readable = [found for order in orders if (found := _readable(order))]
    newest = sorted(readable, key=lambda one: one[0], reverse=True)
    return [document for _, document in newest[:10]]


def _readable(order: Document) -> tuple[datetime, dict[str, Any]] | None:
    try:
        if order.get("status_id") == INCOMPLETE or order.get("is_deleted"):
            return None
        created = _created_at(order)
        value = _previous_order(order) | {"created_at": created.isoformat()}
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None
    # SeQura refuses a whole purchase for an earlier order without currency.
    return (created, value) if _CURRENCY.fullmatch(value["currency"]) else None


def _moment(value: object) -> datetime | None:
    """Return BigCommerce's date: RFC 2822 (V2) or ISO 8601 (V3). Raise ValueError."""
    written = text(value or "")
    if not written:
        return None
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        found = parsedate_to_datetime(written)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def known_moment(value: object) -> str | None:
    """Return a date in SeQura's format; None for an unreadable one."""
    try:
        found = _moment(value)
    except (ArithmeticError, TypeError, ValueError):
        return None
    return found.isoformat().replace("+00:00", "Z") if found else None


def _created_at(order: Document) -> datetime:
    """A missing date is very old."""
    return _moment(order.get("date_created")) or datetime(1970, 1, 1, tzinfo=UTC)


def _previous_order(order: Document) -> dict[str, Any]:
    address = order.get("billing_address") or {}
    method, country = text(order.get("payment_method")), text(address.get("country_iso2")).upper()
    return {
        "created_at": "",
        "amount": to_cents(order["total_inc_tax"]),
        "currency": text(order.get("default_currency_code") or order.get("currency_code")),
        "raw_status": text(order.get("status")) or None,
        "status": status_code(order.get("status_id")),
        "payment_method_raw": method or None,
        "payment_method": payment_code(method) if method else None,
        "postal_code": text(address.get("zip")) or None,
        "country_code": country if COUNTRY.fullmatch(country) else None,
    }


def email(checkout: Document) -> str:
    """Return the e-mail address that receives the order's mails."""
    billing = section(checkout.get("billing_address"))
    return text(billing.get("email")) or text(cart_of(checkout).get("email"))
