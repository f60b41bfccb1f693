"""Webhooks that share a commit: each is answered after it, and none is lost with another."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import psycopg2
import pytest
import requests
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections, transaction
from django.test import Client
from prometheus_client import REGISTRY

from local.processes import Process, environment, free_port
from local.sandbox_control import plain_session
from local.servers import ROOT
from local.stack import web_process
from orders import inbox, webhooks
from orders.inbox import Row, _Inbox
from orders.models import WebhookEvent
from sequra_bc.intake import Intake
from sequra_bc.middleware import WEBHOOKS
from stores.models import Store
from tests.orders.world import descendants
from transport import tracing

SCOPE = "store/order/updated"
WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""
FORKING = """
import os, sys
import django
django.setup()
from orders import inbox
inbox._SECONDS = 60.0
store, secret = int(sys.argv[1]), sys.argv[2]
def row(name):
    return inbox.Row(store, "store/order/updated", name, 5, '{"hash": "%s"}' % name, secret)
assert inbox.store(row("parent"))
if not os.fork():
    os._exit(0 if inbox.store(row("child")) else 1)
assert os.wait()[1] == 0
assert inbox.store(row("parent again"))
"""


@pytest.fixture
def store(transactional_db: None) -> Store:
    store = Store.objects.create(hash="abc123", access_token="token")
    store.refresh_from_db()  # with the sealed secret
    return store


@pytest.fixture
def ours(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Inbox]:
    """The inbox of this process, with patience, and no connection of it left at the end."""
    fresh = _Inbox()
    monkeypatch.setattr(inbox, "_SECONDS", 60.0)
    monkeypatch.setattr(inbox, "_MAX_AGE", 600.0)
    for module in (inbox, webhooks):  # no message of these tests reaches another's broker
        monkeypatch.setattr(module, "wake_worker", lambda: None)
    monkeypatch.setitem(inbox._inboxes, os.getpid(), fresh)
    yield fresh
    fresh._session._close()


def sealed(store: Store) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT webhook_secret FROM stores_store WHERE id = %s", [store.pk])
        return str(cursor.fetchone()[0])


def row(store: Store, name: str) -> Row:
    """Made before threads begin: one that asks the database keeps a connection."""
    return Row(store.pk, SCOPE, name, 250, event(name, store).decode(), sealed(store))


def event(name: str, store: Store) -> bytes:
    """One of an order of its own: above a store's rate, those of one order share a row."""
    data = {"id": 1 + crc32(name.encode())}
    told = {"scope": SCOPE, "data": data, "hash": name, "producer": f"stores/{store.hash}"}
    return json.dumps(told).encode()


def stored() -> dict[str, int]:
    """How often each event that has a row was delivered."""
    return dict(WebhookEvent.objects.values_list("payload__hash", "deliveries"))


def wait_until(is_so: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := is_so()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def has_waiting(ours: _Inbox, number: int) -> bool:
    return len(ours._waiting) == number


class Gate:
    """Holds back the first statement of an inbox until it opens; what the statements carried."""

    def __init__(self, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.statements: list[list[str]] = []
        insert = session.insert

        def held(rows: list[Row]) -> Any:
            self.statements.append([one.hash for one in rows])
            if len(self.statements) == 1:
                self.open.wait()
            return insert(rows)

        monkeypatch.setattr(session, "insert", held)


@contextmanager
def gathered(
    work: Callable[[str], Any], names: list[str], ours: _Inbox, gate: Gate
) -> Iterator[dict[str, "Future[Any]"]]:
    """The first name leads and is held back; the others wait behind it when the block begins."""
    with ThreadPoolExecutor(len(names)) as pool:
        asked = {names[0]: pool.submit(work, names[0])}
        wait_until(lambda: gate.statements)
        for number, name in enumerate(names[1:], start=1):
            asked[name] = pool.submit(work, name)
            wait_until(partial(has_waiting, ours, number))
        try:
            yield asked
        finally:
            gate.open.set()


def test_rows_that_wait_together_share_a_statement(
    store: Store, ours: _Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(ours._session, monkeypatch)
    names = ["lone", *(f"n{number}" for number in range(7))]
    rows = {name: row(store, name) for name in names}
    woken: list[bool] = []
    monkeypatch.setattr(inbox, "wake_worker", lambda: woken.append(True))
    with gathered(lambda name: inbox.store(rows[name]), names, ours, gate) as asked:
        gate.open.set()
        assert {one.result() for one in asked.values()} == {True}
    assert gate.statements == [["lone"], names[1:]]
    assert woken == [True, True]
    assert stored() == dict.fromkeys(names, 1)


def test_a_repeated_event_goes_into_the_next_statement(
    store: Store, ours: _Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(ours._session, monkeypatch)
    names = {"lone": "lone", "a": "same", "b": "other", "c": "same"}
    rows = {sender: row(store, name) for sender, name in names.items()}
    with gathered(lambda sender: inbox.store(rows[sender]), list(rows), ours, gate) as asked:
        gate.open.set()
        assert {one.result() for one in asked.values()} == {True}
    assert gate.statements == [["lone"], ["same", "other"], ["same"]]
    assert stored() == {"lone": 1, "same": 2, "other": 1}


def environ_of(name: str, store: Store) -> dict[str, Any]:
    """A webhook as a web server passes it on, its body read by `Bulkheads`."""
    body = event(name, store)
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/webhooks/bigcommerce/{store.public_id}",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_WEBHOOK_SECRET": store.webhook_secret,
        "HTTP_X_REQUEST_ID": "proxys-own-1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }


@pytest.fixture
def post(store: Store, ours: _Inbox) -> Callable[..., int]:
    """One webhook, answered as by the web server: the status."""
    application = Intake(WSGIHandler())

    def send(name: str, to: Store = store) -> int:
        statuses: list[str] = []
        try:
            application(environ_of(name, to), lambda status, _: statuses.append(status))
        finally:
            connection.close()
        return int(statuses[0][:3])

    assert send("known from now on") == 204
    WebhookEvent.objects.all().delete()
    return send


def no_django(environ: dict[str, Any], _: Any) -> list[bytes]:
    raise AssertionError(environ["PATH_INFO"])


def test_an_answer_in_front_of_django_has_an_id_and_is_counted(
    store: Store, post: Callable[..., int]
) -> None:
    labels = {"method": "POST", "route": "webhooks/bigcommerce/<uuid:public_id>", "status": "204"}
    before = REGISTRY.get_sample_value("sequra_bc_requests_total", labels) or 0
    answers: list[tuple[str, list[tuple[str, str]]]] = []
    application = Intake(no_django)
    body = application(environ_of("mine", store), lambda *answer: answers.append(answer))
    assert list(body) == [b""]
    assert answers == [("204 No Content", [("X-Request-Id", "proxys-own-1")])]
    assert REGISTRY.get_sample_value("sequra_bc_requests_total", labels) == before + 1
    assert stored() == {"mine": 1}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tracing.Facts]]:
    """The spans that ended without an error."""
    ended: list[tuple[str, tracing.Facts]] = []

    @contextmanager
    def opened(name: str, _: tracing.Kind) -> Iterator[tracing.Facts]:
        facts: tracing.Facts = {}
        yield facts
        ended.append((name, facts))

    monkeypatch.setattr(tracing, "_opener", opened)
    return ended


@pytest.mark.parametrize(
    ("changes", "name", "status"),
    [
        ({}, "POST", 204),
        ({"wsgi.input": io.BytesIO(b"[]")}, "POST", 400),  # refused in front of Django
        ({"HTTP_X_WEBHOOK_SECRET": "forged"}, "POST", 401),  # by Django
        ({"REQUEST_METHOD": "BREW"}, "other", 405),
    ],
)
def test_a_webhook_is_one_span_with_its_status_whoever_answers(
    store: Store,
    post: Callable[..., int],
    spans: list[tuple[str, tracing.Facts]],
    changes: dict[str, Any],
    name: str,
    status: int,
) -> None:
    spans.clear()
    statuses: list[str] = []
    webhook = environ_of("mine", store) | changes
    Intake(WSGIHandler())(webhook, lambda status, _: statuses.append(status))
    connection.close()

    assert [int(one[:3]) for one in statuses] == [status]
    assert spans == [(name, {"route": WEBHOOKS, "status": status})]


def test_probes_are_no_spans(client: Client, spans: list[tuple[str, tracing.Facts]]) -> None:
    assert client.get("/health/live").status_code == 200
    assert spans == []


def test_a_locked_store_delays_none_of_its_neighbours(
    store: Store, ours: _Inbox, post: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Store.objects.create(hash="other", access_token="token")
    assert post("known from now on", other) == 204
    gate = Gate(ours._session, monkeypatch)
    names = ["lone", "neighbour", "locked"]

    def work(name: str) -> int:
        return post(name, other if name == "locked" else store)

    with gathered(work, names, ours, gate) as asked, transaction.atomic():
        Store.objects.select_for_update().get(pk=other.pk)
        gate.open.set()
        assert asked["neighbour"].result() == 204
        assert not asked["locked"].done()
    assert asked["locked"].result() == 204


def test_a_bad_row_fails_none_of_its_neighbours(
    store: Store, ours: _Inbox, post: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that a client can send is known to be bad: this one is no JSON for PostgreSQL."""
    read = webhooks._read_event

    def reading(body: bytes, receiver: Any) -> webhooks._Event:
        found = read(body, receiver)
        return found._replace(body="{") if found.hash == "bad" else found

    monkeypatch.setattr(webhooks, "_read_event", reading)
    gate = Gate(ours._session, monkeypatch)
    names = ["lone", "good", "bad", "better"]
    with gathered(post, names, ours, gate) as asked:
        gate.open.set()
        statuses = {name: one.result() for name, one in asked.items()}
    assert statuses == {"lone": 204, "good": 204, "bad": 400, "better": 204}
    assert stored() == {"lone": 1, "good": 1, "better": 1}


def test_the_secret_of_an_ended_installation_stores_nothing_beside_others(
    store: Store, ours: _Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Store.objects.create(hash="other", access_token="token")
    rows = {"lone": row(store, "lone"), "mine": row(store, "mine"), "old": row(other, "old")}
    Store.objects.filter(pk=other.pk).update(webhook_secret="of a new installation")
    gate = Gate(ours._session, monkeypatch)
    with gathered(lambda name: inbox.store(rows[name]), list(rows), ours, gate) as asked:
        gate.open.set()
        assert {name: one.result() for name, one in asked.items()} == {
            "lone": True,
            "mine": True,
            "old": False,
        }
    assert gate.statements == [["lone"], ["mine", "old"]]
    assert stored() == {"lone": 1, "mine": 1}


def test_a_request_that_waited_too_long_leaves_and_the_others_go_on(
    store: Store, ours: _Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(ours._session, monkeypatch)
    lone, late, later = (row(store, name) for name in ("lone", "late", "later"))
    with gathered(lambda _: inbox.store(lone), ["lone"], ours, gate) as asked:
        with monkeypatch.context() as patched:
            patched.setattr(inbox, "_SECONDS", 0.0)
            assert inbox.store(late) is False  # the request stores it alone
        assert ours._waiting == []
        gate.open.set()
        assert asked["lone"].result()
    assert inbox.store(later)
    assert stored() == {"lone": 1, "later": 1}


@pytest.fixture(params=["refuses", "is silent"])
def lost_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port on which no PostgreSQL answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = int(silent.getsockname()[1])
        if request.param == "refuses":
            silent.close()
        yield port


def test_a_database_that_refuses_or_is_silent_is_a_503(
    store: Store,
    ours: _Inbox,
    post: Callable[[str], int],
    monkeypatch: pytest.MonkeyPatch,
    lost_port: int,
) -> None:
    ours._session._close()
    where = dict(connection.get_connection_params(), port=lost_port, connect_timeout=2)
    with monkeypatch.context() as patched:
        django_connection = type(connections["default"])
        patched.setattr(django_connection, "get_connection_params", lambda _: where)
        connection.close()
        patched.setattr(inbox, "_SECONDS", 0.5)
        assert post("lost") == 503
    assert stored() == {}
    assert post("found") == 204
    assert stored() == {"found": 1}


def test_a_webhook_is_stored_while_the_inbox_alone_gets_no_connection(
    store: Store,
    ours: _Inbox,
    post: Callable[[str], int],
    monkeypatch: pytest.MonkeyPatch,
    lost_port: int,
) -> None:
    """The server has no slot for one more connection; Django has its own already."""
    ours._session._close()
    connect = psycopg2.connect

    def connect_elsewhere(**where: Any) -> Any:
        is_inbox = where.get("async_")
        return connect(**where | {"port": lost_port}) if is_inbox else connect(**where)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg2, "connect", connect_elsewhere)
        patched.setattr(inbox, "_SECONDS", 0.5)
        assert post("mine") == 204
    assert stored() == {"mine": 1}


def test_a_connection_is_opened_anew_when_it_is_old(
    store: Store, ours: _Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may have moved to another server, and this one only reads by now."""
    first, second, third = (row(store, name) for name in ("first", "second", "third"))
    assert inbox.store(first)
    kept = ours._session._connection
    assert inbox.store(second)
    assert ours._session._connection is kept
    monkeypatch.setattr(ours._session, "_old_at", 0.0)
    assert inbox.store(third)
    assert ours._session._connection is not kept
    assert kept.closed
    assert stored() == {"first": 1, "second": 1, "third": 1}


def test_a_connection_at_rest_notices_a_server_that_vanished(store: Store, ours: _Inbox) -> None:
    assert inbox.store(row(store, "mine"))
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    with socket.socket(fileno=os.dup(ours._session._connection.fileno())) as kept:
        assert kept.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert [kept.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [30, 5, 3]


def test_a_connection_that_died_unnoticed_is_opened_again(
    store: Store, ours: _Inbox, post: Callable[[str], int]
) -> None:
    assert post("first") == 204
    end_backend(ours._session._connection.info.backend_pid)
    assert post("second") == 204
    assert stored() == {"first": 1, "second": 1}


def end_backend(pid: int) -> None:
    """End a connection of PostgreSQL, as a restart would, and wait until it is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        assert cursor.fetchone()[0]


def test_a_forked_process_has_an_inbox_of_its_own(store: Store) -> None:
    name = str(connection.settings_dict["NAME"])
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}"
    subprocess.run(
        [sys.executable, "-c", FORKING, str(store.pk), sealed(store)],
        cwd=ROOT,
        env=environment(DATABASE_URL=url),
        check=True,
    )
    assert stored() == {"parent": 1, "child": 1, "parent again": 1}


class Senders:
    """Threads that send webhooks over HTTP until their server is gone."""

    def __init__(self, address: str, store: Store) -> None:
        self.store = store
        self.address = f"{address}/webhooks/bigcommerce/{store.public_id}"
        self.answers: dict[str, int] = {}
        self.enough = threading.Condition()

    def send(self, name: str) -> int | None:
        """The status; None when the connection broke."""
        headers = {"X-Webhook-Secret": self.store.webhook_secret}
        try:
            reply = plain_session().post(
                self.address, data=event(name, self.store), headers=headers, timeout=60
            )
        except requests.RequestException:
            return None
        with self.enough:
            self.answers[name] = reply.status_code
            self.enough.notify()
        return reply.status_code

    def send_many(self, sender: int) -> None:
        number = 0
        while self.send(f"{sender}-{number}"):
            number += 1

    def send_some(self) -> None:
        """Enough that the web processes know the store."""
        for number in range(20):
            self.send(f"known {number}")

    def accepted(self) -> set[str]:
        return {name for name, status in self.answers.items() if status == 204}


@pytest.fixture
def server(store: Store, tmp_path: Path) -> Iterator[Process]:
    """Two web processes that this test may kill, on the test's database."""
    name = str(connection.settings_dict["NAME"])
    port = free_port()
    env = environment(DATABASE_URL=os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}")
    process = web_process(tmp_path, env, port, 2)
    process.start()
    process.wait_ready()
    process.name = f"http://127.0.0.1:{port}"
    yield process
    process.stop()


def kill(process: Process) -> None:
    """`kill -9` of the server and of its workers, and wait until they are gone."""
    for pid in reversed(list(descendants(process.pid))):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.stop()


@pytest.mark.slow
def test_a_killed_server_has_a_row_for_every_webhook_it_answered(
    server: Process, store: Store
) -> None:
    crowd = 12
    senders = Senders(server.name, store)
    with ThreadPoolExecutor(crowd) as pool:
        sent = [pool.submit(senders.send_many, number) for number in range(crowd)]
        with senders.enough:
            assert senders.enough.wait_for(lambda: len(senders.accepted()) > 300, timeout=60)
        kill(server)
        for one in sent:
            one.result()
    rows = stored()
    assert senders.accepted() - rows.keys() == set()  # none lost
    assert set(rows.values()) == {1}  # none doubled
    assert len(rows.keys() - senders.answers.keys()) <= crowd  # killed between commit and answer


@pytest.mark.slow
def test_nothing_is_answered_before_its_commit(server: Process, store: Store) -> None:
    crowd = [f"n{number}" for number in range(8)]
    senders = Senders(server.name, store)
    senders.send_some()
    with ThreadPoolExecutor(len(crowd)) as pool, locked_inbox() as cursor:
        sent = [pool.submit(senders.send, name) for name in crowd]
        wait_until(lambda: backends_that_wait(cursor))
        kill(server)
        assert 204 not in [one.result() for one in sent]


@contextmanager
def locked_inbox() -> Iterator[Any]:
    """Every statement of a webhook waits in this block."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE orders_webhookevent IN SHARE MODE")
        yield cursor


def backends_that_wait(cursor: Any) -> list[int]:
    cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees the same again
    cursor.execute(WAITING)
    return [pid for (pid,) in cursor.fetchall()]


@pytest.mark.slow
def test_a_connection_killed_within_a_statement_costs_no_answered_webhook(
    server: Process, store: Store
) -> None:
    crowd = [f"n{number}" for number in range(12)]
    senders = Senders(server.name, store)
    senders.send_some()
    known = stored().keys()
    with ThreadPoolExecutor(len(crowd)) as pool:
        with locked_inbox() as cursor:
            sent = [pool.submit(senders.send, name) for name in crowd]
            for pid in wait_until(lambda: backends_that_wait(cursor)):
                cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        statuses = {name: one.result() for name, one in zip(crowd, sent, strict=True)}
    rows = stored()
    assert set(statuses.values()) <= {204, 503}
    accepted = {name for name, status in statuses.items() if status == 204}
    assert accepted - rows.keys() == set()
    assert rows.keys() - known <= set(crowd)
