"""The GraphQL Storefront API for servers: its tokens, and what is left to pay of a checkout.

https://docs.bigcommerce.com/developer/docs/storefront/guides/graphql-storefront-api
"""

import re
import time
from collections.abc import Callable
from typing import Any

import jwt
from django.http import HttpRequest, JsonResponse

from sandbox import settings
from sandbox.bigcommerce import totals
from sandbox.bigcommerce.answers import body, data, v3
from sandbox.bigcommerce.models import Channel, Checkout, Document
from sandbox.bigcommerce.totals import number
from sandbox.knobs import knobs

SCOPES = ("Unauthenticated", "Customer", "B2B")
FIELDS = {
    "site", "checkout", "outstandingBalance", "giftCertificates",
    "code", "balance", "used", "value", "currencyCode",
}  # fmt: skip


def token(kind: str) -> Callable[..., JsonResponse]:
    """`POST /v3/storefront/api-token-…`: a token for these channels, for servers alone."""

    def view(request: HttpRequest, **_parts: Any) -> JsonResponse:
        given = body(request)
        known = {"channel_ids", "expires_at", *(["scopes"] if kind == "private" else [])}
        channels, expires = given.get("channel_ids"), given.get("expires_at")
        faults = {
            "body": set(given) != known,
            "channel_ids": not channels or any(not is_channel(one) for one in channels),
            "expires_at": not isinstance(expires, int) or expires <= time.time(),
            "scopes": not set(given.get("scopes", SCOPES[:1])) <= set(SCOPES),
        }
        if any(faults.values()):
            named = {name: "is invalid" for name, is_fault in faults.items() if is_fault}
            raise v3(422, "Invalid JSON request body", named)
        content = {"sub": settings.STORE_HASH, "exp": expires, "channels": channels, "kind": kind}
        return data({"token": jwt.encode(content, settings.SECRET_KEY * 2, algorithm="HS256")})

    return view


def is_channel(number: object) -> bool:
    return isinstance(number, int) and Channel.objects.filter(id=number).exists()


def graphql(request: HttpRequest, store_hash: str, channel: str) -> JsonResponse:
    """`POST /graphql` of a storefront, with a token for its channel."""
    opened = token_of(request)
    if opened is None or opened["sub"] != store_hash:
        return JsonResponse({"errors": [{"message": "Unauthorized"}]}, status=401)
    if int(channel.removeprefix("-") or 1) not in opened["channels"]:
        return JsonResponse({"errors": [{"message": "Token is not for this channel"}]}, status=401)
    if "Origin" in request.headers:
        return JsonResponse({"errors": [{"message": "Not for browsers"}]}, status=403)
    given = body(request)
    if problem := problem_of(given):
        return JsonResponse({"errors": [{"message": problem}]})
    found = Checkout.objects.filter(id=given["variables"]["id"], cart_deleted=False).first()
    is_seen = found is not None and is_visible(found, request, opened["kind"])
    shown = checkout_of(found) if found and is_seen else None
    return JsonResponse({"data": {"site": {"checkout": shown}}})


def token_of(request: HttpRequest) -> Document | None:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    try:
        opened: Document = jwt.decode(given, settings.SECRET_KEY * 2, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        return None
    return opened if kind == "Bearer" else None


def problem_of(given: Document) -> str:
    """Why the operation is refused; fields are named as in the documented schema, and all asked."""
    query, variables = str(given.get("query")), given.get("variables")
    if query.count("{") != query.count("}") or not isinstance(variables, dict):
        return "Syntax Error"
    if not re.match(r"query \w+\(\$id: String!\) \{ site \{ checkout\(entityId: \$id\) \{", query):
        return "Cannot query this operation"
    selected = set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", query.partition("{")[2])))
    if unknown := selected - FIELDS:
        return f"Cannot query field '{min(unknown)}' on type 'Checkout'"
    return "" if set(variables) == {"id"} else "Variable '$id' of required type was not provided"


def is_visible(checkout: Checkout, request: HttpRequest, kind: str) -> bool:
    customer = request.headers.get("X-Bc-Customer-Id", "")
    if customer:
        return kind == "customer" and customer == str(checkout.customer_id)
    return not (checkout.customer_id and knobs.signed_in_hidden)


def checkout_of(checkout: Checkout) -> Document:
    sums = totals.of(checkout)
    left = sums.outstanding
    if knobs.balance_without_credit:
        left += sums.store_credit
    if knobs.balance_without_certificates:
        left += sum(used for _, used in sums.gift_certificates)
    return {
        "outstandingBalance": {"value": number(left), "currencyCode": checkout.currency},
        "giftCertificates": [
            {
                "code": certificate.code, "balance": {"value": number(certificate.balance)},
                "used": {"value": number(used)},
            }
            for certificate, used in sums.gift_certificates
        ],
    }  # fmt: skip
