"""Health and metrics are asked by IP on plain http, whatever the public address is."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from pytest_django.fixtures import Settings

from sequra_bc import health


@pytest.fixture(autouse=True)
def public_https(settings: Settings) -> Iterator[None]:
    """As in production: redirects to https, one allowed host."""
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["app.example.com"]
    health._broker.cache_clear()
    health._fitting.clear()
    health._applied.clear()
    yield
    health._broker.cache_clear()
    health._fitting.clear()
    health._applied.clear()


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/serving", "/metrics"])
@pytest.mark.django_db
def test_health_answers_by_ip_without_redirect(path: str) -> None:
    response = Client(headers={"host": "10.1.2.3:8000"}).get(path)

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/serving", "/metrics"])
def test_health_knows_two_methods(path: str) -> None:
    assert Client().post(path).status_code == 405
    assert Client().generic("TRACE", path).status_code == 405


def test_a_draining_process_wants_no_requests(settings: Settings, tmp_path: Path) -> None:
    settings.DRAIN_FILE = str(tmp_path / "draining")
    assert Client().get("/health/serving").json() == {"status": "ok"}
    (tmp_path / "draining").touch()
    response = Client().get("/health/serving")
    assert (response.status_code, response.json()) == (503, {"status": "draining"})
    assert Client().get("/health/live").status_code == 200


@pytest.mark.django_db
def test_ready_tells_each_part() -> None:
    assert Client().get("/health/ready").json() == {
        "status": "ok",
        "database": "ok",
        "keys": "ok",
        "migrations": "ok",
        "redis": "ok",
    }


@pytest.mark.django_db
def test_ready_does_not_need_redis(settings: Settings) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:9/0"
    response = Client().get("/health/ready")

    assert (response.status_code, response.json()["redis"]) == (200, "unreachable")


@pytest.mark.django_db
def test_not_ready_with_an_unusable_key(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = ["not-a-key"]
    response = Client().get("/health/ready")

    assert (response.status_code, response.json()["keys"]) == (503, "invalid")


@pytest.mark.django_db
def test_not_ready_with_another_key_than_the_database_was_made_with(settings: Settings) -> None:
    """Also before there is a store; with the old key behind the new one, and rotated, it is."""
    first, second = settings.ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    assert Client().get("/health/ready").status_code == 200
    settings.ENCRYPTION_KEYS = [second]
    response = Client().get("/health/ready")
    assert (response.status_code, response.json()["keys"]) == (503, "wrong")
    settings.ENCRYPTION_KEYS = [second, first]
    assert Client().get("/health/ready").status_code == 200
    call_command("rotate_keys", verbosity=0)
    health._fitting.clear()
    settings.ENCRYPTION_KEYS = [second]
    assert Client().get("/health/ready").status_code == 200


@pytest.mark.django_db
def test_not_ready_while_migrations_are_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: ["one"])
    response = Client().get("/health/ready")

    assert (response.status_code, response.json()["migrations"]) == (503, "pending")


@pytest.mark.django_db(transaction=True)
def test_not_ready_without_a_database_but_alive() -> None:
    settings_dict = connection.settings_dict
    port = settings_dict["PORT"]
    connection.close()
    settings_dict["PORT"] = 9
    try:
        ready = Client().get("/health/ready")
        figures = Client().get("/metrics")
        live = Client().get("/health/live")
    finally:
        settings_dict["PORT"] = port

    assert (ready.status_code, json.loads(ready.content)["database"]) == (503, "unreachable")
    assert (figures.status_code, live.status_code) == (200, 200)
    assert b"sequra_bc_database_up 0.0" in figures.content
