"""The checklist before going live. It ticks itself from what really happened, and stays ticked.

Nothing here is asked of the merchant's word: a tick is a row that real traffic left behind.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.models import Order, WebhookEvent
from payments.models import Offer
from payments.solicit import UNKNOWN
from stores.models import Store
from transaction_log.models import Entry

SANDBOX = "sandbox"
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


def facts(store: Store) -> dict[str, Any]:
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
    accepted = Entry.objects.filter(store=OuterRef("pk"), outcome="accepted", environment=SANDBOX)
    store: dict[str, Any] = {"store": OuterRef("pk")}
    return {
        "script": Offer.objects.filter(**store).exclude(reasons=[UNKNOWN]),
        "paid": Order.objects.filter(**store, connection__environment=SANDBOX),
        "webhook": WebhookEvent.objects.filter(**store),
        "shipped": accepted.filter(event="ship"),
        "refunded": accepted.filter(event="refund"),
        "cancelled": accepted.filter(event="cancel"),
    }


def checklist(store: Store, seen: dict[str, Any]) -> list[_Check]:
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


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def summary(checks: list[_Check]) -> str:
    """How far the merchant has come, in a sentence."""
    done = sum(1 for check in checks if check.at)
    if done == len(checks):
        return _("All tests passed. Connect your live account in the connection settings.")
    return _("%(done)s of %(all)s sandbox tests passed.") % {
        "done": done,
        "all": len(checks),
    }
