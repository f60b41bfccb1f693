"""Orders that changed without our hearing of it: what no webhook brought is marked here.

Asks BigCommerce for what was modified since the last time, which costs a call per 250 orders, and
marks those that are ours. Reading and comparing them is the queue's work, as always. A restored
database remembers an older last time, so the orders that it lost are among them: they are adopted.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from bigcommerce.documents import Order as Listed
from orders.drift import adopt
from orders.models import Reconciliation, WebhookEvent
from orders.queue import throttle
from orders.queue.claim import mark_changed
from orders.queue.throttle import after_outage, wait_for_quota
from orders.queue.wakeup import wake_worker
from payloads.order.lines import Document
from stores import registration
from stores.clients import bigcommerce_for
from stores.encryption import readable
from stores.isolation import delete_in_batches, in_no_order
from stores.models import Store, database_now, new_secret
from stores.registration import parts

log = structlog.get_logger(__name__)

# Clocks differ, and BigCommerce may show a change late.
_OVERLAP = timedelta(minutes=2)
# How far back the first run of a store goes.
_FIRST = timedelta(days=1)
_AT_ONCE = 1000
_SECONDS = 100.0  # of one run over all stores: less than a task may take
_ADOPT_SECONDS = 60.0  # the next check of all orders adopts the rest


def reconcile_due() -> int:
    """Reconcile every store whose last run is `RECONCILE_SECONDS` ago. Return how many."""
    before = Now() - timedelta(seconds=settings.RECONCILE_SECONDS)
    stores = Store.objects.filter(state=Store.State.INSTALLED).exclude(
        reconciliation__until__gt=before
    )
    done: list[Store] = []

    def work(store: Store) -> None:
        if reconcile(store):
            done.append(store)

    in_no_order("reconcile", stores, work, time.monotonic() + _SECONDS)
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


def _replay(store: Store, since: datetime) -> int:
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


# Check that webhooks work: BigCommerce deactivates them, and stops sending to blocked domains.
#
# https://docs.bigcommerce.com/docs/integrations/webhooks/overview: after two days of failures,
# after 90 idle days, or for three minutes when a domain fails too often. Every store is checked
# once an hour. Problems are repaired, and orders that changed meanwhile are replayed.
_LOOK_EVERY = timedelta(hours=1)
_KEEP_EVENTS = timedelta(days=14)


def watch_due() -> None:
    """Check every store whose last check is an hour ago; delete old events."""
    before = Now() - _LOOK_EVERY
    stores = Store.objects.filter(state=Store.State.INSTALLED).exclude(
        reconciliation__webhooks_at__gt=before
    )
    in_no_order("watch", stores, _watch, time.monotonic() + _SECONDS)
    old = WebhookEvent.objects.filter(received_at__lt=timezone.now() - _KEEP_EVENTS)
    delete_in_batches(old.exclude(outcome__in=("new", "parked")))


def _watch(store: Store) -> None:
    """Repair the store's webhooks, and replay what may be missing since the last check."""
    now = database_now()
    known, _ = Reconciliation.objects.get_or_create(store=store)
    if not readable(store, "webhook_secret"):  # the webhooks are registered again with a new one
        store.webhook_secret = new_secret()
        store.save(update_fields=["webhook_secret"])
    try:
        api = bigcommerce_for(store)
        if _is_broken(api, store):
            _repair(store, known.webhooks_at or store.installed_at)
    except (Rejected, Unavailable) as error:
        log.warning("webhook_check_failed", store=store.hash, reason=str(error))
        return
    Reconciliation.objects.filter(pk=known.pk).update(webhooks_at=now)


def _is_broken(api: BigCommerce, store: Store) -> bool:
    """Return whether a webhook is missing, changed or inactive, or our domain is blocked."""
    broken = [change.name for change in parts.webhook_changes(api, store)]
    ours = urlsplit(settings.APP_URL).hostname
    blocked = [
        domain["destination"]
        for domain in api.hooks_admin().get("blocked_domains") or ()
        if ours and ours in str(domain.get("destination"))
    ]
    if broken or blocked:
        log.warning("webhooks_broken", store=store.hash, reasons=[*broken, *blocked])
    return bool(broken or blocked)


def _repair(store: Store, since: datetime) -> None:
    registration.repair_registration(store)
    count = _replay(store, since)
    after_outage(store)
    log.info("webhooks_replayed", store=store.hash, count=count)
