"""A small threaded WSGI server that can also hang up.

The faults of `sandbox.faults` need a connection that dies without an answer, and one that dies in
the middle of an answer; the usual WSGI servers offer neither. A thread per connection reads and
writes (and may sleep for a fault's delay); Django works in a fixed pool, so that its database
connections stay few and open.
"""

import io
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

WORKERS = 24
Environ = dict[str, Any]
WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


@dataclass
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    reason: str = ""
    truncated: bool = False


class HangUp(Exception):
    """Close the connection now, with a reset and without an answer."""


Respond = Callable[[Environ], Answer]


def pooled(app: WSGIApp, workers: int = WORKERS) -> Respond:
    """`app` as a function from environ to a whole answer, run in a pool of `workers` threads."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="work")

    def work(environ: Environ) -> Answer:
        answer = Answer(500)

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc: object = None
        ) -> None:
            code, _, answer.reason = status.partition(" ")
            answer.status, answer.headers = int(code), headers

        parts = app(environ, start_response)
        try:
            answer.body = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close:
                close()
        return answer

    return lambda environ: pool.submit(work, environ).result()


class Handler(BaseHTTPRequestHandler):
    """Reads one request, asks `server.respond`, writes the answer; connections are kept alive."""

    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: "Server"

    def answer_request(self) -> None:
        try:
            self.write(self.server.respond(self.environ()))
        except HangUp:
            self.hang_up()

    # http.server calls them by these names.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer_request  # noqa: N815

    def environ(self) -> Environ:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        environ: Environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "iso-8859-1"),
            "RAW_PATH": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.rfile.read(length)),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            environ.setdefault("HTTP_" + name.upper().replace("-", "_"), value)
        return environ

    def write(self, answer: Answer) -> None:
        self.send_response(answer.status, answer.reason or None)
        body = b"" if answer.status in (204, 304) else answer.body
        for name, value in answer.headers:
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body) + 1000 * answer.truncated))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        if answer.truncated:
            self.hang_up()

    def hang_up(self) -> None:
        """Close with a reset: the other side sees a broken connection, not an end."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.server.forget(self.connection)

    def log_message(self, *_args: object) -> None:
        """Requests are in `/_control/calls`; nothing is printed per request."""


class Server(ThreadingHTTPServer):
    """`respond` answers; a connection that was hung up is closed without the polite goodbye."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str, port: int, respond: Respond) -> None:
        self.respond = respond
        self.rude: set[int] = set()
        self.rude_lock = threading.Lock()
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def forget(self, connection: socket.socket) -> None:
        with self.rude_lock:
            self.rude.add(id(connection))

    def shutdown_request(self, request: Any) -> None:
        """Without `shutdown()` before it, closing a lingering socket sends a reset."""
        with self.rude_lock:
            rude = id(request) in self.rude
            self.rude.discard(id(request))
        if rude:
            request.close()
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away while we answered is no error of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)
