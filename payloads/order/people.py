"""The people of an order update, and what SeQura corrected about them. Pure.

Names, addresses, e-mail and phone follow the order. What only the checkout contains (language,
browser, IP address, earlier orders) stays as it was solicited.

SeQura corrects wrong e-mails and addresses on its side. How it reports them is not documented, so
every plain spelling of a detail is accepted: `customer[email]`, `customer.email`, `customer_email`,
each also below `order`, and `email` alone.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from payloads.codes import mobile_phone
from payloads.order.lines import Document, text

_Solicited = Mapping[str, Any]
_Update = Mapping[str, Any]


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


# SeQura's names of the details → BigCommerce's. Country and merchant belong together: not here.
_PERSON = {"given_names": "first_name", "surnames": "last_name", "company": "company"}
_PLACE = {
    **_PERSON,
    "address_line_1": "street_1",
    "address_line_2": "street_2",
    "postal_code": "zip",
    "city": "city",
    "state": "state",
    "phone": "phone",
}
_PARTS = {
    "customer": {"email": "email", **_PERSON},
    "delivery_address": _PLACE,
    "invoice_address": _PLACE,
}
PATHS = [f"{part}.{name}" for part, names in _PARTS.items() for name in names]
_SPELLINGS = {path.replace(".", "_"): path for path in PATHS} | {"email": "customer.email"}
_LONGEST = 255


def read_corrections(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the details among the parameters of a notification or an event, by path."""
    found = {}
    for name, value in parameters.items():
        spelled = re.sub(r"[\[\].]+", "_", name).strip("_").removeprefix("order_")
        if spelled in _SPELLINGS and (text := clean(value)):
            found[_SPELLINGS[spelled]] = text
    return found


def clean(value: str) -> str:
    """One line, as long as a column."""
    whole = value.encode("utf-8", "ignore").decode().replace("\0", "")
    return " ".join(whole.split())[:_LONGEST]


def differences(sent: _Update, received: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return path → what SeQura was sent and what it reports, where the two differ."""
    pairs = {path: (value_at(sent, path), theirs) for path, theirs in received.items()}
    return {path: pair for path, pair in pairs.items() if not _same(path, *pair)}


def _same(path: str, one: str, other: str) -> bool:
    if path.endswith(".email"):
        return one.casefold() == other.casefold()
    return one == other


def value_at(update: _Update, path: str) -> str:
    """Return a detail of a statement; empty where it has none."""
    part, name = path.split(".")
    return clean(str((update.get(part) or {}).get(name) or ""))


def overlaid(update: _Update, corrections: Mapping[str, str]) -> dict[str, Any]:
    """Return the update with SeQura's own values in undecided details."""
    changed = dict(update)
    for path, theirs in corrections.items():
        part, name = path.split(".")
        if part in changed:
            changed[part] = _with(changed[part], name, theirs)
    return changed


def _with(document: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    """Set a value. A mobile phone number is in two fields."""
    changed = {**document, name: value}
    if name == "phone":
        changed.pop("mobile_phone", None)
        if mobile := mobile_phone(value, str(document.get("country_code", ""))):
            changed["mobile_phone"] = mobile
    return changed


def agreeing(update: _Update, corrections: Mapping[str, str]) -> list[str]:
    """Return the details in which the shop now has SeQura's value."""
    return [
        path for path, theirs in corrections.items() if _same(path, value_at(update, path), theirs)
    ]


def in_bigcommerce(corrections: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fields to write into the billing and the shipping address of the order."""
    billing = dict(_fields(corrections, ("customer", "invoice_address")))
    shipping = dict(_fields(corrections, ("delivery_address",)))
    return billing, shipping


# Of an order's address, the names of an address book.
_BOOK = {
    "first_name": "first_name",
    "last_name": "last_name",
    "company": "company",
    "phone": "phone",
    "street_1": "address1",
    "street_2": "address2",
    "city": "city",
    "state": "state_or_province",
    "zip": "postal_code",
}


def in_account(
    corrections: Mapping[str, str], billing: Document, account: Document
) -> dict[str, str]:
    """Return what to write into the customer's account: details that are the order's there, too."""
    found = dict(_fields(corrections, ("customer",)))
    return {
        name: theirs
        for name, theirs in found.items()
        if _alike(account.get(name), billing.get(name)) or _alike(account.get(name), theirs)
    }


def for_address_book(corrections: Mapping[str, str]) -> dict[str, str]:
    """Return the corrected fields as an address book names them; it holds no e-mail address."""
    billing, shipping = in_bigcommerce(corrections)
    fields = (billing | shipping).items()
    return {_BOOK[name]: theirs for name, theirs in fields if name in _BOOK}


def in_address_book(
    address: Document, corrected: Mapping[str, str], book: Sequence[Document]
) -> list[dict[str, Any]]:
    """Return the entries of the address book that are this address, with the corrected fields.

    An entry that was corrected before is among them, so that a repetition finds the same ones.
    """
    before = {ours: address.get(name) for name, ours in _BOOK.items()}
    before["country_code"] = address.get("country_iso2")
    return [
        {"id": entry["id"], **corrected}
        for entry in book
        if _is(entry, before) or _is(entry, {**before, **corrected})
    ]


def _is(entry: Document, wanted: Document) -> bool:
    return all(_alike(entry.get(name), value) for name, value in wanted.items())


def _alike(one: object, other: object) -> bool:
    """Return whether two values are the same but for spaces and the case of letters."""
    return text(one or "").casefold() == text(other or "").casefold()


def _fields(corrections: Mapping[str, str], parts: Collection[str]) -> Iterator[tuple[str, str]]:
    for path, theirs in corrections.items():
        part, name = path.split(".")
        if part in parts:
            yield _PARTS[part][name], theirs
