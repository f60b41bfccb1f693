"""The payment methods of a new checkout, beside a request, two writes and three calls."""

import json
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import psycopg2
import requests

from local.bench.http_load import Load, drive
from local.bench.runner import (
    FOLDER,
    SLIPPED_TIME,
    Effort,
    Figures,
    Goal,
    Measure,
    Part,
    Round,
    Servers,
    cpu_seconds,
)
from local.processes import Process, StartFailed, free_port
from local.servers import ROOT
from local.stack import web_process
from stores.models import Connection, Merchant, Store

FIXTURES = ROOT / "tests" / "clients" / "fixtures"
SHOP = "https://shop.example"
STORES = 100  # so many that no limit of one store is reached
NOOP, INSERT, CALL, PRODUCT = "noop", "bare INSERT; COMMIT", "bare call", "payment methods"
# What the goal grants: the attempt and its result are written, and three calls are made.
WRITES, CALLS = 2, 3


def _fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


class _Upstream(BaseHTTPRequestHandler):
    """BigCommerce and SeQura, which answer at once, each response in one segment."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    checkout = _fixture("bigcommerce/checkout.json")
    methods = _fixture("sequra/payment_methods.json")

    def do_GET(self) -> None:
        self._answer(200, self.methods if "payment_methods" in self.path else self.checkout)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(201, None, f"Location: http://127.0.0.1/orders/{uuid.uuid4()}\r\n")

    def _answer(self, status: int, document: Any, more: str = "") -> None:
        body = b"" if document is None else json.dumps(document).encode()
        head = (
            f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\n{more}"
            "X-Rate-Limit-Requests-Left: 50000\r\nX-Rate-Limit-Requests-Quota: 50000\r\n"
            "X-Rate-Limit-Time-Window-Ms: 30000\r\nX-Rate-Limit-Time-Reset-Ms: 30000\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.wfile.write(head.encode() + body)


@contextmanager
def _upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _stores(upstream: str) -> list[Store]:
    """Return stores with an account and a merchant id for Spain, whose shop is the same."""
    channels = [{"id": 1, "name": "Shop", "origins": [SHOP]}]
    made = []
    for number in range(STORES):
        store, _ = Store.objects.update_or_create(
            hash=f"checkout{number}",
            defaults={"access_token": "token", "secure_url": SHOP, "channels": channels},
        )
        connection, _ = Connection.objects.update_or_create(
            store=store,
            deployment="sequra",
            defaults={"environment": "sandbox", "username": "u", "password": "p",
                      "api_url": upstream, "assets_url": f"{upstream}/assets/"},
        )  # fmt: skip
        Merchant.objects.update_or_create(
            store=store, country="ES", selling=True,
            defaults={"connection": connection, "ref": "demo_es", "assets_key": "key"},
        )  # fmt: skip
        made.append(store)
    return made


def _questions(stores: list[Store]) -> Callable[[int], bytes]:
    """Return what writes the n-th request: of a checkout and of an address of its own."""
    numbers, run = count(), secrets.token_hex(4)

    def request(_: int) -> bytes:
        number = next(numbers)
        store = stores[number % STORES]
        body = json.dumps({"checkout_id": f"{run}-{number:08d}", "locale": "es-ES"})
        address = f"203.{number // 62500 % 250}.{number // 250 % 250}.{number % 250}"
        return (
            f"POST /storefront/{store.public_id}/payment-methods HTTP/1.1\r\n"
            f"Host: app.localhost\r\nOrigin: {SHOP}\r\nUser-Agent: Mozilla/5.0 Chrome/150\r\n"
            f"X-Forwarded-For: {address}\r\nX-Forwarded-Proto: http\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    return request


def _alive(_: int) -> bytes:
    return b"GET /health/live HTTP/1.1\r\nHost: app.localhost\r\n\r\n"


def _drive(
    process: Process, port: int, request: Callable[[int], bytes], servers: Servers, effort: Effort
) -> Figures:
    """Send one request after the other over one connection."""
    drive(port, request, 1, effort.seconds / 5)
    before = cpu_seconds(process.pid), cpu_seconds(servers.postgres_pid)
    load = drive(port, request, 1, effort.seconds)
    if load.failures:
        raise StartFailed(f"{load.failures} of {load.count} got no 2xx\n{process.tail()}")
    server = cpu_seconds(process.pid) - before[0]
    postgres = cpu_seconds(servers.postgres_pid) - before[1]
    return _figures(load, server=server / load.count * 1e6, PostgreSQL=postgres / load.count * 1e6)


def _repeat(work: Callable[[], object], effort: Effort) -> Figures:
    """Do it here, again and again."""
    times: list[float] = []
    began = ended = time.perf_counter()
    while ended - began < effort.seconds / 2:
        moment = time.perf_counter()
        work()
        ended = time.perf_counter()
        times.append(ended - moment)
    return _figures(Load(ended - began, times))


def _figures(load: Load, **more: float) -> Figures:
    return {"p50": load.p50 * 1e3, "p99": load.p99 * 1e3, **more}


@contextmanager
def _variants(servers: Servers, effort: Effort) -> Iterator[Mapping[str, Measure]]:
    servers.statement("DROP TABLE IF EXISTS bench_write")
    servers.statement("CREATE TABLE bench_write (id bigserial PRIMARY KEY, body jsonb)")
    connection = psycopg2.connect(servers.database_url)
    connection.autocommit = True
    write, session, port = connection.cursor(), requests.Session(), free_port()
    session.trust_env = False
    with _upstream() as upstream:
        stores = _stores(upstream)
        env = servers.env | {
            "BIGCOMMERCE_API_URL": upstream,
            "SEQURA_DEPLOYMENTS_URL": f"{upstream}/deployments",
            "TRUSTED_PROXIES": "1",
        }
        process = web_process(FOLDER / "logs", env, port, workers=1)
        process.start()
        try:
            process.wait_ready()
            insert = partial(write.execute, "INSERT INTO bench_write (body) VALUES ('{}')")
            yield {
                NOOP: partial(_drive, process, port, _alive, servers, effort),
                INSERT: partial(_repeat, insert, effort),
                CALL: partial(_repeat, lambda: session.get(upstream, timeout=5).json(), effort),
                PRODUCT: partial(_drive, process, port, _questions(stores), servers, effort),
            }
        finally:
            process.stop()
            connection.close()


def _beside_the_floor(found: Round) -> float:
    floor = found[NOOP]["p50"] + WRITES * found[INSERT]["p50"] + CALLS * found[CALL]["p50"]
    return found[PRODUCT]["p50"] / floor


PART = Part(
    title="the payment methods of a new checkout; one connection, other systems answer at once",
    full=Effort(rounds=9, seconds=2, quick=False),
    quick=Effort(rounds=5, seconds=0.8, quick=True),
    variants=_variants,
    control=(NOOP, "p50"),
    columns={"p50": ".2f", "p99": ".2f", "server": ".0f", "PostgreSQL": ".0f"},
    goals=(
        Goal(
            "P8",
            "p50 ÷ (noop + 2 INSERT + 3 calls)",
            2.0,
            _beside_the_floor,
            slack=SLIPPED_TIME,
        ),
    ),
)
