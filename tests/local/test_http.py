"""A54, A55: what the servers in front of Django make of malformed and strange requests."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.processes import Process, environment, free_port
from local.servers import ROOT
from local.stack import Stack, fetch

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
            method, f"http://127.0.0.1:{stack.app_port}{path}", headers={"Host": host}, timeout=5
        )
        assert (path, reply.status_code) == (path, 405)


def test_too_many_headers_do_not_fell_the_server(stack: Stack, host: str) -> None:
    many = "".join(f"X-{number}: {'x' * 90}\r\n" for number in range(5000))
    statuses = answers(stack, f"GET /load HTTP/1.1\r\nHost: {host}\r\n{many}\r\n")

    assert all(400 <= status < 500 for status in statuses)
    assert fetch(f"http://127.0.0.1:{stack.app_port}/health/live")["status"] == "ok"


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    process = Process(
        "gunicorn",
        [
            *(str(Path(sys.executable).parent / "gunicorn"), "--bind", f"127.0.0.1:{port}"),
            *("--workers", "2", "sequra_bc.wsgi"),
        ],
        tmp_path / "log",
        env=environment(),
        cwd=ROOT,
        ready=lambda: fetch(f"http://127.0.0.1:{port}/health/live") is not None,
    )
    process.start()
    process.wait_ready()
    yield port
    process.stop()


def test_gunicorn_serves_it_too(gunicorn: int) -> None:
    assert fetch(f"http://127.0.0.1:{gunicorn}/health/live")["status"] == "ok"
    assert (
        "sequra_bc_database_up"
        in requests.get(f"http://127.0.0.1:{gunicorn}/metrics", timeout=5).text
    )


def test_the_server_says_no_more_than_it_must(stack: Stack, host: str) -> None:
    reply = requests.get(
        f"http://127.0.0.1:{stack.app_port}/nowhere/<script>", headers={"Host": host}, timeout=5
    )
    version = subprocess.run(
        [sys.executable, "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[1]

    assert reply.status_code == 404
    assert "<script>" not in reply.text
    assert version not in reply.text + str(reply.headers)
    assert str(ROOT) not in reply.text
