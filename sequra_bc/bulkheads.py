"""Limit each kind of request in front of Django, so that no kind takes the threads of another.

A body is read before a request takes its share, with a limit and a deadline: threads that wait for
bodies are cheap and take nothing from other requests. A response is passed to the server in one
piece, so that a client that does not read it holds no thread. Only exports are streamed, and the
kernel ends the connection of a client that reads nothing for half a minute.
"""

import io
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from django.db import connections

from sequra_bc.metrics import count_request
from sequra_bc.middleware import ahead, largest_of, request_id
from stores.rate_limit import OUTSIDE, READS, Places

log = structlog.get_logger(__name__)
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

REQUEST_ID = "HTTP_X_REQUEST_ID"
_LONGEST_TYPE = 256  # characters of a Content-Type; a boundary has 70 at most
# Seconds within which a client must send more of its body; twice as many for all of it.
_DEADLINE = 10.0
# Bodies that are being read. The server has more threads than this and all shares together.
# Threads are cheap, database connections are not.
_STUCK = 256
_CONNECTIONS = 32  # of threads that keep one between requests; the others close theirs
_UNREAD_TIMEOUT = 30_000  # milliseconds
REASONS = {
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    413: "Content Too Large",
    503: "Service Unavailable",
}


class _Refused(Exception):
    """The status for a request that does not reach Django."""

    def __init__(self, status: int) -> None:
        self.status = status


class _Shares(NamedTuple):
    """The shares of one process. The server has more threads than all of them plus `_STUCK`."""

    pages: Places
    exports: Places
    notifications: Places
    webhooks: Places
    health: Places

    @classmethod
    def usual(cls) -> "_Shares":
        return cls(
            pages=Places(OUTSIDE.all + READS.all + 2, waiting=2, seconds=3),
            exports=Places(4),  # `panel.export` leaves one store no more than half
            notifications=Places(8),
            webhooks=Places(16, waiting=8, seconds=3),  # they share a commit
            health=Places(4, waiting=4, seconds=3),
        )

    def of(self, path: str) -> Places:
        """Return the share of a request, by its path alone."""
        if path.startswith("/webhooks/"):
            return self.webhooks
        if path.startswith(("/sequra/notification/", "/sequra/event/")):
            return self.notifications
        if path.startswith("/health/") or path == "/metrics":
            return self.health
        return self.exports if _is_export(path) else self.pages


def _is_export(path: str) -> bool:
    return path.startswith("/s/") and path.endswith(".csv")


class Bulkheads:
    """The WSGI application around Django's."""

    def __init__(self, application: Application, shares: _Shares | None = None) -> None:
        self.application = application
        self.shares = shares or _Shares.usual()
        self.bodies = _Bodies()
        self._first = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._first.acquire(blocking=False):  # once: only now is the server listening for sure
            _end_unread_connections()
        path, started = str(environ.get("PATH_INFO", "")), time.monotonic()
        _drop_odd_content_type(environ)
        share = self.shares.of(path)
        try:
            self._admit(environ, share)
        except _Refused as refusal:
            identity = _count(environ, refusal.status, time.monotonic() - started)
            return _refuse(refusal.status, identity, start_response)
        held = _Held(share)
        try:
            answer = self.application(environ, start_response)
            if _is_export(path):
                return held.until_read(answer)
            return _whole(answer)
        finally:
            held.close_unless_read()

    def _admit(self, environ: Environ, share: Places) -> None:
        self.bodies.read(environ)
        if not share.take():
            raise _Refused(503)


def _drop_odd_content_type(environ: Environ) -> None:
    """Treat a Content-Type that no client of ours sends as none.

    Django reads it while it makes the request, where nothing catches an error: a charset that it
    does not know, in a parameter by RFC 2231 (`charset*=`), would be a 500 at every address.
    """
    given = str(environ.get("CONTENT_TYPE") or "")
    if "*" in given or not given.isprintable() or len(given) > _LONGEST_TYPE:
        environ["CONTENT_TYPE"] = ""


def _whole(answer: Iterable[bytes]) -> list[bytes]:
    """Return the whole response, closed before its share is given back."""
    try:
        return [b"".join(answer)]
    finally:
        if close := getattr(answer, "close", None):
            close()


class Keeper(threading.local):
    """Let so many threads of this process keep their database connections between requests."""

    slots = threading.BoundedSemaphore(_CONNECTIONS)
    kept: "_Slot | None" = None

    def after_request(self, **_: object) -> None:
        """Receive Django's signal `request_finished`."""
        if self.kept is None and self.slots.acquire(blocking=False):
            self.kept = _Slot(self.slots)
        if self.kept is None:
            connections.close_all()


class _Slot:
    """A slot that is released when its thread, and so its thread-local data, ends."""

    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots = slots

    def __del__(self) -> None:
        self._slots.release()


class _Held:
    """A taken share, until the view is done or a streamed response is read."""

    def __init__(self, share: Places) -> None:
        self._share, self._open = share, threading.Lock()
        self._answer: Iterable[bytes] | None = None

    def until_read(self, answer: Iterable[bytes]) -> "_Held":
        self._answer = answer
        return self

    def close_unless_read(self) -> None:
        if self._answer is None:
            self.close()

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer or ()
        finally:
            self.close()

    def close(self) -> None:
        if self._open.acquire(blocking=False):
            try:
                if close := getattr(self._answer, "close", None):
                    close()
            finally:
                self._share.give_back()

    def __del__(self) -> None:
        self.close()


def _count(environ: Environ, status: int, seconds: float) -> str:
    """Log and count a refused request as Django's middleware does the others. Return its id.

    An alert on a share that is too small needs it.
    """
    identity = request_id(str(environ.get(REQUEST_ID, "")))
    method, route = str(environ.get("REQUEST_METHOD", "")), ahead(str(environ.get("PATH_INFO", "")))
    count_request(method, route, status, seconds)
    log.warning("request_refused", request_id=identity, route=route, status=status)
    return identity


def _refuse(status: int, identity: str, start_response: StartResponse) -> list[bytes]:
    """Answer without a body and close the connection. After a 503 there is soon a free place."""
    headers = [("Content-Length", "0"), ("Cache-Control", "no-store"), ("Connection", "close")]
    headers.append(("X-Request-Id", identity))
    if status == 503:
        headers.append(("Retry-After", "2"))
    start_response(f"{status} {REASONS[status]}", headers)
    return [b""]


class _Bodies:
    """Read the bodies of requests, each in the thread of its request.

    granian hangs when a request is answered while its body is still being read, so a read is never
    given up: the connection is ended instead, and the read with it.
    """

    def __init__(self) -> None:
        self._begun: dict[int, float] = {}
        self._watch = threading.Lock()
        self._watching = False
        self._unanswered: dict[object, float] = {}  # since when, by the client's address

    def read(self, environ: Environ) -> None:
        """Put the whole body into the environment. Raise _Refused."""
        largest = largest_of(str(environ.get("PATH_INFO", "")))
        length = _declared_length(environ, largest)
        if not length:
            return
        body = self._read(environ["wsgi.input"], length)
        if len(body) > largest:
            raise _Refused(413)
        if len(body) < length <= largest:
            raise _Refused(400)  # the client left, or was ended
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["wsgi.input"] = io.BytesIO(body)

    def _read(self, stream: Any, length: int) -> bytes:
        if len(self._begun) >= _STUCK:
            raise _Refused(503)
        me = threading.get_ident()
        self._begun[me] = time.monotonic()
        self._start_watching()
        try:
            return bytes(stream.read(length))
        except (OSError, ValueError) as error:
            raise _Refused(400) from error
        finally:
            del self._begun[me]

    def _start_watching(self) -> None:
        with self._watch:
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._look, name="bodies", daemon=True).start()

    def _look(self) -> None:
        while True:
            time.sleep(_DEADLINE / 5)
            self.end_overdue()

    def end_overdue(self) -> None:
        """End the connections of clients that are silent or send a byte at a time."""
        if any(time.monotonic() - begun > _DEADLINE for begun in list(self._begun.values())):
            _end_silent_connections(_DEADLINE)
            self._unanswered = _end_unanswered_connections(self._unanswered, _DEADLINE)
        else:
            self._unanswered = {}


def _declared_length(environ: Environ, largest: int) -> int:
    """Return how much to read: the declared length, or one byte above the limit if it is unknown.

    A body above the limit is refused before it is read.
    """
    declared = str(environ.get("CONTENT_LENGTH") or "")
    if not declared:
        return largest + 1 if environ.get("HTTP_TRANSFER_ENCODING") else 0
    if not declared.isascii() or not declared.isdecimal():
        raise _Refused(400)
    if len(declared) > 9 or int(declared) > largest:
        raise _Refused(413)
    return int(declared)


def _end_unread_connections() -> None:
    """Have the kernel do so, on every socket that this process listens at: new connections inherit
    it. https://man7.org/linux/man-pages/man7/tcp.7.html, TCP_USER_TIMEOUT"""
    for found in _sockets():
        if _is_listening(found):
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_TIMEOUT)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _end_silent_connections(seconds: float) -> None:
    """Shut down clients' connections on which nothing was sent or received for so many seconds.

    A connection that waits for its response may be among them: no view takes that long. A client
    opens an idle one again.
    """
    for found in _served_connections():
        with suppress(OSError):  # not connected, or not any more
            if min(_quiet(found)) >= seconds:
                found.shutdown(socket.SHUT_RDWR)


def _end_unanswered_connections(since: dict[object, float], seconds: float) -> dict[object, float]:
    """Shut down connections that sent something and got no response for so many seconds.

    Take and return since when each is in that state: a body may arrive byte by byte, so the moment
    of its last byte does not show it.
    """
    found_now: dict[object, float] = {}
    for found in _served_connections():
        with suppress(OSError):
            sent, received = _quiet(found)
            if received >= sent:
                continue
            client: object = found.getpeername()
            found_now[client] = since.get(client, time.monotonic())
            if time.monotonic() - found_now[client] >= seconds:
                found.shutdown(socket.SHUT_RDWR)
    return found_now


def _served_connections() -> Iterator[socket.socket]:
    """Yield the server's ends of the clients' connections."""
    served = {found.getsockname()[1] for found in _sockets() if _is_listening(found)}
    for found in _sockets():
        with suppress(OSError):
            if found.getsockname()[1] in served:
                yield found


def _quiet(connection: socket.socket) -> tuple[float, float]:
    """Return the seconds since the last byte was sent and received.

    Raise OSError without a client.
    """
    connection.getpeername()
    # struct tcp_info: eight bytes, then numbers; the tenth is tcpi_last_data_sent, the twelfth
    # tcpi_last_data_recv, both in milliseconds.
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 56)
    numbers: tuple[int, ...] = struct.unpack_from("=12I", info, 8)
    return numbers[9] / 1000, numbers[11] / 1000


def _is_listening(found: socket.socket) -> bool:
    return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _sockets() -> Iterator[socket.socket]:
    """Yield the TCP sockets of this process, each by a descriptor of its own.

    Works on Linux only.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    for entry in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError), _open_socket(int(entry.name)) as found:
            if found.family in (socket.AF_INET, socket.AF_INET6):
                yield found


def _open_socket(descriptor: int) -> socket.socket:
    """Return a second descriptor of this socket. Raise OSError for anything else."""
    copy = os.dup(descriptor)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
