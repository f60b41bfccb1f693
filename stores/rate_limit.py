"""Limit how often a caller may ask, counted in PostgreSQL so that all processes agree.

The window slides: of the fixed window before the current one, the part that still lies within the
sliding window counts. Only granted requests are counted, so a caller who exceeds the limit still
gets what is allowed. `LIMITS` lists all limits except those that follow BigCommerce's own quota
(`payments.storefront`).
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import NamedTuple, TypedDict

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac

from stores.models import Allowance


class _Limit(TypedDict):
    """Allow so many requests in so many seconds."""

    allowed: int
    seconds: int


# Many people may share an address, so no less than this for each of them; a setting.
_OF_AN_ADDRESS: _Limit = {"allowed": settings.ADDRESS_REQUESTS_PER_MINUTE, "seconds": 60}
LIMITS: dict[str, _Limit] = {
    # A merchant installs once; many merchants may share an address.
    "install": {"allowed": 20, "seconds": 60},  # a store
    "install from": _OF_AN_ADDRESS,
    "open": {"allowed": 30, "seconds": 60},  # a user of a store
    "open from": _OF_AN_ADDRESS,
    # /uninstall and /remove_user. BigCommerce sends them for many stores from few addresses, so an
    # address is counted only when the signature is wrong.
    "remove": {"allowed": 30, "seconds": 60},  # a store
    "remove from": {"allowed": 30, "seconds": 60},
    "page": {"allowed": 120, "seconds": 60},  # a session, in one process
    # A solicitation and its state, so that no first notification is refused.
    "notification": {"allowed": 10, "seconds": 60},
    "event": {"allowed": 10, "seconds": 60},
    "question from": _OF_AN_ADDRESS,  # of all stores
    "question of a checkout": {"allowed": 20, "seconds": 60},
    # While BigCommerce's quota is unknown: per address of one store, and for the whole store.
    "question of an address": {"allowed": 20, "seconds": 30},
    "question of a store": {"allowed": 60, "seconds": 30},
    # Checkouts that do not exist: guessing them must not use up the calls that shoppers need.
    "guess": {"allowed": 6, "seconds": 30},
    "balance": {"allowed": 60, "seconds": 30},  # of a store's checkouts, counted per process
    # Reads of a catalogue for promotional widgets: of a store, and of each of its visitors.
    "products of widgets": {"allowed": 60, "seconds": 60},
    "products of an address": {"allowed": 15, "seconds": 60},
    "refusal": {"allowed": 1, "seconds": 60},  # remembered for the merchant, of a store
    # Webhooks: above this rate the events of one order share a row. Counted per process.
    "webhook": {"allowed": 100, "seconds": 1},  # a store
    "form": {"allowed": 20, "seconds": 60},  # a solicitation
    "script error": {"allowed": 30, "seconds": 60},  # a store
    "probe": {"allowed": 1, "seconds": 3600},  # of a store whose token BigCommerce refused
    "report address": {"allowed": 10, "seconds": 60},  # wrong ones, of an address
    "self-test": {"allowed": 10, "seconds": 3600},  # of a store
    # Requests that show whether the webhook of a store's alerts takes one.
    "test of a webhook": {"allowed": 10, "seconds": 3600},
    # Mails that ask whether an address wants alerts: of a store, and to an address of all stores.
    "confirmation of a store": {"allowed": 10, "seconds": 24 * 3600},
    "confirmation to": {"allowed": 2, "seconds": 24 * 3600},
    "operator": {"allowed": 10, "seconds": 600},  # of an operator's password
}

# One statement counts all keys or none, in the order of the keys, so that two never deadlock.
_COUNT = """
WITH wanted AS (
    SELECT * FROM unnest(%(keys)s::text[], %(windows)s::bigint[], %(lefts)s::float[],
        %(allowed)s::bigint[], %(counted)s::boolean[])
        AS w (key, "window", left_, allowed, counted))
INSERT INTO stores_allowance AS known (key, "window", used, used_before, counted_at)
SELECT key, "window", 1, 0, now() FROM wanted
WHERE counted AND NOT EXISTS (
    SELECT FROM wanted w JOIN stores_allowance a ON a.key = w.key
    WHERE CASE a."window" WHEN w."window" THEN a.used + a.used_before * w.left_
        WHEN w."window" - 1 THEN a.used * w.left_ ELSE 0 END >= w.allowed)
ORDER BY key
ON CONFLICT (key) DO UPDATE SET
    used = CASE WHEN known."window" = excluded."window" THEN known.used + 1 ELSE 1 END,
    used_before = CASE known."window" WHEN excluded."window" THEN known.used_before
                       WHEN excluded."window" - 1 THEN known.used ELSE 0 END,
    "window" = excluded."window", counted_at = now()
WHERE CASE known."window"
    WHEN excluded."window" THEN known.used
        + known.used_before * (SELECT left_ FROM wanted w WHERE w.key = known.key)
    WHEN excluded."window" - 1 THEN known.used
        * (SELECT left_ FROM wanted w WHERE w.key = known.key)
    ELSE 0 END < (SELECT allowed FROM wanted w WHERE w.key = known.key)
RETURNING key
"""


def _network_of(address: str) -> str:
    """Return what a limit counts: an IPv4 address, or the /64 network of an IPv6 user."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:45]
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((int(found) >> 64 << 64, 64)))


def caller(address: str) -> str:
    """Return the caller's name in a limit: a keyed digest, so that no address is stored."""
    return salted_hmac("rate limit", _network_of(address), algorithm="sha256").hexdigest()[:32]


class RateLimited(Exception):
    """Too many requests. `retry_after`: seconds until the window ends."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"again in {retry_after} s")
        self.retry_after = retry_after


class _Window(NamedTuple):
    """A fixed window, and how much of the one before it lies in the sliding window (0 to 1)."""

    number: int
    left: float

    @classmethod
    def at(cls, now: float, seconds: int) -> "_Window":
        return cls(int(now // seconds), 1 - now % seconds / seconds)


class KeyLimit(NamedTuple):
    """A key that a request counts for, and its limit; or that must only not be exhausted."""

    key: str
    allowed: int
    seconds: int
    counted: bool = True


def consume(key: str, allowed: int, seconds: int, also: Sequence[KeyLimit] = ()) -> None:
    """Count one request of this key. Raise RateLimited when its limit is reached.

    With `also` the request is counted for several keys, or for none of them.
    """
    limits, now = (KeyLimit(key, allowed, seconds), *also), time.time()
    windows = [_Window.at(now, limit.seconds) for limit in limits]
    rows: dict[str, list[str] | list[int] | list[float] | list[bool]] = {
        "keys": [limit.key for limit in limits],
        "windows": [window.number for window in windows],
        "lefts": [window.left for window in windows],
        "allowed": [limit.allowed for limit in limits],
        "counted": [limit.counted for limit in limits],
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, rows)
        granted = len(cursor.fetchall())
    if granted < sum(limit.counted for limit in limits):
        raise RateLimited(_again_in(limits, now))


def _again_in(limits: Sequence[KeyLimit], now: float) -> int:
    """Return the seconds until the windows of all exhausted keys have ended."""
    used_up = []
    for limit in limits:
        try:
            check_limit(limit.key, limit.allowed, limit.seconds)
        except RateLimited as limited:
            used_up.append(limited.retry_after)
    return max(used_up, default=math.ceil(1 - now % 1))


def check_limit(key: str, allowed: int, seconds: int) -> None:
    """Raise RateLimited when `allowed` requests of this key were granted in the last `seconds`."""
    window = _Window.at(time.time(), seconds)
    known = Allowance.objects.filter(key=key, window__gte=window.number - 1).first()
    if known is None:
        return
    is_current = known.window == window.number
    used, before = (known.used, known.used_before) if is_current else (0, known.used)
    if used + before * window.left >= allowed:
        raise RateLimited(math.ceil(seconds * window.left))


class LocalRateLimit:
    """Count like `consume` in this process's memory, for requests that must cost no statement."""

    MOST = 10_000  # keys

    def __init__(self) -> None:
        self._known: dict[object, tuple[int, int, int]] = {}  # window, used, used before
        self._lock = threading.Lock()

    def consume(self, key: object, allowed: int, seconds: int) -> None:
        """Count one request of this key. Raise RateLimited when its limit is reached."""
        now = _Window.at(time.time(), seconds)
        with self._lock:
            window, used, before = self._known.get(key, (now.number, 0, 0))
            if window != now.number:
                used, before = 0, used if window == now.number - 1 else 0
            if used + before * now.left >= allowed:
                raise RateLimited(math.ceil(seconds * now.left))
            self._known.pop(key, None)  # the oldest stand in front
            self._known[key] = (now.number, used + 1, before)
            if len(self._known) > self.MOST:
                del self._known[next(iter(self._known))]


class Concurrency:
    """Limit how many requests of one key, such as a store, hold a thread of the process at once."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._busy: Counter[object] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def entered(self, key: object) -> Iterator[bool]:
        """Yield whether the key has a free place, and free it afterwards."""
        with self._lock:
            mine = self._busy[key] < self._each
            self._busy[key] += mine
        try:
            yield mine
        finally:
            with self._lock:
                self._busy[key] -= mine


class Places:
    """Let so many run at once; some more wait for a moment, others are refused."""

    def __init__(self, running: int, waiting: int = 0, seconds: float = 0) -> None:
        self.running, self.all = running, running + waiting
        self._running = threading.BoundedSemaphore(running)
        self._waiting = threading.BoundedSemaphore(waiting) if waiting else None
        self._seconds = seconds

    def take(self) -> bool:
        """Return whether the caller has a place now, which it must give back."""
        if self._running.acquire(blocking=False):
            return True
        if self._waiting is None or not self._waiting.acquire(blocking=False):
            return False
        try:
            return self._running.acquire(timeout=self._seconds)
        finally:
            self._waiting.release()

    def give_back(self) -> None:
        self._running.release()


# Requests of all stores that wait for another system at once, of a process, and those that wait for
# such a place. `sequra_bc.bulkheads` has threads besides: for pages that wait for no other system,
# and for the progress of payments.
OUTSIDE = Places(8, waiting=4, seconds=2)
# Reads of catalogues for widgets at once, of a process: they take no place of a checkout.
READS = Places(2)


@contextmanager
def may_wait(own: Concurrency, key: object, places: Places | None = None) -> Iterator[bool]:
    """Yield whether a request may wait for another system: the key and the process have a place."""
    places = places or OUTSIDE
    with own.entered(key) as mine:
        has_place = mine and places.take()
        try:
            yield has_place
        finally:
            if has_place:
                places.give_back()
