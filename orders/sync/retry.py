"""Trying again because a merchant asks for it, and saying what really came of it.

The order goes the way of every change: it becomes due, a worker tells it. We wait for a moment,
because somebody looks at the page; when the worker takes longer, the answer is "queued". Where no
worker may speak for the order, it stays due and the answer says what is in the way.
"""

import time
from datetime import datetime

from django.db.models import QuerySet

from orders.models import Order
from orders.queue import claim
from orders.queue.wakeup import wake_worker
from transaction_log.explanations import DECISION
from transaction_log.models import Entry

_PATIENCE = 8.0
_POLL_SECONDS = 0.2
# What it means that an attempt wrote nothing down; else SeQura knew it all.
_SILENT: dict[str, str] = {
    Order.Status.WITHOUT_REFERENCE: "delayed",
    Order.Status.CANCELLED: "closed",
}


def retry(order: Order, patience: float = _PATIENCE) -> str:
    """Synchronise this order now. Returns a word of `panel.notices`."""
    before = set(_written(order).values_list("pk", "last_at"))
    Order.objects.filter(pk=order.pk).update(refused="")
    claim.mark_changed(pk=order.pk)
    order.refresh_from_db(fields=["changed", "attempts"])
    if barrier := _barrier(order):
        return barrier
    order.connection.release_probe()  # a merchant who asks may have mended the account
    wake_worker()
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if ending := _came_of(order, before):
            return ending
        time.sleep(_POLL_SECONDS)
    return "queued"


def _barrier(order: Order) -> str:
    """What only the merchant can remove; nothing when the order may be told."""
    if not order.store.is_installed:
        return "no_access"
    return "not_connected" if order.connection.stopped_at else ""


def _came_of(order: Order, before: set[tuple[int, datetime]]) -> str:
    """How the attempt ended, by the entries that are new or newer; nothing while it goes on."""
    now = Order.objects.only("status", "synced", "attempts", "leased_until").get(pk=order.pk)
    if now.synced < order.changed and (now.leased_until or now.attempts <= order.attempts):
        return ""
    entries = _written(order).exclude(reason="put_away").order_by("-last_at", "-id")
    newest = next((one for one in entries if (one.pk, one.last_at) not in before), None)
    return _outcome_of(newest) if newest else _SILENT.get(now.status, "unchanged")


def _written(order: Order) -> QuerySet[Entry]:
    entries = Entry.objects.filter(store=order.store_id, bigcommerce_id=order.bigcommerce_id)
    return entries.exclude(event=DECISION)


def _outcome_of(entry: Entry) -> str:
    if entry.reason == "archived":
        return "archived"
    if entry.outcome == Entry.Outcome.IGNORED:
        return "still_ignored" if entry.note else "settled"
    return entry.outcome
