"""`make load`: attack two web processes, and measure what other clients experience meanwhile.

During each attack health and a webhook are requested. The table shows how many were answered, and
the slowest time.
"""

import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread

import requests

from local.stack import Stack

PATIENCE = 8.0  # seconds that SeQura and BigCommerce wait for a response
ROWS = """
from panel.session import open_session
from stores.models import PanelUser, Store
from transaction_log.models import Entry
store, _ = Store.objects.get_or_create(hash="readers")
user, _ = PanelUser.objects.get_or_create(store=store, bigcommerce_id=1)
Entry.objects.bulk_create([Entry(store=store, event="ship", outcome="accepted", words="x" * 400)
    for _ in range(30_000)], batch_size=5000)
print("token", open_session(user))
"""


def bystanders(base: str, count: int = 8) -> list[float | None]:
    """Return the seconds that health and webhooks took; None without a response in time."""
    webhook = f"/webhooks/bigcommerce/{uuid.uuid4()}"
    asked = [("GET", "/health/live"), ("POST", webhook)] * (count // 2)

    def one(call: tuple[str, str]) -> float | None:
        began = time.monotonic()
        try:
            answer = requests.request(call[0], base + call[1], data=b"{}", timeout=PATIENCE)
        except requests.RequestException:
            return None
        if answer.status_code not in (200, 401):
            return None
        return time.monotonic() - began

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, asked))


def connect(port: int, text: str, receive_buffer: int = 0) -> socket.socket:
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.connect(("127.0.0.1", port))
    raw.sendall(text.encode())
    return raw


@contextmanager
def slow_bodies(port: int, count: int, path: str = "/webhooks/bigcommerce/x") -> Iterator[None]:
    """Open connections that announce a kilobyte and send one byte."""
    head = f"POST {path} HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 1000\r\n\r\n{{"
    with ExitStack() as held:
        for _ in range(count):
            held.enter_context(connect(port, head))
        yield


@contextmanager
def unread_answers(port: int, count: int, path: str) -> Iterator[None]:
    """Open connections that request a long response and read none of it."""
    with ExitStack() as held:
        for _ in range(count):
            head = f"GET {path} HTTP/1.1\r\nHost: app.localhost\r\n\r\n"
            held.enter_context(connect(port, head, receive_buffer=4096))
        yield


@contextmanager
def idle(port: int, count: int) -> Iterator[None]:
    """Open connections that never send anything."""
    with ExitStack() as held:
        for _ in range(count):
            held.enter_context(connect(port, ""))
        yield


@contextmanager
def made_up_codes(base: str, clients: int, store: str = "abc123") -> Iterator[None]:
    """Run clients that install with invented codes, each as fast as it is answered."""
    over = Event()

    def flood() -> None:
        while not over.is_set():
            with suppress(requests.RequestException):
                url = f"{base}/auth?code=x&scope=x&context=stores/{store}"
                requests.get(url, timeout=20, headers={"Host": "app.localhost"})

    threads = [Thread(target=flood, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


def row(name: str, found: list[float | None]) -> str:
    good = [seconds for seconds in found if seconds is not None]
    worst = f"{1000 * max(good):6.0f} ms" if good else "     -   "
    return f"{name:44} {len(good):3} of {len(found):3} {worst}"


def main() -> None:
    with Stack(name="load", web_processes=2) as stack:
        base, port = f"http://127.0.0.1:{stack.app_port}", stack.app_port
        token = stack.manage("shell", "-v0", "-c", ROWS).rpartition("token ")[2].strip()
        attacks: dict[str, Callable[[], object]] = {
            "24 slow bodies": lambda: slow_bodies(port, 24),
            "100 slow bodies": lambda: slow_bodies(port, 100),
            "100 slow bodies at the storefront": lambda: slow_bodies(
                port, 100, f"/storefront/{uuid.uuid4()}/form"
            ),
            "24 exports that nobody reads": lambda: unread_answers(
                port, 24, f"/s/{token}/log/export.csv"
            ),
            "64 clients with made-up codes at /auth": lambda: made_up_codes(base, 64),
            "200 silent connections": lambda: idle(port, 200),
        }
        print(f"{'meanwhile':44} answered   slowest")
        print(row("nothing", bystanders(base, 40)))
        for name, attack in attacks.items():
            if not sys.argv[1:] or any(word in name for word in sys.argv[1:]):
                # mypy takes the two kinds of context managers for object.
                with attack():  # type: ignore[attr-defined]
                    time.sleep(2)
                    print(row(name, bystanders(base, 40)), flush=True)


if __name__ == "__main__":
    main()
