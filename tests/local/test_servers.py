"""The embedded servers: up in a moment, for root and for others, and gone without a trace."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg2
import pytest
import redis
from django.db import connection

from local.processes import Process, StartFailed, environment, free_port, take
from local.servers import ROOT, as_unprivileged_user, owned, postgres, postgres_binary, servers

pytestmark = pytest.mark.slow

ORDINARY_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
# What runs in the background inherits signals that are ignored; here they are as in a terminal.
PROGRAM = """
import signal
import sys
from pathlib import Path
from local.servers import servers
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with servers(Path(sys.argv[1]) if len(sys.argv) > 1 else None) as urls:
    print(urls["DATABASE_URL"], urls["REDIS_URL"], flush=True)
    sys.stdin.read()
"""


def start(*prefix: str, folder: Path | None = None) -> "subprocess.Popen[str]":
    """A process of its own group that runs both servers until its input ends."""
    # Where the servers would put their folders anyway.
    env = environment(DATABASE_URL="", REDIS_URL="", TMPDIR=os.environ.get("TMPDIR", "/tmp"))  # noqa: S108
    command = [*prefix, sys.executable, "-c", PROGRAM, *([str(folder)] if folder else [])]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def urls_of(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout
    return process.stdout.readline().split()


def mentions(words: str) -> list[str]:
    """The command lines of all processes that mention these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in line and "pytest" not in line:
            found.append(line)
    return found


def gone(words: str, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while mentions(words) and time.monotonic() < deadline:
        time.sleep(0.05)
    return mentions(words) == []


def port_of(url: str) -> str:
    found = re.search(r":(\d+)/", url)
    assert found
    return found.group(1)


def group_kill(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGKILL)


ENDS: list[Callable[["subprocess.Popen[str]"], None]] = [
    lambda process: process.send_signal(signal.SIGINT),
    lambda process: process.send_signal(signal.SIGTERM),
    lambda process: process.send_signal(signal.SIGHUP),
    lambda process: process.kill(),
    group_kill,
]


@pytest.mark.django_db
def test_tests_run_on_postgresql_and_a_redis() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert connection.vendor == "postgresql"
    assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()


@pytest.mark.parametrize("end", ENDS, ids=["SIGINT", "SIGTERM", "SIGHUP", "kill", "group kill"])
def test_nothing_is_left_however_the_parent_ends(
    end: Callable[["subprocess.Popen[str]"], None],
) -> None:
    process = start()
    database, broker = urls_of(process)
    words = [f"port={port_of(database)}", f"--port {port_of(broker)}"]
    data = next(line.split(" -D ")[1].split()[0] for line in mentions(words[0]))
    assert all(mentions(word) for word in words)

    end(process)
    process.wait(60)

    assert [gone(word) for word in words] == [True, True]
    assert not Path(data).parent.parent.exists()
    assert process.stdout
    process.stdout.close()
    assert process.stdin
    process.stdin.close()


def test_it_works_as_an_ordinary_user() -> None:
    prefix = ORDINARY_USER if os.geteuid() == 0 else []
    process = start(*prefix)
    database, broker = urls_of(process)
    with psycopg2.connect(database) as connected, connected.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("postgres",)
    connected.close()
    assert redis.Redis.from_url(broker).config_get("maxmemory-policy") == {
        "maxmemory-policy": "noeviction"
    }

    process.communicate(timeout=60)
    assert gone(f"port={port_of(database)}")


def test_data_outlive_a_restart(tmp_path: Path) -> None:
    for number in (1, 2):
        process = start(folder=tmp_path)
        database, broker = urls_of(process)
        client = redis.Redis.from_url(broker)
        with psycopg2.connect(database) as connected, connected.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
            cursor.execute("INSERT INTO kept VALUES (%s)", [number])
            cursor.execute("SELECT count(*) FROM kept")
            assert cursor.fetchone() == (number,)
        connected.close()
        assert client.incr("kept") == number
        client.close()
        process.communicate(timeout=60)


def test_the_role_of_the_compose_file_is_no_superuser_and_migrates(tmp_path: Path) -> None:
    """`deploy/postgres-role.sh`, run as the postgres image runs it: once, by the superuser."""
    with postgres(tmp_path / "postgres", scratch=True) as url:
        server = urlsplit(url)
        given = environment(
            PATH=f"{Path(postgres_binary('psql')).parent}:{os.environ['PATH']}",
            PGHOST="127.0.0.1",
            PGPORT=str(server.port),
            POSTGRES_USER="postgres",
            APP_PASSWORD="it's a \\ $ecret; -- \"",
        )
        script = ["sh", str(ROOT / "deploy" / "postgres-role.sh")]
        subprocess.run(script, env=given, check=True, capture_output=True)
        again = subprocess.run(script, env=given, check=False, capture_output=True)
        assert again.returncode != 0  # what goes wrong is not passed over

        password = quote(given["APP_PASSWORD"], safe="")
        mine = f"postgresql://sequra_bc:{password}@127.0.0.1:{server.port}/sequra_bc"
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--noinput"],
            cwd=ROOT,
            env=environment(DATABASE_URL=mine),
            check=True,
            capture_output=True,
        )
        with closing(psycopg2.connect(url)) as connected, connected.cursor() as cursor:
            cursor.execute(
                "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication,"
                " rolbypassrls, rolpassword IS NULL FROM pg_authid WHERE rolcanlogin ORDER BY 1"
            )
            superuser, role = cursor.fetchall()
        assert superuser[-1] is True  # no password: from inside the container only
        assert role == ("sequra_bc", False, False, False, False, False, False)
        with closing(psycopg2.connect(mine)) as connected, connected.cursor() as cursor:
            cursor.execute(
                "SELECT tableowner, count(*) FROM pg_tables WHERE tablename ~ '^orders_' GROUP BY 1"
            )
            assert [owner for owner, _ in cursor.fetchall()] == ["sequra_bc"]
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("COPY orders_order TO PROGRAM 'true'")


def test_a_data_folder_has_one_owner(tmp_path: Path) -> None:
    with (
        owned(tmp_path),
        pytest.raises(StartFailed, match="in use"),
        owned(tmp_path, patience=0.2),
    ):
        raise AssertionError("two owners")


def test_named_servers_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/else")
    monkeypatch.setenv("REDIS_URL", "redis://somewhere/0")
    with servers() as urls:
        assert urls == {
            "DATABASE_URL": "postgresql://somewhere/else",
            "REDIS_URL": "redis://somewhere/0",
        }


def test_root_without_user_namespaces_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "")
    as_unprivileged_user.cache_clear()
    with pytest.raises(StartFailed, match="run as an ordinary user, or set DATABASE_URL"):
        as_unprivileged_user()
    as_unprivileged_user.cache_clear()


def test_ports_stay_below_the_ephemeral_range() -> None:
    assert all(free_port() < 32768 for _ in range(50))


def test_a_port_is_taken_once_although_nobody_listens_there_yet() -> None:
    port = free_port()
    claim = f"import local.processes as p; raise SystemExit(p.take({port}))"

    assert subprocess.run([sys.executable, "-c", claim], cwd=ROOT, check=False).returncode == 0
    assert not take(port)


def test_a_process_that_ends_while_starting_shows_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no licence'); raise SystemExit(3)"]
    process = Process("shy", command, tmp_path / "log", ready=lambda: False)
    process.start()
    with pytest.raises(StartFailed, match=r"shy ended while starting(.|\n)*no licence"):
        process.wait_ready()
    process.stop()


def test_a_stubborn_process_is_killed_with_its_children(tmp_path: Path) -> None:
    marker = f"stubborn{free_port()}"
    code = (
        "import signal, subprocess, sys, time;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', '{marker}']);"
        "print('up', flush=True); time.sleep(60)"
    )
    process = Process("stubborn", [sys.executable, "-c", code], tmp_path / "log", grace=0.3)
    process.ready = lambda: process.has_logged("up")
    process.start()
    process.wait_ready()
    process.stop()

    assert gone(marker)
