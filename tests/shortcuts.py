"""What Django does after or before each test, done cheaply. Imported once Django is set up.

A process of production does these things once, a test run thousands of times. Django has no setting
for any of them, so methods are replaced; mypy objects to any such assignment.
"""

from collections.abc import Sequence
from typing import Any

from django.core.management.commands import flush
from django.db.backends.postgresql.operations import DatabaseOperations
from whitenoise.base import WhiteNoise

SMALL = 512 * 1024  # bytes of a table
# Rows that Django writes from the code and that no test changes.
KEPT = ("django_content_type", "auth_permission")

truncate = DatabaseOperations.sql_flush
scan = WhiteNoise.update_files_dictionary
collected: dict[tuple[str, str], dict[str, Any]] = {}


def empty(
    self: DatabaseOperations, style: Any, tables: Sequence[str], **options: bool
) -> list[str]:
    """Django's statements that empty `tables`: DELETE while they are small.

    TRUNCATE makes a new file per table and index: a third of a second after every test. It stays
    for tables that grew, because their dead rows would slow down what follows.
    """
    if not tables or options.get("reset_sequences"):
        return truncate(self, style, tables, **options)
    tables = [table for table in tables if table not in KEPT]
    with self.connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relname = ANY(%s)",
            [tables],
        )
        (largest,) = cursor.fetchone()
    if largest > SMALL:
        return truncate(self, style, tables, **options)
    # S608 fears input: these names are Django's own, and its backend quotes them.
    return [f"DELETE FROM {self.quote_name(table)}" for table in tables]  # noqa: S608


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
    DatabaseOperations.sql_flush = empty  # type: ignore[assignment, method-assign]
    # It would write the rows of KEPT anew. The stubs do not name what the module imports.
    flush.emit_post_migrate_signal = lambda *_: None  # type: ignore[attr-defined]
    WhiteNoise.update_files_dictionary = look_once
