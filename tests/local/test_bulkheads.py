"""Nothing takes the threads of webhooks, notifications and health: short forms of `make load`."""

import io
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client

from local.load import bystanders, idle, made_up_codes, slow_bodies, unread_answers
from sequra_bc import bulkheads, metrics
from sequra_bc.bulkheads import Bulkheads, _Shares
from sequra_bc.middleware import WEBHOOKS, largest_of
from stores.models import Store
from stores.rate_limit import Places
from tests.stores.conftest import panel_for
from transaction_log.models import Entry

DESCRIPTORS = Path("/proc/self/fd")


class Endless:
    """A body that never comes, until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.begun = threading.Semaphore(0)

    def read(self, _: int) -> bytes:
        self.begun.release()
        self.over.wait()
        return b""


class Answering:
    """An application that keeps what it was asked, and can be told to wait."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.bodies.append(environ["wsgi.input"].read())
        start_response("200 OK", [])
        self.begun.release()
        if environ["PATH_INFO"] == "/slow":
            self.go_on.wait()
        return self.parts()

    def parts(self) -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            self.closed += 1


def tiny() -> _Shares:
    return _Shares(*(Places(1) for _ in _Shares._fields))


def ask(app: Bulkheads, path: str, **environ: Any) -> tuple[int, Any]:
    statuses: list[str] = []
    given = {"PATH_INFO": path, "wsgi.input": io.BytesIO(b""), **environ}
    answer = app(given, lambda status, _: statuses.append(status))
    return int(statuses[0][:3]), answer


@pytest.fixture
def endless() -> Iterator[Endless]:
    body = Endless()
    yield body
    body.over.set()


def test_a_full_share_refuses_at_once_and_leaves_the_others_alone() -> None:
    application = Answering()
    app = Bulkheads(application, tiny())
    busy = threading.Thread(target=ask, args=(app, "/slow"))
    busy.start()
    application.begun.acquire()
    assert ask(app, "/auth")[0] == 503
    for path in ("/webhooks/bigcommerce/x", "/sequra/notification/x", "/health/live", "/metrics"):
        assert ask(app, path) == (200, [b"ab"]), path
    application.go_on.set()
    busy.join()
    assert ask(app, "/auth")[0] == 200


def test_a_refusal_is_counted_and_has_an_id_like_every_answer() -> None:
    app, seen = Bulkheads(Answering(), tiny()), []
    app.shares.webhooks.take()
    webhook = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/webhooks/bigcommerce/{uuid.uuid4()}",
        "HTTP_X_REQUEST_ID": "proxys-own-1",
        "wsgi.input": io.BytesIO(b""),
    }
    counted = metrics._REQUESTS.labels("POST", WEBHOOKS, "503")._value
    before = counted.get()

    app(webhook, lambda status, headers: seen.append((status[:3], dict(headers))))

    assert [(status, headers["X-Request-Id"]) for status, headers in seen] == [
        ("503", "proxys-own-1")
    ]
    assert counted.get() == before + 1


def test_whoever_waits_for_a_moment_is_served() -> None:
    share = Places(1, waiting=1, seconds=30)
    assert share.take()
    with ThreadPoolExecutor(1) as waiter:
        served = waiter.submit(share.take)
        share.give_back()
        assert served.result()
    share.give_back()
    assert share.take()


def test_an_export_holds_its_share_until_it_is_read() -> None:
    application = Answering()
    app = Bulkheads(application, tiny())
    status, answer = ask(app, "/s/token/log/export.csv")
    assert (status, ask(app, "/s/other/log/export.csv")[0]) == (200, 503)
    assert list(answer) == [b"a", b"b"]
    assert ask(app, "/s/other/log/export.csv")[0] == 200
    unread = ask(app, "/s/other/log/export.csv")[1]  # the one before was dropped unread
    unread.close()
    assert ask(app, "/s/other/log/export.csv")[0] == 200


@pytest.mark.parametrize(
    ("length", "status"),
    [("65537", 413), ("9" * 5000, 413), ("-1", 400), ("1e3", 400), ("٣", 400), ("65536", 400)],
)
def test_a_length_is_judged_before_the_body_is_read(length: str, status: int) -> None:
    application = Answering()
    found = ask(Bulkheads(application), "/x", CONTENT_LENGTH=length)[0]
    assert (found, application.bodies) == (status, [])


def test_a_body_without_length_ends_at_the_limit() -> None:
    application = Answering()
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked"}
    app = Bulkheads(application)
    body = b"x" * largest_of("")
    assert ask(app, "/x", **chunked, **{"wsgi.input": io.BytesIO(body)})[0] == 200
    assert ask(app, "/x", **chunked, **{"wsgi.input": io.BytesIO(body + b"y")})[0] == 413
    assert application.bodies == [body]


@pytest.mark.parametrize(
    ("path", "largest"),
    [
        ("/storefront/x/payment-methods", 4 * 1024),
        ("/sequra/notification/x", 16 * 1024),
        ("/sequra/event/x", 16 * 1024),
        ("/webhooks/bigcommerce/x", 64 * 1024),
        ("/s/x/settings", 64 * 1024),
    ],
)
def test_every_kind_of_request_has_a_largest_body(path: str, largest: int) -> None:
    app = Bulkheads(Answering())
    for size, status in ((largest, 200), (largest + 1, 413)):
        body = {"CONTENT_LENGTH": str(size), "wsgi.input": io.BytesIO(b"x" * size)}
        assert ask(app, path, **body)[0] == status
    huge = b" " * (largest + 1)
    assert Client().post(path, huge, content_type="application/json").status_code == 413


def test_bodies_that_never_come_take_no_share(endless: Endless) -> None:
    app = Bulkheads(Answering(), tiny())
    slow = {"CONTENT_LENGTH": "9", "wsgi.input": endless}
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(ask, app, "/webhooks/bigcommerce/x", **slow) for _ in range(5)]
        for _ in asked:
            endless.begun.acquire()
        honest = {"CONTENT_LENGTH": "2", "wsgi.input": io.BytesIO(b"{}")}
        assert ask(app, "/webhooks/bigcommerce/x", **honest)[0] == 200
        endless.over.set()
        assert [one.result()[0] for one in asked] == [400] * 5  # less than was announced


def test_no_more_bodies_are_read_than_there_are_threads(
    endless: Endless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulkheads, "_STUCK", 1)
    app = Bulkheads(Answering())
    slow = {"CONTENT_LENGTH": "9", "wsgi.input": endless}
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, app, "/x", **slow)
        endless.begun.acquire()
        assert ask(app, "/x", **slow)[0] == 503
        assert ask(app, "/health/live")[0] == 200
        endless.over.set()
        asked.result()


def test_an_overdue_body_ends_its_connection_and_no_fresh_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Silence is measured by the kernel; here it counts from the first millisecond on, or never."""
    bodies = bulkheads._Bodies()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        served, _ = listener.accept()
        with client, served:
            bodies._begun[1] = 0.0  # since the machine was started
            bodies.end_overdue()  # ten seconds of silence: not yet
            client.sendall(b"x")
            assert served.recv(1) == b"x"
            monkeypatch.setattr(bulkheads, "_DEADLINE", 0.0)
            bodies.end_overdue()
            assert (served.recv(1), client.recv(1)) == (b"", b"")


def test_a_body_that_comes_byte_by_byte_ends_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never silent, never complete. Whoever got an answer meanwhile is left alone."""
    monkeypatch.setattr(bulkheads, "_DEADLINE", 0.2)
    monkeypatch.setattr(bulkheads, "_end_silent_connections", lambda _: None)
    bodies = bulkheads._Bodies()
    bodies._begun[1] = 0.0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pairs = []
        for _ in range(2):
            client = socket.create_connection(listener.getsockname())
            pairs.append((client, listener.accept()[0]))
        (dripping, served), (honest, answered) = pairs
        with dripping, served, honest, answered:
            honest.sendall(b"x")
            while not any(address == dripping.getsockname() for address in bodies._unanswered):
                dripping.sendall(b"x")
                bodies.end_overdue()
            answered.sendall(b"y")
            # Which byte meets the end is the kernel's choice.
            with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012
                while True:
                    dripping.sendall(b"x")
                    bodies.end_overdue()
            assert honest.recv(1) == b"y"
            answered.sendall(b"z")
            assert honest.recv(1) == b"z"


@pytest.mark.parametrize("path", ["/sequra/notification/x", "/sequra/event/x", "/load"])
def test_a_file_is_refused_before_it_is_read(path: str) -> None:
    file = io.BytesIO(b"\0" * 5_000_000)
    assert Client().post(path, {"file": file}).status_code == 413


def test_threads_beyond_the_limit_close_their_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []
    monkeypatch.setattr("django.db.connections.close_all", lambda: closed.append(1))
    monkeypatch.setattr(bulkheads.Keeper, "slots", threading.BoundedSemaphore(2))
    keeper = bulkheads.Keeper()
    with ThreadPoolExecutor(3) as pool:
        together = threading.Barrier(3)

        def request() -> None:
            together.wait()
            keeper.after_request()
            together.wait()

        for future in [pool.submit(request) for _ in range(3)]:
            future.result()
    assert closed == [1]
    with ThreadPoolExecutor(1) as pool:  # the threads before gave their places back
        pool.submit(keeper.after_request).result()
    assert closed == [1]


def port(address: str) -> int:
    return int(address.rpartition(":")[2])


def assert_all_answered(address: str) -> None:
    """Again and again for a while: an attack may need a moment to take effect."""
    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert [seconds for seconds in bystanders(address) if seconds is None] == []


@pytest.mark.parametrize("path", ["/webhooks/bigcommerce/x", "/sequra/notification/x", "/load"])
def test_slow_bodies_keep_nobody_waiting(live_app: str, path: str) -> None:
    with slow_bodies(port(live_app), 48, path):
        assert_all_answered(live_app)


def test_silent_connections_keep_nobody_waiting(live_app: str) -> None:
    with idle(port(live_app), 150):
        assert_all_answered(live_app)


def test_made_up_codes_keep_nobody_waiting(live_app: str) -> None:
    with made_up_codes(live_app, 24):
        assert_all_answered(live_app)


def test_unread_exports_keep_nobody_waiting(live_app: str) -> None:
    store = Store.objects.create(hash="readers")
    entry = {"store": store, "event": "ship", "outcome": "accepted", "words": "x" * 400}
    Entry.objects.bulk_create([Entry(**entry) for _ in range(12_000)], batch_size=3000)
    with unread_answers(port(live_app), 40, f"/s/{panel_for(store).token}/log/export.csv"):
        assert_all_answered(live_app)
        answer = requests.get(f"{live_app}/load", timeout=8)
        assert answer.status_code == 401


def test_an_unread_connection_has_an_end() -> None:
    """The kernel's promise, on the sockets at which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        before = list(DESCRIPTORS.iterdir())
        bulkheads._end_unread_connections()
        assert len(list(DESCRIPTORS.iterdir())) == len(before)
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            found = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert found == bulkheads._UNREAD_TIMEOUT
