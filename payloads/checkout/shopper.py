"""The shopper of a checkout: addresses, the country that determines the merchant id, `customer`."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from payloads.checkout.parts import Document, cart_of, items
from payloads.codes import INCOMPLETE, mobile_phone, payment_code, status_code
from payloads.money import to_cents
from payloads.order.lines import text
from sequra.documents import READ_SPANISH
from transport.reading import section, sections

_COUNTRY = re.compile("[A-Z]{2}")
_CURRENCY = re.compile("[A-Z]{3}")
_LANGUAGE_OF = {"ES": "es", "FR": "fr", "IT": "it", "PT": "pt"}


def country_code(address: Document) -> str:
    """Return ISO 3166-1 alpha-2, upper case; empty when unknown.

    `country` is localised and therefore ignored.
    """
    code = text(address.get("country_code") or "").upper()
    return code if _COUNTRY.fullmatch(code) else ""


def _travelling(checkout: Document) -> set[str]:
    """The ids of the items that travel: physical ones and those typed in by hand, unless they say
    otherwise, and whatever else says that it requires shipping."""
    goods = items(checkout, "physical_items", "custom_items")
    others = items(checkout, "digital_items", "gift_certificates")
    return {
        text(item.get("id"))
        for usual, group in ((True, goods), (False, others))
        for item in group
        if _flag(item.get("is_require_shipping"), usual)
    }


def _flag(value: object, usual: bool) -> bool:
    return value if isinstance(value, bool) else usual


def needs_shipping(checkout: Document) -> bool:
    """Return whether anything in the cart is shipped. Then there must be a consignment."""
    return bool(_travelling(checkout))


def _carried(one: Document, ids: set[str]) -> set[str]:
    """Return which of these items a consignment carries; one that names none carries all."""
    named = one.get("line_item_ids")
    return set(map(text, named)) & ids if named and isinstance(named, list) else ids


def _consignments(checkout: Document) -> list[Document]:
    """Return every consignment that carries something to ship, or at least something physical."""
    every = sections(checkout.get("consignments"))
    goods = {text(item.get("id")) for item in items(checkout, "physical_items", "custom_items")}
    ids = _travelling(checkout) or goods
    return [one for one in every if _carried(one, ids)] if ids else []


def consignment(checkout: Document) -> Document | None:
    """Return the consignment for SeQura: the first that is sent, else the first collected one.

    A SeQura order has one delivery address. None when nothing is shipped.
    """
    found = _consignments(checkout)
    return next((one for one in found if not is_pickup(one)), found[0] if found else None)


def is_pickup(chosen: Document) -> bool:
    return bool(chosen.get("selected_pickup_option"))


def _is_chosen(one: Document) -> bool:
    """Return whether the shopper chose how this consignment is shipped."""
    return bool(one.get("selected_shipping_option")) or is_pickup(one)


def all_chosen(checkout: Document) -> bool:
    """Return whether every shipped item is in a consignment with a chosen shipping option."""
    ids, found = _travelling(checkout), _consignments(checkout)
    covered = {item for one in found for item in _carried(one, ids)}
    return covered == ids and (not ids or all(map(_is_chosen, found)))


def _address_of(one: Document) -> Document:
    """Return the address of a consignment, under either of its documented names."""
    return section(one.get("address")) or section(one.get("shipping_address"))


def delivery_address(checkout: Document) -> Document | None:
    """Return BigCommerce's delivery address; None when nothing is delivered or it is collected."""
    address = _address_of(consignment(checkout) or {})
    return address if _is_known(address) else None


def _is_known(address: Document) -> bool:
    """Return whether the address was entered.

    BigCommerce shows a missing one as `{}` or empty texts.
    """
    return any(address.get(key) for key in ("address1", "postal_code", "city", "country_code"))


def delivery_countries(checkout: Document) -> list[str]:
    """Return the country of every consignment that is sent, empty where it is unknown."""
    sent = [one for one in _consignments(checkout) if not is_pickup(one)]
    return [country_code(_address_of(one)) for one in sent]


def merchant_country(checkout: Document) -> str:
    """Return the country whose SeQura merchant finances this checkout; empty when unknown.

    It is the country of delivery. The billing country counts only when nothing is delivered: a
    delivery to a country without merchant id is not financed, whatever the billing country is.
    """
    delivery = delivery_address(checkout)
    if delivery is not None:
        return country_code(delivery)
    if needs_shipping(checkout) and not is_pickup(consignment(checkout) or {}):
        return ""
    return country_code(section(checkout.get("billing_address")))


def sequra_address(address: Document) -> dict[str, str]:
    """Return the address for SeQura, which requires the keys; its form asks for missing values."""
    country, phone = country_code(address), _text(address, "phone")
    required = {
        "given_names": _text(address, "first_name"),
        "surnames": _text(address, "last_name"),
        "company": _text(address, "company"),
        "address_line_1": _text(address, "address1"),
        "address_line_2": _text(address, "address2"),
        "postal_code": _text(address, "postal_code"),
        "city": _text(address, "city"),
        "country_code": country,
    }
    optional = {
        "state": _text(address, "state_or_province"),
        "phone": phone,
        "mobile_phone": mobile_phone(phone, country),
    }
    return required | {key: value for key, value in optional.items() if value}


def _text(address: Document, key: str) -> str:
    return text(address.get(key) or "")


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
        "country_code": country if _COUNTRY.fullmatch(country) else None,
    }


def email(checkout: Document) -> str:
    """Return the e-mail address that receives the order's mails."""
    billing = section(checkout.get("billing_address"))
    return text(billing.get("email")) or text(cart_of(checkout).get("email"))
