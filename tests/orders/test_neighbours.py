"""A healthy store beside stores whose BigCommerce hangs: the whole system as processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from local.demo import STORE
from local.stack import Stack
from sequra_bc.celery import app
from tests.orders.world import PROMISED, World


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    """A fresh system. Afterwards the other stores are gone, and what both systems hold of them."""
    world = World(stack)
    yield world
    world.sandbox.clear_faults()
    world.sandbox.control("POST", "sequra/knobs", {"timeout": 10.0})
    with psycopg2.connect(stack.urls["DATABASE_URL"]) as database:
        cursor = database.cursor()
        others = "(SELECT id FROM stores_store WHERE hash <> %s)"
        cursor.execute(f"DELETE FROM stores_merchant WHERE store_id IN {others}", [STORE])  # noqa: S608 (no input)
        cursor.execute("UPDATE stores_store SET state = 'uninstalled' WHERE hash <> %s", [STORE])
    database.close()
    world.sandbox.reset()


def hanging(world: World, store: str) -> int:
    """Calls to this store's BigCommerce that are under way."""
    calls = world.sandbox.calls("bigcommerce", in_path=f"/stores/{store}/")
    return sum(call["status"] is None for call in calls)


def test_long_tasks_leave_a_slot_for_a_change(world: World) -> None:
    """A plain worker with two slots; two stores whose BigCommerce takes its time, more tasks than
    slots. One of them waits for a slot all the while.
    """
    number, slow = world.buy(), [world.another_store(name) for name in ("slow1", "slow2")]
    world.sandbox.fault(r"/stores/slow\d/", delay=9, times=0)
    with app.connection_for_write(world.stack.app_env["REDIS_URL"]) as connection:
        for other in slow * 3:
            app.send_task(
                "stores.tasks.look_after_store", [other.store_id()], connection=connection
            )
    at_once: list[int] = []

    def under_way() -> int:
        at_once.append(hanging(world, "slow1") + hanging(world, "slow2"))
        return at_once[-1]

    world.wait(under_way, "a slot is taken")
    world.does("ship", number)
    world.wait(
        lambda: under_way() >= 0 and world.totals(number) == (0, 14980), "the change", PROMISED
    )
    world.wait(under_way, "the slow lane has still work")
    assert max(at_once) == 1


def test_a_store_that_hangs_delays_only_itself(world: World) -> None:
    """Ten seconds a call at one shop, with shoppers who pay and tasks; the limits are promised."""
    number, slow = world.buy(), world.another_store("slow3")
    theirs = [slow.asks()[1] for _ in range(6)]
    ours = world.asks()[1]
    world.sandbox.control("POST", "sequra/knobs", {"timeout": 8.0})
    world.sandbox.fault(r"/stores/slow3/", delay=10, times=0)
    with app.connection_for_write(world.stack.app_env["REDIS_URL"]) as connection:
        app.send_task("stores.tasks.look_after_store", [slow.store_id()], connection=connection)
    with ThreadPoolExecutor(len(theirs)) as pool:
        approved = [
            pool.submit(world.sandbox.drive, "approve", one, product="pp3") for one in theirs
        ]
        world.wait(lambda: hanging(world, "slow3") > 1, "the store hangs")
        world.sandbox.drive("approve", ours, product="pp3")
        world.does("ship", number)
        world.wait(lambda: notified(world, ours), "the notification is answered")
        world.wait(lambda: world.totals(number) == (0, 14980), "the change", PROMISED)
        assert hanging(world, "slow3")
        for one in approved:
            one.result()
    assert notified(world, ours) == [200]  # at the first attempt, within SeQura's time


def notified(world: World, reference: str) -> list[int | None]:
    """How the app answered SeQura's notifications of an order; None is no answer in time."""
    orders = world.sandbox.held("sequra_orders")
    order = next(one for one in orders if one["uuid"] == reference)
    return [answer["status"] for event in order["events"] for answer in event["answers"]]
