"""What the templates say about an entry: its event, its explanation, its links."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from panel.detail_labels import labels
from stores.storefronts import order_link, portal_link
from transaction_log.explanations import DECISION, HEARD, Explanation, Text, event_label, explain
from transaction_log.models import Entry

register = template.Library()
BADGES = {"accepted": "success", "rejected": "danger", "delayed": "warning", "ignored": "secondary"}

register.filter("event", event_label)
register.filter("explain", explain)


@register.filter
def outcome_badge(entry: Entry) -> SafeString:
    """The outcome as BigDesign shows one: a word on a colour."""
    kind = BADGES[entry.outcome]
    return format_html('<span class="badge badge-{}">{}</span>', kind, entry.get_outcome_display())


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
    explanation: Explanation = explain(entry.reason)
    return entry.is_open and explanation.retry and entry.bigcommerce_id is not None


@register.filter
def can_compare(entry: Entry) -> bool:
    """Is there an order to lay beside what SeQura knows? A purchase that failed has left none."""
    return entry.is_open and entry.bigcommerce_id is not None and entry.event != "purchase"


@register.filter
def speaker(entry: Entry) -> Text:
    """Whose words the entry carries."""
    return explain(entry.reason).speaker


@register.filter
def words(entry: Entry) -> str:
    """What was said, details by the names that people give them."""
    return labels(entry.words) if entry.event == "correction" else entry.words


@register.filter
def direction(entry: Entry) -> Text:
    """Who spoke: the timeline holds what was told and what was heard."""
    if entry.event == DECISION:
        return ""
    return _("Heard from SeQura") if entry.event in HEARD else _("Told to SeQura")
