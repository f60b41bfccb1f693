"""The shipping page of the control panel: what SeQura knows of what left the shop."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Count, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from orders.models import Order, ReportRun
from orders.nightly import next_moment
from orders.queue.wakeup import wake_worker
from orders.reports.pages import COLUMNS, Page, addressees, shipped, to_report, to_report_by
from orders.reports.run import start
from panel import figures
from panel.session import PanelRequest, panel_page
from payloads.reports import PAGE, Report, delivery_report, sort_out
from stores import statuses
from stores.clients import platform_facts
from stores.models import Store

# What the shipping page shows: unsent shipments, tonight's report, and the last ones.
#
# Everything comes from our own rows: the page costs no call, and a dry run sends nothing.
_LOOKED_AT, _SHOWN = 500, 10  # orders of a dry run; what is broken among them is shown in any case
_RUNS = 14


@dataclass(frozen=True)
class _Line:
    """An order of the dry run. Amounts are cents."""

    order: Order
    shipped: int
    remaining: int
    problem: str = ""


@dataclass(frozen=True)
class _DryRun:
    """Tonight's report of one merchant id: how many orders, and the first of them."""

    merchant_ref: str
    orders: int
    lines: Sequence[_Line]

    @property
    def more(self) -> int:
        return self.orders - len(self.lines)


def _dry_runs(store: Store) -> list[_DryRun]:
    """One for each merchant id, in two queries however many there are."""
    waiting = to_report(store)
    by_merchant = waiting.order_by().values_list("connection_id", "merchant_ref")
    counts = {(pk, ref): orders for pk, ref, orders in by_merchant.annotate(Count("pk"))}
    first: dict[tuple[int, str], list[Order]] = defaultdict(list)
    for order in _first_of_each(waiting):
        first[order.connection_id, order.merchant_ref].append(order)
    return [
        _DryRun(ref, counts.get((pk, ref), 0), list(_lines(Page.of(first[pk, ref]))))
        for pk, ref in ((one.connection.pk, one.merchant_ref) for one in addressees(store, counts))
    ]


def _first_of_each(waiting: QuerySet[Order]) -> QuerySet[Order]:
    place = Window(RowNumber(), partition_by=["connection_id", "merchant_ref"], order_by="pk")
    looked_at = waiting.annotate(place=place).filter(place__lte=_LOOKED_AT).order_by("pk")
    return looked_at.only(*COLUMNS, "connection_id", "merchant_ref")


def _lines(page: Page) -> Iterator[_Line]:
    problems = {order.pk: words for order, words in page.broken}
    shown = sorted(page.orders, key=lambda order: order.pk not in problems)
    for order in shown[: len(problems) + _SHOWN]:
        update = order.accepted_update or {}
        gone, left = _total(update.get("shipped_cart")), _total(update.get("unshipped_cart"))
        yield _Line(order, gone, left, problems.get(order.pk, ""))


def _total(cart: object) -> int:
    """What a cart says, which may be nonsense: then it is on the list for that."""
    total = cart.get("order_total_with_tax") if isinstance(cart, dict) else 0
    return total if isinstance(total, int) else 0


def _document(store: Store, merchant_ref: str) -> Report | None:
    """The first page of the report as it would be sent, without its statistics."""
    for addressee in addressees(store):
        if addressee.merchant_ref == merchant_ref:
            rows = to_report_by(addressee, store).order_by("pk").only(*COLUMNS)[:PAGE]
            sorted_out = sort_out(shipped(row) for row in rows)
            return delivery_report(
                merchant_ref,
                sorted_out.orders,
                platform=platform_facts(),
                broken_orders=sorted_out.broken_orders,
            )
    return None


def _runs(store: Store) -> list[ReportRun]:
    """The last runs with their reports."""
    newest = store.report_runs.order_by("-id").prefetch_related("reports")
    return list(newest[:_RUNS])


@dataclass(frozen=True)
class _Progress:
    """How far the run under way is, in orders."""

    done: int
    total: int

    @property
    def percent(self) -> int:
        return min(99, 100 * self.done // self.total) if self.total else 0


def _progress(store: Store) -> _Progress | None:
    """None when no run is under way."""
    return _progress_of(_runs(store))


def _progress_of(newest: Iterable[ReportRun]) -> _Progress | None:
    """Of the run under way among the last ones, which are read already."""
    running = next((run for run in newest if run.state == ReportRun.State.RUNNING), None)
    if running is None:
        return None
    reports = list(running.reports.all())
    return _Progress(sum(one.looked_at for one in reports), sum(one.orders for one in reports))


@require_safe
@panel_page
def shipping(request: PanelRequest) -> HttpResponse:
    """Show unsent shipments, tonight's report as a dry run, and what SeQura last accepted."""
    store = request.store
    newest, dry_runs = _runs(store), _dry_runs(store)
    context = {
        "warnings": statuses.shipped_warnings(store),
        "shipped_statuses": [statuses.label(store, one) for one in store.shipped_statuses],
        "unsent": figures.unsynced_shipments(store, explained=True),
        "dry_runs": dry_runs,
        "empty_runs": [run for run in dry_runs if not run.lines],
        "next_at": next_moment(store, timezone.now()) if store.reports_enabled else None,
        "progress": _progress_of(newest),
        "runs": newest,
    }
    return render(request, "orders/shipping.html", context)


@require_POST
@panel_page
def send_report_now(request: PanelRequest) -> HttpResponse:
    started = start(request.store, ReportRun.Cause.PERSON)
    wake_worker("send_reports")
    address = reverse("shipping", args=[request.panel_token])
    return redirect(f"{address}?done={'sending' if started else 'under_way'}#report")


@require_safe
@panel_page
def report_progress(request: PanelRequest) -> JsonResponse:
    """For the page while it waits."""
    found = _progress(request.store)
    if found is None:
        return JsonResponse({"running": False})
    return JsonResponse(
        {"running": True, "done": found.done, "total": found.total, "percent": found.percent}
    )


@require_safe
@panel_page
def report_document(request: PanelRequest) -> HttpResponse:
    """Tonight's report of one merchant id, as SeQura would get it."""
    report = _document(request.store, request.GET.get("merchant", ""))
    if report is None:
        raise Http404
    response = JsonResponse(
        {"delivery_report": report}, json_dumps_params={"indent": 2, "ensure_ascii": False}
    )
    name = f"delivery-report-{timezone.localdate():%Y-%m-%d}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
