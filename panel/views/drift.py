"""The page about drift: what the last look at all open orders found, and what to do about it."""

import csv
from io import StringIO
from typing import Any

from django.db.models import Count, F, Q
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from bigcommerce.api import Rejected, Unavailable
from orders.drift.checks import CHECKS, start
from orders.models import Drift, DriftCheck, Order
from orders.queue.wakeup import wake_worker
from orders.sync.retry import retry
from panel.export import BYTE_ORDER_MARK, few_per_store, harmless
from panel.notices import back
from panel.session import PanelRequest, no_such_thing, panel_page, waiting_page
from panel.templatetags.labels import detail_words, named
from payloads.codes import INCOMPLETE
from stores.clients import bigcommerce_for
from stores.storefronts import order_link, portal_link


# What a check found, as CSV.
def _csv_file(check: DriftCheck) -> str:
    """One line for each drift, in the reader's language and the store's time zone."""
    heading = [
        _("Order"), _("SeQura reference"), _("Problem"), _("Explanation"), _("Details"),
        _("Fixed"), _("Date and time"), "BigCommerce", "SeQura",
    ]  # fmt: skip
    file = StringIO()
    writer = csv.writer(file)
    writer.writerow(heading)
    for one in check.drifts.order_by("bigcommerce_id", "kind").iterator(500):
        row = [
            one.bigcommerce_id,
            one.reference or "",
            named(one.kind, "drift"),
            named(one.kind, "drift_meaning"),
            detail_words(one),
            _("yes") if one.repaired else _("no"),
            timezone.localtime(one.at).isoformat(timespec="seconds"),
            order_link(check.store, one.bigcommerce_id),
            portal_link(one.environment, one.reference),
        ]
        writer.writerow([harmless(cell) for cell in row])
    return BYTE_ORDER_MARK + file.getvalue()


_SHOWN = 200
_MOST_DIGITS = 18  # of an id


@require_safe
@panel_page
def reconciliation(request: PanelRequest) -> HttpResponse:
    """The newest check, or the one the address names."""
    checks = DriftCheck.objects.filter(store=request.store).order_by("-id")
    wanted = request.GET.get("check", "")
    is_id = wanted.isascii() and wanted.isdecimal() and len(wanted) <= _MOST_DIGITS
    check = checks.filter(pk=int(wanted)).first() if is_id else checks.first()
    context: dict[str, Any] = {
        "check": check,
        "checks": checks[: CHECKS.keep],
        "shown": _SHOWN,
    }
    if check:
        context |= {"counts": _counts(check), "drifts": check.drifts.order_by("repaired", "pk")}
        context["drifts"] = context["drifts"][:_SHOWN]
    return render(request, "orders/reconciliation.html", context)


def _counts(check: DriftCheck) -> list[dict[str, Any]]:
    """Every kind with how many were found and how many are left."""
    rows = check.drifts.values("kind").annotate(
        found=Count("pk"), left=Count("pk", filter=Q(repaired=False))
    )
    known = {row["kind"]: row for row in rows}
    nothing = {"found": 0, "left": 0}
    return [
        {"label": named(kind, "drift"), **known.get(kind.value, nothing)} for kind in Drift.Kind
    ]


@require_POST
@panel_page
def check_now(request: PanelRequest) -> HttpResponse:
    started = start(request.store, DriftCheck.Cause.PERSON)
    wake_worker("check_drift")
    address = reverse("reconciliation", args=[request.panel_token])
    return redirect(f"{address}?done={'checking' if started else 'check_under_way'}")


@require_safe
@panel_page
def drift_progress(request: PanelRequest) -> JsonResponse:
    """For the page while it waits."""
    checks = DriftCheck.objects.filter(store=request.store, state=DriftCheck.State.RUNNING)
    found = checks.first()
    if found is None:
        return JsonResponse({"running": False})
    percent = min(99, 100 * found.checked // found.total) if found.total else 0
    return JsonResponse(
        {"running": True, "done": found.checked, "total": found.total, "percent": percent}
    )


@require_safe
@panel_page
@few_per_store
def drift_csv(request: PanelRequest, check_id: int) -> HttpResponse:
    """All that one check found."""
    check = DriftCheck.objects.filter(store=request.store, pk=check_id).first()
    if check is None:
        return no_such_thing(request)
    response = HttpResponse(_csv_file(check), content_type="text/csv; charset=utf-8")
    name = f"sequra-{request.store.hash}-drift-{timezone.localtime(check.started_at):%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _order(request: PanelRequest, order_id: int) -> Order | None:
    orders = Order.objects.select_related("store", "connection")
    return orders.filter(store=request.store, bigcommerce_id=order_id).first()


@require_POST
@waiting_page
def tell_again(request: PanelRequest, order_id: int) -> HttpResponse:
    """Tell SeQura the whole order even where nothing seems to differ: its portal may say else."""
    order = _order(request, order_id)
    if order is None:
        return no_such_thing(request)
    # As after a failed attempt, the log says how this one ended, though SeQura accepts the same.
    Order.objects.filter(pk=order.pk).update(unsure=True, attempts=F("attempts") + 1)
    return back(request, retry(order, person=request.panel_user.email), order_id)


@require_POST
@waiting_page
def finish_order(request: PanelRequest, order_id: int) -> HttpResponse:
    """Give an order that was paid and stayed Incomplete the status of paid ones."""
    order = _order(request, order_id)
    if order is None:
        return no_such_thing(request)
    return back(request, _finish(order), order_id)


def _finish(order: Order) -> str:
    status = order.settings.status_approved
    if order.status != Order.Status.APPROVED or status is None:
        return "not_finished"
    try:
        api = bigcommerce_for(order.store)
        if api.order(order.bigcommerce_id)["status_id"] == INCOMPLETE:
            api.update_order(order.bigcommerce_id, {"status_id": status})
    except (Rejected, Unavailable):
        return "bigcommerce_failed"
    return "finished"
