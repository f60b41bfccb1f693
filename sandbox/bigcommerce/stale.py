"""Late reads: with the knob `read_lag` turned, GETs show an order as it was before a change."""

import threading
import time

from sandbox.bigcommerce.models import Document, Order
from sandbox.bigcommerce.reading import snapshot
from sandbox.knobs import knobs

_old: dict[int, tuple[float, Document]] = {}
_lock = threading.Lock()


def remember(order: Order) -> None:
    """Called before a change: late readers go on seeing this for `read_lag` seconds."""
    if not knobs.read_lag:
        return
    until = time.monotonic() + knobs.read_lag
    with _lock:
        if order.id not in _old or _old[order.id][0] < time.monotonic():
            _old[order.id] = (until, snapshot(order))


def old(order_id: int) -> Document | None:
    """What late readers still see of an order, None when they see it as it is."""
    with _lock:
        until, document = _old.get(order_id, (0.0, {}))
        return document if until > time.monotonic() else None


def clear() -> None:
    with _lock:
        _old.clear()
