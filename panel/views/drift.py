"""The page about drift: what the last look at all open orders found, and what to do about it."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Count, Q
from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from orders.drift.checks import CHECKS, start
from orders.models import Drift, DriftCheck
from orders.queue.wakeup import wake_worker
from panel.export import csv_file, csv_text, few_per_store
from panel.notices import show
from panel.session import PanelRequest, panel_page
from panel.templatetags.labels import detail_words, named
from stores.storefronts import order_link, portal_link
from transport.reading import number_of


def _rows(check: DriftCheck) -> Iterator[Sequence[object]]:
    """Yield what a check found, in the reader's language and the store's time zone."""
    yield (
        _("Order"), _("SeQura reference"), _("Problem"), _("Explanation"), _("Details"),
        _("Fixed"), _("Date and time"), "BigCommerce", "SeQura",
    )  # fmt: skip
    for one in check.drifts.order_by("bigcommerce_id", "kind").iterator(500):
        yield (
            one.bigcommerce_id,
            one.reference or "",
            named(one.kind, "drift"),
            named(one.kind, "drift_meaning"),
            detail_words(one),
            _("yes") if one.repaired else _("no"),
            timezone.localtime(one.at).isoformat(timespec="seconds"),
            order_link(check.store, one.bigcommerce_id),
            portal_link(one.environment, one.reference),
        )


_SHOWN = 200


@require_safe
@panel_page
def reconciliation(request: PanelRequest) -> HttpResponse:
    """The newest check, or the one the address names."""
    checks = DriftCheck.objects.filter(store=request.store).order_by("-id")
    wanted = number_of(request.GET.get("check"))
    check = checks.filter(pk=wanted).first() if wanted else checks.first()
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
    return show(request, "reconciliation", "checking" if started else "check_under_way")


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
def drift_csv(request: PanelRequest, check_id: int) -> HttpResponseBase:
    """All that one check found."""
    check = get_object_or_404(DriftCheck, store=request.store, pk=check_id)
    day = f"{timezone.localtime(check.started_at):%Y-%m-%d}"
    return csv_file(f"sequra-{request.store.hash}-drift-{day}.csv", csv_text(_rows(check)))
