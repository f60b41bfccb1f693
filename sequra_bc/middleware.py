"""What happens to every request before and after its view.

It gets an id, one line in the log and one count.

Forwarded headers are trusted only as far as our own proxies wrote them: every proxy appends its
peer's address to `X-Forwarded-For`, and with `TRUSTED_PROXIES=n` the n-th entry from the right was
written by our outermost proxy; entries to its left came from the client and may be false.

Paths, queries and forms are cleaned, and JSON that harms is rejected: `transport.reading` cleans
JSON, but paths and forms may hold U+0000, too, which PostgreSQL rejects, and name charsets that
Python knows and that are no text ("zlib"). Django has already replaced bytes that are no UTF-8.
"""

import codecs
import ipaddress
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import structlog
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from structlog.contextvars import bind_contextvars, clear_contextvars

from sequra_bc.logs import route
from sequra_bc.metrics import count_request, known_method
from transport.reading import clean_text, read_json
from transport.tracing import Facts, span

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_COUNTED = "sequra_bc.counted"
# In the WSGI environment: the id of the request, and the facts of its span.
_ID, _FACTS = "sequra_bc.request_id", "sequra_bc.facts"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_TEXT = {"utf-8", "ascii"}
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
_PROBES = ("/health/", "/metrics")


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
        with request_span(request.META) as facts:
            response = self.get_response(request)
            facts |= {"route": _name(request), "status": response.status_code}
        response["X-Request-Id"] = request.META[_ID]
        if _COUNTED not in request.META:
            seconds = time.monotonic() - started
            where = ahead(request.path_info)
            count_request(request.method or "", where, response.status_code, seconds)
        return response


@contextmanager
def request_span(environ: dict[str, Any]) -> Iterator[Facts]:
    """Open the span of a request, or add to it: Django answers some webhooks within theirs.

    Probes and scrapes have none: they would be most of all.
    """
    if _FACTS in environ or environ["PATH_INFO"].startswith(_PROBES):
        yield environ.get(_FACTS, {})
        return
    with span(known_method(environ["REQUEST_METHOD"]), "server") as facts:
        environ[_FACTS] = facts
        yield facts


def _name(request: HttpRequest) -> str:
    """Return the route, or the name of what answered ahead of the routes."""
    return route(request) if request.resolver_match else ahead(request.path_info)


def ahead(path: str) -> str:
    """Return the name of what answered ahead of the routes."""
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


_LARGEST = 64 * 1024
# The bodies of questions and of SeQura's news are small; the form of a page and a webhook are not.
_SMALLER = {
    "/storefront/": 4 * 1024,
    "/sequra/notification/": 16 * 1024,
    "/sequra/event/": 16 * 1024,
}
FORWARDED = ("FOR", "PROTO", "HOST", "PORT", "SERVER", "PREFIX")


def largest_of(path: str) -> int:
    """Return how many bytes the body of a request to this path may have."""
    return next((size for start, size in _SMALLER.items() if path.startswith(start)), _LARGEST)


class ProxyMiddleware:
    """Put client, scheme and host where Django reads them, and remove the headers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _apply(request.META, settings.TRUSTED_PROXIES)
        declared = request.META.get("CONTENT_LENGTH") or "0"
        if declared.isdecimal() and int(declared[:12]) > largest_of(request.path_info):
            return HttpResponse(status=413)  # Django counts fields, not files
        return self.get_response(request)


def _apply(meta: dict[str, str], proxies: int) -> None:
    """Rewrite a WSGI environment: REMOTE_ADDR, wsgi.url_scheme, HTTP_HOST."""
    given = {name: meta.pop(f"HTTP_X_FORWARDED_{name}", "") for name in FORWARDED}
    meta.pop("HTTP_FORWARDED", None)
    meta["REMOTE_ADDR"] = _client_address(given["FOR"], meta.get("REMOTE_ADDR", ""), proxies)
    if proxies < 1:
        return
    scheme = _nth_from_right(given["PROTO"], proxies).lower()
    if scheme in ("http", "https"):
        meta["wsgi.url_scheme"] = scheme
    if host := _nth_from_right(given["HOST"], proxies):
        meta["HTTP_HOST"] = host  # Django still holds it against ALLOWED_HOSTS


def _client_address(forwarded_for: str, peer: str, proxies: int) -> str:
    """Return the client: the n-th entry from the right, or the peer when there is no such entry."""
    entries = [entry.strip() for entry in forwarded_for.split(",") if entry.strip()]
    if not 0 < proxies <= len(entries):
        return _plain_address(peer) or peer
    return _plain_address(entries[-proxies]) or _plain_address(peer) or peer


def _plain_address(text: str) -> str:
    """Return `203.0.113.9` for `203.0.113.9:4711` and the like; empty when it is no address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _nth_from_right(header: str, proxies: int) -> str:
    """Return the outermost proxy's entry.

    A proxy overwrites or appends: it is at most n from the right.
    """
    entries = [entry.strip() for entry in header.split(",") if entry.strip()]
    return entries[-min(proxies, len(entries))] if entries else ""


class CleanTextMiddleware:
    """Remove U+0000 from queries and forms; refuse paths with one, and other charsets."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not _is_utf8(request):
            return HttpResponse(status=400)
        request.GET = _cleaned(request.GET)
        return self.get_response(request)

    @staticmethod
    def process_view(request: HttpRequest, *_view: Any) -> None:
        """Clean the form once the view is known: only then the body is read."""
        if "\0" in request.path_info:
            raise Http404
        if request.method == "POST" and request.content_type in _FORMS:
            request.POST = _cleaned(request.POST)


def _is_utf8(request: HttpRequest) -> bool:
    """Return whether the body's charset is UTF-8. It is without a charset."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    try:
        if codecs.lookup(charset).name not in _TEXT:
            return False
    except (LookupError, ValueError):
        return False
    request.encoding = "utf-8"  # ASCII is, and Django knows it under one name only
    return True


def _cleaned(query: QueryDict) -> Any:
    """Return the same parameters; a copy only if something is removed."""
    if not any(clean_text(text) != text for row in query.lists() for text in (row[0], *row[1])):
        return query
    found = QueryDict(mutable=True)
    for name, values in query.lists():
        found.setlist(clean_text(name), [clean_text(value) for value in values])
    found._mutable = False  # noqa: SLF001 -- as Django itself hands them out
    return found


# For JSON that Python's parser cannot handle the sender gets a 400.
_DEEPEST = 8  # levels: the deepest document that the endpoints know has one


class JSONBody(JSONParser):
    """REST framework's parser answers 500 to a thousand brackets, to a number of five thousand
    digits, and to half a surrogate pair that comes back in a message; this one answers 400."""

    def parse(self, stream: IO[Any], *_type: Any, **_context: Any) -> Any:
        try:
            return read_json(stream.read().decode(), _DEEPEST)
        except (RecursionError, ValueError) as error:
            raise ParseError from error
