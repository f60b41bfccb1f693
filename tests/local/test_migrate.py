"""Migrations run one at a time, give up rather than hold up, and leave no lock behind."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from local.processes import environment
from local.servers import ROOT, create_database
from stores.management.commands.migrate import _LOCK

pytestmark = pytest.mark.slow
# The view shows the locks of other databases, too.
LOCKS = (
    "FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE locktype = 'advisory' AND datname = current_database()"
)


@pytest.fixture
def database(servers: None, worker_id: str) -> Iterator[str]:
    """An empty database."""
    name = f"migrate_{worker_id}"
    yield create_database(os.environ["DATABASE_URL"], name)
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as root:
        root.autocommit = True
        root.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")


def start(database: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate", "--noinput", *arguments],
        cwd=ROOT, env=environment(DATABASE_URL=database),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_a_migration_waits_for_the_one_under_way(database: str) -> None:
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        other = start(database)
        while not blocked(database):
            assert other.poll() is None, other.communicate()
            time.sleep(0.1)
        cursor.execute("SELECT to_regclass('django_migrations')")
        assert cursor.fetchone() == (None,)
        cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    assert other.communicate()[0].count("Applying ") > 5
    assert other.returncode == 0
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {LOCKS}")
        assert cursor.fetchone() == (0,)


def blocked(database: str) -> bool:
    """Whether a session waits for an advisory lock."""
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 {LOCKS} AND NOT granted")
        return cursor.fetchone() is not None


def test_a_table_in_use_ends_the_migration_instead_of_everybodys_requests(database: str) -> None:
    assert migrate(database, "stores", "0001")[0] == 0
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE stores_store IN ACCESS SHARE MODE")
        code, text = migrate(database, "stores")
    assert (code, "canceling statement due to lock timeout" in text) == (1, True)
    assert migrate(database)[0] == 0


def migrate(database: str, *arguments: str) -> tuple[int, str]:
    process = start(database, *arguments)
    text, _ = process.communicate()
    return process.returncode, text
