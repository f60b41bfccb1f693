"""`python manage.py work [--loop]`: all periodic and queued work in one process, without Redis.

Orders and payments have a thread of their own, so that reports and registrations never hold them
up. Any number of these, workers and beats may run side by side: every task is safe to repeat.
"""

import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import connections

from sequra_bc.celery import FAST, PERIODIC, SLOW, WAKE_UPS, app, keep_figures
from stores.management import add_examples
from transport.stopping import stop, stopping

log = structlog.get_logger(__name__)
# This process is not woken: it polls for changes this often, in seconds.
_POLL_SECONDS = 1.0
_PAUSE_AFTER_FAILURE = 5.0


class Command(BaseCommand):
    help = "Do everything that is due, once. With --loop: go on until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(parser, "work", "work --loop")
        parser.add_argument("--loop", action="store_true", help="go on until SIGTERM or Ctrl-C")

    def handle(self, *_: Any, **options: Any) -> None:
        app.loader.import_default_modules()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop())
        lanes = [
            threading.Thread(target=_run, args=[lane, options["loop"]]) for lane in (FAST, SLOW)
        ]
        for thread in lanes:
            thread.start()
        for thread in lanes:
            thread.join()


def _run(lane: str, forever: bool) -> None:
    """Run the tasks of a lane, each when its interval is over."""
    due = dict.fromkeys(_tasks_of(lane), 0.0)
    while not stopping():
        for name, interval in _tasks_of(lane).items():
            if not stopping() and time.monotonic() >= due[name]:
                due[name] = time.monotonic() + (
                    interval if _run_one(name) else _PAUSE_AFTER_FAILURE
                )
        if not forever:
            break
        time.sleep(_POLL_SECONDS)
    connections.close_all()


def _tasks_of(lane: str) -> dict[str, float]:
    """Return the names of a lane's tasks and how often they run, in seconds."""
    woken = dict.fromkeys(WAKE_UPS, _POLL_SECONDS) if lane == FAST else {}
    return woken | {name: seconds for name, (its, seconds) in PERIODIC.items() if its == lane}


def _run_one(name: str) -> bool:
    """Run one task. A failure is logged; the other tasks continue."""
    began = time.monotonic()
    try:
        app.tasks[name]()
        keep_figures()
    except Exception:
        # One task's mistake must not end the process that runs them all: it is in the log whole,
        # and the task comes again at its next time.
        log.exception("task failed", task=name)
        connections.close_all()
        return False
    if name not in WAKE_UPS:
        log.info("task", task=name, ms=round(1000 * (time.monotonic() - began)))
    return True
