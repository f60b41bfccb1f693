"""Figures come from the primary while the replica is away, and a page waits for it once."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection, connections
from pytest_django import DjangoDbBlocker
from structlog.testing import capture_logs

from local.processes import environment
from local.servers import ROOT
from panel import doctor
from stores import replica as asked
from stores.replica import replica


@pytest.fixture
def attempts(
    servers: None, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> Iterator[list[str]]:
    """Every connection to a replica that ends each at once."""
    accepted: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def end_each() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            accepted.append("ended")
            client.close()

    thread = threading.Thread(target=end_each)
    thread.start()
    port = server.getsockname()[1]
    elsewhere = {"HOST": "127.0.0.1", "PORT": port, "OPTIONS": {"sslmode": "disable"}}
    monkeypatch.setitem(settings.DATABASES, "replica", connection.settings_dict | elsewhere)
    monkeypatch.setattr(asked, "_AWAY", 3600.0)
    monkeypatch.setattr(asked, "_away_until", 0.0)
    with django_db_blocker.unblock():
        yield accepted
    del connections["replica"]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_a_replica_that_is_away_is_asked_once_for_a_whole_page(
    attempts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as lines:
        assert {replica() for _ in range(11)} == {"default"}
        assert len(attempts) == 1
        monkeypatch.setattr(asked, "_away_until", 0.0)  # as later
        assert replica() == "default"

    assert len(attempts) == 2
    assert [line["event"] for line in lines] == ["replica_away", "replica_away"]


def test_the_doctor_warns_of_a_replica_that_is_away(attempts: list[str]) -> None:
    found = doctor._replica()

    assert (found.state, len(attempts)) == ("warning", 1)
    assert "the primary computes figures and exports meanwhile" in found.message


def test_the_doctor_warns_of_a_replica_that_was_promoted(
    servers: None, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> None:
    monkeypatch.setitem(settings.DATABASES, "replica", dict(connection.settings_dict))
    monkeypatch.setattr(asked, "_away_until", 0.0)
    with django_db_blocker.unblock():
        try:
            found = doctor._replica()
        finally:
            connections["replica"].close()
            del connections["replica"]

    assert (found.state, "follows no other" in found.message) == ("warning", True)


BOUNDS = """
import socket
import django
django.setup()
from django.db import connections
replica = connections["replica"]
with replica.cursor() as cursor:
    cursor.execute("SHOW statement_timeout")
    print(*cursor.fetchone())
opened = socket.socket(fileno=replica.connection.fileno())
print(opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
opened.detach()
"""


def test_a_host_or_a_statement_that_hangs_holds_no_thread_for_long(servers: None) -> None:
    env = environment(REPLICA_URL=os.environ["DATABASE_URL"])
    shown = subprocess.run(
        [sys.executable, "-c", BOUNDS],
        cwd=ROOT,
        env=env | {"DJANGO_SETTINGS_MODULE": "sequra_bc.settings"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert shown.stdout == "20s\n2000\n", shown.stderr
