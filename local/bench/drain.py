"""Changed orders: two reads and one update each, beside a bare loop and a peer."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from hashlib import sha256
from typing import Any

import psycopg2
import requests
from django.db import connection

from local.bench import peers
from local.bench.growth import first_order, multiply, run
from local.bench.mapping import Shop, whole_order
from local.bench.runner import (
    FOLDER,
    Effort,
    Figures,
    Goal,
    Measure,
    Part,
    Round,
    Servers,
    cpu_seconds,
)
from local.processes import Process, StartFailed, answers, free_port
from local.servers import ROOT
from local.stack import BIN
from orders.sync import staff_notes
from orders.sync.snapshot import read_snapshot
from orders.sync.sync import reading_of
from orders.tasks import drain

STORES, LINES = 100, 5
MILLISECONDS = 50  # that the other systems take for a call
# Shares of the orders between which is measured: start and end of the processes do not count.
FIRST, LAST = 0.15, 0.95
LONGEST = 180.0  # seconds
LOOP, PEER = "bare loop", "taskiq + aiohttp + asyncpg, 2 processes"
TWO, FOUR = "the product, 2 processes", "the product, 4 processes"
PEER_TABLE = """
DROP TABLE IF EXISTS bench_order;
CREATE TABLE bench_order (id bigint PRIMARY KEY, is_done boolean NOT NULL) WITH (fillfactor = 70);
INSERT INTO bench_order SELECT n, false FROM generate_series(0, {} - 1) AS n;
"""
MAKE_DUE = """
TRUNCATE transaction_log_entry, orders_gate;
INSERT INTO orders_gate (store_id, host, failures, budget, window_until)
SELECT id, 'bigcommerce', 0, 50000, now() + interval '1 hour' FROM stores_store;
UPDATE orders_order SET changed = synced + 1, due_at = now() - interval '1 minute',
    accepted_update = %(known)s::jsonb, lease = '', leased_until = NULL, settle_at = NULL,
    attempts = 0, unsure = false, seen_digest = '',
    staff_note = replace(%(note)s, 'THE REFERENCE', reference::text);
"""


class _Orders:
    """So many orders, each of which has changed before a measurement, and the update to send."""

    def __init__(self, count: int, upstream: str) -> None:
        self.count = count
        first = first_order(upstream)
        multiply(first, STORES, count // STORES)
        first.delete()
        raw = json.dumps(whole_order(LINES)).encode()
        shop: Any = Shop(json.loads(raw), sha256(raw).hexdigest())
        self.update = reading_of(first, read_snapshot(shop, 0, has_shipments=False)).update
        self._note = staff_notes.block_of(first).replace(str(first.reference), "THE REFERENCE")

    def make_due(self) -> None:
        """Let SeQura hold an earlier statement of every order."""
        known = {**self.update, "invoice_address": {}}
        run(MAKE_DUE, {"known": json.dumps(known), "note": self._note})
        run("VACUUM ANALYZE orders_order")

    def done(self) -> int:
        """Return of how many orders SeQura holds the new statement."""
        return _number(
            "SELECT count(*) FROM orders_order"
            " WHERE changed = synced AND accepted_update -> 'invoice_address' <> '{}'"
        )


def _number(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


def _upstream(milliseconds: int) -> tuple[Process, str]:
    order, port = FOLDER / "order.json", free_port()
    order.write_text(json.dumps(whole_order(LINES)))
    command = [sys.executable, str(peers.HERE / "upstream.py"), str(port), str(milliseconds)]
    process = Process(
        "upstream",
        [*command, str(order)],
        FOLDER / "logs/upstream.log",
        ready=lambda: answers(port),
    )
    return process, f"http://127.0.0.1:{port}"


def _bare_loop(
    servers: Servers, effort: Effort, address: str, update: Mapping[str, Any]
) -> Figures:
    """Make the calls of one order after the other in this process; the other systems are quick."""
    servers.statement(PEER_TABLE.format(1))
    session = requests.Session()
    session.trust_env = False
    database = psycopg2.connect(servers.database_url)
    times, cursor, began = 0, database.cursor(), time.process_time()
    while time.process_time() - began < effort.seconds:
        cursor.execute("SELECT * FROM bench_order WHERE id = 0 FOR UPDATE")
        for path in ("v2/orders/0", "v3/orders/0/payment_actions/refunds"):
            session.get(f"{address}/stores/one/{path}", timeout=5).json()
        session.put(f"{address}/merchants/demo_es/orders/0", json=update, timeout=5).json()
        cursor.execute("UPDATE bench_order SET is_done = true WHERE id = 0")
        database.commit()
        times += 1
    used = time.process_time() - began
    database.close()
    return {"worker": used / times * 1e6}


def _product(servers: Servers, orders: _Orders, address: str, processes: int) -> Figures:
    """Let a worker with so many processes synchronise all orders."""
    orders.make_due()
    worker = Process(
        "worker",
        [str(BIN / "celery"), "-A", "sequra_bc", "worker", "--concurrency", str(processes)],
        FOLDER / "logs/worker.log",
        env=servers.env | {"BIGCOMMERCE_API_URL": address, "SETTLE_SECONDS": "600,600,600"},
        cwd=ROOT,
        grace=30,
    )
    worker.ready = lambda: worker.has_logged(" ready.")
    worker.start()
    try:
        worker.wait_ready()
        for _ in range(processes):
            drain.delay()
        return _measured(servers, worker, orders.count, orders.done)
    finally:
        worker.stop()


def _peer(servers: Servers, orders: _Orders, address: str) -> Figures:
    program = peers.python_bin()
    servers.statement(PEER_TABLE.format(orders.count))
    env = servers.env | {"UPSTREAM": address, "UPDATE": json.dumps({"order": orders.update})}
    env |= {"PYTHONPATH": str(peers.HERE)}
    queue = [str(program / "python"), str(peers.HERE / "taskiq_app.py"), str(orders.count)]
    subprocess.run(queue, env=env, check=True)
    worker = Process(
        "taskiq",
        [str(program / "taskiq"), "worker", "taskiq_app:broker", "--workers", "2",
         "--max-async-tasks", "64", "--log-level", "ERROR"],
        FOLDER / "logs/peers.log",
        env=env,
    )  # fmt: skip
    worker.start()
    try:
        done = partial(_number, "SELECT count(*) FROM bench_order WHERE is_done")
        return _measured(servers, worker, orders.count, done)
    finally:
        worker.stop()


def _measured(servers: Servers, worker: Process, count: int, done: Callable[[], int]) -> Figures:
    """Return the orders a second and the processor time of each, without start and end."""

    def reached(share: float) -> tuple[float, float, float, int]:
        deadline = time.monotonic() + LONGEST
        while (orders := done()) < share * count:
            if time.monotonic() > deadline or not worker.running:
                raise StartFailed(f"{worker.name}: {orders} of {count} orders\n{worker.tail()}")
            time.sleep(0.05)
        used = cpu_seconds(worker.pid), cpu_seconds(servers.postgres_pid)
        return time.perf_counter(), *used, orders

    first, last = reached(FIRST), reached(LAST)
    seconds, own, postgres, orders = (
        after - before for before, after in zip(first, last, strict=True)
    )
    return {
        "per second": orders / seconds,
        "worker": own / orders * 1e6,
        "PostgreSQL": postgres / orders * 1e6,
    }


@contextmanager
def _variants(servers: Servers, effort: Effort) -> Iterator[Mapping[str, Measure]]:
    with ExitStack() as running:

        def start(milliseconds: int) -> str:
            process, address = _upstream(milliseconds)
            running.callback(process.stop)
            process.start()
            process.wait_ready()
            return address

        quick, usual = start(0), start(MILLISECONDS)
        orders = _Orders(500 if effort.quick else 2000, usual)
        found: dict[str, Measure] = {
            LOOP: partial(_bare_loop, servers, effort, quick, orders.update),
            TWO: partial(_product, servers, orders, usual, 2),
            PEER: partial(_peer, servers, orders, usual),
        }
        if not effort.quick:
            found[FOUR] = partial(_product, servers, orders, usual, 4)
        yield found


def _ratio(one: str, other: str, figure: str) -> Callable[[Round], float]:
    return lambda found: found[one][figure] / found[other][figure]


PART = Part(
    title=f"changed orders of {STORES} stores; two reads and an update of {MILLISECONDS} ms each",
    full=Effort(rounds=3, seconds=2, quick=False),
    quick=Effort(rounds=2, seconds=0.5, quick=True),
    variants=_variants,
    control=(LOOP, "worker"),
    columns=dict.fromkeys(("per second", "worker", "PostgreSQL"), ".0f"),
    goals=(
        Goal("P4", "worker's µs of an order ÷ the bare loop's", 1.1, _ratio(TWO, LOOP, "worker")),
        Goal(
            "P5",
            "orders a second ÷ the peer's",
            1.0,
            _ratio(TWO, PEER, "per second"),
            at_least=True,
        ),
        Goal(
            "P5 4÷2",
            "orders a second of four processes ÷ of two",
            1.7,
            _ratio(FOUR, TWO, "per second"),
            at_least=True,
        ),
    ),
)
