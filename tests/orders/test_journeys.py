"""What the merchant does reaches SeQura by itself: sandbox, app, worker and beat as processes."""

import json
import os

import psycopg2
import pytest
import redis

from local.demo import STORE
from local.stack import BIN, Stack
from sequra_bc.celery import app
from tests.orders.world import World

FAULTY = r"/merchants/[^/]+/orders/.*"
RECOVERED = 90.0  # seconds after the end of a trouble; four minutes are promised


@pytest.fixture(scope="module")
def world(stack: Stack) -> World:
    return World(stack)


@pytest.fixture(autouse=True)
def calm(world: World) -> None:
    world.sandbox.clear_faults()
    world.sandbox.control("POST", "webhooks/release", {})


def entries(world: World, number: int) -> list[tuple[str, str]]:
    """The order's lines in the transaction log: event and outcome."""
    with psycopg2.connect(world.stack.urls["DATABASE_URL"]) as database:
        cursor = database.cursor()
        cursor.execute(
            "SELECT event, outcome FROM transaction_log_entry WHERE bigcommerce_id = %s"
            " ORDER BY id",
            [number],
        )
        found: list[tuple[str, str]] = cursor.fetchall()
    database.close()
    return found


def test_calls_of_workers_are_counted_where_prometheus_asks(world: World) -> None:
    name = 'sequra_bc_worker_calls_total{method="PUT",outcome="accepted",system="SeQura"}'
    number = world.buy()
    before = world.figures().get(name, 0)
    world.does("ship", number)
    world.wait(lambda: world.totals(number) == (0, 14980), "the shipment")
    world.wait(lambda: world.figures().get(name, 0) > before, "the call that told it")


def test_edit_ship_and_refund_reach_sequra(world: World) -> None:
    number = world.buy()
    assert world.updates(number) == []
    lamp, cups = world.lines(number)
    world.does("edit_order", number, lines=[{"id": lamp["id"], "price": "79.95"}])
    world.wait(lambda: world.totals(number) == (13980, 0), "the edited price")
    some = [{"order_product_id": lamp["id"], "quantity": 1}]
    world.does("ship", number, items=some, tracking_number="T1", carrier="seur")
    world.wait(lambda: world.totals(number)[1] > 7995, "the first parcel")
    world.does("ship", number, tracking_number="T2", carrier="seur")
    world.wait(lambda: world.totals(number) == (0, 13980), "the second parcel")
    world.does("refund", number, items=[{"order_product_id": cups["id"], "quantity": 1}])
    world.wait(lambda: world.totals(number) == (0, 8490), "the refunded line")
    world.does("refund", number)
    world.wait(lambda: world.totals(number) == (0, 0), "the rest refunded")
    wanted = ["purchase", "edit", "ship", "ship", "refund", "refund"]
    world.wait(lambda: len(entries(world, number)) >= len(wanted), "the log")
    assert [event for event, _ in entries(world, number)] == wanted


def test_cancellation_reaches_sequra(world: World) -> None:
    number = world.buy()
    world.does("cancel", number)
    world.wait(lambda: world.totals(number) == (0, 0), "the cancellation")
    told = [("purchase", "accepted"), ("cancel", "accepted")]
    world.wait(lambda: entries(world, number) == told, "the entry of the log")


def test_webhooks_that_come_twice_backwards_and_late_cause_one_update(world: World) -> None:
    number = world.buy()
    world.sandbox.control("POST", "webhooks/hold", {})
    world.does("edit_billing_address", number, city="Girona")
    world.does("ship", number)
    world.sandbox.control("POST", "webhooks/reorder", {"copies": 3})
    world.wait(lambda: world.totals(number) == (0, 14980), "the shipment")
    world.wait(lambda: world.sandbox.control("GET", "webhooks")["pending"] == 0, "all arrived")
    assert len(world.updates(number)) == 1


def test_nothing_is_lost_with_redis(world: World) -> None:
    numbers = [world.buy() for _ in range(5)]
    broker = redis.from_url(world.stack.urls["REDIS_URL"])
    for number in numbers:
        world.does("ship", number)
        broker.flushdb()
    broker.close()
    for number in numbers:
        # mypy does not infer the type of a default.
        world.wait(lambda n=number: world.totals(n) == (0, 14980), "shipped", RECOVERED)  # type: ignore[misc]
        assert len(world.updates(number)) == 1


@pytest.mark.parametrize("kill", range(int(os.environ.get("KILLS", "1"))))
def test_killed_worker_loses_and_doubles_nothing(world: World, kill: int) -> None:
    """Killed while SeQura has answered nothing, some orders, or nearly all of them."""
    numbers, delay = [world.buy() for _ in range(5)], (3, 0.4, 0.1)[kill % 3]
    world.sandbox.fault(FAULTY, method="PUT", status=200, effect="before", delay=delay, times=99)
    for number in numbers:
        world.does("ship", number)
    world.wait(lambda: any(world.updates(number) for number in numbers), "working")
    world.kill("worker")
    world.sandbox.clear_faults()
    assert in_hand(world) > 0 or delay < 3
    let_leases_pass(world)
    world.stack.start("worker")
    for number in numbers:
        world.wait(lambda n=number: world.totals(n) == (0, 14980), "shipped", RECOVERED)  # type: ignore[misc]
    for number in numbers:
        world.wait(lambda n=number: len(entries(world, n)) == 2, "written down", RECOVERED)  # type: ignore[misc]
        assert entries(world, number) == [("purchase", "accepted"), ("ship", "accepted")]


def test_a_worker_that_stops_under_load_leaves_nothing_behind(world: World) -> None:
    """Calls are under way in both lanes: they end, no other begins, nothing is in doubt."""
    numbers, store = [world.buy() for _ in range(6)], world.store_id()
    world.sandbox.fault(FAULTY, method="PUT", status=200, effect="before", delay=4, times=99)
    world.sandbox.fault(r"/v3/hooks", delay=4, times=0)
    with app.connection_for_write(world.stack.app_env["REDIS_URL"]) as connection:
        for _ in range(4):
            app.send_task("stores.tasks.look_after_store", [store], connection=connection)
    for number in numbers:
        world.does("ship", number)
    world.wait(lambda: any(world.updates(number) for number in numbers), "working")
    worker = world.stack.processes["worker"]
    worker.stop()
    assert worker.tether
    assert worker.tether.returncode == 0  # it ended by itself, before it would be killed
    assert in_hand(world) == 0
    world.sandbox.clear_faults()
    world.stack.start("worker")
    for number in numbers:
        world.wait(lambda n=number: world.totals(n) == (0, 14980), "shipped", RECOVERED)  # type: ignore[misc]
        assert len(world.updates(number)) == 1


def test_a_second_beat_changes_nothing(world: World) -> None:
    stack = world.stack
    second = stack._process("beat2", str(BIN / "celery"), "-A", "sequra_bc", "beat")
    second.start()
    second.wait_ready()
    try:
        number = world.buy()
        sent = stack.processes["worker"].log.read_text().count("orders.tasks.sweep")
        world.does("ship", number)
        world.wait(lambda: world.totals(number) == (0, 14980), "the shipment")
        world.wait(
            lambda: (
                stack.processes["worker"].log.read_text().count("orders.tasks.sweep") >= sent + 3
            ),
            "both beats have swept",
            RECOVERED,
        )
    finally:
        second.stop()
    assert len(world.updates(number)) == 1
    assert entries(world, number) == [("purchase", "accepted"), ("ship", "accepted")]


def let_leases_pass(world: World) -> None:
    """A minute goes by for the orders that a dead worker had in hand."""
    with psycopg2.connect(world.stack.urls["DATABASE_URL"]) as database:
        database.cursor().execute(
            "UPDATE orders_order SET leased_until = now() - interval '1 second'"
            " WHERE leased_until IS NOT NULL"
        )
    database.close()


def in_hand(world: World) -> int:
    """Orders that are leased or in doubt."""
    with psycopg2.connect(world.stack.urls["DATABASE_URL"]) as database:
        cursor = database.cursor()
        cursor.execute("SELECT count(*) FROM orders_order WHERE leased_until IS NOT NULL OR unsure")
        found = cursor.fetchone()
    database.close()
    assert found
    return int(found[0])


def test_sequra_away_and_back(world: World) -> None:
    number = world.buy()
    world.sandbox.fault(FAULTY, method="PUT", status=503, times=999)
    world.does("ship", number)
    world.wait(lambda: ("ship", "delayed") in entries(world, number), "shown as delayed")
    world.sandbox.clear_faults()
    world.wait(lambda: world.totals(number) == (0, 14980), "shipped", RECOVERED)


def test_drain_without_celery_and_redis(world: World) -> None:
    number = world.buy()
    world.stack.stop("beat")
    world.stack.stop("worker")
    try:
        world.does("ship", number)
        world.wait(lambda: world.sandbox.control("GET", "webhooks")["pending"] == 0, "told us")
        world.stack.manage("drain")
        assert world.totals(number) == (0, 14980)
    finally:
        world.stack.start("worker")
        world.stack.start("beat")


def test_orders_that_a_restored_backup_has_lost(world: World) -> None:
    """The command beside the running system; webhooks that came first are heard again."""
    numbers = [world.buy() for _ in range(3)]
    stack = world.stack
    with psycopg2.connect(stack.urls["DATABASE_URL"]) as database:
        cursor = database.cursor()
        for table in ("orders_order", "payments_solicitation", "transaction_log_entry"):
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608 (names of ours)
    database.close()
    world.does("ship", numbers[0])
    world.does("refund", numbers[1], amount="10.00")

    stores = [one for one in json.loads(stack.manage("stores", "--json")) if one["hash"] == STORE]
    told = stack.manage("reconcile", "--all")

    assert [store["state"] for store in stores] == ["installed"]
    assert told.startswith(f"store {stores[0]['hash']}\n")
    world.wait(lambda: world.totals(numbers[0]) == (0, 14980), "the shipment")
    world.wait(lambda: world.totals(numbers[1]) == (13980, 0), "the refund")
    assert world.totals(numbers[2]) == (14980, 0)
    world.does("ship", numbers[2])
    world.wait(lambda: world.totals(numbers[2]) == (0, 14980), "what comes later")
