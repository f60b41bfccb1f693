"""What merchants read for details, drifts, checks, reports and the moments of a purchase."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from orders.models import Drift, DriftCheck, ReportRun
from transaction_log.explanations import Text
from transaction_log.explanations import explain as explain_reason

_PARTS: dict[str, Text] = {
    "customer": _("Customer"),
    "delivery_address": _("Shipping address"),
    "invoice_address": _("Billing address"),
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
        "BigCommerce didn't notify us of a change. We send it to SeQura automatically."
    ),
    _Kind.REJECTED: _("SeQura rejected this order. Compare it, fix it in BigCommerce, then retry."),
    _Kind.PORTAL: _(
        "SeQura rejects updates to an order that it accepted before. The order may have been"
        " changed or closed in SeQura's portal. Check it there first."
    ),
    _Kind.CORRECTED: _(
        "SeQura corrected the customer's details. Open the order and choose which value to keep."
    ),
    _Kind.REVIEW: _(
        "SeQura has been reviewing the payment for more than two days. Don't ship yet. Contact"
        " SeQura."
    ),
    _Kind.STRAY: _(
        "The order was paid with SeQura but is still Incomplete, so BigCommerce hides it."
        " Change it to the paid status."
    ),
    _Kind.WITHOUT_REFERENCE: _(
        "SeQura confirmed the payment but doesn't have the order number yet, so it can't pay"
        " you. We'll keep sending it automatically."
    ),
    _Kind.UNREADABLE: _(
        "The order contains something we can't send to SeQura. Compare it and fix it in"
        " BigCommerce."
    ),
    _Kind.ADOPTED: _(
        "This order was missing from the app and has been linked to its SeQura order again."
    ),
    _Kind.NOT_ADOPTED: _(
        "The order's payment method is SeQura, but the app can't link it to a SeQura order."
    ),
    _Kind.NOT_CHECKED: _(
        "This order is missing from the app, and SeQura or BigCommerce didn't return it. The"
        " next check tries again."
    ),
}


# The names of what the models store; the frozen migrations keep the models' own labels.
_DRIFT_KINDS: dict[str, Text] = {
    _Kind.MISSED: _("Missed change"),
    _Kind.REJECTED: _("Rejected by SeQura"),
    _Kind.PORTAL: _("Possibly changed in portal"),
    _Kind.CORRECTED: _("Correction pending"),
    _Kind.REVIEW: _("Review overdue"),
    _Kind.STRAY: _("Incomplete order"),
    _Kind.WITHOUT_REFERENCE: _("Missing order number"),
    _Kind.UNREADABLE: _("Unreadable"),
    _Kind.ADOPTED: _("Unknown order linked"),
    _Kind.NOT_ADOPTED: _("Unknown order, not linked"),
    _Kind.NOT_CHECKED: _("Could not be checked"),
}
_CHECK_STATES: dict[str, Text] = {
    DriftCheck.State.RUNNING: _("Running"),
    DriftCheck.State.DONE: _("Finished"),
    DriftCheck.State.FAILED: _("Stopped"),
}
_CAUSES: dict[str, Text] = {
    DriftCheck.Cause.NIGHT: _("Every night"),
    DriftCheck.Cause.OUTAGE: _("After an outage"),
    DriftCheck.Cause.PERSON: _("Started manually"),
    DriftCheck.Cause.COMMAND: _("Command line"),
    ReportRun.Cause.CALL: _("Trigger URL"),
}


def drift_kind(kind: str) -> Text:
    """Return the name of a kind of drift."""
    return _DRIFT_KINDS.get(kind, kind)


def check_state(state: str) -> Text:
    """Return how far a check of all open orders is."""
    return _CHECK_STATES.get(state, state)


def cause(code: str) -> Text:
    """Return what started a report or a check."""
    return _CAUSES.get(code, code)


def method_name(payment_method: str) -> str:
    """Return a payment method as shoppers read it, without the prefix that all of them have."""
    return payment_method.removeprefix("SeQura - ")


def explain(kind: str) -> Text:
    return _WORDS.get(kind, "")


def detail_words(drift: Drift) -> Text:
    """Return the details of a drift; of an unknown order they are a reason code of the log."""
    if drift.kind in (_Kind.ADOPTED, _Kind.NOT_ADOPTED):
        return explain_reason(drift.detail).what
    return drift.detail


# The moments of a purchase before its first entry in the log, and the direction of each.
_SENT, _RECEIVED = _("Sent to SeQura"), _("Received from SeQura")
_MOMENTS: dict[str, tuple[Text, Text]] = {
    "solicited": (_("Cart sent, payment methods received"), _SENT),
    "form_shown": (_("Identification form shown to the customer"), ""),
    "approved": (_("Payment approved"), _RECEIVED),
    "needs_review": (_("Payment sent to review"), _RECEIVED),
    "confirmed": (_("Payment confirmed"), _SENT),
    "on_hold": (_("Payment put on hold"), _SENT),
}


class _Beginning(NamedTuple):
    """One moment of a purchase, as the timeline shows it."""

    what: Text
    source: Text
    at: datetime


def newest_first(moments: Iterable[tuple[str, str]]) -> list[_Beginning]:
    """`Order.beginnings` in words; a name that an older release used is left out."""
    known = [(_MOMENTS[name], parse_datetime(at)) for name, at in moments if name in _MOMENTS]
    found = [_Beginning(*words, at) for words, at in known if at]
    return sorted(found, key=lambda one: one.at, reverse=True)
