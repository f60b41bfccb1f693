"""Delete closed entries after the time that each store chose; open ones stay."""

import math
import time
from datetime import datetime, timedelta

from celery import shared_task
from django.utils import timezone

from stores.isolation import delete_in_batches, in_turn
from stores.models import Store
from transaction_log.models import Entry

_EVERY, _SECONDS = timedelta(days=1), 300.0


@shared_task
def forget_closed_entries() -> None:
    """Run `_delete_closed_entries`. The next run continues after `_SECONDS`."""
    _delete_closed_entries(time.monotonic() + _SECONDS)


def _delete_closed_entries(until: float = math.inf) -> None:
    """Delete expired entries of the stores that are due, each store's once a day."""
    stores = Store.objects.only("pk", "hash", "log_retention_days", "forget_due_at")
    in_turn("retention", stores, "forget_due_at", _forget, until)


def _forget(store: Store) -> datetime:
    """An entry closed long ago was made even longer ago, so the index over `at` finds it."""
    now = timezone.now()
    border = now - timedelta(days=store.log_retention_days)
    old = Entry.objects.filter(store=store, at__lt=border, closed_at__lt=border)
    delete_in_batches(old.order_by("at", "id"))
    return now + _EVERY
