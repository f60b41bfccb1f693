"""SeQura's corrections of a shopper's details, beside the shop's values. Pure.

SeQura corrects wrong e-mails and addresses on its side. How it reports them is not documented, so
every plain spelling of a detail is accepted: `customer[email]`, `customer.email`, `customer_email`,
each also below `order`, and `email` alone.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from payloads.codes import mobile_phone

_Update = Mapping[str, Any]

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


def read(parameters: Mapping[str, str]) -> dict[str, str]:
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
    pairs = {path: (_value_at(sent, path), theirs) for path, theirs in received.items()}
    return {path: pair for path, pair in pairs.items() if not _same(path, *pair)}


def _same(path: str, one: str, other: str) -> bool:
    if path.endswith(".email"):
        return one.casefold() == other.casefold()
    return one == other


def _value_at(update: _Update, path: str) -> str:
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
        path for path, theirs in corrections.items() if _same(path, _value_at(update, path), theirs)
    ]


def in_bigcommerce(corrections: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fields to write into the billing and the shipping address of the order."""
    billing = dict(_fields(corrections, ("customer", "invoice_address")))
    shipping = dict(_fields(corrections, ("delivery_address",)))
    return billing, shipping


def _fields(corrections: Mapping[str, str], parts: Collection[str]) -> Iterator[tuple[str, str]]:
    for path, theirs in corrections.items():
        part, name = path.split(".")
        if part in parts:
            yield _PARTS[part][name], theirs
