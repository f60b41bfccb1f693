"""Scripts on the storefront. https://developer.bigcommerce.com/docs/rest-content/scripts"""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox import settings
from sandbox.bigcommerce.answers import body, data, listing, v3
from sandbox.bigcommerce.models import Channel, Document, Script, Store

CHOICES = {
    "kind": ("src", "script_tag"),
    "load_method": ("default", "async", "defer"),
    "location": ("head", "footer"),
    "visibility": ("storefront", "all_pages", "checkout", "order_confirmation"),
    "consent_category": ("essential", "functional", "analytics", "targeting"),
}
TYPES: dict[str, type] = {
    "name": str, "description": str, "html": str, "src": str, "auto_uninstall": bool,
    "enabled": bool, "channel_id": int, "integrity_hashes": list, "api_client_id": str,
}  # fmt: skip
USUAL: Document = {
    "description": "", "html": "", "src": "", "auto_uninstall": False, "load_method": "default",
    "location": "head", "visibility": "storefront", "kind": "src", "consent_category": "unknown",
    "enabled": True, "integrity_hashes": [],
}  # fmt: skip
MOST_PER_APP, MOST_PER_CHANNEL = 10, 50
HASH = re.compile(r"sha(256|384|512)-[A-Za-z0-9+/]+={0,2}")


def as_v3(script: Script) -> Document:
    return {
        "uuid": str(script.uuid), **script.document, "channel_id": script.channel_id,
        "date_created": script.created.isoformat(), "date_modified": script.modified.isoformat(),
        "api_client_id": settings.BIGCOMMERCE_CLIENT_ID,
    }  # fmt: skip


def problems(fields: Document) -> dict[str, str]:
    """What is wrong with the body's fields, by name."""
    errors = {}
    for name, value in fields.items():
        if name in CHOICES:
            if value not in CHOICES[name]:
                errors[name] = f"{name} must be one of {', '.join(CHOICES[name])}"
        elif name not in TYPES:
            errors[name] = "error.unknown.field"
        elif not isinstance(value, TYPES[name]):
            errors[name] = f"error.expected.{TYPES[name].__name__}"
    return errors


def inconsistencies(script: Document) -> dict[str, str]:
    """What is wrong with a whole script."""
    errors = {}
    if not 1 <= len(script.get("name", "")) <= 255:
        errors["name"] = "name must have 1 to 255 characters"
    if script["kind"] == "src" and urlsplit(script["src"]).scheme not in ("http", "https"):
        errors["src"] = "src is required for kind src"
    if script["kind"] == "script_tag" and not 0 < len(script["html"]) <= 65_536:
        errors["html"] = "html is required for kind script_tag"
    hashes = script["integrity_hashes"]
    if script["kind"] != "src" and hashes:
        errors["integrity_hashes"] = "integrity_hashes are only for kind src"
    if len(hashes) > 5 or not all(isinstance(h, str) and HASH.fullmatch(h) for h in hashes):
        errors["integrity_hashes"] = "up to five SRI hashes"
    return errors


def refuse(errors: dict[str, str]) -> None:
    if errors:
        raise v3(422, "JSON data is missing or invalid", errors)


def check_scope(visibility: str, store_hash: str) -> None:
    """A script that reaches the checkout needs the checkout content scope."""
    granted = set(Store.objects.get(hash=store_hash).scopes.split())
    content = {"store_content_checkout", "store_checkout_content"}
    if visibility in ("checkout", "all_pages") and not granted & content:
        raise v3(403, "You don't have a required scope to access the endpoint")


def collection(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v3/content/scripts?channel_id:in=`."""
    rows = Script.objects.order_by("created")
    wanted = request.GET.get("channel_id:in")
    if wanted:
        rows = rows.filter(channel_id__in=[int(number) for number in wanted.split(",")])
    return listing(request, [as_v3(script) for script in rows])


def create(request: HttpRequest, store_hash: str) -> JsonResponse:
    """`POST /v3/content/scripts`: 422 beyond 10 of an app or 50 of a channel."""
    fields = body(request)
    refuse(problems(fields))
    channel_id = fields.pop("channel_id", 1)
    script = USUAL | fields
    refuse(inconsistencies(script))
    check_scope(script["visibility"], store_hash)
    if not Channel.objects.filter(id=channel_id).exists():
        refuse({"channel_id": "The channel does not exist"})
    if Script.objects.count() >= MOST_PER_APP:
        refuse({"": "The limit of 10 scripts per app was reached"})
    if Script.objects.filter(channel_id=channel_id).count() >= MOST_PER_CHANNEL:
        refuse({"": "The limit of 50 scripts per channel was reached"})
    return data(as_v3(Script.objects.create(channel_id=channel_id, document=script)))


def opened(uuid: UUID) -> Script:
    script = Script.objects.filter(uuid=uuid).first()
    if script is None:
        raise v3(404, "Script not found")
    return script


def read(_request: HttpRequest, uuid: UUID, **_parts: Any) -> JsonResponse:
    return data(as_v3(opened(uuid)))


def update(request: HttpRequest, uuid: UUID, store_hash: str) -> JsonResponse:
    """`PUT /v3/content/scripts/{uuid}` changes the given fields."""
    script = opened(uuid)
    fields = body(request)
    refuse(problems(fields))
    script.channel_id = fields.pop("channel_id", script.channel_id)
    script.document |= fields
    refuse(inconsistencies(script.document))
    check_scope(script.document["visibility"], store_hash)
    script.modified = datetime.now(UTC)
    script.save()
    return data(as_v3(script))


def delete(_request: HttpRequest, uuid: UUID, **_parts: Any) -> HttpResponse:
    opened(uuid).delete()
    return HttpResponse(status=204)
