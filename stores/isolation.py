"""Run a shared loop over stores: a failure of one is logged, counted, and stops no other."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import structlog
from django.db import InterfaceError, OperationalError
from prometheus_client import Counter

from stores.models import Store

log = structlog.get_logger(__name__)
STORE_FAILURES = Counter(
    "sequra_bc_store_failures", "Stores that a shared loop had to leave out, by loop", ["loop"]
)


class _OfStore(Protocol):
    """A row that belongs to a store."""

    store: Store


Row = TypeVar("Row", bound="Store | _OfStore")
# The database is down: that concerns all stores.
OF_ALL = (InterfaceError, OperationalError)


def isolated(what: str, store: Store, work: Callable[[], object]) -> bool:
    """Do one store's part of a shared loop. Return False when it failed, whatever the reason."""
    try:
        work()
    except OF_ALL:
        raise
    except Exception:
        # Nobody can foresee what one store's row or secret does, and all others wait behind it:
        # in the log whole, and counted for the alert on failing stores.
        log.exception("store_failed", store=store.hash, task=what)
        STORE_FAILURES.labels(what).inc()
        return False
    return True


def each(what: str, rows: Iterable[Row], work: Callable[[Row], object]) -> list[Row]:
    """Call `work` for every row. Return the rows for which it failed."""
    failed = []
    for row in rows:
        store = row if isinstance(row, Store) else row.store
        if not isolated(what, store, lambda row=row: work(row)):  # type: ignore[misc]
            failed.append(row)
    return failed
