"""Store credit and gift certificates by the Payments API, while an order is not paid in full.

https://developer.bigcommerce.com/docs/store-operations/payments
"""

import json
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import jwt
from django.http import HttpRequest, JsonResponse

from sandbox import settings
from sandbox.bigcommerce import orders, statuses
from sandbox.bigcommerce.answers import STATUS_PAGE, Refused, body, data, v3
from sandbox.bigcommerce.models import Customer, Document, GiftCertificate, Order, PaymentToken
from sandbox.bigcommerce.webhooks import STORE_ID, emit
from sandbox.knobs import knobs

ACCEPT = "application/vnd.bc.v1+json"
KINDS = ("store_credit", "gift_certificate")


def refusal(status: int, title: str, code: int, detail: str = "") -> Refused:
    """The payments API's own shape."""
    body = {
        "status": status, "title": title, "detail": detail or title, "type": STATUS_PAGE,
        "code": code, "errors": {},
    }  # fmt: skip
    return Refused(status, body)


def access_token(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`POST /v3/payments/access_tokens {"order": {"id": 215}}` → 201."""
    given = body(request).get("order")
    if not isinstance(given, dict) or not isinstance(given.get("id"), int):
        raise v3(422, "JSON data is missing or invalid", {"order.id": "error.path.missing."})
    order = Order.objects.filter(id=given["id"]).first()
    if order is None:
        raise v3(404, "Order not found")
    now = datetime.now(UTC)
    content = {
        "iss": "payments.bigcommerce.com", "sub": settings.STORE_HASH, "jti": str(uuid.uuid4()),
        "iat": now, "nbf": now, "exp": now + timedelta(hours=1),
        "data": {
            "store_id": STORE_ID, "order_id": str(order.id),
            "amount": int(Decimal(order.document["total_inc_tax"]) * 100),
            "currency": order.document["default_currency_code"],
        },
    }  # fmt: skip
    signed = jwt.encode(content, secrets.token_hex(32), algorithm="HS256")
    key = signed.rpartition(".")[2]
    PaymentToken.objects.create(token=key, order=order, expires=now + timedelta(hours=1))
    return data({"id": signed}, status=201)


def balance(order: Order) -> Decimal:
    customer = Customer.objects.filter(id=order.customer_id).first()
    return customer.store_credit if customer else Decimal(0)


def checked_token(request: HttpRequest) -> Order:
    """The order a PAT was given for."""
    if request.headers.get("Accept") != ACCEPT:
        raise refusal(406, f"Accept must be {ACCEPT}", 30000)
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    key = token.strip().rpartition(".")[2]
    found = PaymentToken.objects.filter(token=key, expires__gt=datetime.now(UTC)).first()
    if kind != "PAT" or not key or found is None:
        raise refusal(401, "Unauthorized", 30001)
    return Order.objects.select_for_update().get(id=found.order_id)


def payment(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`POST https://payments.bigcommerce.com/stores/{hash}/payments` with store credit."""
    order = checked_token(request)
    try:
        given = json.loads(request.body)["payment"]
        kind, method = given["instrument"]["type"], given["payment_method_id"]
    except (ValueError, KeyError, TypeError):
        raise refusal(400, "Input is invalid", 30002) from None
    if kind not in KINDS or method != f"bigcommerce.{kind}":
        raise refusal(422, "This payment method is not supported here", 30100)
    if not is_payable(order, kind):
        raise refusal(422, "The order cannot be paid in its status", 30101)
    code = given["instrument"].get("gift_certificate_code", "")
    left = certificate(code).balance if kind == "gift_certificate" else balance(order)
    amount = min(left, orders.financed(order))
    if amount <= 0:
        raise refusal(422, "There is no balance to pay with", 30102)
    pay(order, amount, code)
    answer = {"id": str(uuid.uuid4()), "transaction_type": "purchase", "status": "success"}
    return JsonResponse({"data": answer}, status=201)


def is_payable(order: Order, kind: str) -> bool:
    """An Incomplete order, or one that is Pending because another payment paid a part of it."""
    is_partly_paid = orders.financed(order) < Decimal(order.document["total_inc_tax"])
    is_used = kind == "store_credit" and Decimal(order.document["store_credit_amount"]) > 0
    is_pending = order.status_id == statuses.PENDING and is_partly_paid and not is_used
    return order.status_id == statuses.INCOMPLETE or (is_pending and knobs.pending_payable)


def certificate(code: str) -> GiftCertificate:
    found = GiftCertificate.objects.select_for_update().filter(code=code).first()
    if found is None:
        raise refusal(422, "The gift certificate is not valid", 30103)
    return found


def pay(order: Order, amount: Decimal, code: str = "") -> None:
    """Debit the balance; fully paid orders await fulfilment, others stay Pending."""
    use = orders.use_store_credit
    transaction = orders.use_certificate(order, code, amount) if code else use(order, amount)
    emit("store/order/transaction/created", event(order, transaction.id))
    paid = orders.financed(order) == 0
    if paid:
        order.document["payment_method"] = "Gift Certificate" if code else "Store Credit"
    orders.set_status(order, statuses.AWAITING_FULFILLMENT if paid else statuses.PENDING)


def event(order: Order, transaction_id: int) -> Document:
    return {
        "type": "transaction", "order_id": str(order.id), "transaction_id": transaction_id,
        "transaction_status": "ok", "transaction_type": "purchase",
        "result": {"code": "0", "message": "", "type": "success"},
        "platform_transaction_id": "", "provider_transaction_id": "",
    }  # fmt: skip
