"""`manage.py rotate_keys`: encrypt every stored secret with the first of ENCRYPTION_KEYS.

A value that no key decrypts is left as it is and named, and all others are encrypted anew.

Put the new key in front, restart everything, run this, and the old key can go. It may run while
the app works, and again after it was interrupted.
"""

from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models, transaction

from stores.encryption import EncryptedTextField, Undecryptable, decrypt, encrypt
from stores.management import add_examples, log_to_standard_error
from stores.models import Canary

_BATCH = 500


def _encrypted_columns() -> list[tuple[type[models.Model], str]]:
    """Every column that holds a secret, in whichever app."""
    return [
        (model, str(field.column))
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedTextField)
    ]


def _rotate(model: type[models.Model], column: str) -> tuple[int, list[int]]:
    """Encrypt one column anew. Return how many values there are, and which no key decrypts."""
    count, last = 0, 0
    unreadable: list[int] = []
    while rows := _rotate_batch(model._meta.db_table, column, last):
        count, last = count + len(rows), max(rows)
        unreadable += [key for key, token in rows.items() if token is None]
    return count, unreadable


def _again(token: str) -> str | None:
    try:
        return encrypt(decrypt(token))
    except Undecryptable:
        return None


@transaction.atomic
def _rotate_batch(table: str, column: str, after: int) -> dict[int, str | None]:
    """The next rows' new tokens by key, written while nobody else writes to them."""
    quote = connection.ops.quote_name
    name = quote(column)
    with connection.cursor() as cursor:
        cursor.execute(
            # Table and column are names of ours.
            f"SELECT id, {name} FROM {quote(table)} WHERE id > %s AND {name} <> ''"  # noqa: S608
            f" ORDER BY id LIMIT {_BATCH} FOR UPDATE",
            [after],
        )
        rows = {key: _again(token) for key, token in cursor.fetchall()}
        cursor.executemany(
            # As above.
            f"UPDATE {quote(table)} SET {name} = %s WHERE id = %s",  # noqa: S608
            [(token, key) for key, token in rows.items() if token is not None],
        )
    return rows


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the first of ENCRYPTION_KEYS. Ends non-zero, and names"
        " them, when there are values that no key decrypts."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(parser, "rotate_keys", "rotate_keys --lost")
        parser.add_argument(
            "--lost",
            action="store_true",
            help="the keys of the other values are gone for good: web processes get ready without"
            " them, and their stores wait for their merchants",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        if options["lost"]:
            Canary.objects.all().delete()  # /health/ready makes a new one
        broken = []
        for model, column in _encrypted_columns():
            count, unreadable = _rotate(model, column)
            name = f"{model._meta.label}.{column}"
            self.stdout.write(f"{name}: {count}")
            if unreadable:
                broken.append(f"{name}: id {', '.join(map(str, unreadable))}")
        if broken and options["lost"]:
            self.stdout.write(f"lost: {'; '.join(broken)}")
        elif broken:
            raise CommandError(f"no key decrypts {'; '.join(broken)}")
