"""A54, A55: what the servers in front of Django make of malformed and strange requests."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from local.processes import environment, free_port
from local.servers import ROOT
from local.stack import Stack, fetch

pytestmark = pytest.mark.slow

POST = "POST /sequra/notification/nobody HTTP/1.1\r\nHost: {host}\r\n"


@pytest.fixture
def host(stack: Stack) -> str:
    return stack.app_url.removeprefix("http://")


def answers(stack: Stack, request: str) -> list[int]:
    """The statuses of everything that comes back on one connection until it is closed or silent."""
    with socket.create_connection(("127.0.0.1", stack.app_port)) as connection:
        connection.sendall(request.encode("latin-1"))
        connection.settimeout(1)
        read = b""
        try:
            while chunk := connection.recv(65536):
                read += chunk
        except TimeoutError:
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", read)]


def test_a_smuggled_request_is_not_answered(stack: Stack, host: str) -> None:
    smuggled = f"GET /health/live HTTP/1.1\r\nHost: {host}\r\n\r\n"
    head = (
        POST.format(host=host) + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )

    (status,) = answers(stack, head + smuggled)
    assert 400 <= status < 500


def test_two_lengths_are_refused(stack: Stack, host: str) -> None:
    head = POST.format(host=host) + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"

    assert answers(stack, head) == [400]


def test_two_hosts_are_refused(stack: Stack, host: str) -> None:
    request = (
        f"GET /load HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )

    assert answers(stack, request) == [400]


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "BREW"])
def test_unknown_methods_are_refused(stack: Stack, host: str, method: str) -> None:
    for path in ("/load", "/auth", "/sequra/notification/nobody", "/health/live"):
        reply = requests.request(
            method, f"http://127.0.0.1:{stack.app_port}{path}", headers={"Host": host}, timeout=60
        )
        assert (path, reply.status_code) == (path, 405)


def test_too_many_headers_do_not_fell_the_server(stack: Stack, host: str) -> None:
    many = "".join(f"X-{number}: {'x' * 90}\r\n" for number in range(5000))
    statuses = answers(stack, f"GET /load HTTP/1.1\r\nHost: {host}\r\n{many}\r\n")

    assert all(400 <= status < 500 for status in statuses)
    assert fetch(f"http://127.0.0.1:{stack.app_port}/health/live")["status"] == "ok"


def documented() -> list[str]:
    """The commands of the row "web" in the table of processes."""
    text = (ROOT / "docs" / "operations.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| web |"))
    return [command for command in re.findall("`([^`]+)`", row) if "sequra_bc.wsgi" in command]


@pytest.fixture(params=documented(), ids=lambda command: command.split()[0])
def plain_server(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A web server by its documented command, and its port. The address is all that is added."""
    program, *rest = shlex.split(request.param)
    port = free_port()
    where = {"gunicorn": ["--bind", f"127.0.0.1:{port}"], "granian": ["--port", str(port)]}[program]
    command = [str(Path(sys.executable).parent / program), *where, *rest]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process, port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(is_so: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_over(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_documented_commands_are_these() -> None:
    assert [command.split()[0] for command in documented()] == ["granian", "gunicorn"]


def test_a_documented_command_serves_and_ends(
    plain_server: tuple[subprocess.Popen[bytes], int],
) -> None:
    """It has threads for clients who never finish a body, and leaves nothing when asked to end."""
    process, port = plain_server
    live = f"http://127.0.0.1:{port}/health/live"
    wait_until(lambda: fetch(live))
    assert (
        "sequra_bc_database_up" in requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    )
    with ExitStack() as open_connections:
        for _ in range(40):
            client = open_connections.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"POST /load HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        answer = requests.get(live, timeout=9)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    wait_until(lambda: is_over(process.pid))
    assert fetch(live) is None


def test_the_server_says_no_more_than_it_must(stack: Stack, host: str) -> None:
    reply = requests.get(
        f"http://127.0.0.1:{stack.app_port}/nowhere/<script>", headers={"Host": host}, timeout=60
    )
    version = subprocess.run(
        [sys.executable, "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[1]

    assert reply.status_code == 404
    assert "<script>" not in reply.text
    assert version not in reply.text + str(reply.headers)
    assert str(ROOT) not in reply.text
