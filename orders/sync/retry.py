"""Retry an order because a merchant asks for it, and report how the attempt ended.

The order is processed like any change: it becomes due and a worker synchronises it. The page waits
for a moment; when the worker takes longer, the result is "queued". When no worker may process the
order, it stays due and the result names the obstacle.
"""

import time
from datetime import datetime

from django.db.models import QuerySet

from orders.models import Order
from orders.queue import claim
from orders.queue.wakeup import wake_worker
from transaction_log import record
from transaction_log.explanations import OURS
from transaction_log.models import Entry

_PATIENCE = 8.0
_POLL_SECONDS = 0.2
# The result of an attempt that wrote no entry, by status. Otherwise SeQura knew everything.
_SILENT: dict[str, str] = {
    Order.Status.WITHOUT_REFERENCE: "delayed",
    Order.Status.CANCELLED: "closed",
}


def retry(order: Order, patience: float = _PATIENCE, *, person: str = "") -> str:
    """Synchronise this order now for a person. Return the key of a notice in `panel.notices`."""
    if person:
        record.accepted(order.subject, "retry", by=person)
    before = set(_written(order).values_list("pk", "last_at"))
    Order.objects.filter(pk=order.pk).update(refused="")
    claim.mark_changed(pk=order.pk)
    order.refresh_from_db(fields=["changed", "attempts"])
    if barrier := _barrier(order):
        return barrier
    order.connection.release_probe()  # the merchant may have corrected the account
    wake_worker()
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if ending := _came_of(order, before):
            return ending
        time.sleep(_POLL_SECONDS)
    return "queued"


def _barrier(order: Order) -> str:
    """Return the obstacle that only the merchant can remove; empty when there is none."""
    if not order.store.is_installed:
        return "no_access"
    return "not_connected" if order.connection.stopped_at else ""


def _came_of(order: Order, before: set[tuple[int, datetime]]) -> str:
    """Return how the attempt ended, from new or newer entries; empty while it continues."""
    now = Order.objects.only("status", "synced", "attempts", "leased_until").get(pk=order.pk)
    if now.synced < order.changed and (now.leased_until or now.attempts <= order.attempts):
        return ""
    entries = _written(order).exclude(reason="put_away").order_by("-last_at", "-id")
    newest = next((one for one in entries if (one.pk, one.last_at) not in before), None)
    return _outcome_of(newest) if newest else _SILENT.get(now.status, "unchanged")


def _written(order: Order) -> QuerySet[Entry]:
    entries = Entry.objects.filter(store=order.store_id, bigcommerce_id=order.bigcommerce_id)
    return entries.exclude(event__in=OURS)


def _outcome_of(entry: Entry) -> str:
    if entry.reason == "archived":
        return "archived"
    if entry.outcome == Entry.Outcome.IGNORED:
        return "still_ignored" if entry.note else "settled"
    return entry.outcome
