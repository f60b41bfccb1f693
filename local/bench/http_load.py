"""Drive a web server over so many connections, one request at a time on each."""

import selectors
import socket
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_HEAD_END = b"\r\n\r\n"


@dataclass
class Load:
    """What came back: the time of each response in seconds, and how many were not 2xx."""

    seconds: float
    times: list[float] = field(default_factory=list)
    failures: int = 0

    @property
    def count(self) -> int:
        return len(self.times)

    @property
    def p50(self) -> float:
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        return sorted(self.times)[int(len(self.times) * 0.99)]


class _Client:
    """One kept connection, and the response that is arriving on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begun = 0.0
        self.received = b""

    def send(self, request: bytes) -> None:
        self.begun = time.perf_counter()
        self.socket.sendall(request)

    def status(self) -> int | None:
        """Read what has arrived. Return the status when the response is complete."""
        read = self.socket.recv(65536)
        if not read:
            raise ConnectionError("the server closed the connection")
        self.received += read
        head, end, body = self.received.partition(_HEAD_END)
        if not end or len(body) < _declared_length(head):
            return None
        self.received = b""
        return int(head[9:12])


def _declared_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def drive(port: int, request: Callable[[int], bytes], connections: int, seconds: float) -> Load:
    """Send the requests of numbers 0, 1, 2 … for so many seconds. Wait for each response."""
    found, number = Load(seconds), 0
    with selectors.DefaultSelector() as waiting:
        for _ in range(connections):
            client = _Client(port)
            waiting.register(client.socket, selectors.EVENT_READ, client)
            client.send(request(number))
            number += 1
        end = time.perf_counter() + seconds
        while waiting.get_map():
            for key, _ in waiting.select():
                client = key.data
                status = client.status()
                if status is None:
                    continue
                now = time.perf_counter()
                found.times.append(now - client.begun)
                found.failures += not 200 <= status < 300
                if now < end:
                    client.send(request(number))
                    number += 1
                else:
                    waiting.unregister(client.socket)
                    client.socket.close()
    return found
