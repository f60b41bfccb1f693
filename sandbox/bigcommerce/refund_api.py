"""V3 refunds: quotes and refunds by API."""

from decimal import InvalidOperation
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, JsonResponse

from sandbox.bigcommerce import refunds
from sandbox.bigcommerce.answers import Refused, body, data, v3
from sandbox.bigcommerce.models import Document, Order, Refund
from sandbox.bigcommerce.order_api import seen_v3
from sandbox.bigcommerce.stale import remember

TYPES = ("PRODUCT", "GIFT_WRAPPING", "SHIPPING", "HANDLING", "ORDER", "FEE", "TAX")
QUANTITIES = ("PRODUCT", "GIFT_WRAPPING")


def refusal(title: str) -> Refused:
    """A 422 in the refunds' own shape."""
    inner = v3(422, title).body
    return Refused(422, {"data": [inner]})


def locked(order_id: int) -> Order:
    order = Order.objects.select_for_update().filter(id=order_id).first()
    if order is None:
        raise v3(404, "Order not found")
    return order


def quoted(order: Order, fields: Document) -> refunds.Quote:
    """The quote of a body's items or tax adjustment; 422 when it does not add up."""
    items = fields.get("items", [])
    if not items and "tax_adjustment_amount" not in fields:
        raise v3(422, "JSON data is missing or invalid", {"items": "error.path.missing."})
    for item in items:
        wanted = "quantity" if item.get("item_type") in QUANTITIES else "amount"
        if item.get("item_type") not in TYPES or "item_id" not in item or wanted not in item:
            raise v3(422, "JSON data is missing or invalid", {"items": "error.invalid"})
    try:
        return refunds.quote(order, items, fields.get("tax_adjustment_amount"))
    except (ValueError, ObjectDoesNotExist, InvalidOperation) as error:
        raise refusal(str(error)) from error


def quote(request: HttpRequest, order_id: int, **_parts: Any) -> JsonResponse:
    """`POST /v3/orders/{id}/payment_actions/refund_quotes`."""
    order = locked(order_id)
    return data(refunds.quote_as_v3(order, quoted(order, body(request))), status=201)


def create(request: HttpRequest, order_id: int, **_parts: Any) -> JsonResponse:
    """`POST /v3/orders/{id}/payment_actions/refunds`: the payments must come to the quote."""
    order = locked(order_id)
    remember(order)
    fields = body(request)
    payments = fields.get("payments")
    if not payments:
        raise v3(422, "JSON data is missing or invalid", {"payments": "error.path.missing."})
    result = quoted(order, fields)
    try:
        refund = refunds.make(order, result, payments, fields.get("reason", ""))
    except (ValueError, KeyError, InvalidOperation) as error:
        raise refusal(str(error)) from error
    return data(refund, status=201)


def collection(_request: HttpRequest, order_id: int, **_parts: Any) -> JsonResponse:
    """`GET /v3/orders/{id}/payment_actions/refunds`, ascending."""
    return data(seen_v3(order_id, "refunds"))


def read(_request: HttpRequest, refund_id: int, **_parts: Any) -> JsonResponse:
    refund = Refund.objects.filter(id=refund_id).first()
    if refund is None:
        raise v3(404, "Refund not found")
    return data(refunds.as_v3(refund))
