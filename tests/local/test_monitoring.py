"""Errors and spans leave by one setting each, from web and worker, and nothing of a person does."""

import gzip
import json
import logging
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import brotli
import psycopg2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from structlog.contextvars import bound_contextvars

from local.demo import buy, install
from local.merchant import Merchant
from local.processes import Process, environment, free_port
from local.sandbox_control import SandboxControl
from local.servers import ROOT, running
from local.shopper import ADDRESS, PERSON, Shopper, Stuck
from local.stack import BIN, Stack, fetch
from sequra_bc.logs import formatter
from sequra_bc.monitoring import _RequestIds, event_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("monitoring")]
DRAIN, ERROR = "orders.tasks.drain", 2
METHODS = "storefront/<uuid:public_id>/payment-methods"
OPEN = {"gzip": gzip.decompress, "br": brotli.decompress}
# All that the shopper typed in which is longer than a city.
PEOPLE = [str(word) for word in {**PERSON, **ADDRESS}.values() if len(str(word)) > 6]
PEOPLE += [json.dumps(word)[1:-1] for word in PEOPLE]


class Receiver(NamedTuple):
    """Sentry and a collector in one: every body that was sent, by its path, and from which port."""

    url: str
    bodies: list[tuple[str, bytes]]
    ports: list[int]

    @property
    def dsn(self) -> str:
        return self.url.replace("://", "://key@") + "/1"

    def events(self) -> list[dict[str, Any]]:
        """What Sentry got: the items of its envelopes that are events."""
        lines = (
            json.loads(line)
            for path, body in list(self.bodies)
            if path == "/api/1/envelope/"
            for line in body.splitlines()
        )
        return [line for line in lines if "extra" in line]

    def failures(self, transaction: str) -> list[dict[str, Any]]:
        events = (one for one in self.events() if one["transaction"] == transaction)
        return [one for one in events if "exception" in one]

    def named(self, name: str, trace: str = "") -> list[Any]:
        spans = (span for span in self.spans() if span.name == name)
        return [span for span in spans if span.trace_id.hex() == trace or not trace]

    def spans(self) -> list[Any]:
        requests = (
            ExportTraceServiceRequest.FromString(body)
            for path, body in list(self.bodies)
            if path == "/v1/traces"
        )
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def receiving() -> Iterator[Receiver]:
    bodies: list[tuple[str, bytes]] = []
    ports: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            opened = OPEN.get(self.headers.get("Content-Encoding", ""), bytes)(body)
            bodies.append((self.path, opened))
            ports.append(self.client_address[1])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Receiver(f"http://127.0.0.1:{server.server_port}", bodies, ports)
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """The one of the whole system."""
    with receiving() as found:
        yield found


@pytest.fixture
def lone() -> Iterator[Receiver]:
    """One for a single test."""
    with receiving() as found:
        yield found


@pytest.fixture(scope="module")
def watched(receiver: Receiver, worker_id: str) -> Iterator[Stack]:
    """The whole system with both settings."""
    env = {
        "SENTRY_DSN": receiver.dsn,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",  # milliseconds
    }
    with Stack(name=f"watched_{worker_id}", env=env, redis_database=14, copies=True) as stack:
        yield stack


def until(condition: Callable[[], Any]) -> Any:
    """The condition's value once it is true."""
    deadline = time.monotonic() + 120
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return value


@contextmanager
def refusing(stack: Stack, table: str) -> Iterator[None]:
    """A table that takes no row: PostgreSQL quotes the whole row in its error."""
    connection = psycopg2.connect(stack.urls["DATABASE_URL"])
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT refused CHECK (false) NOT VALID")
        yield
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT refused")
    connection.close()


def test_errors_and_spans_of_web_and_worker_arrive_without_people(
    watched: Stack, receiver: Receiver
) -> None:
    sandbox = SandboxControl(watched.sandbox_port, watched.app_port)
    install(watched, sandbox)
    number = int(buy(Shopper(watched.origin("shop")))["order"])
    shopper = Shopper(watched.origin("shop"))
    shopper.fill_cart(*shopper.products()[:1])
    shopper.load_script(shopper.go_to_checkout())
    with refusing(watched, "payments_solicitation"), pytest.raises(Stuck):
        shopper.payment_methods()
    merchant = Merchant(sandbox, number)
    line = merchant.order()["products"][0]["id"]
    with refusing(watched, "orders_order"):
        merchant.does("ship", items=[{"order_product_id": line, "quantity": 1}])
        of_worker = until(lambda: receiver.failures(DRAIN))
    of_web = until(lambda: receiver.failures(METHODS))

    for event in (of_web[0], of_worker[0]):
        (exception,) = event["exception"]["values"]
        assert exception["type"].startswith("IntegrityError")
        assert any(frame["in_app"] for frame in exception["stacktrace"]["frames"])
        assert {"user", "request", "modules"}.isdisjoint(event)
        assert event["breadcrumbs"]["values"] == []
    request_id = of_web[0]["tags"]["request_id"]
    (failed,) = until(lambda: receiver.named(f"POST {METHODS}", request_id))
    assert failed.status.code == ERROR
    hooks = "POST webhooks/bigcommerce/<uuid:public_id>"
    assert until(lambda: all(map(receiver.named, (hooks, "POST SeQura", "GET BigCommerce", DRAIN))))
    everything = b"".join(body for _, body in receiver.bodies)
    assert [word for word in PEOPLE if word.encode() in everything] == []


FORKING = """
import logging, os, sys
import sentry_sdk
from celery.signals import worker_process_init
from sequra_bc.monitoring import report_errors

def fail():
    logging.getLogger("x").error("it failed")
    sentry_sdk.flush(60)

report_errors(sys.argv[1])
fail()
if not os.fork():
    worker_process_init.send(sender=None)
    fail()
    os._exit(0)
assert os.wait()[1] == 0
fail()
"""


def test_a_child_of_a_worker_has_a_connection_of_its_own(lone: Receiver) -> None:
    command = [sys.executable, "-c", FORKING, lone.dsn]
    subprocess.run(command, cwd=ROOT, env=environment(), check=True)

    assert [event["message"] for event in lone.events()] == ["it failed"] * 3
    first, of_child, last = lone.ports
    assert first == last != of_child


SERVED = """
import os
from sequra_bc.monitoring import collect_traces
from transport.tracing import span

collect_traces(os.environ["COLLECTOR"])

def application(environ, start_response):
    with span("GET", "server") as facts:
        facts["route"] = "last"
    start_response("200 OK", [])
    return [b"{}"]
"""


def test_a_web_process_that_ends_sends_its_last_spans(lone: Receiver, tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(SERVED)
    port = free_port()
    web = Process(
        "web",
        [str(BIN / "granian"), "--interface", "wsgi", "--port", str(port), "served:application"],
        tmp_path / "web.log",
        env=environment(
            COLLECTOR=lone.url, PYTHONPATH=str(ROOT), OTEL_BSP_SCHEDULE_DELAY="3600000"
        ),
        ready=lambda: fetch(f"http://127.0.0.1:{port}/") is not None,
        grace=60,
        cwd=tmp_path,
    )
    with running(web):
        assert lone.spans() == []

    assert lone.named("GET last")


def line_about(person: str) -> dict[str, Any]:
    """The log line of an exception that names a person."""
    with pytest.raises(ValueError, match=person) as caught:
        int(person)
    error = (caught.type, caught.value, caught.tb)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it failed", (), error)
    line: dict[str, Any] = json.loads(formatter().format(record))
    return line


def test_an_event_is_the_log_line_and_nothing_else() -> None:
    event: Any = event_of(line_about("Ana García"))

    assert "Ana" not in json.dumps(event)
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("ValueError", "it failed")
    assert exception["stacktrace"]["frames"][-1]["function"] == "line_about"
    assert {*event["extra"]} == {"time", "level", "event", "logger", "error"}


@pytest.mark.parametrize(
    ("given", "trace"),
    [
        ("0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
        ("01234567-89ab-cdef-0123-456789abcdef", "0123456789abcdef0123456789abcdef"),
    ],
)
def test_the_id_of_a_request_is_that_of_its_trace(given: str, trace: str) -> None:
    with bound_contextvars(request_id=given):
        assert f"{_RequestIds().generate_trace_id():032x}" == trace


def test_another_id_gives_the_same_trace_each_time_and_none_gives_a_new_one() -> None:
    def trace(request_id: str) -> int:
        with bound_contextvars(request_id=request_id):
            return _RequestIds().generate_trace_id()

    assert trace("the-request-7") == trace("the-request-7") != trace("the-request-8")
    assert 0 not in {trace("0" * 32), trace("")}
    assert trace("") != trace("")
    assert trace(str(uuid.uuid4())) > 0
