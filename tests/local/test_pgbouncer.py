"""The app behind a real PgBouncer in transaction mode, with two server connections to share."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from local.processes import Process, answers, free_port
from local.servers import ROOT, as_unprivileged_user
from local.stack import Stack
from tests.orders.world import World

pytestmark = pytest.mark.xdist_group("broker")
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
# Holds a lock, says so, and holds it until its input ends.
HOLD = """
import sys
import django
django.setup()
from django.db import connection
from stores import isolation
isolation._LEASE, isolation._RENEW_AFTER = 2.0, 0.2
try:
    with isolation.only_one("payment"):
        print("held", flush=True)
        sys.stdin.read()
except isolation.Busy:
    print("busy", flush=True)
"""


@pytest.fixture(scope="module")
def pooler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its port. Skipped loudly where Debian's package is missing, in CI never."""
    if PROGRAM is None:
        assert not os.environ.get("CI"), "apt-get install pgbouncer"
        pytest.skip("no pgbouncer: apt-get install pgbouncer")
    with pgbouncer(tmp_path_factory.mktemp("pooler")) as port:
        yield port


@contextmanager
def pgbouncer(folder: Path, more: str = "") -> Iterator[int]:
    """One in transaction mode, with these lines in its configuration; its port."""
    port = free_port()
    server = urlsplit(os.environ["DATABASE_URL"])
    target = f"host={server.hostname} port={server.port} user={server.username}"
    (folder / "ini").write_text(
        f"[databases]\n* = {target} {f'password={server.password}' if server.password else ''}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 500\n"
        f"{more}\n"
    )
    command = [*as_unprivileged_user(), str(PROGRAM), str(folder / "ini")]
    process = Process(
        "pgbouncer", command, folder / "log", ready=lambda: answers(port), stop_signal="SIGINT"
    )
    process.start()
    process.wait_ready()
    yield port
    process.stop()


@pytest.fixture(scope="module")
def world(pooler: int, worker_id: str) -> Iterator[World]:
    """The whole system; the app knows nothing but the pooler."""
    name = f"pooled_{worker_id}"
    server = urlsplit(os.environ["DATABASE_URL"])
    url = server._replace(netloc=f"{server.username}@127.0.0.1:{pooler}", path=f"/{name}")
    env = {"DATABASE_URL": urlunsplit(url), "DATABASE_POOLED": "true"}
    with Stack(name=name, env=env, redis_database=8) as stack:
        yield World(stack)


def holder(world: World) -> "subprocess.Popen[str]":
    """Another process that wants the lock."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=ROOT,
        env=world.stack.app_env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def says(process: "subprocess.Popen[str]") -> str:
    """Its first line that is no log."""
    assert process.stdout
    return next(line.strip() for line in process.stdout if not line.startswith("{"))


def end(*processes: "subprocess.Popen[str]") -> None:
    for process in processes:
        process.communicate()


def test_the_whole_system_works_behind_it(world: World) -> None:
    number = world.buy()
    world.does("ship", number)
    world.wait(lambda: world.totals(number) == (0, 14980), "the shipment")
    for name in ("web", "worker"):
        log = world.stack.processes[name].log.read_text()
        assert '"level": "error"' not in log


def doctors_word(world: World, **env: str) -> tuple[str, str]:
    """What the doctor says of the pooler: its state, and the beginning of its sentence."""
    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        cwd=ROOT,
        env=world.stack.app_env | env,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    found = {one["check"]: one for one in json.loads(ended.stdout)["findings"]}
    checks = ("database", "pooler")
    told = next((found[name] for name in checks if found[name]["state"] != "ok"), found["pooler"])
    return told["state"], told["message"]


def test_the_doctor_sees_the_pooler(
    world: World, pooler: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """PgBouncer refuses start-up options; one that is told to ignore them shares locks."""
    state, message = doctors_word(world)
    assert state == "ok"
    assert message.startswith("A pooler in transaction mode stands in front of PostgreSQL")

    state, message = doctors_word(world, DATABASE_POOLED="false")
    assert (state, "unsupported startup parameter" in message) == ("error", True)

    ignoring = "ignore_startup_parameters = options"
    with pgbouncer(tmp_path_factory.mktemp("ignoring"), ignoring) as other:
        url = world.stack.app_env["DATABASE_URL"].replace(f":{pooler}/", f":{other}/")
        told = doctors_word(world, DATABASE_URL=url, DATABASE_POOLED="false")
    assert told[0] == "error"
    assert told[1].endswith("two processes can hold the same lock.")

    direct = {"DATABASE_URL": world.stack.urls["DATABASE_URL"], "DATABASE_POOLED": "true"}
    state, message = doctors_word(world, **direct)
    assert (state, "no pooler stands" in message) == ("warning", True)


def test_a_lock_has_one_holder(world: World) -> None:
    """Also after its lease, which ends before four processes have started."""
    first = holder(world)
    assert says(first) == "held"
    others = [holder(world) for _ in range(4)]
    assert [says(other) for other in others] == ["busy"] * 4
    end(first, *others)
    next_one = holder(world)
    assert says(next_one) == "held"
    end(next_one)


def test_the_lock_of_a_killed_holder_comes_free(world: World) -> None:
    killed = holder(world)
    assert says(killed) == "held"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    end(killed)

    def is_free() -> bool:
        attempt = holder(world)
        answer = says(attempt)
        end(attempt)
        return answer == "held"

    world.wait(is_free, "free again", 60)
