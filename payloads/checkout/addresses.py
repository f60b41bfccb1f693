"""Addresses of a V3 checkout for SeQura, and the country that determines the merchant id."""

import re

from payloads.checkout.parts import Document, items
from payloads.order.lines import text
from payloads.phones import mobile_phone
from transport.reading import section, sections

COUNTRY = re.compile("[A-Z]{2}")


def country_code(address: Document) -> str:
    """Return ISO 3166-1 alpha-2, upper case; empty when unknown.

    `country` is localised and therefore ignored.
    """
    code = text(address.get("country_code") or "").upper()
    return code if COUNTRY.fullmatch(code) else ""


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
