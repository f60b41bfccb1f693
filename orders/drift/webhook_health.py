"""Check that webhooks work: BigCommerce deactivates them, and stops sending to blocked domains.

https://docs.bigcommerce.com/docs/integrations/webhooks/overview: after two days of failures, after
90 idle days, or for three minutes when a domain fails too often. Every store is checked once an
hour. Problems are repaired, and orders that changed meanwhile are replayed.
"""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from bigcommerce.client import BigCommerce
from bigcommerce.errors import Rejected, Unavailable
from orders.drift.reconcile import replay
from orders.models import Reconciliation, WebhookEvent
from orders.queue.throttle import after_outage
from stores import registration
from stores.clients import bigcommerce_for
from stores.encryption import readable
from stores.isolation import each
from stores.models import Store, database_now, new_secret
from stores.registration import webhooks

log = structlog.get_logger(__name__)

_LOOK_EVERY = timedelta(hours=1)
_KEEP_EVENTS = timedelta(days=14)


def watch_due() -> None:
    """Check every store whose last check is an hour ago; delete old events."""
    before = Now() - _LOOK_EVERY
    stores = Store.objects.filter(state=Store.State.INSTALLED).exclude(
        reconciliation__webhooks_at__gt=before
    )
    each("watch", stores.iterator(50), watch)
    old = WebhookEvent.objects.filter(received_at__lt=timezone.now() - _KEEP_EVENTS)
    old.exclude(outcome__in=("new", "parked")).delete()


def watch(store: Store) -> None:
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
    broken = [change.name for change in webhooks.plan(api, store)]
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
    count = replay(store, since)
    after_outage(store)
    log.info("webhooks_replayed", store=store.hash, count=count)
