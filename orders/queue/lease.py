"""Who works on an order, and until when: one actor per order, without an open transaction.

A lease lasts `SECONDS` and is renewed while its holder lives, so the orders of a worker that was
killed are free again a minute later. Two things keep a holder who was stopped in the middle
(a frozen machine, a very long pause) from leaving a wrong final state:

* before every statement, the repeated one and the staff note, he looks whether his lease will
  outlast the call, and gives up if not;
* results are written only while the lease is still his. If it is not, and his statement may have
  arrived after the other's, he marks the order `unsure` and changed: it is told once more. Whoever
  takes over a lease that ran out marks the order `unsure` too, because its holder may have spoken
  and died. Unsure orders are told again even when nothing seems to differ.
"""

import time
from dataclasses import dataclass, field
from uuid import uuid4

from sequra.client import TIMEOUT
from transport.call import longest

SECONDS = 60.0
RENEW_AFTER = 8.0
# The longest call to SeQura, and some room. BigCommerce gets no more time:
# `orders.sync.worker.TIMEOUT`.
NEEDED = longest(TIMEOUT) + 5.0


@dataclass
class Lease:
    """The lease of one worker on all the orders in its hands."""

    id: str = field(default_factory=lambda: uuid4().hex)
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    def renewed(self, asked: float) -> None:
        """The database said yes to what was asked at this moment."""
        self.until = asked + SECONDS

    @property
    def is_safe(self) -> bool:
        """Will the lease outlast one more call?"""
        return self.until - time.monotonic() > NEEDED

    @property
    def wants_renewal(self) -> bool:
        return self.until - time.monotonic() < SECONDS - RENEW_AFTER
