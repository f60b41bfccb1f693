"""Celery's part: wake-ups, and the sweep that needs none."""

from collections.abc import Callable
from typing import Any

from celery import shared_task
from celery.signals import worker_process_shutdown

from orders.drift.reconcile import reconcile_due
from orders.drift.run import check_due
from orders.drift.webhook_health import watch_due
from orders.queue import claim
from orders.reports.run import send_due
from orders.sync import worker as draining
from stores.locks import Busy, only_one


@worker_process_shutdown.connect
def finish(**_: Any) -> None:
    """Runs in a worker's child before it ends."""
    draining.finish_asides()


@shared_task
def drain() -> None:
    """Work on whatever is due. Carries nothing: a lost or repeated message means nothing."""
    draining.drain()


@shared_task
def sweep() -> None:
    """What a lost wake-up forgot, and events that came before their order."""
    claim.unpark()
    draining.drain()


@shared_task
def watch() -> None:
    """Look after the webhooks of stores whose last look is an hour ago."""
    _unless_busy("watch", watch_due)


@shared_task
def reconcile() -> None:
    """Mark orders that changed without our hearing of it, every `RECONCILE_SECONDS`."""
    _unless_busy("reconcile", reconcile_due)


@shared_task
def send_reports() -> None:
    """Delivery reports: start what is due, take up what failed, go on with what is under way."""
    send_due()


@shared_task
def check_drift() -> None:
    """Look at every open order of the stores whose night has come, or whose outage is over."""
    check_due()


def _unless_busy(name: str, work: Callable[[], object]) -> None:
    """Once at a time: beat does not wait for a slow run."""
    try:
        with only_one(name):
            work()
    except Busy:
        return
