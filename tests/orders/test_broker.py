"""The broker restarts under load: worker and beat live on, and every change arrives.

`make restarts` does it fifty times; the suite a few times.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import Process, free_port
from local.servers import speaks_redis, valkey_binary
from local.stack import Stack, fetch
from payloads.money import to_cents
from sequra_bc.celery import app
from tests.orders.world import World, descendants

pytestmark = pytest.mark.xdist_group("broker")
RESTARTS = int(os.environ.get("BROKER_RESTARTS", "4"))
ORDERS = 6
RECOVERED = 90.0  # seconds after the last restart; four minutes are promised


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A Valkey that keeps nothing, and its port when it starts again."""
    port, folder = free_port(), tmp_path_factory.mktemp("broker")
    process = Process(
        f"redis://127.0.0.1:{port}/0",
        [valkey_binary(), "--bind", "127.0.0.1", "--port", str(port), "--save", ""],
        folder / "log",
        cwd=folder,
        ready=lambda: speaks_redis(port),
        grace=1,
    )
    process.start()
    process.wait_ready()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def world(broker: Process, worker_id: str) -> Iterator[World]:
    """The whole system on that broker."""
    with Stack(name=f"broker_{worker_id}", env={"REDIS_URL": broker.name}, copies=True) as stack:
        yield World(stack)


def main_process(world: World, name: str) -> int:
    """The process that Celery's command became; its children may come and go."""
    tether = world.stack.processes[name].tether
    assert tether
    return next(descendants(tether.pid))


def crowd(broker: Process) -> None:
    """More messages than a worker has slots, in both lanes."""
    names = ["orders.tasks.drain", "orders.tasks.watch", "stores.tasks.tend_stores"]
    with app.connection_for_write(broker.name) as connection:
        for name in 20 * names:
            app.send_task(name, connection=connection)


def total(world: World, number: int) -> int:
    """The order's total in BigCommerce, in cents."""
    orders = [one["order"] for one in world.sandbox.held("bigcommerce_orders")]
    return next(to_cents(one["total_inc_tax"]) for one in orders if one["id"] == number)


def test_worker_and_beat_outlive_their_broker(world: World, broker: Process) -> None:
    signal.alarm(600 + 60 * RESTARTS)  # the long form takes longer than a test may
    numbers = [world.buy() for _ in range(ORDERS)]
    began = {number: total(world, number) for number in numbers}
    alive = {name: main_process(world, name) for name in ("worker", "beat")}
    for round_ in range(1, RESTARTS + 1):
        crowd(broker)
        for number in numbers:
            world.does("edit_order", number, shipping_cost=round_ / 100)  # less than it was
        time.sleep(random.uniform(0, 1.5))
        broker.stop()
        time.sleep(random.uniform(0, 1))
        broker.start()
        broker.wait_ready()
        assert {name: main_process(world, name) for name in alive} == alive, round_

    for number in numbers:
        # mypy does not infer the type of a default.
        world.wait(lambda n=number: world.totals(n) == (total(world, n), 0), "told", RECOVERED)  # type: ignore[misc]
        assert world.totals(number)[0] != began[number]
    assert not any(world.stack.processes[name].has_logged("Unrecoverable") for name in alive)


@pytest.fixture
def sentinel(broker: Process, tmp_path: Path) -> Iterator[str]:
    """A Sentinel that watches the broker; its address as Celery takes it."""
    port, master = free_port(), broker.name.split(":")[-1].partition("/")[0]
    (tmp_path / "conf").write_text(f"sentinel monitor shop 127.0.0.1 {master} 1\n")
    process = Process(
        "sentinel",
        [valkey_binary(), str(tmp_path / "conf"), "--sentinel", "--port", str(port)],
        tmp_path / "log",
        cwd=tmp_path,
        ready=lambda: speaks_redis(port),
        grace=1,
    )
    process.start()
    process.wait_ready()
    yield f"sentinel://127.0.0.1:{port}"
    process.stop()


def test_the_whole_system_finds_its_broker_by_a_sentinel(sentinel: str, worker_id: str) -> None:
    env = {"BROKER_URL": sentinel, "BROKER_OPTIONS": '{"master_name": "shop"}'}
    env["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"  # nobody is there
    with Stack(name=f"sentinel_{worker_id}", env=env, copies=True) as stack:
        world = World(stack)
        number = world.buy()
        world.does("ship", number)
        world.wait(lambda: world.totals(number) == (0, 14980), "the shipment")
        ready = fetch(f"http://127.0.0.1:{stack.app_port}/health/ready")
    assert (ready["status"], ready["redis"]) == ("ok", "ok")
