"""`POST /oauth2/token`: a one-time code for the store's token. A new token kills the old one."""

import json
import secrets
from urllib.parse import parse_qsl

from django.http import HttpRequest, JsonResponse

from sandbox import settings
from sandbox.bigcommerce.models import Code, Document, Store

ACCOUNT_UUID = "8d4d492f-17a1-4d95-b396-e1c5720815a5"
FIELDS = ("client_id", "client_secret", "code", "context", "scope", "grant_type", "redirect_uri")


def refuse(error: str, status: int = 400) -> JsonResponse:
    return JsonResponse({"error": error}, status=status)


def fields(request: HttpRequest) -> Document:
    """The body, as JSON or as a form."""
    if request.content_type == "application/json":
        found = json.loads(request.body)
        return found if isinstance(found, dict) else {}
    return dict(parse_qsl(request.body.decode()))


def token(request: HttpRequest) -> JsonResponse:
    """Exchange a code. The refusals' exact words are ours; BigCommerce documents none."""
    if request.method != "POST":
        return refuse("invalid_request", 405)
    try:
        given = fields(request)
    except ValueError:
        return refuse("invalid_request")
    missing = [name for name in FIELDS if not given.get(name)]
    if missing:
        return refuse(f"Missing the following required parameters: {', '.join(missing)}")
    code = Code.objects.select_for_update().filter(code=given["code"]).first()
    problem = wrong(given, code)
    if problem or code is None:
        return refuse(problem)
    return JsonResponse(grant(code))


def wrong(given: Document, code: Code | None) -> str:
    """Why the exchange is refused, "" when it is not."""
    if code is None or code.used:
        return "Invalid authorization code"
    right = {
        "client_id": given["client_id"] == settings.BIGCOMMERCE_CLIENT_ID,
        "client_secret": given["client_secret"] == settings.BIGCOMMERCE_CLIENT_SECRET,
        "grant_type": given["grant_type"] == "authorization_code",
        "redirect_uri": str(given["redirect_uri"]).endswith("/auth"),
        "context": given["context"] == f"stores/{code.store_hash}",
        "scope": set(str(given["scope"]).split()) == set(code.scope.split()),
    }
    return ", ".join(f"Invalid {name}" for name, fits in right.items() if not fits)


def grant(code: Code) -> Document:
    """Use the code up and give the store its new token."""
    code.used = True
    code.save()
    store = Store.objects.get(hash=code.store_hash)
    store.access_token, store.scopes = secrets.token_hex(16), code.scope
    store.save()
    user = {name: code.user[name] for name in ("id", "email")}
    owner = {"id": 1, "email": "owner@mardefondo.example"}
    return {
        "access_token": store.access_token,
        "scope": code.scope,
        "user": user | {"username": user["email"]},
        "owner": owner | {"username": owner["email"]},
        "context": f"stores/{code.store_hash}",
        "account_uuid": ACCOUNT_UUID,
    }
