"""`python manage.py drain [--loop]`: tell SeQura what is due, without Celery and Redis."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import Error, connection

from orders import queue
from orders.drain import drain

log = structlog.get_logger(__name__)
PAUSE, PAUSE_AFTER_FAILURE = 1.0, 5.0


class Command(BaseCommand):
    help = "Work on every order that is due. With --loop: go on until told to stop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until SIGTERM or Ctrl-C")

    def handle(self, *_: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        if options["loop"]:
            self._loop(stop)
        else:
            self.stdout.write(f"{self._once(stop)} orders")

    def _once(self, stop: threading.Event) -> int:
        queue.unpark()
        return drain(stop.is_set)

    def _loop(self, stop: threading.Event) -> None:
        """A database that went away is waited for."""
        pause = PAUSE
        while not stop.wait(pause):
            try:
                self._once(stop)
                pause = PAUSE
            except Error:
                log.exception("drain_failed")
                connection.close()
                pause = PAUSE_AFTER_FAILURE
