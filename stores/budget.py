"""How often somebody may ask, counted in PostgreSQL so that all processes agree.

A window slides: of the fixed window before this one counts the part that lies within it still. Only
what is granted is counted, so whoever asks too often gets as much as is allowed, and no less.
"""

import math
import time
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import NamedTuple

from django.db import connection
from django.utils.crypto import salted_hmac

from stores.models import Allowance

# Nothing is written, and no row returned, when the budget is used up.
COUNT = """
INSERT INTO stores_allowance AS known (key, "window", used, used_before, counted_at)
VALUES (%(key)s, %(window)s, 1, 0, now())
ON CONFLICT (key) DO UPDATE SET
    used = CASE WHEN known."window" = excluded."window" THEN known.used + 1 ELSE 1 END,
    used_before = CASE known."window" WHEN excluded."window" THEN known.used_before
                       WHEN excluded."window" - 1 THEN known.used ELSE 0 END,
    "window" = excluded."window", counted_at = now()
WHERE CASE known."window"
    WHEN excluded."window" THEN known.used + known.used_before * %(left)s
    WHEN excluded."window" - 1 THEN known.used * %(left)s
    ELSE 0 END < %(allowed)s
RETURNING used
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


def spend(key: str, allowed: int, seconds: int) -> None:
    """Count one request of this key; raises OverBudget when `allowed` were granted in `seconds`."""
    window = _Window.at(time.time(), seconds)
    row: dict[str, str | int | float] = {
        "key": key,
        "window": window.number,
        "left": window.left,
        "allowed": allowed,
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT, row)
        granted = cursor.fetchone()
    if not granted:
        raise OverBudget(math.ceil(seconds * window.left))


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
