"""Threads for work whose caller waits, with a limit for each store.

Work continues after its caller stopped waiting, because it may have sent something to SeQura. It
keeps its place among its store's. There are enough threads for several stores that hang at once, so
a store whose calls take minutes delays only itself.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from django.db import connection


class Bulkhead:
    """Run at most `most` threads, and at most `each` of them for one key."""

    def __init__(self, most: int, each: int) -> None:
        self._most, self._each = most, each
        self._begun: dict[object, list[float]] = defaultdict(list)  # of what is under way
        self._changed = threading.Condition()

    def start(self, work: Callable[[], None], key: object, patience: float) -> Future[None] | None:
        """Start the work on a thread. Return None when no thread is free within so many seconds.

        Work without a key counts towards the total and has no limit of its own.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(key), patience):
                return None
            self._begun[key].append(began := time.monotonic())
        future: Future[None] = Future()
        threading.Thread(target=self._run, args=(future, work, key, began), name="confirm").start()
        return future

    def age(self, key: object) -> float:
        """Return for how many seconds the oldest running work of this key has been running."""
        with self._changed:
            return time.monotonic() - min(self._begun.get(key) or [time.monotonic()])

    def _has_room(self, key: object) -> bool:
        has_place = key is None or len(self._begun.get(key, ())) < self._each
        return has_place and sum(map(len, self._begun.values())) < self._most

    def _run(
        self, future: Future[None], work: Callable[[], None], key: object, began: float
    ) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 (whoever waits raises it)
            future.set_exception(error)
        else:
            future.set_result(None)
        finally:
            connection.close()
            with self._changed:
                self._begun[key].remove(began)
                if not self._begun[key]:
                    del self._begun[key]
                self._changed.notify_all()


class Turns:
    """Limit how many threads of a shared pool one store uses for background work.

    Further work queues behind that of its store, and occupies no thread. When its turn comes it
    goes to the end of the pool's queue: several stores that hang leave turns to the others.
    """

    def __init__(self, each: int, submit: Callable[[Callable[[], None]], object]) -> None:
        self._each, self._submit = each, submit
        self._busy: Counter[object] = Counter()
        self._waiting: dict[object, list[Callable[[], None]]] = {}
        self._lock = threading.Lock()

    def take(self, key: object, work: Callable[[], None]) -> None:
        """Do this now; queue it if the store's threads are busy."""
        with self._lock:
            if self._busy[key] >= self._each:
                self._waiting.setdefault(key, []).append(work)
                return
            self._busy[key] += 1
        self._do(key, work)

    def _do(self, key: object, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            if following := self._next(key):
                self._submit(partial(self._do, key, following))

    def _next(self, key: object) -> Callable[[], None] | None:
        with self._lock:
            if waiting := self._waiting.get(key):
                return waiting.pop(0)
            self._busy[key] -= 1
            self._waiting.pop(key, None)
            return None
