"""Delete closed entries after the time that each store chose; open ones stay."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from stores.isolation import each
from stores.models import Store
from transaction_log.models import Entry
from transport.stopping import before_a_call

# Small enough never to block other statements for long.
BATCH = 5000


@shared_task
def forget_closed_entries() -> None:
    """Run `delete_closed_entries`, a few times a day."""
    delete_closed_entries()


def delete_closed_entries() -> int:
    """Delete expired entries of all stores. Return how many were deleted."""
    forgotten: list[int] = []
    stores = Store.objects.only("pk", "hash", "log_retention_days")
    each("retention", stores, lambda store: forgotten.append(_forget(store)))
    return sum(forgotten)


def _forget(store: Store) -> int:
    forgotten = 0
    before_a_call()
    while deleted := _forget_batch(store):
        forgotten += deleted
        if deleted < BATCH:
            break
    return forgotten


def _forget_batch(store: Store) -> int:
    """An entry closed long ago was made even longer ago, so the index over `at` finds it."""
    border = timezone.now() - timedelta(days=store.log_retention_days)
    old = Entry.objects.filter(store=store, at__lt=border, closed_at__lt=border)
    batch = old.order_by("at", "id").values_list("pk", flat=True)[:BATCH]
    return Entry.objects.filter(pk__in=list(batch)).delete()[0]
