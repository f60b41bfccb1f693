"""`manage.py rotate_keys`: encrypt every stored secret with the first of ENCRYPTION_KEYS.

Put the new key in front, restart everything, run this, and the old key can go. It may run while
the app works, and again after it was interrupted.
"""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import connection, models, transaction

from stores.encryption import EncryptedTextField, decrypt, encrypt

BATCH = 500


def encrypted_columns() -> list[tuple[type[models.Model], str]]:
    """Every column that holds a secret, in whichever app."""
    return [
        (model, str(field.column))
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedTextField)
    ]


def rotate(model: type[models.Model], column: str) -> int:
    """Encrypt one column anew; how many values there were."""
    count, last = 0, 0
    while rows := _rotate_batch(model._meta.db_table, column, last):
        count, last = count + len(rows), rows[-1]
    return count


@transaction.atomic
def _rotate_batch(table: str, column: str, after: int) -> list[int]:
    """The keys of the next rows, rewritten while nobody else writes to them."""
    quote = connection.ops.quote_name
    name = quote(column)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {name} FROM {quote(table)} WHERE id > %s AND {name} <> ''"  # noqa: S608
            f" ORDER BY id LIMIT {BATCH} FOR UPDATE",
            [after],
        )
        rows = cursor.fetchall()
        cursor.executemany(
            f"UPDATE {quote(table)} SET {name} = %s WHERE id = %s",  # noqa: S608
            [(encrypt(decrypt(token)), key) for key, token in rows],
        )
    return [key for key, _ in rows]


class Command(BaseCommand):
    help = "Encrypt every stored secret with the first of ENCRYPTION_KEYS."

    def handle(self, *_: Any, **__: Any) -> None:
        for model, column in encrypted_columns():
            count = rotate(model, column)
            self.stdout.write(f"{model._meta.label}.{column}: {count}")
