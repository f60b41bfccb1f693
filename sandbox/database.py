"""The sandbox's database: made when missing, made anew when the models have changed."""

import hashlib
from pathlib import Path

import psycopg2
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from psycopg2 import errors, sql

from sandbox import settings


def create() -> None:
    """Create the database of SANDBOX_DATABASE_URL unless it is there."""
    access = settings.DATABASES["default"]
    server = psycopg2.connect(
        dbname="postgres", user=access["USER"], password=access["PASSWORD"],
        host=access["HOST"], port=access["PORT"],
    )  # fmt: skip
    server.autocommit = True
    try:
        with server.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(access["NAME"])))
    except errors.DuplicateDatabase:
        pass
    finally:
        server.close()


def fingerprint() -> str:
    """Changes whenever a model of the sandbox changes."""
    sources = sorted(settings.HERE.glob("*/models.py"))
    return hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()


def synchronise() -> None:
    """Bring the tables up to date; new ones wait for their seed."""
    wanted = fingerprint()
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(oid) FROM pg_namespace WHERE nspname = 'public'")
        if cursor.fetchone()[0] == wanted:
            return
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        call_command("migrate", run_syncdb=True, verbosity=0)
        cursor.execute("COMMENT ON SCHEMA public IS %s", [wanted])


def is_empty() -> bool:
    """Return whether no store was seeded."""
    return not apps.get_model("bigcommerce", "Store").objects.exists()


def empty() -> None:
    """Delete every row. Identities go on: an id given once never means something else.

    For few rows DELETE takes a hundredth of the time of TRUNCATE, which makes a new file per table.
    """
    tables = [model._meta.db_table for model in apps.get_models() if model._meta.managed]
    # One transaction: foreign keys are checked at its end. The names come from our models.
    with connection.cursor() as cursor:
        # The tables are names of ours.
        cursor.execute(";".join(f'DELETE FROM "{table}"' for table in tables))  # noqa: S608
