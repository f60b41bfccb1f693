"""The first page of the app: is all well, what needs somebody, how much is sold with SeQura."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from orders.nightly import next_moment
from panel import figures, go_live
from panel.figures import chart
from panel.session import PanelRequest, panel_page
from panel.setup_steps import guide, setup_steps
from stores import connect, registration
from stores.models import Connection, Store
from transaction_log.models import Entry

_MANY = 200
_LISTED = 5
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True)
class _Problems:
    """Unresolved rejections by age, and shipments that SeQura has not received."""

    open: list[Entry]  # the oldest first
    today: int
    week: int
    older: int
    untold: int
    refused: int = 0  # accounts that SeQura refuses

    @property
    def count(self) -> int:
        """How many things need the merchant."""
        return len(self.open) + self.refused

    @property
    def listed(self) -> list[Entry]:
        return self.open[:_LISTED]

    @property
    def many(self) -> bool:
        return len(self.open) >= _MANY


@require_safe
@panel_page
def dashboard(request: PanelRequest) -> HttpResponse:
    store = request.store
    connections = list(store.connections.order_by("deployment"))
    open_ones = [one for one in connections if one.state != Connection.State.ARCHIVED]
    merchants = connect.selling(store)
    seen = go_live.facts(store)
    checks = go_live.checklist(store, seen)
    context = {
        "connections": open_ones,
        "merchants": merchants,
        "guide": guide(open_ones, merchants),
        "steps": setup_steps(store, open_ones, merchants),
        "healthy": registration.is_healthy(store),
        "checks": checks,
        "checks_summary": go_live.summary(checks),
        "last_report": seen,
        "next_report": next_moment(store, timezone.now()) if store.reports_enabled else None,
        **_figures(store, connections),
    }
    return render(request, "payments/dashboard.html", context)


def _figures(store: Store, connections: Sequence[Connection]) -> dict[str, Any]:
    """Orders of the environment that is in use; nothing is hidden when it changes but the sums."""
    in_use = [one.pk for one in connections if one.environment == store.environment]
    return {
        "problems": problems(store, sum(one.is_refused for one in connections)),
        "in_review": figures.in_review(store),
        "chart": chart(figures.last_days(store, in_use)),
        "listed": _LISTED,
    }


def problems(store: Store, refused: int = 0) -> _Problems:
    """The open entries of the log, counted no further than `_MANY`, and the refused accounts."""
    still_open = Entry.objects.filter(store=store, closed_at=None).order_by("at", "id")[:_MANY]
    entries = list(still_open)
    rejected = [entry for entry in entries if entry.outcome == Entry.Outcome.REJECTED]
    now = timezone.now()
    ages = Counter(_age(now - entry.at) for entry in rejected)
    untold = {entry.bigcommerce_id for entry in entries if entry.event == "ship"}
    return _Problems(rejected, ages["today"], ages["week"], ages["older"], len(untold), refused)


def _age(age: timedelta) -> str:
    if age < _DAY:
        return "today"
    return "week" if age < _WEEK else "older"
