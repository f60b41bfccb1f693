"""What merchants read about orders, log entries, drifts, checks and reports, as template tags."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from django import template
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from alerts.models import Delivery
from orders.models import Correction, Drift, DriftCheck, Order, ReportRun
from payloads.checkout.eligibility import plain_title
from sequra.documents import PaymentMethod
from stores.settings_file import ALERTS
from stores.storefronts import order_link, portal_link
from transaction_log.explanations import (
    HEARD,
    OURS,
    REJECTIONS,
    Explanation,
    Text,
    event_label,
    explain,
    explain_amounts,
    outcome_label,
)
from transaction_log.models import Entry

register = template.Library()

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


register.filter("plain_title", plain_title)


@register.filter
def method_code(method: PaymentMethod) -> str:
    """`pp5 · Campaign`: the product that SeQura's support asks for; campaigns have inner names."""
    return f"{method['product']} · {_('Campaign')}" if method["campaign"] else method["product"]


@register.filter("path_label")
def label(path: str) -> str:
    """`Delivery address: City` for `delivery_address.city`; anything else as it is."""
    part, _dot, name = path.partition(".")
    if part not in _PARTS or name not in _NAMES:
        return path
    return f"{_PARTS[part]}: {_NAMES[name]}"


@register.filter("details")
def labels(paths: str) -> str:
    """The same for several, separated by commas."""
    return ", ".join(label(path) for path in paths.split(", "))


_Kind = Drift.Kind

# What merchants read for codes that are stored, by what the codes are; the frozen migrations keep
# the models' own labels.
_TEXTS: dict[str, Mapping[str, Text]] = {
    "drift": {
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
    },
    # In plain words, with what the merchant can do.
    "drift_meaning": {
        _Kind.MISSED: _(
            "BigCommerce didn't notify us of a change. We send it to SeQura automatically."
        ),
        _Kind.REJECTED: _(
            "SeQura rejected this order. Compare it, fix it in BigCommerce, then retry."
        ),
        _Kind.PORTAL: _(
            "SeQura rejects updates to an order that it accepted before. The order may have been"
            " changed or closed in SeQura's portal. Check it there first."
        ),
        _Kind.CORRECTED: _(
            "SeQura corrected the customer's details. Open the order and choose which value to"
            " keep."
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
    },
    "check_state": {
        DriftCheck.State.RUNNING: _("Running"),
        DriftCheck.State.DONE: _("Finished"),
        DriftCheck.State.FAILED: _("Stopped"),
    },
    "cause": {
        DriftCheck.Cause.NIGHT: _("Every night"),
        DriftCheck.Cause.OUTAGE: _("After an outage"),
        DriftCheck.Cause.PERSON: _("Started manually"),
        DriftCheck.Cause.COMMAND: _("Command line"),
        ReportRun.Cause.CALL: _("Trigger URL"),
    },
    # SeQura's last decision about a payment, and how it rates the risk.
    "decision": {
        "approved": _("Approved"),
        "needs_review": _("In review"),
        "cancelled": _("Cancelled"),
    },
    "risk": {
        "low_risk": _("Low"),
        "high_risk": _("High"),
        "under_evaluation": _("Being assessed"),
    },
    # Of requests to the merchant's webhook: the subject, and why one failed, besides a status such
    # as "HTTP 500".
    "alert": {**ALERTS, Delivery.TEST: _("Test request")},
    "failure": {
        "unreachable": _("The address can't be reached, or isn't on the public internet."),
        "no_answer": _("The address didn't answer in time."),
        "not_allowed": _("Requests to this address aren't allowed."),
    },
    # What differs in a comparison, in a word: a colour alone says nothing to some.
    "mark": {"added": _("Added"), "removed": _("Removed"), "changed": _("Changed")},
    "total": {
        "unshipped": _("Still to ship"),
        "shipped": _("Shipped"),
        "owed": _("Outstanding balance"),
    },
    "detail": {**_PARTS, "trackings": _("Parcels")},
    # Lines that are no goods, under the names they have when BigCommerce gives them none.
    "line": {
        "Shipping": _("Shipping cost"),
        "Handling": _("Handling"),
        "Gift wrapping": _("Gift wrapping"),
        "Fee": _("Fee"),
        "Discount": _("Discount"),
        "Surcharge": _("Surcharge"),
        "Store credit": _("Store credit"),
        "Gift certificate": _("Gift certificate"),
        "Refund": _("Refund"),
    },
}


@register.filter
def named(code: str, table: str) -> Text:
    """Return the text of a code in one of the tables above; what the table lacks, as it is."""
    return _TEXTS[table].get(code, code)


@register.filter
def method_name(payment_method: str) -> str:
    """Return a payment method as shoppers read it, without the prefix that all of them have."""
    return payment_method.removeprefix("SeQura - ")


def detail_words(drift: Drift) -> Text:
    """Return the details of a drift; of an unknown order they are a reason code of the log."""
    if drift.kind in (_Kind.ADOPTED, _Kind.NOT_ADOPTED):
        return explain(drift.detail).what
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


_OUTCOMES = {
    "accepted": "success",
    "rejected": "danger",
    "delayed": "warning",
    "ignored": "secondary",
}

register.filter("event", event_label)
register.filter("explain", explain)


@register.filter
def explained(entry: Entry) -> Explanation:
    """Return what an entry means, with the amounts in euros where they are the cause."""
    approved: int | None = getattr(entry, "approved", None)
    found = explain_amounts(entry.reason, entry.event, entry.total, approved)
    return replace(found, todo=_LATER) if _is_outrun(entry) else found


_LATER = _("No action needed yet. We're retrying a later change that resolves this entry.")


def _is_outrun(entry: Entry) -> bool:
    """Whether the page found a later update that is retried (`figures.mark_outrun`)."""
    return entry.outcome == Entry.Outcome.REJECTED and getattr(entry, "is_outrun", False)


@register.filter
def amount(entry: Entry) -> int | None:
    """Return the cents of the statement that an entry is about, else what SeQura approved."""
    return getattr(entry, "approved", None) if entry.total is None else entry.total


@register.filter
def advises_retry(entry: Entry) -> bool:
    """Return whether the merchant should retry: what SeQura rejected must change before."""
    return not (_needs_nobody(entry) or _must_change(entry))


@register.filter
def advises_compare(entry: Entry) -> bool:
    """Return whether the merchant should compare the order: to see what must change."""
    return _must_change(entry) and not _needs_nobody(entry)


def _must_change(entry: Entry) -> bool:
    return entry.reason in REJECTIONS and entry.event in ("edit", "ship", "address")


def _needs_nobody(entry: Entry) -> bool:
    """Whether the app retries this entry, or a later one that settles it."""
    return entry.outcome == Entry.Outcome.DELAYED or _is_outrun(entry)


@register.filter
def outcome_badge(entry: Entry) -> SafeString:
    """The outcome as BigDesign shows one: a word on a colour."""
    kind = _OUTCOMES[entry.outcome]
    return format_html('<span class="badge badge-{}">{}</span>', kind, outcome_name(entry))


def outcome_name(entry: Entry) -> Text:
    """Return the outcome as merchants read it: on the badge and in the file."""
    is_dismissed = bool(entry.note or entry.ignored_by)
    return outcome_label(entry.outcome, entry.event, is_open=entry.is_open, dismissed=is_dismissed)


@register.simple_tag(takes_context=True)
def in_bigcommerce(context: dict[str, Any], bigcommerce_id: int | None) -> str:
    """The order's page in the store's control panel."""
    return order_link(context["request"].store, bigcommerce_id)


@register.filter
def in_portal(about: Any) -> str:
    """The page in SeQura's portal for an entry."""
    return portal_link(about.environment, about.reference)


@register.filter
def can_retry(entry: Entry) -> bool:
    """Is there an order whose update may be sent again?"""
    explanation: Explanation = explain(entry.reason, entry.event)
    return entry.is_open and explanation.retry and entry.bigcommerce_id is not None


@register.filter
def can_compare(entry: Entry) -> bool:
    """Is there an order to compare? A failed purchase left none; a correction is decided."""
    is_about_an_order = entry.event not in ("purchase", "correction", "customer", "return")
    return entry.is_open and entry.bigcommerce_id is not None and is_about_an_order


@register.filter
def speaker(entry: Entry) -> Text:
    """Return the system whose message the entry holds."""
    return explain(entry.reason).speaker


@register.filter
def words(entry: Entry) -> str:
    """Return the message, with details by the names that merchants know."""
    return labels(entry.words) if entry.event == "correction" else entry.words


_Decision = Correction.Decision
_DECIDED: dict[str, Text] = {
    _Decision.APPLIED: _("SeQura's value was saved in the order."),
    _Decision.KEPT: _("BigCommerce's value was kept and is sent to SeQura."),
    _Decision.AGREED: _("The order was changed to SeQura's value in BigCommerce."),
}


@register.filter
def decided_how(correction: Correction) -> str:
    """Return what was decided about a correction, and where SeQura's value is now."""
    problem = correction.reached.get("problem")
    places = [explain(problem).what if problem else _DECIDED[correction.decision]]
    if correction.reached.get("account"):
        places.append(_("The customer's account has it, too."))
    if found := correction.reached.get("addresses"):
        places.append(
            ngettext(
                "One address in the address book has it.",
                "%(n)s addresses in the address book have it.",
                found,
            )
            % {"n": found}
        )
    return " ".join(map(str, places))


@register.filter
def direction(entry: Entry) -> Text:
    """Return whether the entry was sent or received; nothing for a decision of the merchant."""
    if entry.event in OURS:
        return ""
    return _RECEIVED if entry.event in HEARD else _SENT


_STATUSES = {
    Order.Status.APPROVED: "success",
    Order.Status.IN_REVIEW: "warning",
    Order.Status.CANCELLED: "danger",
    Order.Status.WITHOUT_REFERENCE: "secondary",
}


@register.simple_tag
def status_badge(order: Order) -> SafeString:
    kind = _STATUSES[Order.Status(order.status)]
    return format_html('<span class="badge badge-{}">{}</span>', kind, order.get_status_display())


@register.filter
def shipped_state(order: Order) -> Text:
    """Return how much of a listed order has shipped, as SeQura last accepted it."""
    # The query of the page adds both sums to each order.
    shipped, unshipped = order.shipped or 0, order.unshipped  # type: ignore[attr-defined]
    if not shipped:
        return _("Not shipped")
    return _("Partly shipped") if unshipped else _("Shipped")
