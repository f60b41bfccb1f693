"""The first page of the app: is all well, what needs a person, how much is sold with SeQura.

Its checklist before going live ticks itself from rows that real traffic left behind, never from the
merchant's word, and stays ticked.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from orders.models import Order, WebhookEvent
from orders.nightly import next_moment
from panel import figures
from panel.figures import chart
from panel.session import PanelRequest, panel_page
from panel.setup_steps import guide
from panel.state import setup_of, state_of
from payments.models import Offer
from payments.solicit import UNKNOWN
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
    listed: list[Entry]  # with what SeQura approved
    today: int
    week: int
    older: int

    @property
    def many(self) -> bool:
        return len(self.open) >= _MANY


@require_safe
@panel_page
def dashboard(request: PanelRequest) -> HttpResponse:
    store = request.store
    connections = list(store.connections.order_by("deployment"))
    open_ones = [one for one in connections if one.state != Connection.State.ARCHIVED]
    merchants = connect.selling_anywhere(store)
    seen = _facts(store)
    checks = _checklist(store, seen)
    context = {
        "state": state_of(store, connections, merchants, seen["sold_at"]),
        "connections": open_ones,
        "merchants": merchants,
        # A store that has sold with SeQura is never new again: its orders outlive the account.
        "guide": [] if seen["order_at"] else guide(open_ones, merchants),
        "setup": setup_of(store, open_ones, merchants),
        "checks": checks,
        "checks_summary": _summary(checks),
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
    shown = [entry.pk for entry in rejected[:_LISTED]]
    listed = figures.with_approved(Entry.objects.filter(pk__in=shown)).order_by("at", "id")
    now = timezone.now()
    ages = Counter(_age(now - entry.at) for entry in rejected)
    return _Problems(rejected, list(listed), ages["today"], ages["week"], ages["older"])


def _age(age: timedelta) -> str:
    if age < _DAY:
        return "today"
    return "week" if age < _WEEK else "older"


_SANDBOX = "sandbox"
# What has to be seen, and how to bring it about.
_CHECKS = {
    "script": (
        gettext_lazy("Checkout script loaded"),
        gettext_lazy("Open your store, add a product to the cart and go to the payment step."),
    ),
    "paid": (
        gettext_lazy("Test order paid"),
        gettext_lazy(
            "Pay for an order in the sandbox with the test card from SeQura's documentation."
        ),
    ),
    "webhook": (
        gettext_lazy("Webhooks received"),
        gettext_lazy("Checked off automatically with the first order."),
    ),
    "shipped": (
        gettext_lazy("Shipment synced"),
        gettext_lazy("Ship a test order in BigCommerce."),
    ),
    "refunded": (
        gettext_lazy("Refund synced"),
        gettext_lazy("Refund part of a test order in BigCommerce."),
    ),
    "cancelled": (
        gettext_lazy("Cancellation synced"),
        gettext_lazy("Change a test order's status to Cancelled in BigCommerce."),
    ),
}


@dataclass(frozen=True)
class _Check:
    """One line of the list; `at` says since when it is known to work."""

    title: str
    how: str
    at: datetime | None

    @property
    def icon(self) -> str:
        return "success" if self.at else "todo"


def _last_report() -> dict[str, Subquery]:
    """The newest delivery report in the log, for a query of stores."""
    reports = Entry.objects.filter(
        store=OuterRef("pk"), event="report", bigcommerce_id=None
    ).order_by("-at", "-id")
    return {
        "report_at": Subquery(reports.values("at")[:1]),
        "report_outcome": Subquery(reports.values("outcome")[:1]),
    }


def _facts(store: Store) -> dict[str, Any]:
    """What was seen, the last report and the last orders: one query of rows that indexes find.

    `order_at` is the last one of all, `sold_at` the last one of the store's environment.
    """
    seen = {check: Exists(rows) for check, rows in _rows().items() if check not in store.go_live}
    newest = Order.objects.filter(store=OuterRef("pk")).order_by("-placed_at")
    sold = newest.filter(connection__environment=OuterRef("environment"))
    last = {
        "order_at": Subquery(newest.values("placed_at")[:1]),
        "sold_at": Subquery(sold.values("placed_at")[:1]),
        **_last_report(),
    }
    return dict(Store.objects.values(**seen, **last).get(pk=store.pk))


def _rows() -> dict[str, QuerySet[Any]]:
    accepted = Entry.objects.filter(store=OuterRef("pk"), outcome="accepted", environment=_SANDBOX)
    store: dict[str, Any] = {"store": OuterRef("pk")}
    return {
        "script": Offer.objects.filter(**store).exclude(reasons=[UNKNOWN]),
        "paid": Order.objects.filter(**store, connection__environment=_SANDBOX),
        "webhook": WebhookEvent.objects.filter(**store),
        "shipped": accepted.filter(event="ship"),
        "refunded": accepted.filter(event="refund"),
        "cancelled": accepted.filter(event="cancel"),
    }


def _checklist(store: Store, seen: dict[str, Any]) -> list[_Check]:
    """Every check with its tick; new ticks are remembered, rows behind them may be forgotten."""
    now = timezone.now().isoformat()
    new = {check: now for check in _CHECKS if seen.get(check) and check not in store.go_live}
    if new:
        store.go_live |= new
        store.save(update_fields=["go_live"])
    return [
        _Check(str(title), str(how), _moment(store.go_live.get(check)))
        for check, (title, how) in _CHECKS.items()
    ]


def gaps(store: Store) -> list[_Check]:
    """Return what was not seen to work in the sandbox yet."""
    return [check for check in _checklist(store, _facts(store)) if not check.at]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _summary(checks: list[_Check]) -> str:
    """How far the merchant has come, in a sentence."""
    done = sum(1 for check in checks if check.at)
    if done == len(checks):
        return _("All tests passed. Connect your live account in the connection settings.")
    return _("%(done)s of %(all)s sandbox tests passed.") % {
        "done": done,
        "all": len(checks),
    }
