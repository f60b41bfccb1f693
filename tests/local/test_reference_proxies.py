"""deploy/nginx.conf and deploy/Caddyfile, under the real nginx and Caddy."""

import os
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from local.processes import Process, answers, environment, free_port
from local.servers import ROOT
from local.tls import make_certificate
from sequra_bc.middleware import _apply

pytestmark = pytest.mark.slow

DEPLOY = ROOT / "deploy"
PATH = f"{os.environ['PATH']}:/usr/sbin"
LIMIT = 64 * 1024
SEEN = "HTTP_USER_AGENT"


@dataclass
class Upstream:
    """The app's place: keeps what reached it, as the app would see it."""

    port: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = b"".join(body_of(environ))
        meta = {name: value for name, value in environ.items() if isinstance(value, str)}
        _apply(meta, 1)
        self.seen.append({**meta, "body": body})
        start_response("200 OK" if len(body) <= LIMIT else "413 Content Too Large", [])
        return []


def body_of(environ: dict[str, Any]) -> Iterator[bytes]:
    """wsgiref leaves the chunks of a body to its application."""
    stream = environ["wsgi.input"]
    if environ.get("HTTP_TRANSFER_ENCODING") != "chunked":
        yield stream.read(int(environ.get("CONTENT_LENGTH") or 0))
        return
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """The proxies' logs are enough."""


@pytest.fixture(scope="module")
def app() -> Iterator[Upstream]:
    upstream = Upstream(free_port())
    with make_server("127.0.0.1", upstream.port, upstream, Server, Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield upstream
        server.shutdown()


def program(name: str) -> str:
    """Skipped loudly where Debian's package is missing, in CI never."""
    found = shutil.which(name, path=PATH)
    if found is None:
        assert not os.environ.get("CI"), f"apt-get install {name}"
        pytest.skip(f"no {name}: apt-get install {name}")
    return found


def changed(name: str, changes: dict[str, str]) -> str:
    """The shipped file with what is this machine's own."""
    text = (DEPLOY / name).read_text()
    for shipped, ours in changes.items():
        assert shipped in text, shipped
        text = text.replace(shipped, ours)
    return text


def nginx(folder: Path, port: int, upstream: int) -> Process:
    pem = str(make_certificate(folder, ["app.example.com"]))
    site = changed(
        "nginx.conf",
        {
            "127.0.0.1:8000": f"127.0.0.1:{upstream}",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/ssl/app.example.com.pem": pem,
            "/etc/ssl/app.example.com.key": pem,
            "client_body_timeout 10s": "client_body_timeout 1s",
        },
    )
    kept = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{kept}\n{site}}}\n"
    )
    command = [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return Process("nginx", [*command, "-e", "stderr"], folder / "log")


def caddy(folder: Path, port: int, upstream: int | str, host: str = "app.example.com") -> Process:
    file = folder / "Caddyfile"
    file.write_text(changed("Caddyfile", {"read_body 60s": "read_body 1s"}))
    env = environment(
        SITE_ADDRESS=f"http://{host}:{port}",
        UPSTREAM=upstream if isinstance(upstream, str) else f"127.0.0.1:{upstream}",
        HOME=str(folder),
        XDG_DATA_HOME=str(folder),
        XDG_CONFIG_HOME=str(folder),
    )
    command = [program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"]
    return Process("caddy", command, folder / "log", env=env)


@dataclass
class Proxy:
    """One of the two, as a client meets it."""

    port: int
    scheme: str
    app: Upstream

    def connect(self) -> HTTPConnection:
        if self.scheme == "http":
            return HTTPConnection("127.0.0.1", self.port, timeout=60)
        return HTTPSConnection("127.0.0.1", self.port, timeout=60, context=trusting())

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        connection = self.connect()
        named = {name.replace("__", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"Host": "app.example.com", **named}.items():
            connection.putheader(name, value)
        connection.endheaders()
        if body:
            connection.send(body)
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    def arrived(self, mark: str) -> list[dict[str, Any]]:
        return [request for request in self.app.seen if request.get(SEEN) == mark]


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest, app: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    folder, port = tmp_path_factory.mktemp(request.param), free_port()
    app.seen.clear()
    start = {"nginx": nginx, "caddy": caddy}[request.param]
    process = start(folder, port, app.port)
    process.ready = lambda: answers(port)
    process.start()
    process.wait_ready()
    yield Proxy(port, "https" if start is nginx else "http", app)
    process.stop()


def test_the_app_learns_who_asks_for_what(proxy: Proxy) -> None:
    told = {"X__Forwarded__For": "6.6.6.6", "X__Forwarded__Proto": "gopher"}
    host = {"X__Forwarded__Host": "evil.example", "Forwarded": "for=6.6.6.6;host=evil.example"}
    assert proxy.ask("GET", "/load", User__Agent="who", **told, **host) == 200
    (request,) = proxy.arrived("who")
    found = {name: request.get(name) for name in ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST")}
    assert found == {
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": proxy.scheme,
        "HTTP_HOST": "app.example.com",
    }


def test_headers_with_underscores_are_left_out(proxy: Proxy) -> None:
    spoofed = {"X_Forwarded_For": "6.6.6.6", "X_Forwarded_Host": "evil.example", "X_Other": "x"}
    assert proxy.ask("GET", "/load", User__Agent="underscores", **spoofed) == 200
    (request,) = proxy.arrived("underscores")
    assert (request["REMOTE_ADDR"], request["HTTP_HOST"]) == ("127.0.0.1", "app.example.com")
    assert "HTTP_X_OTHER" not in request


def test_a_body_within_the_limit_arrives_whole(proxy: Proxy) -> None:
    body = b"x" * LIMIT
    length = str(len(body))
    assert proxy.ask("POST", "/x", body, User__Agent="whole", Content__Length=length) == 200
    assert [len(request["body"]) for request in proxy.arrived("whole")] == [LIMIT]


def test_a_body_above_the_limit_does_not_arrive(proxy: Proxy) -> None:
    length = str(LIMIT + 1)
    assert proxy.ask("POST", "/x", User__Agent="large", Content__Length=length) == 413
    chunks = (b"%x\r\n" % 32_768 + b"x" * 32_768 + b"\r\n") * 3 + b"0\r\n\r\n"
    chunked = {"User__Agent": "chunked", "Transfer__Encoding": "chunked"}
    assert proxy.ask("POST", "/x", chunks, **chunked) == 413
    arrived = [len(request["body"]) for request in proxy.arrived("chunked")]
    assert arrived == ([] if proxy.scheme == "https" else [LIMIT + 1])  # too large for the app
    assert proxy.arrived("large") == []


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/%6detrics", "/metrics?a=b"])
def test_figures_are_not_there(proxy: Proxy, path: str) -> None:
    assert proxy.ask("GET", path, User__Agent="figures") == 404
    assert proxy.arrived("figures") == []


def test_a_slow_body_does_not_reach_the_app(proxy: Proxy) -> None:
    connection = proxy.connect()
    connection.putrequest("POST", "/webhooks/bigcommerce/x", skip_host=True)
    connection.putheader("Host", "app.example.com")
    connection.putheader("User-Agent", "slow")
    connection.putheader("Content-Length", "10")
    connection.endheaders(b"{")
    assert proxy.ask("GET", "/load", User__Agent="meanwhile") == 200
    assert isinstance(connection.sock, socket.socket)
    while connection.sock.recv(1 << 16):
        pass  # an answer, before the connection ends
    connection.close()
    assert proxy.arrived("slow") == []


def test_a_web_service_that_restarts_costs_no_request(app: Upstream, tmp_path: Path) -> None:
    """Caddy in front of two, of which one refuses connections."""
    port = free_port()
    process = caddy(tmp_path, port, f"127.0.0.1:{free_port()} 127.0.0.1:{app.port}")
    process.ready = lambda: answers(port)
    process.start()
    process.wait_ready()
    try:
        shop = Proxy(port, "http", app)
        agent = {"User__Agent": "two", "Content__Length": "2"}
        assert [shop.ask("POST", "/x", b"{}", **agent) for _ in range(20)] == [200] * 20
        assert [request["body"] for request in shop.arrived("two")] == [b"{}"] * 20
    finally:
        process.stop()
