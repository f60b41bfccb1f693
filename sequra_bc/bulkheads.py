"""Shares of the threads, in front of Django: whatever else goes on, webhooks, notifications and
health have threads left.

A body is read before a request takes its share, with a limit and a deadline, and by a thread of its
own: no WSGI server lets a read be given up. An answer is handed to the server in one piece, so that
a client who does not read it holds no thread; only exports are streamed, and the kernel ends the
connection of a client who takes nothing for half a minute.
"""

import io
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connections

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

LARGEST = 64 * 1024
SOON = 0.3  # seconds in which an honest body is there: it comes in the packets of its headers
DEADLINE = 10.0  # seconds until a body must be complete
SLOW_BODIES = 4  # threads that may wait for one
# Bodies that never came, of connections that are still open. granian stops when there are as many
# as threads, so the server has more threads than this. Threads are cheap, database connections not.
STUCK = 256
CONNECTIONS = 32  # of threads that keep one between requests; the others close theirs
NOBODY_READS = 30_000  # milliseconds
REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    503: "Service Unavailable",
}


class Refused(Exception):
    """The answer to a request that does not reach Django."""

    def __init__(self, status: int) -> None:
        self.status = status


class Share:
    """So many requests of a kind at a time; some more wait for a moment, all others are refused."""

    def __init__(self, running: int, waiting: int = 0, seconds: float = 0) -> None:
        self._running = threading.BoundedSemaphore(running)
        self._waiting = threading.BoundedSemaphore(waiting) if waiting else None
        self._seconds = seconds

    def take(self) -> None:
        """Raises Refused when there is no room."""
        if self._running.acquire(blocking=False):
            return
        if self._waiting is None or not self._waiting.acquire(blocking=False):
            raise Refused(503)
        try:
            if not self._running.acquire(timeout=self._seconds):
                raise Refused(503)
        finally:
            self._waiting.release()

    def give_back(self) -> None:
        self._running.release()


class Shares(NamedTuple):
    """Of one process. The server has more threads than all of them and `STUCK` together."""

    pages: Share
    exports: Share
    notifications: Share
    webhooks: Share
    health: Share

    @classmethod
    def usual(cls) -> "Shares":
        return cls(
            pages=Share(8, waiting=6, seconds=3),
            exports=Share(2),
            notifications=Share(8),
            webhooks=Share(8, waiting=8, seconds=3),
            health=Share(4, waiting=4, seconds=3),
        )

    def of(self, path: str) -> Share:
        """Which share a request takes: by its address alone, nothing else is known yet."""
        if path.startswith("/webhooks/"):
            return self.webhooks
        if path.startswith(("/sequra/notification/", "/sequra/event/")):
            return self.notifications
        if path.startswith("/health/") or path == "/metrics":
            return self.health
        return self.exports if is_export(path) else self.pages


def is_export(path: str) -> bool:
    return path.startswith("/s/") and path.endswith(".csv")


class Bulkheads:
    """The WSGI application around the application."""

    def __init__(self, application: Application, shares: Shares | None = None) -> None:
        self.application = application
        self.shares = shares or Shares.usual()
        self.bodies = Bodies()
        self._first = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._first.acquire(blocking=False):  # once: only now is the server listening for sure
            end_connections_that_nobody_reads()
        path = str(environ.get("PATH_INFO", ""))
        share = self.shares.of(path)
        try:
            self.bodies.read(environ)
            share.take()
        except Refused as refusal:
            return refuse(refusal.status, start_response)
        held = Held(share)
        try:
            answer = self.application(environ, start_response)
            if is_export(path):
                return held.until_read(answer)
            return whole(answer)
        finally:
            held.close_unless_read()


def whole(answer: Iterable[bytes]) -> list[bytes]:
    """All of an answer, which is closed before its share is given back."""
    try:
        return [b"".join(answer)]
    finally:
        if close := getattr(answer, "close", None):
            close()


class Keeper(threading.local):
    """Lets so many threads of this process keep their database connections between requests."""

    slots = threading.BoundedSemaphore(CONNECTIONS)
    kept: "Slot | None" = None

    def after_request(self, **_: object) -> None:
        """For Django's signal `request_finished`."""
        if self.kept is None and self.slots.acquire(blocking=False):
            self.kept = Slot(self.slots)
        if self.kept is None:
            connections.close_all()


class Slot:
    """Given back when its thread ends, and its locals with it."""

    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots = slots

    def __del__(self) -> None:
        self._slots.release()


class Held:
    """A share that is taken: until the view is done, or until a streamed answer is read."""

    def __init__(self, share: Share) -> None:
        self._share, self._open = share, threading.Lock()
        self._answer: Iterable[bytes] | None = None

    def until_read(self, answer: Iterable[bytes]) -> "Held":
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


def refuse(status: int, start_response: StartResponse) -> list[bytes]:
    """No body, no connection to go on with; after a 503 there is room again in a moment."""
    headers = [("Content-Length", "0"), ("Cache-Control", "no-store"), ("Connection", "close")]
    if status == 503:
        headers.append(("Retry-After", "2"))
    start_response(f"{status} {REASONS[status]}", headers)
    return [b""]


class Bodies:
    """Reads the bodies of requests, and remembers how many do not come to an end."""

    def __init__(self) -> None:
        self._slow = threading.BoundedSemaphore(SLOW_BODIES)
        self._reading = threading.BoundedSemaphore(STUCK)

    def read(self, environ: Environ) -> None:
        """Put the whole body into the environment. Raises Refused."""
        length = told_length(environ)
        if length:
            body = self._within_time(environ["wsgi.input"], length)
            if len(body) > LARGEST:
                raise Refused(413)
            if len(body) < length <= LARGEST:
                raise Refused(400)  # the client left
            environ["CONTENT_LENGTH"] = str(len(body))
            environ.pop("HTTP_TRANSFER_ENCODING", None)
            environ["wsgi.input"] = io.BytesIO(body)

    def _within_time(self, stream: Any, length: int) -> bytes:
        if not self._reading.acquire(blocking=False):
            raise Refused(503)
        found: list[bytes] = []
        done = threading.Event()

        def work() -> None:
            try:
                with suppress(OSError, ValueError):  # the connection is gone
                    found.append(stream.read(length))
            finally:
                self._reading.release()
                done.set()

        threading.Thread(target=work, name="body", daemon=True).start()
        if not done.wait(SOON):
            self._wait(done)
        return found[0] if found else b""

    def _wait(self, done: threading.Event) -> None:
        if not self._slow.acquire(blocking=False):
            raise Refused(503)
        try:
            if not done.wait(DEADLINE - SOON):
                raise Refused(408)
        finally:
            self._slow.release()


def told_length(environ: Environ) -> int:
    """How much to read: what was announced, or one byte more than we take of what was not.

    A body above the limit is refused before it is read.
    """
    told = str(environ.get("CONTENT_LENGTH") or "")
    if not told:
        return LARGEST + 1 if environ.get("HTTP_TRANSFER_ENCODING") else 0
    if not told.isascii() or not told.isdecimal():
        raise Refused(400)
    if len(told) > 9 or int(told) > LARGEST:
        raise Refused(413)
    return int(told)


def end_connections_that_nobody_reads() -> None:
    """Have the kernel do so, on every socket that this process listens at: new connections inherit
    it. https://man7.org/linux/man-pages/man7/tcp.7.html, TCP_USER_TIMEOUT"""
    if not hasattr(socket, "TCP_USER_TIMEOUT"):  # not on Linux
        return
    for entry in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError), open_socket(int(entry.name)) as found:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, NOBODY_READS)
                found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def open_socket(descriptor: int) -> socket.socket:
    """A second descriptor of this socket. Raises OSError for what is none."""
    copy = os.dup(descriptor)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
