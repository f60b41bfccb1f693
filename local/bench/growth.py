"""What the queue's statements touch at 100 and at 10,000 stores.

Buffers are counted, not time: a page of a table or an index that a statement looks at.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from django.db import connection, transaction

from local.bench.runner import Effort, Goal, Measure, Part, Round, Servers
from orders.models import Order
from orders.queue import claim
from orders.queue.claim import Lease
from stores.models import Connection, Store

FEW, MANY = 100, 10_000  # stores
ORDERS, PARKED = 10, 10  # of each store
DUE = 100  # stores with a due order, however many there are
EVENTS = 500
MOST = 1.5  # times as many buffers at MANY stores as at FEW


def copies(model: Any, where: str, **own: str) -> None:
    """Copy the first row, with these expressions in place of its values."""
    fields = [one for one in model._meta.concrete_fields if not one.primary_key]
    names = [str(one.column) for one in fields if not one.generated]
    values = ", ".join(own.get(name, f'one."{name}"') for name in names)
    columns, table = ", ".join(f'"{name}"' for name in names), model._meta.db_table
    run(
        f"INSERT INTO {table} ({columns}) SELECT {values}"  # noqa: S608 (names of ours)
        f" FROM (SELECT * FROM {table} ORDER BY id LIMIT 1) one, {where}"
    )


def run(statement: str, values: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def without_indexes(model: Any) -> Iterator[None]:
    """Drop the indexes of a table that hold no constraint, and make them again for all its rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid = %s::regclass"
            " AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)",
            [model._meta.db_table],
        )
        found = cursor.fetchall()
    for name, _ in found:
        run(f"DROP INDEX {name}")
    try:
        yield
    finally:
        for _, definition in found:
            run(definition)


def first_order(api_url: str) -> Order:
    """Return the one order of the database, of which others are copies."""
    run("TRUNCATE stores_store CASCADE")
    store = Store.objects.create(hash="first", access_token=secrets.token_hex())
    account = Connection.objects.create(
        store=store,
        deployment="sequra",
        environment="sandbox",
        username="demo",
        password=secrets.token_hex(),
        api_url=api_url,
    )
    return Order.objects.create(
        store=store,
        connection=account,
        merchant_ref="demo_es",
        bigcommerce_id=0,
        order_ref_1="0",
        reference=uuid4(),
        status="approved",
        amount=100,
        is_new=False,
    )


def multiply(first: Order, stores: int, orders: int) -> None:
    """Make so many stores out of its store, each with so many copies of the order."""
    series = f"generate_series(2, {stores}) AS n"
    copies(Store, series, hash="'store' || n", public_id="gen_random_uuid()")
    copies(Connection, f"stores_store s WHERE s.id <> {first.store_id}", store_id="s.id")
    with without_indexes(Order):
        copies(
            Order,
            f"stores_connection c, generate_series(1, {orders}) AS n",
            store_id="c.store_id",
            connection_id="c.id",
            bigcommerce_id="n",
            order_ref_1="n::text",
            reference="gen_random_uuid()",
        )


def seed(stores: int, orders: int) -> None:
    """Make so many stores, with orders of which nothing is due, and parked events."""
    multiply(first_order("http://127.0.0.1:9"), stores, orders)
    run(
        "INSERT INTO orders_gate (store_id, host, failures, budget, window_until)"
        " SELECT id, 'bigcommerce', 0, 1000, now() + interval '1 hour' FROM stores_store"
    )
    run(
        "INSERT INTO orders_webhookevent"
        " (store_id, scope, hash, bigcommerce_order_id, payload, outcome)"
        " SELECT id, 'store/order/updated', 'parked' || n, 1000 + n, '{}', 'parked'"
        " FROM stores_store, generate_series(1, %s) AS n",
        [PARKED],
    )
    run("VACUUM ANALYZE")


def make_due() -> None:
    run(
        "UPDATE orders_order SET changed = synced + 1, due_at = now() - interval '1 minute'"
        " WHERE id IN (SELECT id FROM orders_order WHERE bigcommerce_id = 1 ORDER BY id LIMIT %s)",
        [DUE],
    )


def make_events() -> None:
    run(
        "INSERT INTO orders_webhookevent"
        " (store_id, scope, hash, bigcommerce_order_id, payload, outcome)"
        " SELECT store_id, 'store/order/updated', 'new' || id, bigcommerce_id, '{}', 'new'"
        " FROM orders_order ORDER BY id LIMIT %s",
        [EVENTS],
    )


def make_new_orders() -> None:
    """Some orders whose events came before their rows."""
    run("UPDATE orders_order SET is_new = true WHERE id IN (SELECT id FROM orders_order LIMIT 50)")


def nothing() -> None:
    """Leave the queue empty."""


def claims() -> None:
    if len(claim.claim(Lease(), 64)) not in (0, 64):
        raise AssertionError("a claim of another size has other costs")


WORK: dict[str, tuple[Callable[[], None], Callable[[], object]]] = {
    "claim without work": (nothing, claims),
    "fold without work": (nothing, claim.fold),
    "unpark without work": (nothing, claim.unpark),
    "settle": (nothing, claim.settle),
    "due within": (nothing, lambda: claim.due_within(2.5, looked=time.monotonic())),
    "claim of 64": (make_due, claims),
    "fold of events": (make_events, claim.fold),
    "unpark with new orders": (make_new_orders, claim.unpark),
}


def buffers(work: Callable[[], object]) -> int:
    """Return how many buffers the statements of this work touch; it takes nothing for granted."""
    touched = 0

    def measured(execute: Any, sql: str, values: Any, many: bool, context: Any) -> Any:
        nonlocal touched
        if not sql.startswith(("SAVEPOINT", "RELEASE")):
            with context["connection"].connection.cursor() as cursor:
                cursor.execute("SAVEPOINT measured")
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values)
                (found,) = cursor.fetchone()
                cursor.execute("ROLLBACK TO SAVEPOINT measured")
            plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
            touched += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return execute(sql, values, many, context)

    with connection.execute_wrapper(measured):
        work()
    return touched


def touched(stores: int, orders: int = ORDERS) -> dict[str, int]:
    """Return the buffers that each work touches at so many stores with so many orders each."""
    seed(stores, orders)
    found = {}
    for name, (prepare, work) in WORK.items():
        with transaction.atomic():
            prepare()
            run("ANALYZE orders_order, orders_webhookevent")
            run("SET LOCAL enable_seqscan = off")  # a small table read whole hides its growth
            found[name] = buffers(work)
            transaction.set_rollback(True)
    return found


@contextmanager
def _variants(_: Servers, __: Effort) -> Iterator[Mapping[str, Measure]]:
    try:
        yield {f"{stores} stores": partial(touched, stores) for stores in (FEW, MANY)}
    finally:
        run("TRUNCATE stores_store CASCADE")


def _growth(name: str) -> Callable[[Round], float]:
    return lambda found: found[f"{MANY} stores"][name] / found[f"{FEW} stores"][name]


PART = Part(
    title="buffers that the queue touches, whatever the number of stores",
    full=Effort(rounds=1, seconds=0, quick=False),
    quick=Effort(rounds=1, seconds=0, quick=True),
    variants=_variants,
    control=(f"{FEW} stores", "claim of 64"),
    columns=dict.fromkeys(WORK, ".0f"),
    goals=tuple(
        Goal(f"P12 {name}", f"buffers at {MANY} stores ÷ at {FEW}", MOST, _growth(name))
        for name in WORK
    ),
)
