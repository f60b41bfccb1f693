"""Webhook subscriptions. https://developer.bigcommerce.com/docs/rest-management/webhooks"""

import re
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox import settings
from sandbox.bigcommerce.answers import body, data, listing, v3
from sandbox.bigcommerce.models import Document, Hook
from sandbox.knobs import knobs

FIELDS = {"scope": str, "destination": str, "is_active": bool, "headers": dict}
SCOPE = re.compile(
    r"store/(channel/\d+/)?(\*|(order|shipment|cart|product|customer|information|app|hook|sku|"
    r"category|inventory|channel|subscriber|priceList|metafield|script|site)(/[\w/]*\*?)?)"
)
MOST_PER_SCOPE = 10


def as_v3(hook: Hook) -> Document:
    return {
        "id": hook.id, "client_id": hook.client_id, "store_hash": settings.STORE_HASH,
        "scope": hook.scope, "destination": hook.destination, "headers": hook.headers,
        "is_active": hook.is_active, "created_at": int(hook.created.timestamp()),
        "updated_at": int(hook.updated.timestamp()),
    }  # fmt: skip


def checked(fields: Document, required: tuple[str, ...]) -> Document:
    """The body's fields, or 422 with the first thing wrong with each."""
    errors = {name: "error.path.missing." for name in required if name not in fields}
    for name, value in fields.items():
        if name not in FIELDS:
            errors[name] = "error.unknown.field"
        elif not isinstance(value, FIELDS[name]) and not (name == "headers" and value is None):
            errors[name] = f"error.expected.{FIELDS[name].__name__}"
    if not errors and "scope" in fields and not SCOPE.fullmatch(fields["scope"]):
        errors["scope"] = "error.scope.invalid"
    if not errors and not destination_works(fields.get("destination")):
        errors["destination"] = "error.destination.invalid"
    if errors:
        raise v3(422, "JSON data is missing or invalid", errors)
    check_headers(fields.get("headers") or {})
    return fields


def destination_works(destination: str | None) -> bool:
    """HTTPS on port 443; names of this machine are forgiven, they have no such port to offer."""
    if destination is None:
        return True
    url = urlsplit(destination)
    host = url.hostname or ""
    if host in ("127.0.0.1", "localhost") or host.endswith(".localhost"):
        return url.scheme in ("http", "https")
    return url.scheme == "https" and url.port in (None, 443) and "." in host


def check_headers(headers: Document) -> None:
    """At most 64 headers, names to 64 bytes, values to 8 kB, all text."""
    for name, value in headers.items():
        if not isinstance(value, str) or len(name) > 64 or len(value) > 8192:
            raise v3(422, "JSON data is missing or invalid", {"headers": "error.headers.invalid"})


def collection(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v3/hooks` with its filters."""
    rows = Hook.objects.order_by("id")
    for name in ("scope", "destination"):
        if name in request.GET:
            rows = rows.filter(**{name: request.GET[name]})
    if "is_active" in request.GET:
        rows = rows.filter(is_active=request.GET["is_active"] == "true")
    return listing(request, [as_v3(hook) for hook in rows])


def create(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`POST /v3/hooks`: 422 for a copy and for the eleventh of a scope."""
    fields = checked(body(request), ("scope", "destination"))
    same = Hook.objects.filter(scope=fields["scope"])
    if same.filter(destination=fields["destination"]).exists():
        raise v3(422, "A hook with this scope and destination already exists", {})
    if same.count() >= MOST_PER_SCOPE:
        raise v3(422, "Too many hooks for this scope", {})
    hook = Hook.objects.create(client_id=settings.BIGCOMMERCE_CLIENT_ID, **fields)
    return data(as_v3(hook))


def opened(hook_id: int) -> Hook:
    hook = Hook.objects.filter(id=hook_id).first()
    if hook is None:
        raise v3(404, "Hook not found")
    return hook


def read(_request: HttpRequest, hook_id: int, **_parts: Any) -> JsonResponse:
    return data(as_v3(opened(hook_id)))


def update(request: HttpRequest, hook_id: int, **_parts: Any) -> JsonResponse:
    """`PUT /v3/hooks/{id}`: any of the fields, at least one."""
    hook = opened(hook_id)
    fields = checked(body(request), ())
    if not fields:
        raise v3(422, "At least one field is required", {})
    for name, value in fields.items():
        setattr(hook, name, value)
    hook.deactivated = hook.deactivated and not hook.is_active
    hook.updated = datetime.now(UTC)
    hook.save()
    return data(as_v3(hook))


def delete(_request: HttpRequest, hook_id: int, **_parts: Any) -> JsonResponse:
    hook = opened(hook_id)
    shown = as_v3(hook)
    hook.delete()
    return data(shown)


def status(hook: Hook) -> str:
    if hook.is_active:
        return "active"
    return "deactivated" if hook.deactivated else "inactive"


def admin(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v3/hooks/admin`: every hook with its state, and the blocked domains."""
    rows = Hook.objects.order_by("id")
    if "is_active" in request.GET:
        rows = rows.filter(is_active=request.GET["is_active"] == "true")
    reason = {
        "failure_description": "Received status code 500", "count": 20,
        "timestamp": int(time.time()),
    }  # fmt: skip
    return data({
        "emails": ["owner@mardefondo.example"],
        "hooks_list": [as_v3(hook) | {"status": status(hook)} for hook in rows],
        "blocked_domains": [
            {"destination": f"https://{domain}", "time_left": 120, "reasons": [reason]}
            for domain in knobs.blocked_domains
        ],
    })  # fmt: skip


def set_emails(request: HttpRequest, **_parts: Any) -> HttpResponse:
    """`PUT /v3/hooks/admin`."""
    if not isinstance(body(request).get("emails"), list):
        raise v3(422, "JSON data is missing or invalid", {"emails": "error.path.missing."})
    return HttpResponse(status=204)
