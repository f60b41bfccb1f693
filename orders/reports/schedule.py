"""Schedule delivery reports: merchant ids, orders to report, and the moment of each night.

https://docs.sequra.com/docs/delivery-report-and-statistics
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

from django.db import IntegrityError, transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from orders.models import Order, ReportRun
from stores.models import Connection, Merchant, Store
from stores.storefronts import time_zone_of

# Each store has its own moment within so many minutes of the hour, to spread the load.
JITTER_MINUTES = 55
# Not needed here: decrypting them for every store, every minute, would be wasted.
SECRETS = ("access_token", "webhook_secret", "report_token")


@dataclass(frozen=True)
class Addressee:
    """A merchant id at SeQura, and the account it belongs to."""

    connection: Connection
    merchant_ref: str


def addressees(store: Store, waiting: Iterable[tuple[int, str]] | None = None) -> list[Addressee]:
    """Every merchant id the store sells with, and those that still have orders to tell.

    `waiting`: connection and merchant id of the latter, for those who have asked already.
    """
    merchants = Merchant.objects.filter(store=store, selling=True)
    selling = merchants.exclude(connection__state="archived").order_by("country")
    found = [(one.connection_id, one.ref) for one in selling]
    if waiting is None:
        waiting = to_report(store).values_list("connection_id", "merchant_ref").distinct()
    found += waiting
    speaking = store.connections.filter(stopped_at=None).exclude(password="")
    connections = {one.pk: one for one in speaking}
    return [
        Addressee(connections[pk], ref) for pk, ref in dict.fromkeys(found) if pk in connections
    ]


def to_report(store: Store) -> QuerySet[Order]:
    """Return orders with a shipment that no accepted report contains."""
    orders = Order.objects.filter(store=store).exclude(shipment=F("reported_shipment"))
    return orders.exclude(shipment="").exclude(status=Order.Status.CANCELLED)


def to_report_by(addressee: Addressee, store: Store) -> QuerySet[Order]:
    return to_report(store).filter(
        connection=addressee.connection, merchant_ref=addressee.merchant_ref
    )


def start(store: Store, cause: str) -> bool:
    """Start a run unless one is running. A failed run is given up for the new one."""
    if store.report_runs.filter(state=ReportRun.State.RUNNING).exists():
        return False
    try:
        with transaction.atomic():
            store.report_runs.filter(next_at__isnull=False).update(next_at=None)
            store.report_runs.create(cause=cause)
    except IntegrityError:
        return False
    return True


def has_failed(store: Store) -> bool:
    """Return whether the last finished run failed."""
    ended = store.report_runs.exclude(state=ReportRun.State.RUNNING).order_by("-id").first()
    return ended is not None and ended.state == ReportRun.State.FAILED


def moment_on(store: Store, day: date) -> datetime:
    """Return when the report of this day is due, in UTC: the store's own hour, and some minutes."""
    digest = sha256(f"{store.hash} {day}".encode()).digest()
    minutes = int.from_bytes(digest[:2]) % JITTER_MINUTES
    local = datetime.combine(day, time(store.reports_hour % 24, minutes), time_zone_of(store))
    return local.astimezone(UTC)


def last_moment(store: Store, now: datetime) -> datetime:
    """Return the latest moment at which a report was due."""
    return moment_on(store, _last_day(store, now))


def next_moment(store: Store, now: datetime) -> datetime:
    """Return when the next report is sent automatically."""
    return moment_on(store, _last_day(store, now) + timedelta(days=1))


def _last_day(store: Store, now: datetime) -> date:
    today = now.astimezone(time_zone_of(store)).date()
    return today if moment_on(store, today) <= now else today - timedelta(days=1)


def due_stores(now: datetime | None = None) -> Iterator[Store]:
    """Return the stores whose moment has passed since their last run.

    A missed one is made up for.
    """
    now = now or timezone.now()
    stores = Store.objects.exclude(state=Store.State.UNINSTALLED).filter(
        reports_enabled=True, merchants__selling=True
    )
    stores = stores.defer(*SECRETS)
    for store in stores.annotate(last_run=Max("report_runs__started_at")).iterator(500):
        moment = last_moment(store, now)
        if store.installed_at <= moment and (store.last_run is None or store.last_run < moment):
            yield store
