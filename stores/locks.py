"""One actor at a time, across processes, without an open transaction.

A PostgreSQL session advisory lock: free within milliseconds when its holder dies, and no
transaction stays open while the holder speaks HTTP.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from wire.stopping import stopping

POLL_SECONDS = 0.05


class Busy(Exception):
    """Somebody else holds the lock and did not let go in time."""


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _try(key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        return bool(cursor.fetchone()[0])


@contextmanager
def only_one(name: str, wait: float = 0) -> Iterator[None]:
    """Hold the lock of this name; raises Busy when it is not free within `wait` seconds."""
    key, deadline = _key(name), time.monotonic() + wait
    while not _try(key):
        if time.monotonic() >= deadline or stopping():
            raise Busy(name)
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
