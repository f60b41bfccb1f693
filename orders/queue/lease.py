"""Leases: one worker per order at a time, without an open transaction.

A lease lasts `SECONDS` and is renewed while its holder lives, so the orders of a killed worker are
free again a minute later. A holder may also be suspended in the middle (a frozen machine, a very
long pause). Two rules keep it from leaving a wrong final state:

* Before every statement, its repetition and the staff note, the holder checks that its lease
  outlasts the call, and gives up if it does not.
* Results are written only while the lease is held. If it was lost, the holder's statement may have
  arrived after the next holder's, so it marks the order `unsure` and changed: the statement is sent
  once more. A worker that takes over an expired lease marks the order `unsure` too, because the
  former holder may have sent something before it died. An unsure order is sent again even when
  nothing seems to differ.
"""

import time
from dataclasses import dataclass, field
from uuid import uuid4

from sequra.client import TIMEOUT
from transport.call import longest

SECONDS = 60.0
_RENEW_AFTER = 8.0
# The longest call to SeQura plus a margin. Calls to BigCommerce take no longer:
# `orders.sync.worker.TIMEOUT`.
_NEEDED = longest(TIMEOUT) + 5.0


@dataclass
class Lease:
    """The lease of one worker on all orders that it works on."""

    id: str = field(default_factory=lambda: uuid4().hex)
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    def renewed(self, asked: float) -> None:
        """Record that the database extended the lease, as of the monotonic time of the request."""
        self.until = asked + SECONDS

    @property
    def is_safe(self) -> bool:
        """Return whether the lease outlasts one more call."""
        return self.until - time.monotonic() > _NEEDED

    @property
    def wants_renewal(self) -> bool:
        """Return whether the lease is old enough to be renewed."""
        return self.until - time.monotonic() < SECONDS - _RENEW_AFTER
