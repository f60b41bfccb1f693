"""A file that a worker and a beat touch while they are well, for health checks without the broker.

`celery inspect ping` goes through the broker: in its outage every worker would be found ill and be
started anew, though nothing is wrong with it. Without HEARTBEAT_FILE nothing is written.
"""

import threading
import time
from pathlib import Path
from typing import Any

import celery.beat
from celery import Celery
from celery.signals import celeryd_after_setup, heartbeat_sent
from django.conf import settings

_EVERY = 10.0  # seconds
# Celery's main loop sends a heartbeat every two seconds while the broker answers.
_SILENT = 45.0


def touch() -> None:
    """Record that this process is healthy."""
    if settings.HEARTBEAT_FILE:
        Path(settings.HEARTBEAT_FILE).touch()


class Scheduler(celery.beat.Scheduler):
    """Beat's schedule, without a memory. Each tick is a sign of life."""

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due, and return the seconds until the next tick."""
        delay: float = super().tick(*args, **options)
        touch()
        return delay


class Pulse:
    """Whether the main loop of a worker goes on."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.last = time.monotonic()

    def beat(self, **_: Any) -> None:
        """Record a round of the main loop."""
        self.last = time.monotonic()

    def is_well(self) -> bool:
        """Return whether it came round lately, or cannot, because the broker is away."""
        return time.monotonic() - self.last < _SILENT or self._broker_is_away()

    def _broker_is_away(self) -> bool:
        try:
            with self.app.connection_for_read() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        except Exception:  # noqa: BLE001 (every transport has errors of its own)
            return True
        return False

    def watch(self) -> None:
        """Touch the file for as long as the worker lives and is well."""
        while True:
            if self.is_well():
                touch()
            time.sleep(_EVERY)


@celeryd_after_setup.connect
def _start(instance: Any, **_: Any) -> None:
    """Begin before the worker looks for its broker, which may be away for long."""
    if settings.HEARTBEAT_FILE:
        pulse = Pulse(instance.app)
        heartbeat_sent.connect(pulse.beat, weak=False)
        threading.Thread(target=pulse.watch, name="heartbeat", daemon=True).start()
