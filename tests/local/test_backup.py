"""deploy/backup.sh and deploy/restore.sh, with the tools and the server of PostgreSQL itself."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from local.servers import ROOT, create_database, postgres_binary
from local.stack import Stack
from tests.orders.world import World

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("broker")]
TOOLS = str(Path(postgres_binary("psql")).parent)
APP = ("web", "worker", "beat")


def script(name: str, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "deploy" / name), *map(str, arguments)],
        env={"PATH": f"{TOOLS}:{os.environ['PATH']}", **env},
        capture_output=True,
        text=True,
        check=False,
    )


def query(url: str, *statements: str) -> Any:
    """The rows of the last statement. Each is committed by itself."""
    with closing(psycopg2.connect(url)) as database:
        database.autocommit = True
        with database.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def database(servers: None, worker_id: str) -> Iterator[str]:
    """A database of a role that owns it and nothing else, as deploy/postgres-role.sh makes it."""
    root, name = os.environ["DATABASE_URL"], f"backup_{worker_id}"
    created = create_database(root, name)
    query(root, f"CREATE ROLE {name} LOGIN", f"ALTER DATABASE {name} OWNER TO {name}")
    parts = urlsplit(created)
    url = parts._replace(netloc=f"{name}@{parts.hostname}:{parts.port}").geturl()
    query(url, "CREATE TABLE goods (id int PRIMARY KEY)", "INSERT INTO goods VALUES (1), (2)")
    yield url
    query(root, f"DROP DATABASE {name}", f"DROP ROLE {name}")


def goods(url: str) -> list[int]:
    return [one for (one,) in query(url, "SELECT id FROM goods ORDER BY id")]


def test_a_backup_and_its_restoration(database: str, tmp_path: Path) -> None:
    made = script("backup.sh", tmp_path, DATABASE_URL=database)
    assert (made.returncode, made.stderr) == (0, "")
    dump = Path(made.stdout.strip())
    assert dump.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [dump]
    # A newer version has tables that the dump does not know, one of them about an old one.
    newer = "CREATE TABLE newer (good int REFERENCES goods)"
    query(database, "DELETE FROM goods WHERE id = 1", newer)

    refused = script("restore.sh", dump, DATABASE_URL=database)
    assert (refused.returncode, goods(database)) == (1, [2])
    assert "2 tables: --replace gives them up" in refused.stderr

    restored = script("restore.sh", dump, "--replace", DATABASE_URL=database)
    assert (restored.returncode, restored.stderr) == (0, "")
    assert goods(database) == [1, 2]
    assert query(database, "SELECT to_regclass('newer')") == [(None,)]

    query(database, "DROP TABLE goods")
    assert script("restore.sh", dump, DATABASE_URL=database).returncode == 0
    assert goods(database) == [1, 2]


def test_a_broken_dump_changes_nothing(database: str, tmp_path: Path) -> None:
    dump = Path(script("backup.sh", tmp_path, DATABASE_URL=database).stdout.strip())
    whole = dump.read_bytes()
    dump.write_bytes(whole[: len(whole) * 2 // 3])
    ended = script("restore.sh", dump, "--replace", DATABASE_URL=database)
    assert (ended.returncode, goods(database)) == (1, [1, 2])
    assert "cannot be read to its end" in ended.stderr


def test_a_restoration_refuses_while_somebody_is_connected(database: str, tmp_path: Path) -> None:
    dump = Path(script("backup.sh", tmp_path, DATABASE_URL=database).stdout.strip())
    with closing(psycopg2.connect(database)):
        ended = script("restore.sh", dump, "--replace", DATABASE_URL=database)
    assert ended.returncode == 1
    assert "stop web, worker and beat first" in ended.stderr


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    ended = script("backup.sh", tmp_path, DATABASE_URL=nowhere)
    assert ended.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_old_dumps_go_and_other_files_stay(database: str, tmp_path: Path) -> None:
    for name in ("sequra-bc-20200101T000000Z.dump", "sequra-bc-notes.txt"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    parts = urlsplit(database)
    secret = tmp_path / "password"
    secret.write_text("none is needed here\n")
    made = script(
        "backup.sh", tmp_path, PGHOST=str(parts.hostname), PGPORT=str(parts.port),
        PGUSER=str(parts.username), PGDATABASE=parts.path[1:], PGPASSWORD_FILE=str(secret),
    )  # fmt: skip
    left = {Path(made.stdout.strip()).name, "sequra-bc-notes.txt", "password"}
    assert {path.name for path in tmp_path.iterdir()} == left


@pytest.fixture
def world(worker_id: str) -> Iterator[World]:
    with Stack(name=f"restore_{worker_id}", redis_database=9, copies=True) as stack:
        yield World(stack)


def test_a_shop_is_whole_again_after_a_restoration(world: World, tmp_path: Path) -> None:
    """The way of docs/operations.md, from the dump to a doctor who finds nothing wrong."""
    stack, url = world.stack, world.stack.urls["DATABASE_URL"]
    older = world.buy()
    dump = script("backup.sh", tmp_path, DATABASE_URL=url).stdout.strip()
    lost = world.buy()
    for name in reversed(APP):
        stack.stop(name)
    query(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")

    restored = script("restore.sh", dump, DATABASE_URL=url)
    assert (restored.returncode, restored.stderr) == (0, "")
    numbers = "SELECT bigcommerce_id FROM orders_order ORDER BY 1"
    assert query(url, numbers) == [(older,)]
    stack.manage("migrate", "--noinput")
    for name in APP:
        stack.start(name)

    told = stack.manage("reconcile", "--all")

    assert f"order {lost}: adopted" in told
    assert query(url, numbers) == [(older,), (lost,)]
    world.does("ship", lost)
    world.wait(lambda: world.totals(lost) == (0, 14980), "the shipment of the order that was lost")
    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        cwd=ROOT, env=stack.app_env, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    findings = json.loads(ended.stdout)["findings"]
    assert {one["check"] for one in findings if one["state"] == "error"} == set()
    assert {one["check"]: one["state"] for one in findings}["keys"] == "ok"
