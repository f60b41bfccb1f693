"""Liveness, readiness, draining and metrics, answered ahead of redirects and host checks.

An orchestrator or Prometheus requests them by IP, on plain http, from inside the network.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    JsonResponse,
)
from kombu import Connection

from sequra_bc.celery import app
from sequra_bc.metrics import metrics
from sequra_bc.middleware import FORWARDED
from stores.encryption import Undecryptable
from stores.models import Canary

_WRITTEN_BY_PROXIES = ("HTTP_FORWARDED", "HTTP_VIA", *(f"HTTP_X_FORWARDED_{x}" for x in FORWARDED))
_SONG = "canary"
_fitting: set[tuple[str, ...]] = set()  # keys that were seen to decrypt
_applied: set[str] = set()  # holds something once all migrations were seen in the database


class HealthMiddleware:
    """Answer these paths and pass every other request on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = _ANSWERS.get(request.path_info)
        if answer is None or (answer is metrics and not _asked_from_inside(request)):
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        response = answer()
        response["Cache-Control"] = "no-store"
        response["X-Content-Type-Options"] = "nosniff"
        return response


def _asked_from_inside(request: HttpRequest) -> bool:
    """Return whether the request came directly, not through a proxy."""
    through_proxy = any(name in request.META for name in _WRITTEN_BY_PROXIES)
    return settings.METRICS_PUBLIC or not through_proxy


def _live() -> HttpResponse:
    """Answer 200. Nothing else is checked: a database outage must not restart every process."""
    return JsonResponse({"status": "ok", "version": settings.VERSION})


def _ready() -> HttpResponse:
    """Return whether this process can do its work. Redis is reported and not needed."""
    checks = {"database": "unreachable" if database_fault() else "ok"}
    checks["migrations"] = migrations() if checks["database"] == "ok" else "unknown"
    checks["keys"] = keys() if checks["migrations"] == "ok" else "unknown"
    works = all(state == "ok" for state in checks.values())
    body = {"status": "ok" if works else "not ready", **checks, "redis": broker_state()}
    return JsonResponse(body, status=200 if works else 503)


def _serving() -> HttpResponse:
    """Return whether a proxy may send requests. Nothing else is checked: all processes share it."""
    is_draining = bool(settings.DRAIN_FILE) and Path(settings.DRAIN_FILE).exists()
    status, code = ("draining", 503) if is_draining else ("ok", 200)
    return JsonResponse({"status": status}, status=code)


def database_fault() -> str:
    """Return why the database does not answer, in one line; nothing when it does."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def migrations() -> str:
    """Return whether every migration of this code is applied. Once "ok" it is not checked again."""
    if not _applied:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return "pending"
        _applied.add("all")
    return "ok"


def keys() -> str:
    """Return whether the keys decrypt this database's secrets.

    Once "ok" it is not checked again.
    """
    ours = tuple(settings.ENCRYPTION_KEYS)
    if ours not in _fitting:
        try:
            canary, _ = Canary.objects.get_or_create(pk=1, defaults={"secret": _SONG})
            if canary.secret != _SONG:
                return "wrong"
        except Undecryptable:
            return "wrong"
        except ValueError:
            return "invalid"
        _fitting.add(ours)
    return "ok"


@cache
def _broker() -> Connection:
    return app.connection_for_write(settings.BROKER_URL, connect_timeout=1)


def broker_state() -> str:
    """Return whether the broker answers, whatever its kind."""
    try:
        with _broker().clone() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
    except Exception:  # noqa: BLE001 (every transport has errors of its own)
        return "unreachable"
    return "ok"


_ANSWERS: dict[str, Callable[[], HttpResponse]] = {
    "/health/live": _live,
    "/health/ready": _ready,
    "/health/serving": _serving,
    "/metrics": metrics,
}
