"""Locks across processes without an open transaction.

A PostgreSQL session advisory lock is free within milliseconds when its holder dies, and no
transaction stays open while the holder makes HTTP calls. Behind a pooler in transaction mode
(`DATABASE_POOLED`) sessions are shared, so there a lock is a row that its holder renews, and it is
free `_LEASE` seconds after the holder died.
"""

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

from transport.stopping import stopping

log = structlog.get_logger(__name__)
_POLL_SECONDS = 0.05
_LEASE = 20.0  # seconds
_RENEW_AFTER = 5.0

_TAKE = """
INSERT INTO stores_lock (name, holder, until)
VALUES (%(name)s, %(holder)s, clock_timestamp() + make_interval(secs => %(lease)s))
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE stores_lock.until < clock_timestamp()
RETURNING true
"""
_RENEW = """
UPDATE stores_lock SET until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE name = %(name)s AND holder = %(holder)s RETURNING true
"""
_FREE = "DELETE FROM stores_lock WHERE name = %(name)s AND holder = %(holder)s RETURNING true"


class Busy(Exception):
    """Another process holds the lock and did not release it in time."""


@contextmanager
def only_one(name: str, wait: float = 0) -> Iterator[None]:
    """Hold the lock of this name. Raise Busy when it is not free within `wait` seconds."""
    hold = _as_row if settings.DATABASE_POOLED else _in_session
    with hold(name, time.monotonic() + wait):
        yield


def _take(take: Callable[[], bool], name: str, deadline: float) -> None:
    while not take():
        if time.monotonic() >= deadline or stopping():
            raise Busy(name)
        time.sleep(_POLL_SECONDS)


@contextmanager
def _in_session(name: str, deadline: float) -> Iterator[None]:
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    _take(lambda: _is_true("SELECT pg_try_advisory_lock(%s)", [key]), name, deadline)
    try:
        yield
    finally:
        _is_true("SELECT pg_advisory_unlock(%s)", [key])


@contextmanager
def _as_row(name: str, deadline: float) -> Iterator[None]:
    row = _Row({"name": name, "holder": uuid.uuid4().hex, "lease": _LEASE})
    _take(lambda: _is_true(_TAKE, row.fields), name, deadline)
    keeper = threading.Thread(target=row.keep, name="lock", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        row.released.set()
        keeper.join()
        _is_true(_FREE, row.fields)


@dataclass
class _Row:
    """A lock held as a row of the table."""

    fields: dict[str, str | int | float]
    released: threading.Event = field(default_factory=threading.Event)

    def keep(self) -> None:
        """Renew the row periodically, on a connection of its own."""
        while not self.released.wait(_RENEW_AFTER):
            try:
                if not _is_true(_RENEW, self.fields):
                    log.error("lock_lost")
            except DatabaseError:
                log.exception("lock_not_renewed")
                connection.close()
        connection.close()


def _is_true(statement: str, values: list[int] | dict[str, str | int | float]) -> bool:
    """Return whether the statement returned true."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return bool(row and row[0])
