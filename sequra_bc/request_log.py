"""One line and one count per request."""

import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from structlog.contextvars import bind_contextvars, clear_contextvars

from sequra_bc.logs import route
from sequra_bc.metrics import count_request

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class RequestLogMiddleware:
    """Puts the id of the request into every line that is written meanwhile, and into the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.log = structlog.get_logger("request")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.monotonic()
        clear_contextvars()
        request_id = request_id_of(request)
        bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        seconds = time.monotonic() - started
        where, method = route(request), request.method or ""
        count_request(method, where, response.status_code, seconds)
        self.log.info(
            "request",
            method=method,
            route=where,
            status=response.status_code,
            ms=round(1000 * seconds),
        )
        response["X-Request-Id"] = request_id
        for name, value in settings.ANSWER_HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def request_id_of(request: HttpRequest) -> str:
    """The proxy's id when it looks like one, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
