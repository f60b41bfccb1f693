"""How BigCommerce answers: error shapes, pages, rate limits, and who may ask.

V2 errors are arrays, V3 errors objects, lists of V2 are bare and 204 when empty.
https://developer.bigcommerce.com/docs/start/about/status-codes
"""

import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from sandbox.bigcommerce.models import Document, Store
from sandbox.knobs import knobs

STATUS_PAGE = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"
WINDOW = 30.0
# Paths that another token opens than the one of the API.
OPENED_OTHERWISE = re.compile(r"/payments$|^/stores/\w+/storefront[-\d]*/graphql$")
SCOPES = "sandbox.scopes"  # where the granted scopes travel with a request
View = Callable[..., HttpResponseBase]


class Refused(Exception):
    """An answer that is a refusal; raised anywhere below a view, it undoes the view's work."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body

    def response(self) -> HttpResponse:
        return JsonResponse(self.body, status=self.status, safe=False)


def v2(status: int, message: str, **details: Any) -> Refused:
    """A V2 refusal: an array of errors."""
    entry: Document = {"status": status, "message": message}
    return Refused(status, [entry | ({"details": details} if details else {})])


def v3(status: int, title: str, errors: dict[str, str] | None = None) -> Refused:
    """A V3 refusal."""
    body: Document = {"status": status, "title": title, "type": STATUS_PAGE}
    return Refused(status, body | ({"errors": errors} if errors is not None else {}))


def for_path(path: str, status: int, title: str) -> Refused:
    """A refusal in the shape of the version in the path."""
    return v2(status, title) if "/v2/" in path else v3(status, title)


def data(payload: Any, status: int = 200, meta: Document | None = None) -> JsonResponse:
    """V3's envelope."""
    return JsonResponse({"data": payload, "meta": meta or {}}, status=status)


def page_of(request: HttpRequest, default: int = 50) -> tuple[int, int]:
    """`page` and `limit` of the query; 422 or 400 when they are no numbers, 413 above 250."""
    try:
        page = int(request.GET.get("page", 1))
        limit = int(request.GET.get("limit", default))
    except ValueError:
        raise for_path(request.path, 400, "page and limit must be numbers") from None
    if page < 1 or limit < 1:
        raise for_path(request.path, 400, "page and limit must be positive")
    return page, min(limit, 250)


def listing(request: HttpRequest, rows: Sequence[Any], default: int = 50) -> JsonResponse:
    """One page of a V3 list with its pagination."""
    page, limit = page_of(request, default)
    pages = max(1, -(-len(rows) // limit))
    shown = list(rows[(page - 1) * limit : page * limit])
    links = {"current": f"?page={page}&limit={limit}"}
    if page < pages:
        links["next"] = f"?page={page + 1}&limit={limit}"
    if page > 1:
        links["previous"] = f"?page={page - 1}&limit={limit}"
    pagination = {
        "total": len(rows), "count": len(shown), "per_page": limit, "current_page": page,
        "total_pages": pages, "links": links,
    }  # fmt: skip
    return data(shown, meta={"pagination": pagination})


def v2_listing(request: HttpRequest, rows: Sequence[Any], default: int = 50) -> HttpResponse:
    """One page of a V2 list: a bare array, nothing at all when it is empty."""
    page, limit = page_of(request, default)
    shown = list(rows[(page - 1) * limit : page * limit])
    if not shown and knobs.empty_as_204:
        return HttpResponse(status=204)
    return JsonResponse(shown, safe=False)


def body(request: HttpRequest, kind: type[Any] = dict) -> Any:
    """The request's JSON; 415 for another content type, 400 for no JSON or another kind."""
    if request.content_type != "application/json":
        raise for_path(request.path, 415, "Unsupported Media Type: send application/json")
    try:
        found = json.loads(request.body)
    except ValueError:
        raise for_path(request.path, 400, "Input is invalid: no JSON") from None
    if not isinstance(found, kind):
        raise for_path(request.path, 400, f"Input is invalid: not a JSON {kind.__name__}")
    return found


def endpoint(*scopes: str, **methods: View) -> View:
    """A path: a view per method, 405 for others, 403 without one of `scopes` (modify or read)."""

    def view(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        handler = methods.get(request.method or "")
        if handler is None:
            raise for_path(request.path, 405, "Method Not Allowed")
        allowed = {s for s in scopes if request.method == "GET" or not s.endswith("_read_only")}
        granted = set(request.META.get(SCOPES, "").split())
        if scopes and not allowed & granted:
            raise for_path(request.path, 403, "You don't have a required scope to access")
        return handler(request, **parts)

    return view


class Quota:
    """Requests of a store in windows of 30 s, shared by all apps."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.start = 0.0
        self.used = 0

    def take(self) -> tuple[bool, dict[str, str]]:
        """Count one request: whether it may pass, and the headers every answer carries."""
        with self.lock:
            now = time.monotonic()
            if now - self.start >= WINDOW:
                self.start, self.used = now, 0
            passes = self.used < knobs.quota
            self.used += passes
            reset = WINDOW - (now - self.start)
            headers = {
                "X-Rate-Limit-Time-Window-Ms": str(int(WINDOW * 1000)),
                "X-Rate-Limit-Time-Reset-Ms": str(int(reset * 1000)),
                "X-Rate-Limit-Requests-Quota": str(knobs.quota),
                "X-Rate-Limit-Requests-Left": str(max(0, knobs.quota - self.used)),
            }
        if not passes:
            headers["X-Retry-After"] = str(int(reset) + 1)
        return passes, headers

    def clear(self) -> None:
        with self.lock:
            self.start, self.used = 0.0, 0


quota = Quota()


def check_token(request: HttpRequest) -> None:
    """Only the token of the current installation opens the store. 401 otherwise, 406 on no JSON."""
    parts = request.path.split("/")
    token = request.headers.get("X-Auth-Token", "")
    known = Store.objects.filter(hash=parts[2]).first() if token else None
    if known is None or not known.access_token or known.access_token != token:
        title = (
            "Unauthorized - the v3 Auth client ID or token in the request are not a valid "
            "combination for this store."
        )
        raise v3(401, title if token else "X-Auth-Token header is required")
    if "application/json" not in request.headers.get("Accept", ""):
        raise for_path(request.path, 406, "Not Acceptable: ask for application/json")
    request.META[SCOPES] = known.scopes


class BigCommerceMiddleware:
    """Guards `/stores/…`, counts the quota, and turns refusals into answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/stores/") or hasattr(request, "urlconf"):
            return self.get_response(request)
        passes, headers = quota.take()
        response = self.answer(request) if passes else too_many(request)
        for name, value in headers.items():
            response.headers[name] = value
        return response

    def answer(self, request: HttpRequest) -> HttpResponse:
        try:
            if not OPENED_OTHERWISE.search(request.path):
                check_token(request)
        except Refused as refusal:
            return refusal.response()
        response = self.get_response(request)
        if response.status_code == 404 and response.headers["Content-Type"].startswith("text/html"):
            return for_path(request.path, 404, "The requested resource was not found.").response()
        return response

    def process_exception(self, _request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return exception.response() if isinstance(exception, Refused) else None


def too_many(request: HttpRequest) -> HttpResponse:
    return for_path(request.path, 429, "You have exceeded your request quota").response()
