"""Beyond one machine: two web hosts, three workers, two beats, and PostgreSQL with a replica.

Each has its own processes and ports; nothing but the database and the broker is shared.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from local.processes import free_port
from local.servers import ROOT, create_database, postgres
from local.stack import BIN, Stack, web_process
from tests.orders.test_journeys import entries
from tests.orders.world import World

pytestmark = pytest.mark.xdist_group("machines")
AT_ONCE = 4  # orders of a store that are in flight, of all workers together
UPDATE = r"/merchants/[^/]+/orders/.*"
NAME = "machines"


class Replica:
    """A PostgreSQL that streams from the primary."""

    def __init__(self, folder: Path, primary: str) -> None:
        self._running = ExitStack()
        server = postgres(folder, scratch=True, primary=primary)
        self.url = self._running.enter_context(server).removesuffix("postgres") + NAME

    def stop(self) -> None:
        self._running.close()

    @contextmanager
    def late(self) -> Iterator[None]:
        """It receives everything meanwhile, and shows nothing of it."""
        with closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            connection.cursor().execute("SELECT pg_wal_replay_pause()")
            try:
                yield
            finally:
                connection.cursor().execute("SELECT pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("machines") / "primary", scratch=True) as url:
        yield create_database(url, NAME)


@pytest.fixture(scope="module")
def replica(primary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    running = Replica(tmp_path_factory.mktemp("machines") / "replica", primary)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def world(primary: str, replica: Replica) -> Iterator[World]:
    env = {"DATABASE_URL": primary, "REPLICA_URL": replica.url}
    with Stack(name=NAME, env=env, redis_database=15) as stack:
        stack.urls["DATABASE_URL"] = primary
        yield World(stack)


@pytest.fixture(scope="module")
def other(world: World) -> Iterator[World]:
    """The same store at the second web host, with two more workers and a second beat running."""
    stack = copy(world.stack)
    stack.app_port = free_port()
    processes = [web_process(stack.home / "logs" / "second", stack.app_env, stack.app_port)]
    celery = (str(BIN / "celery"), "-A", "sequra_bc")
    for name in ("worker-2", "worker-3"):
        names = ("--concurrency", "2", "--hostname", f"{name}@%h")
        worker = stack._process(name, *celery, "worker", *names, grace=20)
        worker.ready = partial(worker.has_logged, " ready.")
        processes.append(worker)
    processes.append(stack._process("beat-2", *celery, "beat"))
    for process in processes:
        process.start()
    for process in processes:
        process.wait_ready()
    second = copy(world)
    second.stack = stack
    yield second
    for process in processes:
        process.ask_to_stop()
    for process in processes:
        process.stop()


@pytest.fixture(scope="module")
def read(world: World) -> Callable[[str], str]:
    """What reads a page of the panel."""
    opened = urlsplit(world.sandbox.control("POST", "load_url", {})["url"])
    address, host = f"http://127.0.0.1:{world.stack.app_port}", {"Host": opened.netloc}
    load = f"{address}{opened.path}?{opened.query}"
    answer = world.http.get(load, headers=host, allow_redirects=False, timeout=60)
    panel = urlsplit(answer.headers["Location"]).path

    def page(path: str) -> str:
        found = world.http.get(f"{address}{panel}{path}", headers=host, timeout=60)
        found.raise_for_status()
        return found.text

    return page


def number_in(url: str, statement: str, *values: object) -> int:
    """The number that this statement finds; 0 without a row."""
    with closing(psycopg2.connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute(statement, values)
        (found,) = cursor.fetchone() or (0,)
    return int(found)


def test_every_change_arrives_once_and_no_limit_counts_twice(
    world: World, other: World, primary: str
) -> None:
    numbers = [host.buy() for host in (world, other) * 3]
    for host in (world, other) * 2:
        host.http.post(
            f"{host.address}/errors", json={"message": "x"}, headers=host.headers, timeout=60
        ).raise_for_status()
    counted = "SELECT used + used_before FROM stores_allowance WHERE key = %s"
    assert number_in(primary, counted, f"script error {world.store_id()}") == 4

    world.sandbox.fault(UPDATE, method="PUT", status=200, effect="before", delay=1, times=99)
    for number in numbers:
        world.does("ship", number)
    leased = "SELECT count(*) FROM orders_order WHERE leased_until > now()"
    in_flight = {0}

    def are_shipped() -> bool:
        in_flight.add(number_in(primary, leased))
        return all(world.totals(number) == (0, 14980) for number in numbers)

    world.wait(are_shipped, "shipped")
    world.sandbox.clear_faults()
    assert max(in_flight) <= AT_ONCE
    for number in numbers:
        # A change that is read half-way is two statements; none is sent or logged twice.
        # mypy cannot infer a lambda with a default.
        world.wait(lambda n=number: len(entries(world, n)) == 1 + len(world.updates(n)), "logged")  # type: ignore[misc]
        sent = [json.dumps(update["body"], sort_keys=True) for update in world.updates(number)]
        assert len(sent) == len(set(sent))


def test_sums_and_exports_come_from_the_replica_and_nothing_else(
    world: World, replica: Replica, read: Callable[[str], str]
) -> None:
    assert replica_state(world) == "ok"
    with replica.late():
        sums = read("sales/export.csv")
        number = world.buy()
        assert f",{number}," not in read("log/export.csv")
        assert read("sales/export.csv") == sums
        assert f"{number}" in read("log/")
        assert f"{number}" in read("orders/")
    purchases = "SELECT count(*) FROM transaction_log_entry WHERE bigcommerce_id = %s"
    world.wait(lambda: number_in(replica.url, purchases, number), "replayed")
    assert f",{number}," in read("log/export.csv")
    assert read("sales/export.csv") != sums

    replica.stop()
    number = world.buy()
    assert f",{number}," in read("log/export.csv")
    assert world.stack.processes["web"].has_logged("replica_away")
    assert replica_state(world) == "warning"


def replica_state(world: World) -> str:
    """Return what `manage.py doctor` finds."""
    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        cwd=ROOT,
        env=world.stack.app_env,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    [found] = [one for one in json.loads(ended.stdout)["findings"] if one["check"] == "replica"]
    return str(found["state"])
