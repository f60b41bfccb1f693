"""Against a real server on a real socket: redirects, slow and endless and broken answers, TLS."""

import gzip
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from bigcommerce.client import BigCommerce
from sequra.client import Sequra
from transport.call import Rejected, Unavailable

MEGABYTE = 1_000_000
JSON = "Content-Type: application/json\r\n"
Answer = Callable[[BaseHTTPRequestHandler], object]


@dataclass
class Remote:
    """A server that answers everything with `answer` and counts what it was asked."""

    url: str
    answer: Answer = BaseHTTPRequestHandler.version_string
    seen: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: list[object] = field(default_factory=list)
    keeps_alive: bool = False

    def client(self, timeout: tuple[float, float] = (1, 1)) -> BigCommerce:
        return BigCommerce(self.url, "abc123", "token", timeout=timeout)


@pytest.fixture
def remote() -> Iterator[Remote]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            found.connections.append(self.connection)

        def handle_any(self) -> None:
            found.seen.append(f"{self.command} {self.path}")
            found.headers.append(dict(self.headers.items()))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.close_connection = not found.keeps_alive
            try:
                found.answer(self)
            except (BrokenPipeError, ConnectionResetError):
                return  # the client had enough

        do_GET = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815 the names http.server asks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Remote(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def raw(text: str, *chunks: bytes, pause: float = 0.0, reset: bool = False) -> Answer:
    """Send this, with a pause before every chunk; end with a reset instead of a farewell."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(text.encode())
        for chunk in chunks:
            time.sleep(pause)
            handler.wfile.write(chunk)
        if reset:
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()

    return answer


def ok(headers: str, *chunks: bytes, pause: float = 0.0, reset: bool = False) -> Answer:
    return raw(f"HTTP/1.1 200 OK\r\n{JSON}{headers}\r\n", *chunks, pause=pause, reset=reset)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_causes_no_second_request(remote: Remote, status: int) -> None:
    location = f"Location: {remote.url}/elsewhere\r\nContent-Length: 0\r\n"
    remote.answer = raw(f"HTTP/1.1 {status} Found\r\n{location}\r\n")
    with pytest.raises(Unavailable, match="sent us elsewhere"):
        remote.client().order(250)
    with pytest.raises(Unavailable):
        Sequra(remote.url, "u", "p").form("m", "0b9a4c6e", "i1")
    assert remote.seen == [
        "GET /stores/abc123/v2/orders/250",
        "GET /orders/0b9a4c6e/form_v2?product=i1&ajax=1",
    ]


def test_redirect_is_neither_read_nor_believed(remote: Remote) -> None:
    sent: list[int] = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n")
        while len(sent) < 50:
            handler.wfile.write(b"1" * MEGABYTE)
            sent.append(MEGABYTE)

    remote.answer = endless
    with pytest.raises(Unavailable, match="sent us elsewhere") as caught:
        remote.client().create_order("c")
    assert caught.value.maybe_done
    assert sum(sent) < 20 * MEGABYTE


def test_connection_is_kept_for_the_next_request(remote: Remote) -> None:
    remote.keeps_alive = True
    client = remote.client()
    answers = [
        ok("Content-Length: 2\r\n", b"{}"),
        ok("Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        raw("HTTP/1.1 204 No Content\r\n\r\n"),
        raw("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n", b"[]"),
        ok("Content-Length: 2\r\n", b"{}"),
    ]
    for remote.answer in answers[:2]:
        client.order(250)
    for remote.answer in answers[2:4]:
        client.delete_cart("c")
    remote.answer = answers[4]
    client.order(250)
    assert (len(remote.seen), len(remote.connections)) == (5, 1)


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_answer_is_read_however_it_is_framed(remote: Remote, framing: str) -> None:
    headers, chunks = {
        "chunked": (
            "Transfer-Encoding: chunked\r\n",
            [b'4\r\n{"id\r\n', b'5\r\n": 1}\r\n0\r\n\r\n'],
        ),
        "length": ("Content-Length: 9\r\n", [b'{"id": 1', b"}"]),
        "close": ("", [b'{"id"', b": 1}"]),
    }[framing]
    remote.answer = ok(headers, *chunks, pause=0.02)
    assert remote.client().order(250) == {"id": 1}


def test_compressed_answer_is_read(remote: Remote) -> None:
    body = gzip.compress(b'{"id": 250}')
    remote.answer = ok(f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n", body)
    assert remote.client().order(250) == {"id": 250}


def test_reading_stops_at_five_megabytes(remote: Remote) -> None:
    sent: list[int] = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(f"HTTP/1.1 200 OK\r\n{JSON}\r\n[".encode())
        while len(sent) < 100:
            handler.wfile.write(b"1," * (MEGABYTE // 2))
            sent.append(MEGABYTE)

    remote.answer = endless
    with pytest.raises(Unavailable, match="more than 5000000 bytes"):
        remote.client((1, 10)).order(250)
    assert sum(sent) < 30 * MEGABYTE


def test_compressed_bomb_stops_at_five_megabytes(remote: Remote) -> None:
    body = gzip.compress(b" " * 300 * MEGABYTE, compresslevel=1)
    remote.answer = ok(f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n", body)
    with pytest.raises(Unavailable, match="more than 5000000 bytes"):
        remote.client((1, 10)).order(250)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (raw("", reset=True), "broke the connection"),
        (raw(""), "broke the connection"),
        (raw("HTTP/1.1 200"), "has not the documented shape"),
        (raw("nonsense\r\n\r\n"), "broke the connection"),
        (ok("Content-Length: 100\r\n", b'{"id": 1'), "broke the connection"),
        (ok("Content-Length: 100\r\n", b'{"id"', reset=True), "broke the connection"),
        (ok("Transfer-Encoding: chunked\r\n", b"zz\r\n"), "broke the connection"),
        (ok("Content-Encoding: gzip\r\nContent-Length: 4\r\n", b"nope"), "broke the connection"),
        (ok("Content-Length: 2\r\n", b"{}", pause=0.6), "did not answer within 0.3 s"),
    ],
)
def test_broken_answer_is_unavailable_and_maybe_done(
    remote: Remote, answer: Answer, words: str
) -> None:
    remote.answer = answer
    with pytest.raises(Unavailable, match=words) as caught:
        remote.client((1, 0.3)).update_order(250, {"status_id": 11})
    assert caught.value.maybe_done
    assert remote.seen == ["PUT /stores/abc123/v2/orders/250"]


def test_dripping_answer_is_given_up_in_time(remote: Remote) -> None:
    """The whole answer has a deadline, not each of its chunks: given up before its end."""
    is_over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        ok("Content-Length: 100\r\n", *[b" "] * 100, pause=0.1)(handler)
        is_over.set()

    remote.answer = drip
    with pytest.raises(Unavailable, match=r"took longer than 0\.4 s"):
        remote.client((1, 0.4)).order(250)
    assert not is_over.is_set()


def test_late_answer_is_given_up_in_time(remote: Remote) -> None:
    """The answer waits until the client has given up."""
    given_up, is_answered = threading.Event(), threading.Event()

    def late(handler: BaseHTTPRequestHandler) -> None:
        if not given_up.wait(30):
            is_answered.set()
            ok("Content-Length: 2\r\n", b"{}")(handler)

    remote.answer = late
    with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s") as caught:
        Sequra(remote.url, "u", "p").put_order("m", "0b9a", {}, timeout=(0.2, 0.2))
    assert not is_answered.is_set()
    assert caught.value.maybe_done
    given_up.set()


@pytest.mark.parametrize(
    "answer",
    [
        raw("HTTP/1.1 409 Conflict\r\nContent-Length: 500\r\n\r\n", b'{"errors'),
        raw("HTTP/1.1 409 Conflict\r\nContent-Length: 9000000\r\n\r\n", b"x" * 9_000_000),
        raw("HTTP/1.1 409 Conflict\r\nContent-Length: 500\r\n\r\n", b"x", reset=True),
        raw("HTTP/1.1 409 Conflict\r\nContent-Length: 5\r\n\r\n", b"x", pause=0.6),
    ],
)
def test_refusal_counts_though_its_page_is_broken(remote: Remote, answer: Answer) -> None:
    remote.answer = answer
    with pytest.raises(Rejected) as caught:
        remote.client((1, 0.3)).update_order(250, {"status_id": 11})
    assert caught.value.status == 409
    assert len(caught.value.body) <= 65_536


def test_nobody_there_is_unavailable_and_not_done() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unavailable, match="cannot be reached") as caught:
            Sequra(url, "u", "p").put_order("m", "0b9a", {})
    assert not caught.value.maybe_done


def test_environment_and_cookies_change_nothing(
    remote: Remote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login stranger password stranger\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    remote.answer = ok("Set-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n", b"{}")
    remote.keeps_alive = True  # closed unannounced, the second call would meet a dead connection
    client = BigCommerce(remote.url, "abc123", "token", session=requests.Session())
    client.order(250)
    client.order(251)
    assert [headers.get("Authorization") for headers in remote.headers] == [None, None]
    assert [headers.get("Cookie") for headers in remote.headers] == [None, None]


def test_strangers_certificate_gets_no_request(tmp_path: Path) -> None:
    """The stub sees a handshake that is broken off, and not one byte of the request."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-days", "1", "-newkey", "rsa:2048", "-nodes"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *subject, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    received: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    received.append(secure.recv(1000))
            except OSError:
                received.append(b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        with pytest.raises(Unavailable, match="cannot be reached") as caught:
            Sequra(url, "user", "password").put_order("m", "0b9a", {})
        thread.join()
    assert not caught.value.maybe_done
    assert received == [b""]
