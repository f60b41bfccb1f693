"""Celery's part: finish what a registration could not, and look after it from day to day."""

from datetime import timedelta
from typing import Any

import structlog
from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from stores import registration
from stores.identity import forget_old_payloads
from stores.models import Store

log = structlog.get_logger(__name__)
# BigCommerce switches a webhook off after 90 idle days, or two days of failures.
LOOK_AGAIN = timedelta(days=1)
BATCH = 50


def wake(task: Any, *args: Any) -> None:
    """Ring the doorbell. Nobody hears it while Redis is away: the sweep comes by anyway."""
    try:
        task.delay(*args)
    except OperationalError as error:
        log.warning("doorbell_unheard", task=task.name, reason=str(error))


@shared_task
def register_store(store_id: int) -> None:
    """Register what is missing in this store."""
    store = Store.objects.filter(pk=store_id, state=Store.State.INSTALLED).first()
    if store:
        registration.register(store)


@shared_task
def look_after_store(store_id: int) -> None:
    """Read the store's facts and storefronts anew, and look at what is registered."""
    store = Store.objects.filter(pk=store_id, state=Store.State.INSTALLED).first()
    if store:
        registration.look_after(store)


@shared_task
def tend_stores() -> None:
    """Register again what failed, every few minutes; look at every store once a day."""
    forget_old_payloads()
    for store in Store.objects.filter(state=Store.State.INSTALLED).iterator(BATCH):
        if registration.is_due(store):
            registration.register(store)
        elif registration.looked_at(store) < timezone.now() - LOOK_AGAIN:
            registration.look_after(store)
