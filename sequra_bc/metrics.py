"""Metrics for Prometheus at `/metrics`.

Each scrape counts the queues in the database, so every process returns the same figures. Workers
serve no metrics: after each task they add their counters to rows, which every web process shows
under names that begin with `sequra_bc_worker_`. Requests are counted in each process; `wsgi.py`
lets the processes of one server share their counters in a folder
(https://prometheus.github.io/client_python/multiprocess/). No label holds an order, a store or a
person.
"""

import json
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import structlog
from celery import current_app
from django.apps import apps
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Count, F, Max, Min, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from sequra_bc.shared_counters import folder
from stores.models import database_now

log = structlog.get_logger(__name__)

_REQUESTS = Counter("sequra_bc_requests", "Requests answered", ["method", "route", "status"])
_SECONDS = Histogram("sequra_bc_request_seconds", "Time to answer", ["route"])
_OURS, _WORKERS = "sequra_bc_", "sequra_bc_worker_"
# In the order of the keys, so that two workers never deadlock.
_ADD = """
INSERT INTO stores_workerfigure AS known (name, labels, value)
SELECT * FROM unnest(%s::text[], %s::text[], %s::float[]) ORDER BY 1, 2
ON CONFLICT (name, labels) DO UPDATE SET value = known.value + excluded.value
"""
# The phases in which confirm() has nothing to do, as payments.models names them.
_AT_REST = ("solicited", "refused", "done")
# Those in which SeQura has confirmed and the order is not finished.
_CONFIRMED = ("confirmed", "creating", "created", "settled", "placed")
# Nothing that waits is counted further: a scrape is as cheap in the worst night as in any other.
_MOST = 10_000
_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}


def known_method(method: str) -> str:
    """Return the method, or `other`: an invented one must not create a new name."""
    return method if method in _METHODS else "other"


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request."""
    _answers(known_method(method), route, str(status)).inc()
    _times(route).observe(seconds)


# Finding a series by its labels takes longer than counting.
_answers, _times = cache(_REQUESTS.labels), cache(_SECONDS.labels)


def metrics() -> HttpResponse:
    """Return the page. Without a database it has `sequra_bc_database_up 0`."""
    registry = CollectorRegistry()
    if shared := folder():
        # prometheus_client does not type it.
        MultiProcessCollector(registry, path=shared)  # type: ignore[no-untyped-call]
    body = generate_latest(registry) if shared else generate_latest(REGISTRY)
    queues = CollectorRegistry()
    queues.register(_QueueCollector())
    return HttpResponse(body + generate_latest(queues), content_type=CONTENT_TYPE_LATEST)


def _rows(model: str) -> QuerySet[Any]:
    """Return all rows of a model, by its label: the project knows the apps by name only."""
    return QuerySet(apps.get_model(model))


class _QueueCollector(Collector):
    """Count the queues in the database."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("sequra_bc_database_up", "Whether the database answers")
        try:
            figures = list(queues())
        except DatabaseError:
            figures = []
        up.add_metric([], 1 if figures else 0)
        yield up
        yield from figures
        yield from _lanes()


def queues() -> Iterator[Metric]:
    yield from _due_orders()
    yield from _solicitations()
    yield _events()
    yield _entries()
    yield _accounts()
    yield _maintenance()
    yield _leases()
    yield _breakers()
    yield from _worker_figures()


def _due_orders() -> Iterator[GaugeMetricFamily]:
    now = database_now()
    due = _rows("orders.Order").filter(changed__gt=F("synced"))
    first = due.order_by("due_at")[:_MOST]
    found = first.aggregate(now=Count("pk", filter=Q(due_at__lte=now)), all=Count("pk"))
    oldest = due.filter(due_at__lte=now).aggregate(at=Min("due_at"))["at"]
    waiting = GaugeMetricFamily(
        "sequra_bc_orders_waiting", "Orders whose change SeQura does not know", labels=["when"]
    )
    waiting.add_metric(["due"], found["now"])
    waiting.add_metric(["later"], found["all"] - found["now"])
    yield waiting
    age = (now - oldest).total_seconds() if oldest else 0
    yield GaugeMetricFamily("sequra_bc_oldest_due_seconds", "Age of the oldest due order", age)


def _solicitations() -> Iterator[GaugeMetricFamily]:
    """Purchases under way, and how long the oldest one stands between SeQura's confirmation and
    its finished order, which is a matter of seconds. One scan counts both.
    """
    family = GaugeMetricFamily(
        "sequra_bc_solicitations_open", "Purchases under way, by phase", labels=["phase"]
    )
    under_way = _rows("payments.Solicitation").exclude(phase__in=_AT_REST).values_list("phase")
    counted = under_way.annotate(Count("pk"), Min("confirm_intent_at")).order_by()
    found = {phase: (number, since) for phase, number, since in counted}
    for phase, _ in apps.get_model("payments.Solicitation")._meta.get_field("phase").flatchoices:
        if phase not in _AT_REST:
            family.add_metric([phase], found.get(phase, (0, None))[0])
    yield family
    confirmed = [since for phase, (_, since) in found.items() if phase in _CONFIRMED and since]
    age = (database_now() - min(confirmed)).total_seconds() if confirmed else 0
    text = "Age of the oldest purchase that SeQura confirmed and that has no finished order"
    yield GaugeMetricFamily("sequra_bc_oldest_payment_seconds", text, age)


def _leases() -> GaugeMetricFamily:
    family = GaugeMetricFamily("sequra_bc_leases", "Orders in a worker's hands", labels=["state"])
    leased = _rows("orders.Order").filter(changed__gt=F("synced"), leased_until__isnull=False)
    over = Q(leased_until__lte=Now())
    found = leased.aggregate(held=Count("pk", filter=~over), expired=Count("pk", filter=over))
    for state, number in found.items():
        family.add_metric([state], number)
    return family


def _breakers() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "sequra_bc_breakers_open", "Hosts of stores that failed too often", labels=["system"]
    )
    shut = _rows("orders.Gate").filter(open_until__gt=Now())
    bigcommerce = Q(host="bigcommerce")
    found = shut.aggregate(
        bigcommerce=Count("pk", filter=bigcommerce), sequra=Count("pk", filter=~bigcommerce)
    )
    for system, number in found.items():
        family.add_metric([system], number)
    return family


def _lanes() -> Iterator[GaugeMetricFamily]:
    """Count the messages that no worker has fetched, as the broker reports them."""
    up = GaugeMetricFamily("sequra_bc_broker_up", "Whether the broker answers")
    waiting = GaugeMetricFamily("sequra_bc_lane_messages", "Messages, by lane", labels=["lane"])
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            for lane, queue in current_app.amqp.queues.items():
                declared: Any = queue(broker.default_channel).queue_declare()
                waiting.add_metric([lane], declared.message_count)
    except Exception as error:  # noqa: BLE001 (every transport has errors of its own)
        log.warning("broker_not_counted", reason=f"{type(error).__name__}: {error}")
        up.add_metric([], 0)
    else:
        up.add_metric([], 1)
    yield from (up, waiting)


def _events() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "sequra_bc_webhook_events_waiting", "The inbox, by outcome so far", labels=["outcome"]
    )
    for outcome in ("new", "parked"):
        events = _rows("orders.WebhookEvent").filter(outcome=outcome)
        family.add_metric([outcome], events[:_MOST].count())
    return family


def _accounts() -> GaugeMetricFamily:
    """Count accounts that SeQura refuses: their merchants have to act."""
    refused = _rows("stores.Connection").filter(refused_at__isnull=False, state="connected")
    return GaugeMetricFamily(
        "sequra_bc_accounts_refused", "Accounts that SeQura refuses", refused.count()
    )


def _maintenance() -> GaugeMetricFamily:
    """Each maintenance run marks the checkout script as current, and nothing else is as regular:
    an old mark means that beat or the slow lane stands still. There is no figure before the first.
    """
    family = GaugeMetricFamily(
        "sequra_bc_maintenance_age_seconds", "Time since maintenance last ran", labels=[]
    )
    last = _rows("stores.ScriptVersion").aggregate(at=Max("current_at"))["at"]
    if last:
        family.add_metric([], (database_now() - last).total_seconds())
    return family


def _entries() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "sequra_bc_entries_open", "Open lines of the transaction log", labels=["outcome"]
    )
    still_open = _rows("transaction_log.Entry").filter(closed_at__isnull=True)
    for outcome in ("rejected", "delayed"):
        family.add_metric([outcome], still_open.filter(outcome=outcome)[:_MOST].count())
    return family


class _Keeper:
    """Add this process's counters to the figures of all workers, each increase once."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Add what was counted since the last call. While the database is down it accumulates."""
        with self._lock:
            now = _counted()
            news = {key: value - self._kept.get(key, 0) for key, value in now.items()}
            added = [(*key, more) for key, more in news.items() if more]
            if not added:
                return
            try:
                with connection.cursor() as cursor:
                    cursor.execute(_ADD, [list(column) for column in zip(*added, strict=True)])
            except (DatabaseError, InterfaceError):
                return
            self._kept = now


keeper = _Keeper()


def _counted() -> dict[tuple[str, str], float]:
    """Return the counters of this process by name and labels."""
    return {
        (sample.name, json.dumps(sample.labels, sort_keys=True)): sample.value
        for family in _our_families()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def _our_families() -> Iterator[Metric]:
    return (family for family in REGISTRY.collect() if family.name.startswith(_OURS))


def _worker_figures() -> Iterator[Metric]:
    """Return the workers' counters, of the metrics that workers count."""
    known = _rows("stores.WorkerFigure").values_list("name", "labels", "value")
    by_name: dict[str, list[tuple[dict[str, str], float]]] = {}
    for name, labels, value in known:
        by_name.setdefault(name, []).append((json.loads(labels), value))
    for family in _our_families():
        of_workers = _WORKERS + family.name.removeprefix(_OURS)
        found = Metric(of_workers, f"{family.documentation}, by workers", family.type)
        for ending in ("_bucket", "_count", "_sum", "_total"):
            for labels, value in sorted(by_name.get(family.name + ending, []), key=_in_order):
                found.add_sample(of_workers + ending, labels, value)
        if found.samples:
            yield found


def _in_order(figure: tuple[dict[str, str], float]) -> tuple[list[str], float]:
    """Return the sort key: labels, and the buckets of a histogram by their limits."""
    labels = dict(figure[0])
    limit = float(labels.pop("le", "inf"))
    return sorted(labels.values()), limit
