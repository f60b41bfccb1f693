"""The details that SeQura may correct, as people call them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from orders.models import Drift
from transaction_log.explanations import Text
from transaction_log.explanations import explain as explain_reason

_PARTS: dict[str, Text] = {
    "customer": _("Customer"),
    "delivery_address": _("Delivery address"),
    "invoice_address": _("Invoice address"),
}
_NAMES: dict[str, Text] = {
    "email": _("Email"),
    "given_names": _("First name"),
    "surnames": _("Last name"),
    "company": _("Company"),
    "address_line_1": _("Street"),
    "address_line_2": _("Street, second line"),
    "postal_code": _("Postal code"),
    "city": _("City"),
    "state": _("Region"),
    "phone": _("Phone"),
}


def label(path: str) -> str:
    """`Delivery address: City` for `delivery_address.city`; anything else as it is."""
    part, _dot, name = path.partition(".")
    if part not in _PARTS or name not in _NAMES:
        return path
    return f"{_PARTS[part]}: {_NAMES[name]}"


def labels(paths: str) -> str:
    """The same for several, separated by commas."""
    return ", ".join(label(path) for path in paths.split(", "))


# Each kind of drift in plain words, with what the merchant can do.
_Kind = Drift.Kind

_WORDS: dict[str, Text] = {
    _Kind.MISSED: _(
        "The order changed in BigCommerce and we did not hear of it. SeQura is told by itself."
    ),
    _Kind.REJECTED: _(
        "SeQura refused the order as it is in BigCommerce. Compare, correct it, then retry."
    ),
    _Kind.PORTAL: _(
        "SeQura no longer takes an order that it knew: somebody may have changed or closed it in"
        " the portal. Look there first."
    ),
    _Kind.CORRECTED: _(
        "SeQura corrected the shopper's data, and nobody has decided yet which of the two is right."
    ),
    _Kind.REVIEW: _(
        "SeQura has been reviewing the payment for more than two days. Do not ship, ask SeQura."
    ),
    _Kind.STRAY: _(
        "The order was paid with SeQura and stayed Incomplete, where BigCommerce hides it."
    ),
    _Kind.WITHOUT_REFERENCE: _(
        "SeQura confirmed the payment and does not know the order's number yet, so it cannot pay"
        " you. We go on sending it by ourselves."
    ),
    _Kind.UNREADABLE: _(
        "The order holds something that cannot be told. Compare it, and correct it in BigCommerce."
    ),
    _Kind.ADOPTED: _(
        "The app had no record of this order, and has linked it with its SeQura order again."
    ),
    _Kind.NOT_ADOPTED: _("The order names SeQura, and the app cannot link it with a SeQura order."),
    _Kind.NOT_CHECKED: _(
        "The app has no record of this order, and one of the two systems did not show it. The"
        " next comparison tries again."
    ),
}


def explain(kind: str) -> Text:
    return _WORDS.get(kind, "")


def detail_words(drift: Drift) -> Text:
    """Return the details of a drift; of an unknown order they are a reason code of the log."""
    if drift.kind in (_Kind.ADOPTED, _Kind.NOT_ADOPTED):
        return explain_reason(drift.detail).what
    return drift.detail


# How a purchase came about, before its first entry in the log: what was told and heard.
_TOLD, _HEARD = _("Told to SeQura"), _("Heard from SeQura")
# Name, in words, and who spoke.
MOMENTS: dict[str, tuple[Text, Text]] = {
    "solicited": (_("Cart told, payment methods received"), _TOLD),
    "form_shown": (_("Identification form shown to the shopper"), ""),
    "approved": (_("Payment approved"), _HEARD),
    "needs_review": (_("Payment taken into review"), _HEARD),
    "confirmed": (_("Payment confirmed"), _TOLD),
    "on_hold": (_("Payment put on hold"), _TOLD),
}


class _Beginning(NamedTuple):
    """One moment of a purchase, as the timeline shows it."""

    what: Text
    source: Text
    at: datetime


def newest_first(moments: Iterable[tuple[str, str]]) -> list[_Beginning]:
    """`Order.beginnings` in words; a name that an older release used is left out."""
    known = [(MOMENTS[name], parse_datetime(at)) for name, at in moments if name in MOMENTS]
    found = [_Beginning(*words, at) for words, at in known if at]
    return sorted(found, key=lambda one: one.at, reverse=True)
