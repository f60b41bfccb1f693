"""A fast way to empty the database after a test. Imported once Django is set up."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.postgresql.operations import DatabaseOperations

SMALL = 512 * 1024  # bytes of a table

truncate = DatabaseOperations.sql_flush


def empty(
    self: DatabaseOperations, style: Any, tables: Sequence[str], **options: bool
) -> list[str]:
    """Django's statements that empty `tables`: DELETE while they are small.

    TRUNCATE makes a new file per table and index: a third of a second after every test. It stays
    for tables that grew, because their dead rows would slow down what follows.
    """
    if not tables or options.get("reset_sequences"):
        return truncate(self, style, tables, **options)
    with self.connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relname = ANY(%s)",
            [list(tables)],
        )
        (largest,) = cursor.fetchone()
    if largest > SMALL:
        return truncate(self, style, tables, **options)
    # No input: Django names the tables.
    return [f"DELETE FROM {self.quote_name(table)}" for table in tables]  # noqa: S608


def install() -> None:
    """Let Django's `flush`, which ends each test, use these statements.

    Django has no setting for it, so the method is replaced; mypy objects to any such assignment.
    """
    DatabaseOperations.sql_flush = empty  # type: ignore[assignment, method-assign]
