"""The self-test: everything that `manage.py doctor` asks about a store, started by its merchant.

Webhooks are tested with a real event: the app writes an order's SeQura reference into it once more,
which changes nothing, and waits until BigCommerce sends the order's event back.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_POST, require_safe

from bigcommerce.api import Rejected, Unavailable
from orders.models import Order, WebhookEvent
from panel import doctor
from panel.notices import show
from panel.session import PanelRequest, panel_page
from panel.setup_steps import Step, named_steps
from stores import connect, install
from stores.clients import bigcommerce_for
from stores.models import Connection, Store, database_now
from stores.rate_limit import LIMITS, RateLimited, consume

_WAIT = timedelta(minutes=3)  # BigCommerce's events usually take seconds
_TIMEOUT = (3.0, 8.0)  # seconds to connect, to answer: somebody is waiting for the page
_MOST_DIGITS = 18


@dataclass(frozen=True)
class _Trip:
    """The event that a self-test asked BigCommerce for: of this order, since this moment."""

    order: int | None = None
    since: datetime | None = None
    problem: str = ""

    @classmethod
    def parse(cls, request: PanelRequest) -> "_Trip":
        order, since = request.GET.get("order", ""), request.GET.get("since", "")
        is_id = order.isascii() and order.isdecimal() and len(order) <= _MOST_DIGITS
        try:
            moment = parse_datetime(since)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is None:
            moment = None
        return cls(int(order) if is_id else None, moment, request.GET.get("problem", "")[:20])

    def step(self, store: Store) -> Step:
        """Return what became of it, as a line of the set-up."""
        title, names = _("Webhook round trip"), {"id": self.order}
        if self.problem:
            text = _("BigCommerce didn't let us ask for an event. Run the self-test again later.")
            return Step("warning", title, text)
        if self.order is None or self.since is None:
            text = _(
                "Webhooks can only be tested with an order. Pay for a test order with SeQura, then"
                " run the self-test again."
            )
            return Step("todo", title, text)
        events = WebhookEvent.objects.filter(store=store, received_at__gte=self.since)
        event = events.filter(bigcommerce_order_id=self.order).order_by("received_at").first()
        if event:
            seconds = (event.received_at - self.since).total_seconds()
            text = _("BigCommerce sent the event of order %(id)s back after %(seconds)s seconds.")
            return Step("success", title, text % {**names, "seconds": f"{seconds:.0f}"})
        if self.is_waiting:
            text = _("Waiting for BigCommerce to send the event of order %(id)s.")
            return Step("todo", title, text % names)
        text = _(
            "BigCommerce hasn't sent the event of order %(id)s. Choose Run check and fix on the"
            " overview, then run the self-test again."
        )
        return Step("error", title, text % names)

    @property
    def is_waiting(self) -> bool:
        return self.since is not None and timezone.now() - self.since < _WAIT


@require_safe
@panel_page
def self_test(request: PanelRequest) -> HttpResponse:
    """Show what the last test found: its results are stored where all pages read them."""
    store, trip = request.store, _Trip.parse(request)
    is_done = "ran" in request.GET
    connections = store.connections.exclude(state=Connection.State.ARCHIVED)
    steps = named_steps(
        store, list(connections.order_by("deployment")), connect.selling_anywhere(store)
    )
    steps["permissions"] = _permissions(store)
    if is_done:
        steps["trip"] = trip.step(store)
        if request.GET.get("silent"):
            text = _("SeQura didn't respond. Run the self-test again in a few minutes.")
            steps["account"] = Step("warning", _("SeQura account"), text)
    context: dict[str, Any] = {
        "steps": steps.values(),
        "is_done": is_done,
        "is_waiting": is_done and steps["trip"].icon == "todo" and trip.is_waiting,
        "open": sum(1 for step in steps.values() if step.icon != "success"),
        "report": _report(request),
    }
    return render(request, "stores/self_test.html", context)


def _permissions(store: Store) -> Step:
    title, missing = _("App permissions"), install.missing_scopes(store)
    if not missing:
        return Step("success", title, _("BigCommerce granted all permissions."))
    text = _("BigCommerce hasn't granted these permissions: %(names)s. Contact the app's support.")
    return Step("error", title, text % {"names": ", ".join(missing)})


def _report(request: PanelRequest) -> str:
    """Return the findings as `manage.py doctor` writes them, in English, for support."""
    store = request.store
    with override("en"):
        lines = doctor.lines(doctor.known(store))
        trip = _Trip.parse(request).step(store) if "ran" in request.GET else None
    if trip:
        lines += doctor.lines([doctor.of_step("round_trip", trip)])
    return "\n".join(lines)


@require_POST
@panel_page
def run_self_test(request: PanelRequest) -> HttpResponse:
    """Ask BigCommerce and SeQura now, and have BigCommerce send an event."""
    try:
        consume(f"self-test of {request.store.pk}", **LIMITS["self-test"])
    except RateLimited:
        return show(request, "self_test", "tested_too_often")
    silent = doctor.ask(request.store)
    trip = _ask_for_event(request.store)
    query = {"ran": "1", **({"silent": "1"} if silent else {}), **trip}
    address = reverse("self_test", args=[request.panel_token])
    return redirect(f"{address}?{urlencode(query)}")


def _ask_for_event(store: Store) -> dict[str, str]:
    """Write what the newest order already holds: BigCommerce then sends its event."""
    orders = Order.objects.filter(store=store).exclude(status=Order.Status.CANCELLED)
    order = orders.order_by("-placed_at").only("bigcommerce_id", "reference").first()
    if order is None or not store.is_installed:
        return {}
    since = database_now()
    try:
        bigcommerce_for(store, _TIMEOUT).update_order(
            order.bigcommerce_id, {"external_order_id": str(order.reference)}
        )
    except (Rejected, Unavailable):
        return {"problem": "bigcommerce"}
    return {"order": str(order.bigcommerce_id), "since": since.isoformat()}
