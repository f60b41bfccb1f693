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
from panel.setup_steps import guide
from panel.state import setup_of, state_of
from stores import connect
from stores.models import Connection, Store
from transaction_log.models import Entry

_MANY = 200
_LISTED = 5
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True)
class _Problems:
    """Unresolved rejections by age."""

    open: list[Entry]  # the oldest first
    today: int
    week: int
    older: int

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
        "state": state_of(store, connections, merchants, seen["sold_at"]),
        "connections": open_ones,
        "merchants": merchants,
        # A store that has sold with SeQura is never new again: its orders outlive the account.
        "guide": [] if seen["order_at"] else guide(open_ones, merchants),
        "setup": setup_of(store, open_ones, merchants),
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
        "problems": _problems(store),
        "unsynced": len(figures.unsynced_shipments(store)),
        "in_review": figures.in_review(store),
        "chart": chart(figures.last_days(store, in_use)),
    }


def _problems(store: Store) -> _Problems:
    """Return the rejected entries that are open, counted no further than `_MANY`."""
    still_open = Entry.objects.filter(store=store, closed_at=None, outcome=Entry.Outcome.REJECTED)
    rejected = list(still_open.order_by("at", "id")[:_MANY])
    now = timezone.now()
    ages = Counter(_age(now - entry.at) for entry in rejected)
    return _Problems(rejected, ages["today"], ages["week"], ages["older"])


def _age(age: timedelta) -> str:
    if age < _DAY:
        return "today"
    return "week" if age < _WEEK else "older"
