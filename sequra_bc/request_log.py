"""An id, one line and one count per request."""

import re
import secrets
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from structlog.contextvars import bind_contextvars, clear_contextvars

from sequra_bc.logs import route
from sequra_bc.metrics import count_request
from transport.tracing import span

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


_ID = "sequra_bc.request_id"  # in the WSGI environment
# Responses made ahead of the routes, as the metrics name them.
WEBHOOKS = "webhooks/bigcommerce/<uuid:public_id>"
_AHEAD = {
    "/webhooks/bigcommerce/": WEBHOOKS,
    settings.STATIC_URL: "static",
    "/health/live": "health/live",
    "/health/ready": "health/ready",
    "/health/serving": "health/serving",
    "/metrics": "metrics",
}


class RequestIdMiddleware:
    """Put the id of the request into its log lines and into the response.

    It is the first middleware, so that webhooks, health and static files have an id and are
    counted.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.monotonic()
        request.META[_ID] = request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        clear_contextvars()
        bind_contextvars(request_id=request.META[_ID])
        with span(request.method or "", "server") as facts:
            response = self.get_response(request)
            facts |= {"route": _name(request), "status": response.status_code}
        response["X-Request-Id"] = request.META[_ID]
        if _COUNTED not in request.META:
            seconds = time.monotonic() - started
            count_request(request.method or "", _ahead(request), response.status_code, seconds)
        return response


_COUNTED = "sequra_bc.counted"


def _name(request: HttpRequest) -> str:
    """Return the route, or the name of what answered ahead of the routes."""
    return route(request) if request.resolver_match else _ahead(request)


def _ahead(request: HttpRequest) -> str:
    """Return the name of what answered ahead of the routes."""
    path = request.path_info
    return next((name for begin, name in _AHEAD.items() if path.startswith(begin)), "(none)")


class RequestLogMiddleware:
    """Log and count a request that has a route."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.log = structlog.get_logger("request")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.monotonic()
        response = self.get_response(request)
        seconds = time.monotonic() - started
        where, method = route(request), request.method or ""
        count_request(method, where, response.status_code, seconds)
        request.META[_COUNTED] = "yes"
        self.log.info(
            "request",
            method=method,
            route=where,
            status=response.status_code,
            ms=round(1000 * seconds),
        )
        for name, value in settings.ANSWER_HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def request_id(given: str) -> str:
    """Return the proxy's id if it is valid, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
