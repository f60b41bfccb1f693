"""Keep work apart: loops over stores, and locks between processes.

Of a shared loop over stores, a failure of one is logged, counted, and stops no other.
`repeated_once` runs a transaction once more when PostgreSQL ended it because of a deadlock.

A loop that runs all day finds the stores whose turn has come by an index, so an idle run costs the
same for 10 and for 10,000 stores.

A lock is held without an open transaction. A PostgreSQL session advisory lock is free within
milliseconds when its holder dies, and no transaction stays open while the holder makes HTTP calls.
Behind a pooler in transaction mode (`DATABASE_POOLED`) sessions are shared, so there a lock is a
row that its holder renews, and it is free `_LEASE` seconds after the holder died.
"""

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial, wraps
from typing import Any, ParamSpec, Protocol, TypeVar

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from prometheus_client import Counter
from psycopg2.extensions import TransactionRollbackError

from stores.models import Store
from transport.stopping import before_a_call, stopping

log = structlog.get_logger(__name__)
_STORE_FAILURES = Counter(
    "sequra_bc_store_failures", "Stores that a shared loop had to leave out, by loop", ["loop"]
)


class _OfStore(Protocol):
    """A row that belongs to a store."""

    store: Store


_Owned = TypeVar("_Owned", bound="Store | _OfStore")
_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


def is_of_all(error: Exception) -> bool:
    """Return whether the database is down: that concerns all stores, unlike a deadlock."""
    return isinstance(error, InterfaceError | OperationalError) and not _is_rolled_back(error)


def _is_rolled_back(error: Exception) -> bool:
    """Return whether PostgreSQL chose this transaction to end a deadlock or a conflict."""
    return isinstance(error.__cause__, TransactionRollbackError)


def repeated_once(work: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Decorate a transaction or a single statement: run it once more after a deadlock.

    PostgreSQL has undone all of it by then. Within a larger transaction the error is raised,
    because that one is undone as well.
    """

    @wraps(work)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Returned:
        try:
            return work(*args, **kwargs)
        except OperationalError as error:
            if connection.in_atomic_block or not _is_rolled_back(error):
                raise
            log.warning("transaction_repeated", work=work.__qualname__, reason=str(error))
        return work(*args, **kwargs)

    return run


def isolated(what: str, store: Store, work: Callable[[], object]) -> bool:
    """Do one store's part of a shared loop. Return False when it failed, whatever the reason."""
    try:
        work()
    except SoftTimeLimitExceeded:  # of the whole task: the next store would be killed with it
        raise
    except Exception as error:
        if is_of_all(error):
            raise
        # Nobody can foresee what one store's row or secret does, and all others wait behind it:
        # in the log whole, and counted for the alert on failing stores.
        log.exception("store_failed", store=store.hash, task=what)
        _STORE_FAILURES.labels(what).inc()
        return False
    return True


def each(what: str, rows: Iterable[_Owned], work: Callable[[_Owned], object]) -> list[_Owned]:
    """Call `work` for every row. Return the rows for which it failed."""
    failed = []
    for row in rows:
        store = row if isinstance(row, Store) else row.store
        # mypy does not infer the type of a default.
        if not isolated(what, store, lambda row=row: work(row)):  # type: ignore[misc]
            failed.append(row)
    return failed


_MOST_TURNS = 500  # of one run; the next run continues


def in_no_order(
    what: str, stores: QuerySet[Store], work: Callable[[Store], object], until: float
) -> None:
    """Call `work` for stores until the time is up (monotonic); the next run continues.

    Those that hang or fail are due again: in no order each of the others has its chance before.
    """
    for store in stores.order_by("?")[:_MOST_TURNS]:
        if stopping() or time.monotonic() > until:
            return
        isolated(what, store, partial(work, store))


# A store that fails, or whose process dies, has its next turn after this time.
_TURN_LASTS = timedelta(minutes=4)


def in_turn(
    what: str,
    stores: QuerySet[Store],
    column: str,
    work: Callable[[Store], datetime],
    until: float,
) -> None:
    """Call `work` for the stores that are due by this column, the longest waiting first.

    `work` returns the moment of the next turn. Processes share the stores: a turn is taken by
    moving it. No turn begins after `until` (monotonic).
    """
    due = stores.filter(**{f"{column}__lte": timezone.now()}).order_by(column)
    for store in due[:_MOST_TURNS]:
        if stopping() or time.monotonic() > until:
            return
        taken = timezone.now() + _TURN_LASTS
        if _move(store, column, getattr(store, column), taken):
            isolated(what, store, partial(_have_turn, store, column, work, taken))


def _have_turn(
    store: Store, column: str, work: Callable[[Store], datetime], taken: datetime
) -> None:
    _move(store, column, taken, work(store))


def _move(store: Store, column: str, known: datetime, to: datetime) -> bool:
    """Move a turn, unless the store was saved or another process moved it meanwhile."""
    return bool(Store.objects.filter(pk=store.pk, **{column: known}).update(**{column: to}))


# Rows of one statement that deletes: few enough never to block other statements for long.
_DELETED_AT_ONCE = 5000


def delete_in_batches(rows: QuerySet[Any]) -> int:
    """Delete these rows. Return how many there were. The process may end between two batches.

    A row that is being changed stays; it is judged again in the next run.
    """
    deleted = 0
    while count := _delete_some(rows):
        deleted += count
        before_a_call()
    return deleted


@transaction.atomic
def _delete_some(rows: QuerySet[Any]) -> int:
    chosen = rows.only("pk").select_for_update(of=("self",), skip_locked=True)
    keys = [row.pk for row in chosen[:_DELETED_AT_ONCE]]
    QuerySet(rows.model).filter(pk__in=keys).delete()
    return len(keys)


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


def _wait_for(take: Callable[[], bool], name: str, deadline: float) -> None:
    while not take():
        if time.monotonic() >= deadline or stopping():
            raise Busy(name)
        time.sleep(_POLL_SECONDS)


@contextmanager
def _in_session(name: str, deadline: float) -> Iterator[None]:
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    _wait_for(lambda: _is_true("SELECT pg_try_advisory_lock(%s)", [key]), name, deadline)
    try:
        yield
    finally:
        _is_true("SELECT pg_advisory_unlock(%s)", [key])


@contextmanager
def _as_row(name: str, deadline: float) -> Iterator[None]:
    row = _Row({"name": name, "holder": uuid.uuid4().hex, "lease": _LEASE})
    _wait_for(lambda: _is_true(_TAKE, row.fields), name, deadline)
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
