"""What Django does after or before each test, done cheaply. Imported once Django is set up.

A process of production does these things once, a test run thousands of times. Django has no setting
for any of them, so methods are replaced; mypy objects to any such assignment.
"""

from contextlib import suppress
from functools import cache
from typing import Any

from django.db import IntegrityError, OperationalError, connection
from django.test import TransactionTestCase
from whitenoise.base import WhiteNoise

ATTEMPTS = 10
SMALL = 512 * 1024  # bytes of a table
# Rows that Django writes from the code and that no test changes.
KEPT = ("django_content_type", "auth_permission")

scan = WhiteNoise.update_files_dictionary
collected: dict[tuple[str, str], dict[str, Any]] = {}


@cache
def tables() -> list[str]:
    """The tables that tests fill. No test makes one that Django knows."""
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return [table for table in found if table not in KEPT]


def empty(_: TransactionTestCase) -> None:
    """Leave no rows behind, also when a process of the app writes one more meanwhile.

    It may refer to a row that was deleted, or hold what we wait for while it waits for us.
    """
    for _attempt in range(ATTEMPTS - 1):
        with suppress(IntegrityError, OperationalError):
            return delete()
    return delete()


def delete() -> None:
    """DELETE while the tables are small, in one transaction.

    TRUNCATE makes a new file per table and index: a third of a second after every test. It stays
    for tables that grew, because their dead rows would slow down what follows. Django's command
    looks for the tables and for modules of its signals each time, and writes the rows of KEPT anew.
    """
    names = [connection.ops.quote_name(table) for table in tables()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relname = ANY(%s)",
            [tables()],
        )
        # S608 fears input: these names are Django's own, and its backend quotes them.
        if cursor.fetchone()[0] > SMALL:
            cursor.execute(f"TRUNCATE {', '.join(names)}")
        else:
            cursor.execute(";".join(f"DELETE FROM {name}" for name in names))  # noqa: S608 (ours)


def look_once(self: WhiteNoise, root: str, prefix: str) -> None:
    """Know the files that an earlier `Client` of this process has found.

    Every `Client` makes the middleware anew, which looks at hundreds of files: 40 ms.
    """
    if (root, prefix) not in collected:
        scan(self, root, prefix)
        collected[root, prefix] = dict(self.files)
    self.files.update(collected[root, prefix])


def install() -> None:
    """Let every test of this process use them."""
    # mypy allows no method of a class to be replaced, which is all that this function does.
    TransactionTestCase._fixture_teardown = empty  # type: ignore[attr-defined]
    WhiteNoise.update_files_dictionary = look_once
