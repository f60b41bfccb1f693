"""How often somebody may ask, counted in PostgreSQL so that all processes agree.

A window slides: of the fixed window before this one counts the part that lies within it still. Only
what is granted is counted, so whoever asks too often gets as much as is allowed, and no less.
`LIMITS` is the table of all limits but those that follow BigCommerce's own (`payments.storefront`).
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


class Limit(TypedDict):
    """So many requests in so many seconds."""

    allowed: int
    seconds: int


# Many people may share an address, so no less than this for each of them; a setting.
OF_AN_ADDRESS: Limit = {"allowed": settings.ADDRESS_REQUESTS_PER_MINUTE, "seconds": 60}
LIMITS: dict[str, Limit] = {
    # A merchant installs once; many merchants may share an address.
    "install": {"allowed": 20, "seconds": 60},  # a store
    "install from": OF_AN_ADDRESS,
    "open": {"allowed": 30, "seconds": 60},  # a user of a store
    "open from": OF_AN_ADDRESS,
    # /uninstall and /remove_user. BigCommerce speaks for many stores from few addresses, so an
    # address is counted for what is not signed.
    "remove": {"allowed": 30, "seconds": 60},  # a store
    "remove from": {"allowed": 30, "seconds": 60},
    "page": {"allowed": 120, "seconds": 60},  # a session, in one process
    # A solicitation and what is said of it, so that no first notification is refused.
    "notification": {"allowed": 10, "seconds": 60},
    "event": {"allowed": 10, "seconds": 60},
    "question from": OF_AN_ADDRESS,  # of all stores
    "question of a checkout": {"allowed": 20, "seconds": 60},
    # As long as BigCommerce has not said how many calls are left: of one store, and the store's.
    "question of an address": {"allowed": 20, "seconds": 30},
    "question of a store": {"allowed": 60, "seconds": 30},
    # Checkouts that do not exist, so that shoppers still see SeQura.
    "guess": {"allowed": 6, "seconds": 30},
    "refusal": {"allowed": 1, "seconds": 60},  # remembered for the merchant, of a store
    # Webhooks: beyond this those of one order share a row. In one process.
    "webhook": {"allowed": 100, "seconds": 1},  # a store
    "form": {"allowed": 20, "seconds": 60},  # a solicitation
    "script error": {"allowed": 30, "seconds": 60},  # a store
    "probe": {"allowed": 1, "seconds": 3600},  # of a store whose token BigCommerce refused
    "report address": {"allowed": 10, "seconds": 60},  # wrong ones, of an address
    "operator": {"allowed": 10, "seconds": 600},  # of an operator's password
}

# All or nothing in one statement, in the order of the keys, so that two never wait for each other.
# Nothing is written when one of them is used up.
COUNT = """
WITH wanted AS (
    SELECT * FROM unnest(%(keys)s::text[], %(windows)s::bigint[], %(lefts)s::float[],
        %(allowed)s::bigint[]) AS w (key, "window", left_, allowed))
INSERT INTO stores_allowance AS known (key, "window", used, used_before, counted_at)
SELECT key, "window", 1, 0, now() FROM wanted
WHERE NOT EXISTS (
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


def network_of(address: str) -> str:
    """Whom a limit counts: an address, or the /64 that one IPv6 user has for himself."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:45]
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((int(found) >> 64 << 64, 64)))


def caller(address: str) -> str:
    """Return who asks, as a limit names them: a keyed digest, so that no address is stored."""
    return salted_hmac("stores.budget", network_of(address), algorithm="sha256").hexdigest()[:32]


class OverBudget(Exception):
    """Too many requests; the window ends after so many seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"again in {retry_after} s")
        self.retry_after = retry_after


class _Window(NamedTuple):
    """The fixed window that we are in, and how much of the one before lies in the sliding one."""

    number: int
    left: float

    @classmethod
    def at(cls, now: float, seconds: int) -> "_Window":
        return cls(int(now // seconds), 1 - now % seconds / seconds)


class Want(NamedTuple):
    """One more request of this key."""

    key: str
    allowed: int
    seconds: int


def spend(key: str, allowed: int, seconds: int, also: Sequence[Want] = ()) -> None:
    """Count one request of this key; raises OverBudget when `allowed` were granted in `seconds`.

    With `also` the request is counted for several keys, or for none of them.
    """
    wants, now = (Want(key, allowed, seconds), *also), time.time()
    windows = [_Window.at(now, want.seconds) for want in wants]
    rows: dict[str, list[str] | list[int] | list[float]] = {
        "keys": [want.key for want in wants],
        "windows": [window.number for window in windows],
        "lefts": [window.left for window in windows],
        "allowed": [want.allowed for want in wants],
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT, rows)
        granted = len(cursor.fetchall())
    if granted < len(wants):
        raise OverBudget(_again_in(wants, now))


def _again_in(wants: Sequence[Want], now: float) -> int:
    """Seconds until the windows of what is used up have ended."""
    used_up = []
    for want in wants:
        try:
            demand(*want)
        except OverBudget as budget:
            used_up.append(budget.retry_after)
    return max(used_up, default=math.ceil(1 - now % 1))


def demand(key: str, allowed: int, seconds: int) -> None:
    """Raises OverBudget when `allowed` requests of this key were granted in `seconds`."""
    window = _Window.at(time.time(), seconds)
    known = Allowance.objects.filter(key=key, window__gte=window.number - 1).first()
    if known is None:
        return
    is_current = known.window == window.number
    used, before = (known.used, known.used_before) if is_current else (0, known.used)
    if used + before * window.left >= allowed:
        raise OverBudget(math.ceil(seconds * window.left))


class Pace:
    """Counts like `spend`, in the memory of this process: for what must not cost a statement."""

    MOST = 10_000  # keys

    def __init__(self) -> None:
        self._known: dict[object, tuple[int, int, int]] = {}  # window, used, used before
        self._lock = threading.Lock()

    def spend(self, key: object, allowed: int, seconds: int) -> None:
        """Count one request of this key. Raises OverBudget."""
        now = _Window.at(time.time(), seconds)
        with self._lock:
            window, used, before = self._known.get(key, (now.number, 0, 0))
            if window != now.number:
                used, before = 0, used if window == now.number - 1 else 0
            if used + before * now.left >= allowed:
                raise OverBudget(math.ceil(seconds * now.left))
            self._known.pop(key, None)  # the oldest stand in front
            self._known[key] = (now.number, used + 1, before)
            if len(self._known) > self.MOST:
                del self._known[next(iter(self._known))]


class Room:
    """How many requests of one store hold a thread of the web server at once."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._busy: Counter[object] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def entered(self, key: object) -> Iterator[bool]:
        """Whether there is a place; it is free again afterwards."""
        with self._lock:
            mine = self._busy[key] < self._each
            self._busy[key] += mine
        try:
            yield mine
        finally:
            with self._lock:
                self._busy[key] -= mine
