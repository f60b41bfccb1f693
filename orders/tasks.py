"""Celery tasks of the orders: wake-ups, and the periodic tasks that need no wake-up."""

from collections.abc import Callable

from celery import shared_task

from orders.drift.checks import check_due
from orders.drift.reconcile import reconcile_due, watch_due
from orders.queue import claim
from orders.reports.run import send_due
from orders.sync import worker as draining
from stores.isolation import Busy, only_one


@shared_task
def drain() -> None:
    """Work on everything that is due.

    The message carries nothing, so losing or repeating it is harmless.
    """
    draining.drain()


@shared_task
def sweep() -> None:
    """Find work whose wake-up was lost, and events that arrived before their order."""
    claim.unpark()
    draining.drain()


@shared_task
def watch() -> None:
    """Check the webhooks of stores whose last check is an hour ago."""
    _unless_busy("watch", watch_due)


@shared_task
def reconcile() -> None:
    """Mark orders that changed without a webhook, every `RECONCILE_SECONDS`."""
    _unless_busy("reconcile", reconcile_due)


@shared_task
def send_reports() -> None:
    """Send delivery reports: start those that are due, retry failed ones, continue running ones."""
    send_due()


@shared_task
def check_drift() -> None:
    """Check every open order of stores whose nightly check is due, or whose outage is over."""
    check_due()


def _unless_busy(name: str, work: Callable[[], object]) -> None:
    """Run one at a time: beat starts the next run even while a slow one is going on."""
    try:
        with only_one(name):
            work()
    except Busy:
        return
