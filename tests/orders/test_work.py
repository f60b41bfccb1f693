"""`manage.py work`: everything that workers and beat do, in one process and without Redis."""

import signal
import sys
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import DatabaseError

from local.processes import Process, free_port
from local.stack import Stack
from orders.management.commands import work
from orders.queue import claim
from sequra_bc.celery import FAST, PERIODIC, SLOW, WAKE_UPS
from tests.orders.merchant import Merchant
from tests.orders.world import World

pytestmark = pytest.mark.xdist_group("broker")


WORKERS_CALLS = 'sequra_bc_worker_calls_total{method="PUT",outcome="accepted",system="SeQura"}'


class SmallShop(Stack):
    """What a small shop runs: the web server and this."""

    def _app(self) -> list[Process]:
        web, *_ = super()._app()
        process = self._process("work", sys.executable, "manage.py", "work", "--loop", grace=25)
        return [web, process]


@pytest.fixture(scope="module")
def world(worker_id: str) -> Iterator[World]:
    """A small shop; where its broker should be, nobody is."""
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    with SmallShop(name=f"work_{worker_id}", env={"REDIS_URL": nobody}) as stack:
        yield World(stack)


def test_a_shop_without_redis_sells_ships_and_refunds(world: World) -> None:
    number = world.buy()
    world.does("ship", number)
    world.wait(lambda: world.totals(number) == (0, 14980), "the shipment")
    world.does("refund", number)
    world.wait(lambda: world.totals(number) == (0, 0), "the refund")
    world.wait(lambda: world.figures().get(WORKERS_CALLS, 0) >= 2, "the calls of this process")


def test_every_periodic_task_is_in_one_of_the_two_lanes() -> None:
    fast, slow = work._tasks_of(FAST), work._tasks_of(SLOW)

    assert {**fast, **slow}.keys() == {*PERIODIC, *WAKE_UPS}
    assert not fast.keys() & slow.keys()


def test_one_task_that_fails_keeps_no_other_from_its_work(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = merchant.order()
    merchant.acts("ship", order)
    claim.mark_changed(pk=order.pk)

    def fails() -> None:
        raise DatabaseError

    monkeypatch.setattr(claim, "unpark", fails)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    call_command("work")
    signal.signal(signal.SIGTERM, before[0])
    signal.signal(signal.SIGINT, before[1])

    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []
