"""Write webhook events into the inbox, and wake a worker.

Those that wait at the same moment share one commit.

The first request leads: it writes its own row and those of all requests that are waiting, in one
statement, and hands the lead to the first request that came meanwhile. So a lone request waits for
nobody, no thread has to be kept alive, and under load a commit serves many. Each request is
released after the commit of its own row, never before.

A statement that fails does so for no neighbour: each of its requests then stores its row alone,
through Django and a connection of its own. One connection per process belongs to the inbox. It is
used without blocking, so that a server that is silent holds no request longer than `_SECONDS`.
"""

import os
import select
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg2
import structlog
from django.conf import settings
from django.db import connection as django_connection
from psycopg2 import extensions

from orders.queue.wakeup import wake_worker

log = structlog.get_logger(__name__)

_SECONDS = 4.0  # until a request gives up, and stores its row alone
# Seconds for which a connection is used: the database may have moved to another server meanwhile.
_MAX_AGE = 60.0
_AT_ONCE = 200  # rows of a statement
# Seconds for which a leader waits in a crowd: those whose commit was a moment ago come again. A
# lone request, and whoever follows one, waits for nobody.
_GATHERING = 0.0005
# Milliseconds. Less than PostgreSQL waits before it looks for a deadlock: a statement of many rows
# that meets a worker's gives way, and its requests go on one by one.
_LOCK_TIMEOUT = 100

# Another process may have uninstalled or reinstalled the store since this one read its secret: the
# row is written only while the store still has the secret that was compared.
# A repeated delivery of an event that was folded already (same `created_at`) carries no news about
# the order's status, which may have changed since: its status is dropped.
# Two processes write rows in the same order, so that they never wait for each other in a circle.
INSERT = """
INSERT INTO orders_webhookevent (store_id, scope, hash, bigcommerce_order_id, payload, outcome)
SELECT s.id, given.scope, given.hash, given.order_id, given.payload::jsonb, 'new'
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[])
    AS given (store_id, scope, hash, order_id, payload, secret)
JOIN stores_store s ON s.id = given.store_id AND s.webhook_secret = given.secret
    AND s.state <> 'uninstalled'
ORDER BY 1, 2, 3
ON CONFLICT (store_id, scope, hash) DO UPDATE SET
    deliveries = orders_webhookevent.deliveries + 1,
    bigcommerce_order_id = excluded.bigcommerce_order_id,
    payload = CASE
        WHEN jsonb_typeof(excluded.payload -> 'data') = 'object'
            AND orders_webhookevent.payload -> 'created_at' = excluded.payload -> 'created_at'
            AND (orders_webhookevent.outcome = 'folded'
                OR orders_webhookevent.payload #> '{data,status}' IS NULL)
        THEN excluded.payload #- '{data,status}' ELSE excluded.payload END,
    received_at = now(),
    outcome = 'new'
RETURNING store_id, scope, hash
"""
_COLUMNS = INSERT.count("%s")
_PREPARE = f"PREPARE inbox AS {INSERT}" % tuple(f"${n}" for n in range(1, _COLUMNS + 1))
_TYPES = ("bigint", "text", "text", "bigint", "text", "text")
_EXECUTE = f"EXECUTE inbox ({', '.join(f'%s::{name}[]' for name in _TYPES)})"
# A pooler in transaction mode gives each statement another session.
_POOLED = f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT}; {INSERT}"

_EVENTS = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}

_Key = tuple[int, str, str]


class Row(NamedTuple):
    """A webhook event, and the sealed secret by which it was found to be authentic."""

    store: int
    scope: str
    hash: str
    order: int | None
    payload: str
    secret: str

    @property
    def key(self) -> _Key:
        """Return what identifies the event: repeated deliveries have the same."""
        return (self.store, self.scope, self.hash)


class _Unavailable(Exception):
    """PostgreSQL did not commit the rows in time. Whether it will is not known."""


def as_columns(rows: list[Row]) -> list[list[Any]]:
    """Return the parameters of INSERT."""
    return [list(column) for column in zip(*rows, strict=True)]


class _Waiting:
    """A request that waits for the commit of its row."""

    __slots__ = ("leads", "row", "stored", "woken")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.woken = threading.Lock()
        self.woken.acquire()
        self.leads = False
        self.stored = False  # by a statement of many rows


class _Inbox:
    """The rows of one process. The server's threads bound how many wait (`sequra_bc.bulkheads`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._has_leader = False
        self._is_crowded = False  # the statement before had several rows
        self._session = _Session()

    def store(self, row: Row) -> bool:
        """Return True when the row is committed, False when the caller has to store it alone.

        False means that the store has another secret, that PostgreSQL refused the statement, or
        that it did not answer in time. If it commits the row later, the row alone is a repeated
        delivery.
        """
        mine = _Waiting(row)
        with self._lock:
            self._waiting.append(mine)
            mine.leads, self._has_leader = not self._has_leader, True
        if mine.leads or self._is_woken_to_lead(mine):
            self._lead()
        return mine.stored

    def _is_woken_to_lead(self, mine: _Waiting) -> bool:
        if not mine.woken.acquire(timeout=_SECONDS):
            with self._lock, suppress(ValueError):  # a leader is writing it
                if not mine.leads:
                    self._waiting.remove(mine)
        return mine.leads

    def _lead(self) -> None:
        """Write what waits, this request's own row among it, and wake the others."""
        if self._is_crowded:
            time.sleep(_GATHERING)
        batch = self._take()
        try:
            self._write(batch)
        finally:
            self._hand_over()
            for one in batch:
                if not one.leads:
                    one.woken.release()

    def _take(self) -> list[_Waiting]:
        """Take the first waiting rows, each event once: the next statement repeats it."""
        batch: dict[_Key, _Waiting] = {}
        later: list[_Waiting] = []
        with self._lock:
            for one in self._waiting:
                if len(batch) < _AT_ONCE and batch.setdefault(one.row.key, one) is one:
                    continue
                later.append(one)
            self._waiting = later
            self._is_crowded = len(batch) > 1
        return list(batch.values())

    def _write(self, batch: list[_Waiting]) -> None:
        try:
            stored = self._session.insert([one.row for one in batch])
        except (_Unavailable, psycopg2.Error, ValueError) as error:
            log.warning("webhooks_one_by_one", reason=type(error).__name__)
        else:
            for one in batch:
                one.stored = one.row.key in stored
            if stored:
                wake_worker()

    def _hand_over(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].woken.release()
            else:
                self._has_leader = False


class _Session:
    """The inbox's connection, opened when it is needed and again when it was lost."""

    def __init__(self) -> None:
        self._connection: Any = None  # psycopg2's, used without blocking
        self._old_at = 0.0  # monotonic

    def insert(self, rows: list[Row]) -> set[_Key]:
        """Commit the rows; return the events among them whose store has the given secret.

        A connection that is lost is opened again once: what was committed before the loss is then
        a repeated delivery. Raise psycopg2.Error when PostgreSQL refuses the statement, and
        ValueError when psycopg2 cannot write a value.
        """
        deadline, columns = time.monotonic() + _SECONDS, as_columns(rows)
        if time.monotonic() > self._old_at:
            self._close()
        for _ in range(2):
            try:
                return self._execute(columns, deadline)
            except psycopg2.Error:
                is_lost = self._connection is None or self._connection.closed
                self._close()
                if not is_lost:
                    raise
            except BaseException:
                self._close()
                raise
        raise _Unavailable

    def _execute(self, columns: list[list[Any]], deadline: float) -> set[_Key]:
        if self._connection is None:
            self._connect(deadline)
        cursor = self._connection.cursor()
        cursor.execute(_POOLED if settings.DATABASE_POOLED else _EXECUTE, columns)
        _finish(self._connection, deadline)
        return set(cursor.fetchall())

    def _connect(self, deadline: float) -> None:
        parameters = django_connection.get_connection_params()
        if not settings.DATABASE_POOLED:
            given = parameters.get("options", "")
            parameters["options"] = f"{given} -c lock_timeout={_LOCK_TIMEOUT}"
        fresh = psycopg2.connect(**parameters, async_=True)
        _finish(fresh, deadline)
        self._connection, self._old_at = fresh, time.monotonic() + _MAX_AGE
        if not settings.DATABASE_POOLED:
            preparing = fresh.cursor()  # psycopg2 expects it to exist until the end
            preparing.execute(_PREPARE)
            _finish(fresh, deadline)

    def _close(self) -> None:
        lost, self._connection = self._connection, None
        if lost is not None:
            with suppress(psycopg2.Error):
                lost.close()


def _finish(connection: Any, deadline: float) -> None:
    """Wait until PostgreSQL has answered. Raise _Unavailable at the deadline."""
    while (state := connection.poll()) != extensions.POLL_OK:
        ready = select.poll()
        ready.register(connection, _EVENTS[state])
        left = deadline - time.monotonic()
        if left <= 0 or not ready.poll(1000 * left):
            raise _Unavailable


_inboxes: dict[int, _Inbox] = {}
_first = threading.Lock()


def store(row: Row) -> bool:
    """Store a row through the inbox of this process. A forked process gets one of its own."""
    inbox = _inboxes.get(os.getpid())
    if inbox is None:
        with _first:
            inbox = _inboxes.setdefault(os.getpid(), _Inbox())
    return inbox.store(row)
