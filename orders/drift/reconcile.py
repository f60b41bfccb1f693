"""Orders that changed without our hearing of it: what no webhook brought is marked here.

Asks BigCommerce for what was modified since the last time, which costs a call per 250 orders, and
marks those that are ours. Reading and comparing them is the queue's work, as always. A restored
database remembers an older last time, so the orders that it lost are among them: they are adopted.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from bigcommerce.client import BigCommerce
from bigcommerce.documents import Order as Listed
from bigcommerce.errors import Rejected, Unavailable
from orders.drift import adopt
from orders.models import Reconciliation
from orders.queue import throttle
from orders.queue.claim import mark_changed
from orders.queue.throttle import wait_for_quota
from orders.queue.wakeup import wake_worker
from payloads.order.lines import Document
from stores.clients import bigcommerce_for
from stores.isolation import each
from stores.models import Store, database_now

log = structlog.get_logger(__name__)

# Clocks differ, and BigCommerce may show a change late.
_OVERLAP = timedelta(minutes=2)
# How far back the first run of a store goes.
_FIRST = timedelta(days=1)
_AT_ONCE = 1000
_ADOPT_SECONDS = 60.0  # the next check of all orders adopts the rest


def reconcile_due() -> int:
    """Reconcile every store whose last run is `RECONCILE_SECONDS` ago. Return how many."""
    before = Now() - timedelta(seconds=settings.RECONCILE_SECONDS)
    stores = Store.objects.filter(state=Store.State.INSTALLED).exclude(
        reconciliation__until__gt=before
    )
    done: list[Store] = []
    each("reconcile", stores.iterator(50), lambda one: done.append(one) if reconcile(one) else None)
    return len(done)


def reconcile(store: Store, *, adopting: bool = True) -> bool:
    """Mark what changed in this store since the last run. Return False when BigCommerce fails."""
    began, api = database_now(), bigcommerce_for(store)
    known = Reconciliation.objects.filter(store=store).first()
    since = known.until - _OVERLAP if known and known.until else began - _FIRST
    try:
        changed = _changed_since(api, since)
    except (Rejected, Unavailable) as error:
        log.warning("reconciliation_failed", store=store.hash, reason=str(error))
        return False
    marked = _take(store, api, changed) if adopting else _mark(store, _numbers(changed))
    Reconciliation.objects.update_or_create(store=store, defaults={"until": began})
    log.info("reconciled", store=store.hash, count=marked)
    return True


def replay(store: Store, since: datetime) -> int:
    """Mark what changed since then, because webhooks may be missing. Return how many orders."""
    api = bigcommerce_for(store)
    return _take(store, api, _changed_since(api, since - _OVERLAP))


def _changed_since(api: BigCommerce, since: datetime) -> list[Listed]:
    """Return the store's orders modified since then, of any payment method."""
    return api.orders(min_date_modified=since.isoformat(timespec="seconds"), sort="id:asc")


def _take(store: Store, api: BigCommerce, changed: Sequence[Listed]) -> int:
    """Mark the orders that have a row and adopt those that lost it. Return how many."""
    marked = _mark(store, _numbers(changed))
    return marked + _adopt(store, api, adopt.unknown(store, changed))


def _numbers(orders: Sequence[Listed]) -> list[int]:
    return [int(order["id"]) for order in orders]


def _adopt(store: Store, api: BigCommerce, missing: Sequence[Document]) -> int:
    """Adopt orders while there is time. A check of all orders adopts the rest."""
    until, adopted = time.monotonic() + _ADOPT_SECONDS, 0
    for order in missing:
        if time.monotonic() > until:
            throttle.after_outage(store)
            break
        found = adopt.adopt(store, api, order)
        adopted += found is not None and found.kind == adopt.Kind.ADOPTED
        wait_for_quota(api, store.pk)
    return adopted


def _mark(store: Store, order_ids: list[int]) -> int:
    """Make the store's orders with these ids due, unless they are due anyway. Return how many."""
    marked = sum(
        mark_changed(
            store=store,
            bigcommerce_id__in=order_ids[start : start + _AT_ONCE],
            changed=F("synced"),
        )
        for start in range(0, len(order_ids), _AT_ONCE)
    )
    if marked:
        wake_worker()
    return marked
