"""Celery tasks of the stores: complete a registration, and maintain all stores periodically."""

import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from bigcommerce.api import Rejected, Unavailable
from stores import catalogue, connect, registration, statuses
from stores.clients import bigcommerce_for
from stores.install import forget_old_payloads, uninstall_what_was_revoked
from stores.isolation import Busy, in_turn, only_one
from stores.models import PanelSession, Store
from stores.privacy import personal_data
from stores.rate_limit import LIMITS, RateLimited, consume
from stores.registration import checkout_script

log = structlog.get_logger(__name__)
_SECONDS, _ERASING_SECONDS, _CHECKING_SECONDS = 100.0, 60.0, 30.0


def wake(task: Any, *args: Any) -> None:
    """Queue a task at once. While Redis is down only log it: the periodic task does the work."""
    try:
        task.delay(*args)
    except OperationalError as error:
        log.warning("wakeup_not_sent", task=task.name, reason=str(error))


@shared_task
def register_store(store_id: int) -> None:
    """Register what is missing in this store."""
    store = Store.objects.filter(pk=store_id, state=Store.State.INSTALLED).first()
    if store:
        registration.register(store)


@shared_task
def place_widgets(store_id: int) -> None:
    """Register or remove the widgets' script in this store, after a setting of theirs changed."""
    store = Store.objects.filter(pk=store_id, state=Store.State.INSTALLED).first()
    if store:
        registration.place_widgets(store)


@shared_task(name="stores.tasks.look_after_store")
def refresh_store(store_id: int) -> None:
    """Read the store's settings and storefronts again and repair what is registered."""
    store = Store.objects.filter(pk=store_id, state=Store.State.INSTALLED).first()
    if store:
        _refresh(store)


def _refresh(store: Store) -> None:
    """Repair the registration; read the status labels and the excluded subcategories."""
    registration.repair_registration(store)
    statuses.refresh(store)
    catalogue.refresh(store)


@shared_task
def try_again(store_id: int) -> None:
    """Check whether BigCommerce accepts the token that it refused.

    The refusal may have been temporary.
    """
    store = Store.objects.filter(pk=store_id, state=Store.State.NEEDS_REAUTHORISATION).first()
    if store:
        _try_again(store)


def _try_again(store: Store) -> None:
    try:
        bigcommerce_for(store).store()
    except (Rejected, Unavailable) as error:
        log.info("access_still_refused", store=store.hash, reason=str(error))
    else:
        store.works_again()


@shared_task
def probe_accounts() -> None:
    """Check whether SeQura accepts the accounts that it refused; once a day check all others."""
    with suppress(Busy), only_one("probing accounts"):
        connect.probe_accounts()


@shared_task(name="stores.tasks.tend_stores")
def maintain_stores() -> None:
    """Maintain all stores; beat runs this every two minutes.

    Retry failed registrations, check every store once a day and after a release that changes the
    checkout script, delete what has expired, and erase personal data whose retention is over.
    """
    forget_old_payloads()
    PanelSession.delete_expired()
    checkout_script.keep_version()
    checkout_script.forget_versions()
    uninstall_what_was_revoked(time.monotonic() + _CHECKING_SECONDS)
    with suppress(Busy), only_one("erasing personal data"):
        personal_data.erase_due(time.monotonic() + _ERASING_SECONDS)
    with suppress(Busy), only_one("tending stores"):
        _maintain_all(time.monotonic() + _SECONDS)


def _maintain_all(until: float) -> None:
    """Maintain the stores that are due until the time is up; the next run continues."""
    installed = Store.objects.filter(state=Store.State.INSTALLED)
    registration.expect_new_script(installed)
    for state in (Store.State.NEEDS_REAUTHORISATION, Store.State.INSTALLED):
        stores = Store.objects.filter(state=state)
        in_turn("maintenance", stores, "maintain_due_at", _maintain, until)


def _maintain(store: Store) -> datetime:
    """Do what is due in this store. Return when something may be due next."""
    if not store.is_installed:
        return _probe(store)
    if registration.is_due(store):
        registration.register(store)
    elif registration.is_outdated(store):
        _refresh(store)
    elif store.widgets_due:
        registration.place_widgets(store)
    store.refresh_from_db()
    return registration.next_turn(store)


def _probe(store: Store) -> datetime:
    """Check the refused token, once an hour at most. Return when to check it again."""
    limit = LIMITS["probe"]
    try:
        consume(f"access of store {store.pk}", **limit)
    except RateLimited as limited:
        return timezone.now() + timedelta(seconds=limited.retry_after)
    _try_again(store)
    return timezone.now() + timedelta(seconds=limit["seconds"])
