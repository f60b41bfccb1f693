"""How much is sold with SeQura, in comparison with the period before."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from panel import figures
from panel.export import csv_file, csv_text
from panel.figures import chart
from panel.session import PanelRequest, panel_page
from panel.templatetags.labels import method_name
from panel.views.why_not_shown import reason_text
from payments import progress
from stores.models import Store, country_name
from transaction_log.explanations import Text, explain

_PERIODS = (7, 30, 90)


@dataclass(frozen=True)
class _Step:
    """One figure of a period, and the same of the one before; None where it is not known."""

    title: Text
    now: int | None
    before: int | None
    of: int | None = None  # the step before, to which this one is a share

    @property
    def percent(self) -> int | None:
        """Return which share of the step before it is."""
        return round(100 * self.now / self.of) if self.of and self.now is not None else None

    @property
    def change(self) -> int | None:
        """Return by how many percent it grew; None where there is nothing to compare with."""
        if self.now is None or not self.before:
            return None
        return round(100 * (self.now - self.before) / self.before)


@dataclass(frozen=True)
class _Share:
    """A row of a table: a name, orders, cents, and its share of all orders."""

    name: Text
    orders: int
    cents: int | None
    percent: int


@dataclass(frozen=True)
class _Table:
    """A section of the page: each row is a bar and its figures."""

    key: str
    title: Text
    about: Text  # what is counted
    rows: list[_Share]


@dataclass(frozen=True)
class _Sales:
    """Everything on the page of sales."""

    days: int
    steps: list[_Step]
    amounts: list[_Step]  # cents: all of it, and of an order
    tables: list[_Table]
    chart: Any


def _days(request: PanelRequest) -> int:
    asked = request.GET.get("days", "")
    return int(asked) if asked in map(str, _PERIODS) else 30


def _sales(store: Store, days: int) -> _Sales:
    connections = list(
        store.connections.filter(environment=store.environment).values_list("pk", flat=True)
    )
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    end, start = today + timedelta(days=1), today - timedelta(days=days - 1)
    now = progress.Period(store, connections, start, end)
    before = progress.Period(store, connections, start - timedelta(days=days), start)
    methods = figures.by_method(store, connections, now.since, now.until)
    orders, cents = sum(one[1] for one in methods), sum(one[2] for one in methods)
    orders_before, cents_before = figures.totals(store, connections, before.since, before.until)
    steps = _steps(progress.funnel(now), progress.funnel(before), orders, orders_before)
    return _Sales(
        days,
        steps,
        [
            _Step(_("Amount"), cents, cents_before),
            _Step(_("Average order"), _mean(cents, orders), _mean(cents_before, orders_before)),
        ],
        _tables(now, methods),
        chart(figures.last_days(store, connections, days)),
    )


def _mean(cents: int, orders: int) -> int | None:
    return round(cents / orders) if orders else None


def _steps(now: progress.Funnel, before: progress.Funnel, paid: int, was: int) -> list[_Step]:
    return [
        _Step(_("SeQura offered"), now.offered, before.offered),
        _Step(_("Form opened"), now.form, before.form, now.offered),
        _Step(_("Approved by SeQura"), now.approved, before.approved, now.form),
        _Step(_("Orders paid"), paid, was, now.approved),
    ]


def _tables(period: progress.Period, methods: Sequence[tuple[str, int, int]]) -> list[_Table]:
    names = {str(one["id"]): str(one["name"]) for one in period.store.channels}
    countries, shops = (progress.paid_by(period, column) for column in ("country", "channel_id"))
    refused = [(explain(code, "purchase").what, n) for code, n in progress.refusals(period)]
    hidden = [(reason_text(code), n) for code, n in progress.reasons_not_shown(period)]
    orders, checkouts = _("Orders paid"), _("Checkouts")
    return [
        _Table("method", _("By payment method"), orders, _shares(methods, method_name)),
        _Table("country", _("By country"), orders, _shares(countries, country_name)),
        _Table("channel", _("By storefront"), orders, _shares(shops, names.get)),
        _Table("refusal", _("Approved, but no order"), _("Payments"), _counts(refused)),
        _Table("hidden", _("Why SeQura wasn't shown"), checkouts, _counts(hidden)),
    ]


def _shares(
    rows: Sequence[tuple[str, int, int]], named: Callable[[str], str | None] = str
) -> list[_Share]:
    total = sum(n for _name, n, _cents in rows) or 1
    return [
        _Share(named(name) or name, n, cents, round(100 * n / total)) for name, n, cents in rows
    ]


def _counts(rows: Sequence[tuple[Text, int]]) -> list[_Share]:
    total = sum(n for _name, n in rows) or 1
    return [_Share(name, n, None, round(100 * n / total)) for name, n in rows]


@require_safe
@panel_page
def sales(request: PanelRequest) -> HttpResponse:
    """Show offered → form → approved → paid, the amounts, and the shares of a period."""
    days = _days(request)
    context = {"sales": _sales(request.store, days), "periods": _PERIODS}
    return render(request, "payments/sales.html", context)


@require_safe
@panel_page
def sales_csv(request: PanelRequest) -> HttpResponseBase:
    """Return every figure of the page, a row each."""
    found = _sales(request.store, _days(request))
    name = f"sequra-sales-{request.store.hash}-{timezone.localdate():%Y-%m-%d}.csv"
    return csv_file(name, csv_text(_rows(found)))


def _rows(found: _Sales) -> Iterator[Sequence[object]]:
    yield _("Section"), _("Name"), _("Number"), _("Amount"), _("Before")
    for step in found.steps:
        yield _("Funnel"), step.title, _known(step.now), "", _known(step.before)
    for step in found.amounts:
        yield _("Amounts"), step.title, "", _decimal(step.now), _decimal(step.before)
    for table in found.tables:
        for row in table.rows:
            yield table.title, row.name, row.orders, _decimal(row.cents), ""
    for bar in found.chart.bars:
        yield _("Day"), bar.day.on.isoformat(), bar.day.orders, _decimal(bar.day.amount), ""


def _known(number: int | None) -> object:
    return "" if number is None else number


def _decimal(cents: int | None) -> str:
    return "" if cents is None else f"{cents // 100}.{cents % 100:02d}"
