"""The merchant portal: what SeQura knows about an order, to read side by side with the shop."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from sandbox.sequra.models import Order

NEWEST = 100
LABELS = {
    "solicited": ("Solicited", "neutral"),
    "rejected": ("Rejected", "bad"),
    "needs_review": ("Needs review", "waiting"),
    "on_hold": ("On hold", "waiting"),
    "approved": ("Approved, not confirmed", "waiting"),
    "confirmed": ("Confirmed", "good"),
    "shipped": ("Shipped", "good"),
    "cancelled": ("Cancelled", "bad"),
}


def order_list(request: HttpRequest) -> HttpResponse:
    """GET /portal?q=: the newest orders, or those with a reference."""
    query = request.GET.get("q", "").strip()
    orders = Order.objects.order_by("-created_at")
    if query:
        orders = orders.filter(order_ref_1=query)
    rows = [row(order) for order in orders[:NEWEST]]
    return render(request, "sandbox_sequra/portal.html", {"rows": rows, "query": query})


def row(order: Order) -> dict[str, Any]:
    label, tone = LABELS[order.state]
    customer = order.solicited["customer"]
    name = f"{customer.get('given_names', '')} {customer.get('surnames', '')}".strip()
    return {"order": order, "label": label, "tone": tone, "name": name or customer["email"]}


def order_page(request: HttpRequest, reference: uuid.UUID) -> HttpResponse:
    """GET /portal/orders/{uuid}: one order, its carts, people, messages and history."""
    order = get_object_or_404(Order, pk=reference)
    context = {
        **row(order),
        "carts": [("Still to ship", order.unshipped_cart), ("Shipped", order.shipped_cart)],
        "addresses": addresses(order),
        "customer": order.current.get("customer", order.solicited["customer"]),
        "history": order.history.order_by("-id"),
        "messages": order.messages.order_by("-id"),
        "trackings": order.current.get("trackings", []),
    }
    return render(request, "sandbox_sequra/portal_order.html", context)


def addresses(order: Order) -> list[tuple[str, dict[str, str]]]:
    """The delivery and the invoice address, as last told."""
    found = {**order.solicited, **order.current}
    named = (("Delivery address", "delivery_address"), ("Invoice address", "invoice_address"))
    return [(label, found[name]) for label, name in named if name in found]
