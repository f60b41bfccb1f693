"""How often somebody may ask: fixed windows, counted in PostgreSQL so that all processes agree."""

import time

from django.db import connection

from stores.models import Allowance

COUNT = """
INSERT INTO stores_allowance (key, "window", used, counted_at) VALUES (%s, %s, 1, now())
ON CONFLICT (key) DO UPDATE SET
    used = CASE WHEN stores_allowance."window" = excluded."window"
                THEN stores_allowance.used + 1 ELSE 1 END,
    "window" = excluded."window", counted_at = now()
RETURNING used
"""


class OverBudget(Exception):
    """Too many requests; the window ends after so many seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"again in {retry_after} s")
        self.retry_after = retry_after


def demand(key: str, allowed: int, seconds: int) -> None:
    """Raises OverBudget when as many as `allowed` of this key were spent in the window."""
    now = int(time.time())
    spent = Allowance.objects.filter(key=key, window=now // seconds, used__gte=allowed)
    if spent.exists():
        raise OverBudget(seconds - now % seconds)


def spend(key: str, allowed: int, seconds: int) -> None:
    """Count one request of this key; raises OverBudget above `allowed` per window of `seconds`."""
    now = int(time.time())
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [key, now // seconds])
        (used,) = cursor.fetchone()
    if used > allowed:
        raise OverBudget(seconds - now % seconds)
