"""drain: work until nothing is due. The queue is in PostgreSQL; Celery messages only wake workers.

One thread uses the database: it folds events into orders, claims due orders, writes results and
renews the leases. Up to `THREADS` others send HTTP requests. Each keeps its own connections open
and uses no database connection. No transaction is open during a call.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from functools import cache, partial
from typing import Any

import requests
import structlog
from celery.signals import worker_process_shutdown
from django.db import connection, transaction
from prometheus_client import Counter

from bigcommerce.api import Quota
from bigcommerce.client import BigCommerce
from orders.models import Order
from orders.queue import claim, throttle
from orders.queue.claim import Lease
from orders.queue.wakeup import wake_worker
from orders.sync import staff_notes
from orders.sync.results import TOGETHER, finish, finish_together
from orders.sync.sync import Kind, Result, sync_order
from orders.topics import handle
from stores.clients import UNREADABLE, bigcommerce_for, sequra_for
from stores.isolation import Busy, is_of_all, isolated, only_one, repeated_once
from stores.models import Store
from transport.call import new_session
from transport.stopping import Stopping, interruptible, stopping

log = structlog.get_logger(__name__)

_SYNCED = Counter("sequra_bc_synced", "Orders synchronised, by how it ended", ["outcome"])
THREADS = 64
TIMEOUT = (3.0, 10.0)  # seconds to connect, to answer
# Seconds that one worker waits for orders to become due, so that a burst needs no second wake-up.
LINGER = 2.5
# Seconds of one run. Another wake-up continues, so that a due payment gets a free slot in time.
_STOP_AFTER = 20.0
_GATHER = 0.02  # results that end together are written together

_Done = tuple[Result, Quota | None]


class _Drain:
    """One run over the queue."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self.lease = Lease()
        self.working: dict[Future[_Done], Order] = {}
        self.finished = 0
        self.looked = time.monotonic()
        self._is_over = is_over

    def run(self) -> int:
        """Work until nothing is due. Return how many orders were finished.

        When the time is up, calls still under way belong to stores that do not answer. A thread
        waits for them, so that the caller is free for other stores.
        """
        while self._start() or self.working:
            if self._is_over() and not stopping():
                _aside(self)
                break
            self._collect()
        return self.finished

    def collect_all(self) -> None:
        """Wait for everything that is under way, and write the results."""
        while self.working:
            self._collect()

    def _start(self) -> int:
        """Fold events, claim orders and hand them to threads.

        Return how many orders were claimed.
        """
        if self._is_over():
            return 0
        self.looked = time.monotonic()
        take_events()
        room = THREADS - len(self.working)
        orders = claim.claim(self.lease, room) if room else []
        for order in orders:
            # Log lines and spans of the thread belong to this task.
            work = copy_context().run
            self.working[_pool().submit(work, _synchronise, order, self.lease)] = order
        return len(orders)

    def _collect(self) -> None:
        """Wait for results, write them and renew the lease."""
        done, _ = wait(self.working, timeout=1, return_when=FIRST_COMPLETED)
        if done and len(self.working) > len(done):
            time.sleep(_GATHER)
            done = {future for future in self.working if future.done()}
        self._write([(self.working.pop(future), future) for future in done])
        if self.lease.wants_renewal:
            asked = time.monotonic()
            claim.renew(self.lease, (order.pk for order in self.working.values()))
            self.lease.renewed(asked)

    def _write(self, done: Sequence[tuple[Order, "Future[_Done]"]]) -> None:
        """Write results: most in a few statements, the rest, or a batch that fails, one by one."""
        together: list[tuple[Order, Result]] = []
        alone: list[tuple[Order, Result]] = []
        quotas: dict[int, Quota | None] = {}
        for order, future in done:
            result, quotas[order.store_id] = _outcome(order, future)
            (together if result.kind in TOGETHER else alone).append((order, result))
        if together and not self._finish_together(together):
            alone = together + alone
        for order, result in alone:
            self._finish(order, result)
        throttle.record_quotas(quotas)
        self.finished += len(done)

    def _finish_together(self, done: Sequence[tuple[Order, Result]]) -> bool:
        """Return False when the results cannot be written together, whatever the reason."""
        try:
            finish_together(done, self.lease.id)
        except Exception as error:
            if is_of_all(error):
                raise
            # One order's row or document may be at fault. Alone, each of the others is written.
            log.exception("results_not_written", orders=len(done))
            return False
        return True

    def _finish(self, order: Order, result: Result) -> None:
        """Write one result. A result that cannot be written must not block the others.

        If even the fallback cannot be written, the lease expires and leaves the order `unsure`.
        """
        trouble = Result(kind=Kind.LATER, reason="internal", may_have_arrived=result.may_be_known)
        for attempt in (result, trouble):
            try:
                finish(order, attempt, self.lease.id)
            except Exception as error:
                if is_of_all(error):
                    raise
                # Other orders' results wait behind this one. The log has the whole traceback, and
                # the order is retried as unsure.
                number, store = order.bigcommerce_id, order.store.hash
                log.exception("result_not_written", order=number, store=store)
            else:
                return


_asides: set[threading.Thread] = set()


def _aside(run: _Drain) -> None:
    """Wait for a run's calls in a thread, which keeps its lease and writes its results."""

    def wait_for_it() -> None:
        try:
            run.collect_all()
        except Exception:
            # No caller waits for this thread, so log the error here. The leases expire and leave
            # the orders unsure.
            log.exception("drain_failed")
        finally:
            connection.close()
            _asides.discard(threading.current_thread())

    thread = threading.Thread(target=wait_for_it, name="drain-aside")
    _asides.add(thread)
    thread.start()


@worker_process_shutdown.connect
def finish_asides(**_: Any) -> None:
    """Wait for the threads of earlier runs before a worker's child process ends."""
    for thread in list(_asides):
        thread.join()


def _outcome(order: Order, future: "Future[_Done]") -> _Done:
    """Return the result of an order, and count how it ended."""
    done = _ended(order, future)
    _SYNCED.labels(done[0].kind.value).inc()
    return done


def _ended(order: Order, future: "Future[_Done]") -> _Done:
    """Return the result of an order.

    A defect of ours becomes a retry, and is logged with its place.
    """
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, Stopping):  # nothing was sent: the next worker starts again
        return Result(kind=Kind.LEASE_LOST), None
    log.error("sync_failed", order=order.bigcommerce_id, store=order.store.hash, exc_info=error)
    return Result(kind=Kind.LATER, reason="internal", may_have_arrived=True), None


def _synchronise(order: Order, lease: Lease) -> _Done:
    """Synchronise one order on a thread of its own."""
    session = _session()
    try:
        shop = bigcommerce_for(order.store, TIMEOUT, session)
        provider = sequra_for(order.connection, session)
    except UNREADABLE as error:
        # A traceback adds nothing to a known cause.
        log.error("store_failed", store=order.store.hash, task="drain", reason=error.reason)  # noqa: TRY400
        return Result(kind=Kind.LATER, reason="secret_unreadable"), None
    with interruptible():
        result = sync_order(order, shop, provider, lease)
        if result.kind not in (Kind.GONE, Kind.LATER, Kind.LEASE_LOST, Kind.NO_ACCESS):
            result = replace(result, staff_note=_staff_note(shop, order, lease))
    log.info(
        "order_synced",
        store=order.store.hash,
        order=order.bigcommerce_id,
        outcome=result.kind.value,
        reason=result.reason or None,
    )
    return result, shop.quota


def _staff_note(shop: BigCommerce, order: Order, lease: Lease) -> str:
    """Write the block in the staff notes.

    Return it if it changed; an error does not affect the result.
    """
    try:
        return staff_notes.write(shop, order, lambda: lease.is_safe)
    except Stopping:
        return ""


_kept = threading.local()


def _session() -> requests.Session:
    """Return the HTTP session of this thread. Its connections stay open from order to order."""
    if not hasattr(_kept, "session"):
        _kept.session = new_session()
    session: requests.Session = _kept.session
    return session


@cache
def _pool() -> ThreadPoolExecutor:
    """Return the thread pool. It is created on first use, because a worker forks before."""
    return ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="sync")


def take_events() -> None:
    """Fold new events and settle times into orders, and handle events about a store itself.

    An event that cannot be handled for one store is parked, and retried in the next sweep.
    """
    claim.settle()
    _take_events()


@repeated_once
@transaction.atomic
def _take_events() -> None:
    """Handle events in the transaction that takes them: none is lost, and no call is made."""
    events = claim.fold()
    stores = Store.objects.in_bulk({store for store, _ in events})
    for pk, scope in events:
        if pk in stores and not isolated("events", stores[pk], partial(_handle, pk, scope)):
            claim.park(pk, scope)


@transaction.atomic
def _handle(store: int, scope: str) -> None:
    handle(store, scope)


def drain() -> int:
    """Work until nothing is due and nothing becomes due within moments, or for `_STOP_AFTER`.

    Of several workers one lingers; the others return when nothing is left to claim. The lingering
    worker checks once more after it released the lock, so that no wake-up is missed in between.
    """
    is_over = partial(_is_over, time.monotonic() + _STOP_AFTER)
    run = _Drain(is_over)
    finished = run.run()
    while not is_over():
        with _lingering() as mine:
            while mine and not is_over() and claim.due_within(LINGER, looked=run.looked):
                time.sleep(0.1)
                run = _Drain(is_over)
                finished += run.run()
        if not mine or not claim.due_within(0, looked=run.looked):
            return finished
    wake_worker()
    return finished


def _is_over(until: float) -> bool:
    """Return whether the process is stopping or the time of this run is up."""
    return stopping() or time.monotonic() > until


@contextmanager
def _lingering() -> Any:
    """Yield True to one worker at a time."""
    try:
        with only_one("lingering"):
            yield True
    except Busy:
        yield False
