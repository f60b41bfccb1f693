"""How much of the store's API budget is left: all apps of the store share it.

https://docs.bigcommerce.com/developer/docs/overview/api-fundamentals/rate-limits
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Quota:
    """`left` of `limit` requests in a window of `window_ms`, which ends in `reset_ms`."""

    left: int
    limit: int
    window_ms: int
    reset_ms: int

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> Self | None:
        """From the headers of an answer; None when they are missing or nonsense."""
        names = ("Requests-Left", "Requests-Quota", "Time-Window-Ms", "Time-Reset-Ms")
        try:
            return cls(*(int(headers[f"X-Rate-Limit-{name}"]) for name in names))
        except (KeyError, ValueError):
            return None
