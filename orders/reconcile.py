"""Orders that changed without our hearing of it: what no webhook brought is marked here.

Asks BigCommerce for what was modified since the last time, which costs a call per 250 orders, and
marks those that are ours. Reading and comparing them is the queue's work, as always.
"""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from bigcommerce.errors import Rejected, Unavailable
from orders.doorbell import ring
from orders.models import Reconciliation
from orders.queue import mark_changed
from stores.clients import bigcommerce_for
from stores.models import Store

log = structlog.get_logger(__name__)

# Clocks differ, and BigCommerce may show a change late.
OVERLAP = timedelta(minutes=2)
# The first time we look at a store.
FIRST = timedelta(days=1)
AT_ONCE = 1000


def reconcile_due() -> int:
    """Reconcile every store whose last time is `RECONCILE_SECONDS` ago. Says how many."""
    before = timezone.now() - timedelta(seconds=settings.RECONCILE_SECONDS)
    stores = Store.objects.filter(state=Store.State.INSTALLED).exclude(
        reconciliation__until__gt=before
    )
    return sum(reconcile(store) for store in stores.iterator(50))


def reconcile(store: Store) -> bool:
    """Mark what changed in this store since the last time. False when BigCommerce does not say."""
    began = timezone.now()
    known = Reconciliation.objects.filter(store=store).first()
    since = known.until - OVERLAP if known and known.until else began - FIRST
    try:
        changed = changed_since(store, since)
    except (Rejected, Unavailable) as error:
        log.warning("reconciliation_failed", store=store.hash, reason=str(error))
        return False
    marked = mark(store, changed)
    Reconciliation.objects.update_or_create(store=store, defaults={"until": began})
    log.info("reconciled", store=store.hash, count=marked)
    return True


def replay(store: Store, since: datetime) -> int:
    """Mark what changed since then, because webhooks may be missing. Says how many orders."""
    return mark(store, changed_since(store, since - OVERLAP))


def changed_since(store: Store, since: datetime) -> list[int]:
    """The ids of the store's orders that were modified since then, ours or not."""
    orders = bigcommerce_for(store).orders(
        min_date_modified=since.isoformat(timespec="seconds"), sort="id:asc"
    )
    return [int(order["id"]) for order in orders]


def mark(store: Store, order_ids: list[int]) -> int:
    """Those of them that are ours and not due anyway are due now."""
    marked = sum(
        mark_changed(
            store=store,
            bigcommerce_id__in=order_ids[start : start + AT_ONCE],
            changed=F("synced"),
        )
        for start in range(0, len(order_ids), AT_ONCE)
    )
    if marked:
        ring()
    return marked
