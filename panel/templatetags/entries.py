"""What the templates say about an entry: its event, its explanation, its links."""

from dataclasses import replace
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from panel.labels import labels
from panel.templatetags.panel import money
from stores.storefronts import order_link, portal_link
from transaction_log.explanations import (
    DECISION,
    HEARD,
    Explanation,
    Text,
    event_label,
    explain,
    outcome_label,
)
from transaction_log.models import Entry

register = template.Library()
BADGES = {"accepted": "success", "rejected": "danger", "delayed": "warning", "ignored": "secondary"}

register.filter("event", event_label)
register.filter("explain", explain)
_REJECTIONS = frozenset({"sequra_409", "sequra_422"})


@register.filter
def explained(entry: Entry) -> Explanation:
    """Return what an entry means, with the amounts in euros where they are the cause."""
    found = explain(entry.reason, entry.event)
    above = _above_approved(entry)
    if above <= 0:
        return found
    total = (entry.unshipped or 0) + (entry.shipped or 0)
    texts = {"now": money(total), "approved": money(total - above), "above": money(above)}
    what = _("The order total of %(now)s is %(above)s above the %(approved)s that SeQura approved.")
    todo = _(
        "Lower the total by %(above)s in BigCommerce, or charge the difference another way. We then"
        " send it again automatically."
    )
    return replace(found, what=what % texts, todo=todo % texts)


def _above_approved(entry: Entry) -> int:
    """By how many cents a rejected statement exceeds what SeQura approved; 0 where unknown."""
    approved: int | None = getattr(entry, "approved", None)
    if approved is None or entry.unshipped is None or entry.reason not in _REJECTIONS:
        return 0
    return entry.unshipped + (entry.shipped or 0) - approved


@register.filter
def advises_retry(entry: Entry) -> bool:
    """Return whether the merchant should retry: what SeQura rejected must change before."""
    is_ours = entry.outcome == Entry.Outcome.DELAYED  # retried without anybody
    must_change = entry.reason in _REJECTIONS and entry.event in ("edit", "ship", "address")
    return not (is_ours or must_change)


@register.filter
def outcome_badge(entry: Entry) -> SafeString:
    """The outcome as BigDesign shows one: a word on a colour."""
    kind = BADGES[entry.outcome]
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
    is_about_an_order = entry.event not in ("purchase", "correction")
    return entry.is_open and entry.bigcommerce_id is not None and is_about_an_order


@register.filter
def speaker(entry: Entry) -> Text:
    """Return the system whose message the entry holds."""
    return explain(entry.reason).speaker


@register.filter
def words(entry: Entry) -> str:
    """Return the message, with details by the names that merchants know."""
    return labels(entry.words) if entry.event == "correction" else entry.words


@register.filter
def direction(entry: Entry) -> Text:
    """Return whether the entry was sent or received; nothing for a decision of the merchant."""
    if entry.event == DECISION:
        return ""
    return _("Received from SeQura") if entry.event in HEARD else _("Sent to SeQura")
