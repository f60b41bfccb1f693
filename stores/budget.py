"""How often somebody may ask, counted in PostgreSQL so that all processes agree.

A window slides: of the fixed window before this one counts the part that lies within it still. Who
is refused is not counted further, so that whoever goes on asking is heard again in time.
"""

import time

from django.db import connection

from stores.models import Allowance

COUNT = """
INSERT INTO stores_allowance AS known (key, "window", used, used_before, counted_at)
VALUES (%(key)s, %(window)s, 1, 0, now())
ON CONFLICT (key) DO UPDATE SET
    used = CASE WHEN known."window" = excluded."window"
                THEN least(known.used + 1, %(allowed)s + 1) ELSE 1 END,
    used_before = CASE known."window" WHEN excluded."window" THEN known.used_before
                       WHEN excluded."window" - 1 THEN known.used ELSE 0 END,
    "window" = excluded."window", counted_at = now()
RETURNING used, used_before
"""


class OverBudget(Exception):
    """Too many requests; the window ends after so many seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"again in {retry_after} s")
        self.retry_after = retry_after


def demand(key: str, allowed: int, seconds: int) -> None:
    """Raises OverBudget when as many as `allowed` of this key were spent in the window."""
    now = time.time()
    known = Allowance.objects.filter(key=key).values_list("window", "used", "used_before").first()
    window, used, before = known or (0, 0, 0)
    if window == now // seconds - 1:
        used, before = 0, used
    elif window != now // seconds:
        used, before = 0, 0
    _check(used, before, allowed - 1, seconds, now)


def spend(key: str, allowed: int, seconds: int) -> None:
    """Count one request of this key; raises OverBudget above `allowed` within `seconds`."""
    now = time.time()
    row: dict[str, str | int] = {"key": key, "window": int(now) // seconds, "allowed": allowed}
    with connection.cursor() as cursor:
        cursor.execute(COUNT, row)
        used, before = cursor.fetchone()
    _check(used, before, allowed, seconds, now)


def _check(used: int, before: int, allowed: int, seconds: int, now: float) -> None:
    left = 1 - now % seconds / seconds  # of the window before, within the one that slides
    if used + min(before, allowed) * left > allowed:
        raise OverBudget(max(1, round(seconds * left)))
