"""What the templates say about an order: its status, its marks, its details."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from orders.models import Order
from panel import labels
from payloads.order.comparison import Row
from transaction_log.explanations import Text

register = template.Library()
register.filter("path_label", labels.label)
register.filter("details", labels.labels)
register.filter("explain_drift", labels.explain)
register.filter("drift_kind", labels.drift_kind)
register.filter("check_state", labels.check_state)
register.filter("cause", labels.cause)
register.filter("method_name", labels.method_name)

BADGES = {
    Order.Status.APPROVED: "success",
    Order.Status.IN_REVIEW: "warning",
    Order.Status.CANCELLED: "danger",
    Order.Status.WITHOUT_REFERENCE: "secondary",
}
MARKS = {"added": _("Added"), "removed": _("Removed"), "changed": _("Changed")}
TOTALS = {
    "unshipped": _("Still to ship"),
    "shipped": _("Shipped"),
    "owed": _("Outstanding balance"),
}
# Lines that are no goods, under the names they have when BigCommerce gives them none.
CHARGES = {
    "Shipping": _("Shipping cost"),
    "Handling": _("Handling"),
    "Gift wrapping": _("Gift wrapping"),
    "Fee": _("Fee"),
    "Discount": _("Discount"),
    "Surcharge": _("Surcharge"),
    "Store credit": _("Store credit"),
    "Gift certificate": _("Gift certificate"),
    "Refund": _("Refund"),
}
DETAILS = {
    "delivery_address": _("Shipping address"),
    "invoice_address": _("Billing address"),
    "customer": _("Customer"),
    "trackings": _("Parcels"),
}


@register.simple_tag
def status_badge(order: Order) -> SafeString:
    kind = BADGES[Order.Status(order.status)]
    return format_html('<span class="badge badge-{}">{}</span>', kind, order.get_status_display())


@register.filter
def shipped_state(order: Order) -> Text:
    """Return how much of a listed order has shipped, as SeQura last accepted it."""
    # Both are annotated by the list's query.
    shipped, unshipped = order.shipped or 0, order.unshipped  # type: ignore[attr-defined]
    if not shipped:
        return _("Not shipped")
    return _("Partly shipped") if unshipped else _("Shipped")


@register.simple_tag
def mark(row: Row) -> Text:
    """In a word what differs, because a colour alone says nothing to some."""
    return MARKS[row.mark]


@register.filter
def detail(name: str) -> Text:
    return DETAILS[name]


@register.filter
def line(name: str) -> Text:
    """A line's name; that of a charge in the reader's language."""
    return CHARGES.get(name, name)


@register.filter
def total(name: str) -> Text:
    return TOTALS[name]
