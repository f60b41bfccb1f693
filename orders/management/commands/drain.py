"""`python manage.py drain`: send SeQura what is due now, without Celery and Redis."""

import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from orders.queue import claim
from orders.sync.worker import drain
from stores.management import add_examples
from transport.stopping import stop


class Command(BaseCommand):
    help = "Work on every order that is due. `work --loop` does this and all other work for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(parser, "drain")

    def handle(self, *_: Any, **__: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop())
        claim.unpark()
        self.stdout.write(f"{drain()} orders")
