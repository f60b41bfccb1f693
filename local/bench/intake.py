"""The webhook address: one committed row before each 2xx, beside a bare INSERT loop and peers."""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import psycopg2

from local.bench import peers
from local.bench.http_load import Load, drive
from local.bench.runner import (
    FOLDER,
    SLIPPED_TIME,
    Effort,
    Figures,
    Goal,
    Measure,
    NotAvailable,
    Part,
    Round,
    Servers,
    cpu_seconds,
)
from local.processes import Process, StartFailed, answers, free_port
from local.servers import ROOT
from local.stack import BIN, fetch, web_process
from stores.models import Store

CONNECTIONS = 16
WARM_UP = 0.5  # seconds, in which each process reads the secrets of the stores
MOST = 10_000  # rows a second that the bare loop is prepared for
SECRET = "bench-secret-of-one-store"  # noqa: S105 (a throw-away store)
STORES = 20  # that share the product: one that sends 100 a second alone is limited
CONTROL, PRODUCT = "bare INSERT; COMMIT", "product, granian"
STARLETTE, EXPRESS = "Starlette + asyncpg", "Express + pg"
PEER_TABLE = """
DROP TABLE IF EXISTS bench_webhook;
CREATE TABLE bench_webhook (
    id bigserial PRIMARY KEY, scope text NOT NULL, hash text NOT NULL UNIQUE,
    payload jsonb NOT NULL, status smallint NOT NULL DEFAULT 0,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON bench_webhook (id) WHERE status = 0;
"""
INSERT = (
    "INSERT INTO bench_webhook (scope, hash, payload) VALUES (%s, %s, %s)"
    " ON CONFLICT (hash) DO NOTHING"
)
EMPTY = "TRUNCATE bench_webhook, orders_webhookevent"
SCOPE = "store/order/statusUpdated"
Request = Callable[[int], bytes]


def _body(number: int, run: str, store: str) -> bytes:
    event = {
        "scope": SCOPE,
        "store_id": "1025646",
        "data": {
            "type": "order",
            "id": 100 + number % 100_000,
            "status": {"previous_status_id": 0, "new_status_id": 11},
        },
        "hash": f"{run}{number:08x}",
        "created_at": 1561479335,
        "producer": f"stores/{store}",
    }
    return json.dumps(event, separators=(",", ":")).encode()


def _requests(addresses: Mapping[str, str], *, same: bool = False) -> Request:
    """Return what writes the n-th request, for the stores in turn.

    It is of an event of its own, or always of the same one.
    """
    run = secrets.token_hex(4)
    heads = [
        (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Accept: */*\r\nUser-Agent: bench\r\nX-Webhook-Secret: {SECRET}\r\nContent-Length: "
        ).encode()
        for path in addresses.values()
    ]
    stores = list(addresses)

    def request(number: int) -> bytes:
        turn = number % len(stores)
        body = _body(turn if same else number, run, stores[turn])
        return heads[turn] + str(len(body)).encode() + b"\r\n\r\n" + body

    return request


def _bare_loop(servers: Servers, effort: Effort) -> Figures:
    """Insert one row after the other in this process, each in a transaction of its own."""
    servers.statement(EMPTY)
    run, times = secrets.token_hex(4), []
    # Made before the clock starts, as the load makes the bodies that the servers receive.
    numbers = range(int(effort.seconds * MOST))
    bodies = [_body(number, run, "store0").decode() for number in numbers]
    connection = psycopg2.connect(servers.database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(INSERT, (SCOPE, f"{run}-first", bodies[0]))
        before, server = cpu_seconds(servers.postgres_pid), time.process_time()
        ended = began = time.perf_counter()
        for number, body in enumerate(bodies):
            moment = time.perf_counter()
            cursor.execute(INSERT, (SCOPE, f"{run}{number:08x}", body))
            ended = time.perf_counter()
            times.append(ended - moment)
            if ended - began > effort.seconds:
                break
        server = time.process_time() - server
        postgres = cpu_seconds(servers.postgres_pid) - before
    connection.close()
    load = Load(ended - began, times)
    return _figures(load, load, server, postgres, 0)


def _figures(many: Load, one: Load, server: float, postgres: float, valkey: float) -> Figures:
    """Return microseconds of processor time for each webhook, and milliseconds."""
    each = 1e6 / many.count
    return {
        "CPU": (server + postgres + valkey) * each,
        "server": server * each,
        "PostgreSQL": postgres * each,
        "Valkey": valkey * each,
        "per second": many.count / many.seconds,
        "p50": many.p50 * 1e3,
        "p99": many.p99 * 1e3,
        "p50 alone": one.p50 * 1e3,
        "p99 alone": one.p99 * 1e3,
    }


@dataclass(frozen=True)
class _Server:
    """A web server that runs, and how to measure it."""

    process: Process
    port: int
    servers: Servers
    effort: Effort
    addresses: Mapping[str, str]  # by store

    def measure(self, *, same: bool = False) -> Figures:
        """Send webhooks over 16 connections, then over one. Raise AssertionError without a 2xx."""
        self.servers.statement(EMPTY)
        self._drive(CONNECTIONS, WARM_UP, same=same)
        before = self._cpu()
        many = self._drive(CONNECTIONS, self.effort.seconds, same=same)
        used = [after - begun for after, begun in zip(self._cpu(), before, strict=True)]
        one = self._drive(1, self.effort.seconds, same=same)
        return _figures(many, one, *used)

    def _drive(self, connections: int, seconds: float, *, same: bool) -> Load:
        load = drive(self.port, _requests(self.addresses, same=same), connections, seconds)
        if load.failures:
            raise StartFailed(
                f"{self.process.name}: {load.failures} of {load.count} webhooks got no 2xx"
                f"\n{self.process.tail()}"
            )
        return load

    def _cpu(self) -> tuple[float, float, float]:
        roots = (self.process.pid, self.servers.postgres_pid, self.servers.valkey_pid)
        own, postgres, valkey = (cpu_seconds(root) for root in roots)
        return own, postgres, valkey


def _gunicorn(servers: Servers, port: int) -> Process:
    return Process(
        "gunicorn",
        [str(BIN / "gunicorn"), "--bind", f"127.0.0.1:{port}", "sequra_bc.wsgi"],
        FOLDER / "logs/gunicorn.log",
        env=servers.env,
        cwd=ROOT,
        ready=lambda: fetch(f"http://127.0.0.1:{port}/health/live") is not None,
    )


def _starlette(servers: Servers, port: int) -> Process:
    command = [str(peers.python_bin() / "uvicorn"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "2", "--log-level", "error", "--no-access-log"]
    return _peer([*command, "--app-dir", str(peers.HERE), "starlette_app:app"], servers, port)


def _express(servers: Servers, port: int) -> Process:
    modules = {"NODE_PATH": str(peers.node_modules()), "NODE_ENV": "production"}
    return _peer(["node", str(peers.HERE / "express.js")], servers, port, **modules)


def _peer(command: list[str], servers: Servers, port: int, **more: str) -> Process:
    return Process(
        command[0].rpartition("/")[2],
        command,
        FOLDER / "logs/peers.log",
        env=servers.env | {"PEER_SECRET": SECRET, "PORT": str(port)} | more,
        ready=lambda: answers(port),
    )


@contextmanager
def _variants(servers: Servers, effort: Effort) -> Iterator[Mapping[str, Measure]]:
    """Start the product and the peers, and keep them all: one that waits uses no processor."""
    servers.statement(PEER_TABLE)
    mine = {store.hash: f"/webhooks/bigcommerce/{store.public_id}" for store in _stores()}
    theirs = dict.fromkeys(mine, "/webhook")
    with ExitStack() as running:

        def start(make: Callable[[int], Process], addresses: Mapping[str, str]) -> _Server:
            port = free_port()
            process = make(port)
            running.callback(process.stop)
            process.start()
            process.wait_ready()
            return _Server(process, port, servers, effort, addresses)

        product = start(partial(web_process, FOLDER / "logs", servers.env, workers=2), mine)
        found: dict[str, Measure] = {
            CONTROL: partial(_bare_loop, servers, effort),
            PRODUCT: product.measure,
        }
        if not effort.quick:
            found["product, gunicorn"] = start(partial(_gunicorn, servers), mine).measure
            found["product, granian, duplicates"] = partial(product.measure, same=True)
        for name, make in ((STARLETTE, _starlette), (EXPRESS, _express)):
            try:
                found[name] = start(partial(make, servers), theirs).measure
            except NotAvailable as reason:
                found[name] = partial(_absent, str(reason))
        yield found


def _stores() -> Iterator[Store]:
    for number in range(STORES):
        known = {"webhook_secret": SECRET}
        yield Store.objects.get_or_create(hash=f"store{number}", defaults=known)[0]


def _absent(reason: str) -> Figures:
    raise NotAvailable(reason)


def _beside_control(figure: str) -> Callable[[Round], float]:
    return lambda found: found[PRODUCT][figure] / found[CONTROL][figure]


def _beside_the_better_peer(found: Round) -> float:
    known = [found[name]["CPU"] for name in (STARLETTE, EXPRESS) if name in found]
    if not known:
        raise KeyError(STARLETTE)
    return found[PRODUCT]["CPU"] / min(known)


PART = Part(
    title="webhooks, each row committed before its 2xx; 16 connections, and one alone",
    full=Effort(rounds=9, seconds=2, quick=False),
    quick=Effort(rounds=5, seconds=0.8, quick=True),
    variants=_variants,
    control=(CONTROL, "CPU"),
    columns={
        **dict.fromkeys(("CPU", "server", "PostgreSQL", "Valkey", "per second"), ".0f"),
        **dict.fromkeys(("p50", "p99", "p50 alone", "p99 alone"), ".2f"),
    },
    goals=(
        Goal("P1", "µs of processor a webhook ÷ a bare INSERT", 1.0, _beside_control("CPU")),
        Goal("P2", "the same ÷ the better peer", 0.5, _beside_the_better_peer),
        Goal(
            "P3",
            "p50 of one connection ÷ a bare INSERT's",
            2.2,
            _beside_control("p50 alone"),
            slack=SLIPPED_TIME,
        ),
        Goal(
            "P3 p99",
            "p99 of one connection ÷ its p99",
            4.0,
            _beside_control("p99 alone"),
            slack=SLIPPED_TIME,
        ),
    ),
)
