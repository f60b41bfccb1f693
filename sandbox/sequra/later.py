"""Work that the pretend SeQura does by itself after a while, in threads of this process."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

_timers: set[threading.Timer] = set()
_lock = threading.Lock()


def schedule(seconds: float, work: Callable[..., Any], *arguments: Any) -> None:
    """Call `work` in that many seconds, once the present transaction is committed."""
    transaction.on_commit(lambda: start(seconds, work, *arguments))


def start(seconds: float, work: Callable[..., Any], *arguments: Any) -> None:
    def run() -> None:
        try:
            work(*arguments)
        finally:
            connection.close()
            with _lock:
                _timers.discard(timer)

    timer = threading.Timer(seconds, run)
    timer.daemon = True
    with _lock:
        _timers.add(timer)
    timer.start()


def forget() -> None:
    """Cancel all that has not begun."""
    with _lock:
        for timer in _timers:
            timer.cancel()
        _timers.clear()
