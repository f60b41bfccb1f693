"""The shipping page of the control panel: what SeQura knows of what left the shop."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from orders.models import ReportRun
from orders.queue.wakeup import ring
from orders.reports.schedule import next_moment, start
from panel import shipping as cockpit
from panel.entry_notices import notice_of
from panel.session import PanelRequest, panel_page
from panel.views.log import no_such_thing
from stores import statuses


@require_safe
@panel_page
def shipping(request: PanelRequest) -> HttpResponse:
    """Shipped and not told, tonight's report as a dry run, and what SeQura last accepted."""
    store = request.store
    runs = cockpit.runs(store)
    context = {
        "warnings": statuses.shipped_warnings(store),
        "shipped_statuses": [statuses.label(store, one) for one in store.shipped_statuses],
        "untold": cockpit.untold(store),
        "dry_runs": cockpit.dry_runs(store),
        "next_at": next_moment(store, timezone.now()) if store.reports_enabled else None,
        "progress": cockpit.progress_of(runs),
        "runs": runs,
        "notice": notice_of(request.GET.get("said", "")),
    }
    return render(request, "orders/shipping.html", context)


@require_POST
@panel_page
def send_report_now(request: PanelRequest) -> HttpResponse:
    started = start(request.store, ReportRun.Cause.PERSON)
    ring("send_reports")
    address = reverse("shipping", args=[request.panel_token])
    return redirect(f"{address}?said={'sending' if started else 'under_way'}#report")


@require_safe
@panel_page
def report_progress(request: PanelRequest) -> JsonResponse:
    """For the page while it waits."""
    found = cockpit.progress(request.store)
    if found is None:
        return JsonResponse({"running": False})
    return JsonResponse(
        {"running": True, "done": found.done, "total": found.total, "percent": found.percent}
    )


@require_safe
@panel_page
def report_document(request: PanelRequest) -> HttpResponse:
    """Tonight's report of one merchant id, as SeQura would get it."""
    report = cockpit.document(request.store, request.GET.get("merchant", ""))
    if report is None:
        return no_such_thing(request)
    response = JsonResponse(
        {"delivery_report": report}, json_dumps_params={"indent": 2, "ensure_ascii": False}
    )
    name = f"delivery-report-{timezone.localdate():%Y-%m-%d}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
