"""`manage.py migrate`, one at a time and without holding up the processes that serve."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections

from stores.management import add_examples

_LOCK = 7_318_441_024  # beside the queue's, in `orders.queue.claim`
_PATIENCE = "5s"


class Command(migrate.Command):
    """Django's command under an advisory lock.

    A statement that waits for a table longer than five seconds fails, because every request behind
    it waits, too. What was migrated before it stays; run it again when the table is free.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_examples(parser, "migrate --noinput")

    def handle(self, *args: Any, **options: Any) -> None:
        with _alone(options["database"]):
            super().handle(*args, **options)


@contextmanager
def _alone(alias: str) -> Iterator[None]:
    """Hold the lock of this database. A pooler's sessions hold none: there it is not taken."""
    if settings.DATABASE_POOLED:
        yield
        return
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [_PATIENCE])
    try:
        yield
    finally:
        with connections[alias].cursor() as cursor:
            cursor.execute("RESET lock_timeout")
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
