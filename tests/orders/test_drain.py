"""Workers: what they share, what they leave behind, and who wakes them."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from orders import tasks
from orders.models import Gate, Order
from orders.queue import claim, wakeup
from orders.queue.claim import Lease
from orders.sync import results
from orders.sync import worker as draining
from orders.sync.sync import Result
from orders.sync.worker import drain
from sequra_bc.celery import app
from stores.clients import UNREADABLE
from tests.orders.merchant import Merchant
from tests.orders.test_queue import rolled_back

UPDATE = r"/merchants/[^/]+/orders/.*"


@pytest.fixture
def orders(merchant: Merchant) -> list[Order]:
    """Six shipped orders that SeQura does not know about."""
    orders = [merchant.order() for _ in range(6)]
    for order in orders:
        merchant.acts("ship", order)
        claim.mark_changed(pk=order.pk)
    return orders


def all_shipped(merchant: Merchant, orders: list[Order]) -> bool:
    return all(merchant.at_sequra(order)["unshipped_cart"]["items"] == [] for order in orders)


def drains_in_threads(number: int) -> None:
    def run() -> None:
        try:
            drain()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ended(outcome: str) -> float:
    return REGISTRY.get_sample_value("sequra_bc_synced_total", {"outcome": outcome}) or 0


def test_how_orders_ended_is_counted(orders: list[Order]) -> None:
    before = ended("sent")
    drain()

    assert ended("sent") == before + len(orders)


@pytest.mark.parametrize("error", [TypeError("ours"), UNREADABLE[0]])
def test_orders_that_a_defect_or_an_unreadable_secret_delays_are_counted(
    orders: list[Order], error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(draining, "bigcommerce_for", fails)
    before = ended("later")
    drain()

    assert ended("later") == before + len(orders)


def test_a_shop_that_hangs_delays_only_its_own_changes(
    merchant: Merchant, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its calls go on aside: the run that made them ends, and the next one serves the others."""
    release, asked = threading.Event(), threading.Event()
    slow, tell = orders[0], draining._synchronise

    def synchronise(order: Order, lease: Lease) -> draining._Done:
        if order.pk == slow.pk:
            asked.set()
            assert release.wait(60)
        return tell(order, lease)

    monkeypatch.setattr(draining, "_synchronise", synchronise)
    monkeypatch.setattr(draining, "_STOP_AFTER", 1.0)
    try:
        for _ in orders:  # as wake-ups and sweeps do
            drain()
        assert asked.is_set()
        assert all_shipped(merchant, orders[1:])
        assert merchant.at_sequra(slow)["unshipped_cart"]["items"] != []
        assert Order.objects.get(pk=slow.pk).lease != ""
    finally:
        release.set()
        draining.finish_asides()
    assert all_shipped(merchant, orders)
    assert len(merchant.updates()) == len(orders)
    assert Order.objects.filter(lease="").count() == len(orders)


def test_many_workers_tell_everything_once(merchant: Merchant, orders: list[Order]) -> None:
    drains_in_threads(4)
    drain()
    assert all_shipped(merchant, orders)
    assert len(merchant.updates()) == len(orders)


def test_what_becomes_due_after_the_last_look_is_not_left(
    merchant: Merchant, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow machine the burst's second is over before the worker asks what comes soon."""
    late = orders[0]
    Order.objects.filter(pk=late.pk).update(due_at=timezone.now() + timedelta(days=1))
    due_within = claim.due_within

    def asked_late(*seconds: float, **looked: float) -> bool:
        Order.objects.filter(pk=late.pk, due_at__gt=Now() + timedelta(hours=1)).update(due_at=Now())
        return due_within(*seconds, **looked)

    monkeypatch.setattr(claim, "due_within", asked_late)

    assert drain() == len(orders)
    assert all_shipped(merchant, orders)


def test_a_result_that_cannot_be_written_keeps_no_other_from_it(
    merchant: Merchant, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What SeQura accepted of the first order is nothing that PostgreSQL takes."""
    broken = orders[0].pk
    row = results._row

    def broken_row(order: Order, result: Result) -> dict[str, Any]:
        fields = row(order, result)
        return fields | {"update": {"name": "\0"}} if order.pk == broken else fields

    monkeypatch.setattr(results, "_row", broken_row)
    drain()

    found = Order.objects.get(pk=broken)
    assert (found.attempts, found.unsure, found.lease) == (1, True, "")
    assert found.due_at > timezone.now()
    assert not Order.objects.exclude(pk=broken).filter(accepted_update=None).exists()
    assert all_shipped(merchant, orders)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_deadlocks_while_results_are_written_end_no_run(
    merchant: Merchant, orders: list[Order], times: int
) -> None:
    """After two of them the results are written one by one."""
    with rolled_back(times):
        drain()
    assert all_shipped(merchant, orders)
    assert len(merchant.updates()) == len(orders)
    assert Order.objects.filter(lease="", unsure=False, synced=F("changed")).count() == len(orders)


def test_no_transaction_is_open_during_a_call(merchant: Merchant, orders: list[Order]) -> None:
    merchant.sandbox.fault(UPDATE, method="PUT", status=200, effect="before", delay=0.6, times=99)
    worker = threading.Thread(target=drains_in_threads, args=[1])
    worker.start()
    seen: set[str] = set()
    while worker.is_alive():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT state FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
                " AND datname = current_database() AND now() - state_change > interval '0.3 s'"
            )
            seen |= {state for (state,) in cursor.fetchall()}
        time.sleep(0.05)
    worker.join()
    assert seen == set()


def test_killed_drain_is_repaired_when_its_leases_end(
    merchant: Merchant, orders: list[Order], settings: Settings
) -> None:
    merchant.sandbox.fault(UPDATE, method="PUT", status=200, effect="before", delay=9, times=99)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "drain"],
        env={
            **os.environ,
            "DATABASE_URL": database_url(),
            "BIGCOMMERCE_API_URL": settings.BIGCOMMERCE_API_URL,
            "SEQURA_DEPLOYMENTS_URL": settings.SEQURA_DEPLOYMENTS_URL,
        },
        stdout=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not merchant.updates():
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    merchant.sandbox.clear_faults()
    drain()
    assert Order.objects.filter(leased_until__isnull=False).exists()
    Order.objects.filter(leased_until__isnull=False).update(leased_until=timezone.now())
    drain()
    assert all_shipped(merchant, orders)
    assert not Order.objects.filter(unsure=True).exists()


def database_url() -> str:
    base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    return f"{base}/{connection.settings_dict['NAME']}"


def test_small_quota_is_halved_and_never_exceeded(merchant: Merchant, orders: list[Order]) -> None:
    merchant.sandbox.knobs(quota=merchant_calls(merchant) + 24)
    Gate.objects.update(window_until=timezone.now())
    seen = len(merchant.sandbox.calls("bigcommerce"))
    for _ in range(4):
        drain()
    used = merchant.sandbox.calls("bigcommerce")[seen:]
    assert 0 < len(used) <= 12 + 5
    assert {call["status"] for call in used} <= {200, 204}
    merchant.sandbox.knobs(quota=100_000)
    Gate.objects.update(window_until=timezone.now())
    drain()
    assert all_shipped(merchant, orders)


def merchant_calls(merchant: Merchant) -> int:
    """Calls of this window: the sandbox counts them like BigCommerce."""
    return len([c for c in merchant.sandbox.calls("bigcommerce") if "/stores/" in c["path"]])


def test_sweep_finds_what_no_wake_up_told(merchant: Merchant, orders: list[Order]) -> None:
    tasks.sweep()
    assert all_shipped(merchant, orders)


def test_command_drains_without_celery(merchant: Merchant, orders: list[Order]) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    call_command("drain")
    signal.signal(signal.SIGTERM, before[0])
    signal.signal(signal.SIGINT, before[1])
    assert all_shipped(merchant, orders)


@pytest.fixture
def published_at(servers: None, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments at which a wake-up was published."""
    published: list[float] = []

    def publish(*_: object, **__: object) -> None:
        published.append(time.monotonic())
        if len(published) == 1:
            raise ConnectionError("the broker is away")

    monkeypatch.setattr(app, "send_task", publish)
    monkeypatch.setattr(wakeup, "_PAUSE_AFTER_FAILURE", 0.2)
    # Nobody serves this broker: what other tests sent is still in its queue.
    monkeypatch.setattr(wakeup, "_ENOUGH", math.inf)
    return published


def test_many_requests_are_few_wake_ups_and_never_wait_for_the_broker(
    published_at: list[float],
) -> None:
    thread, requests = wakeup._WakeupThread(), 0
    while len(published_at) < 6:
        thread.request()
        requests += 1
        assert requests < 20_000, "the thread publishes nothing"
        time.sleep(0.001)
    published = list(published_at)
    pauses = [later - earlier for earlier, later in pairwise(published)]
    assert requests > 10 * len(published)
    assert pauses[0] >= 0.2  # the broker was away
    assert min(pauses[1:]) >= wakeup._PAUSE
