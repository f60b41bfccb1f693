"""The sandbox's own API for the pretend SeQura: drive outcomes, turn knobs, look inside."""

import json
import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path

from sandbox.sequra import carts, knobs, later, offers
from sandbox.sequra.messages import cancel, dispatch_and_wait, notify, tell
from sandbox.sequra.models import DeliveryReport, Message, Order, StoreIntegration
from sandbox.sequra.solicitations import parties

STATE = Order.State
Drive = Callable[[Order, dict[str, Any]], list[Message]]


def seed() -> None:
    """The accounts are in accounts.py: there is nothing to fill in."""


def reset() -> None:
    """Forget what is planned and turn the knobs back; the tables are emptied by the caller."""
    later.forget()
    knobs.reset()


def world() -> dict[str, Callable[[], list[Any]]]:
    """All that SeQura holds: how to read each kind."""
    orders = Order.objects.order_by("created_at").prefetch_related("history", "messages")
    return {
        "sequra_orders": lambda: [described(order) for order in orders],
        "sequra_delivery_reports": lambda: list(
            DeliveryReport.objects.order_by("id").values("merchant", "body", "received_at")
        ),
        "sequra_store_integrations": lambda: list(
            StoreIntegration.objects.order_by("id").values("account", "webhook_url", "capabilities")
        ),
    }


def described(order: Order) -> dict[str, Any]:
    """An order as the control API shows it."""
    return {
        "uuid": str(order.uuid),
        "account": order.account,
        "merchant": order.merchant,
        "state": order.state,
        "cancelled_by": order.cancelled_by,
        "order_ref_1": order.order_ref_1,
        "order_ref_2": order.order_ref_2,
        "product": order.product,
        "campaign": order.campaign,
        "approved_amount": order.approved_amount,
        "total": order.total,
        "unshipped_cart": order.unshipped_cart,
        "shipped_cart": order.shipped_cart,
        "solicited": order.solicited,
        **order.current,
        "history": [
            {"at": line.at.isoformat(), "what": line.what, "state": line.state, "total": line.total}
            for line in order.history.all()
        ],
        "events": [sent(message) for message in order.messages.all()],
    }


def sent(message: Message) -> dict[str, Any]:
    return {
        "kind": message.kind,
        "name": message.name,
        "status": message.status,
        "url": message.url,
        "answers": message.answers,
    }


def driving(drive: Drive) -> Callable[..., JsonResponse]:
    """A control view that moves an order and waits for the shop's answer to what SeQura says."""

    @transaction.non_atomic_requests
    def view(request: HttpRequest, reference: uuid.UUID) -> JsonResponse:
        try:
            body = json.loads(request.body or b"{}")
            with transaction.atomic():
                orders = Order.objects.select_for_update()
                outgoing = drive(get_object_or_404(orders, pk=reference), body)
            dispatch_and_wait(outgoing)
        except (KeyError, TypeError, ValueError) as error:
            return JsonResponse({"error": f"{type(error).__name__}: {error}"}, status=400)
        return JsonResponse(described(Order.objects.get(pk=reference)))

    return view


def choose(order: Order, body: dict[str, Any]) -> None:
    """The product that the shopper took: the one named, or the dearest category's first."""
    if order.product and "product" not in body:
        return
    found = [
        method
        for method in offers.METHODS[order.country]
        if method.on_sale(order.approved_amount)
        and body.get("product", method.product) == method.product
    ]
    if not found:
        raise ValueError(f"no such product for order {order.uuid}")
    order.product, order.campaign = found[-1].product, found[-1].campaign or ""


def approve(order: Order, body: dict[str, Any]) -> list[Message]:
    """POST …/approve {"product"}: the shopper finished the form, or the review ended well."""
    if order.state in (STATE.CONFIRMED, STATE.SHIPPED, STATE.CANCELLED):
        raise ValueError(f"order {order.uuid} is {order.state}")
    order.reviewed = order.reviewed or order.state in (STATE.NEEDS_REVIEW, STATE.ON_HOLD)
    choose(order, body)
    order.state = STATE.APPROVED
    order.save()
    order.note("Approved")
    return notify(order, "approved", **body.get("fields", {}))


def review(order: Order, body: dict[str, Any]) -> list[Message]:
    """POST …/review {"then": "approve"|"cancel"}: into review; out of it after the shop's hold."""
    if order.state not in (STATE.SOLICITED, STATE.REJECTED, STATE.NEEDS_REVIEW):
        raise ValueError(f"order {order.uuid} is {order.state}")
    choose(order, body)
    order.state, order.shopper = STATE.NEEDS_REVIEW, {"review": body.get("then", "")}
    order.save()
    order.note("Needs review")
    return notify(order, "needs_review", **body.get("fields", {}))


def cancel_order(order: Order, body: dict[str, Any]) -> list[Message]:
    """POST …/cancel: SeQura has cancelled the order, and says so by an event."""
    return tell(cancel(order.pk, "sequra"), "cancelled", **body.get("fields", {}))


def send_event(order: Order, body: dict[str, Any]) -> list[Message]:
    """POST …/event {"event", "risk_level", …}: an event and nothing else."""
    name = body.pop("event")
    return tell(order, name, **body)


def send_notification(order: Order, body: dict[str, Any]) -> list[Message]:
    """POST …/notify {"state", "fields"}: the notification again, whatever the order's state."""
    usual = "needs_review" if order.state in (STATE.NEEDS_REVIEW, STATE.ON_HOLD) else "approved"
    choose(order, body)
    order.save()
    return notify(order, body.get("state", usual), **body.get("fields", {}))


CORRUPTIBLE = (
    "state",
    "order_ref_1",
    "order_ref_2",
    "unshipped_cart",
    "shipped_cart",
    "current",
    "cancelled_by",
    "approved_amount",
)


def corrupt(order: Order, body: dict[str, Any]) -> list[Message]:
    """POST …/corrupt {field: value}: an edit in the portal, unseen by the shop."""
    for name, value in body.items():
        if name not in CORRUPTIBLE:
            raise KeyError(name)
        setattr(order, name, value)
    order.save()
    order.note("Changed in the portal")
    return []


def list_orders(request: HttpRequest) -> JsonResponse:
    """GET orders?state=&merchant=&order_ref_1=; POST {"order", "count", …} makes confirmed ones."""
    if request.method == "POST":
        return JsonResponse({"made": make_orders(json.loads(request.body))})
    named = {name: value for name, value in request.GET.items() if name in LOOKUPS}
    orders = Order.objects.filter(**named).order_by("created_at")
    rows = orders.prefetch_related("history", "messages")
    return JsonResponse([described(order) for order in rows], safe=False)


LOOKUPS = ("state", "merchant", "order_ref_1", "uuid")


def make_orders(body: dict[str, Any]) -> int:
    """Confirmed orders without a purchase: {"order": as solicited, "references": ["100", …]}."""
    found = body["order"]
    made = [
        Order(
            account=body.get("account", "demo"),
            merchant=found["merchant"]["id"],
            state=STATE.CONFIRMED,
            solicited=found,
            approved_amount=found["cart"]["order_total_with_tax"],
            unshipped_cart=found["cart"],
            shipped_cart=carts.empty(),
            current=parties(found),
            order_ref_1=str(reference),
            product=body.get("product", "pp3"),
        )
        for reference in body["references"]
    ]
    return len(Order.objects.bulk_create(made, batch_size=500))


def show_order(_request: HttpRequest, reference: uuid.UUID) -> JsonResponse:
    return JsonResponse(described(get_object_or_404(Order, pk=reference)))


def turn_knobs(request: HttpRequest) -> JsonResponse:
    """GET reads the knobs, POST {"name": value} turns them."""
    values = json.loads(request.body) if request.method == "POST" else {}
    try:
        return JsonResponse(knobs.turn(values))
    except (KeyError, TypeError, AttributeError) as error:
        return JsonResponse({"error": f"{type(error).__name__}: {error}"}, status=400)


DRIVES: dict[str, Drive] = {
    "approve": approve,
    "review": review,
    "cancel": cancel_order,
    "event": send_event,
    "notify": send_notification,
    "corrupt": corrupt,
}
urlpatterns = [
    path("knobs", turn_knobs),
    path("orders", list_orders),
    path("orders/<uuid:reference>", show_order),
    *(path(f"orders/<uuid:reference>/{name}", driving(drive)) for name, drive in DRIVES.items()),
]
