"""How the pretend SeQura answers: X-Request-Id everywhere, errors as `{"errors": [...]}`."""

import base64
import binascii
import json
import uuid
from collections.abc import Callable
from functools import wraps
from hmac import compare_digest
from typing import Any, NoReturn

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from sandbox.sequra.accounts import ACCOUNTS, Account, Merchant, deployment_at
from sandbox.sequra.knobs import knobs

View = Callable[..., HttpResponse]


class Refused(Exception):
    """SeQura says no, with a status and its words."""

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(status, *messages)
        self.status = status
        self.messages = list(messages)

    def response(self) -> HttpResponse:
        if self.status == 401:
            answer = HttpResponse("HTTP Basic: Access denied.", "text/plain", 401)
            answer["WWW-Authenticate"] = 'Basic realm="seQura"'
            return answer
        return JsonResponse({"errors": self.messages}, status=self.status)


def refuse(status: int, *messages: str) -> NoReturn:
    raise Refused(status, *messages)


def endpoint(**by_method: View) -> View:
    """The views of one address by method, in one transaction each."""

    @csrf_exempt
    @transaction.non_atomic_requests
    def answer(request: HttpRequest, **parts: Any) -> HttpResponse:
        view = by_method.get(request.method or "")
        try:
            if view is None:
                refuse(405, "Method not allowed")
            with transaction.atomic():
                response = view(request, **parts)
        except Refused as refusal:
            response = refusal.response()
        response["X-Request-Id"] = str(uuid.uuid4())
        response["Cache-Control"] = "max-age=0, private, must-revalidate"
        return response

    return answer


def account_of(request: HttpRequest) -> Account:
    """Who asks, by HTTP Basic; 401 for a stranger or another deployment's account."""
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    username, _, password = decoded.partition(":")
    account = ACCOUNTS.get(username)
    if kind.lower() != "basic" or account is None or not opens(account, password):
        refuse(401)
    if account.deployment != deployment_at(request.get_host()):
        refuse(401)
    return account


def opens(account: Account, password: str) -> bool:
    right = knobs.passwords.get(account.username, account.password)
    return compare_digest(right.encode(), password.encode())


def merchant_of(request: HttpRequest, account: Account) -> Merchant:
    """The merchant of the Sequra-Merchant-Id header; 403 unless the account owns it."""
    return owned(account, request.headers.get("Sequra-Merchant-Id", ""))


def owned(account: Account, ref: str) -> Merchant:
    if ref not in account.merchants:
        refuse(403, f"Bad merchant id '{ref}' for {account.username}")
    return account.merchants[ref]


def as_merchant(view: View) -> View:
    """A view that gets the merchant of the request's credentials and header."""

    @wraps(view)
    def checked(request: HttpRequest, **parts: Any) -> HttpResponse:
        account = account_of(request)
        return view(request, account, merchant_of(request, account), **parts)

    return checked


def parsed(text: bytes) -> Any:
    """The JSON in `text`; 400 for anything else, and for what no database can keep."""

    def no_number(name: str) -> NoReturn:
        raise ValueError(name)

    try:
        found = json.loads(text, parse_constant=no_number)
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no character
    except ValueError:
        refuse(400, "The request body is not valid JSON")
    if b"\\u0000" in text:
        refuse(400, "The request body holds a NUL character")
    return found


def document(request: HttpRequest, envelope: str) -> dict[str, Any]:
    """The object under `envelope` in the request's JSON; 400 or 415 when there is none."""
    if request.content_type != "application/json":
        refuse(415, "Content-Type must be application/json")
    body = parsed(request.body)
    if not isinstance(body, dict) or set(body) != {envelope}:
        refuse(400, f"param is missing or the value is empty: {envelope}")
    found = body[envelope]
    if not isinstance(found, dict):
        refuse(400, f"{envelope} must be an object")
    return found
