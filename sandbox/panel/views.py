"""The orders list and the order page."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from sandbox import settings
from sandbox.bigcommerce import geography, merchant, orders, refunds, statuses
from sandbox.bigcommerce.install import USERS, load_url
from sandbox.bigcommerce.models import (
    AppExtension,
    Checkout,
    CheckoutToken,
    Order,
    OrderAddress,
    OrderProduct,
    Product,
    Refund,
    Shipment,
)
from sandbox.panel import frame

TABS = {
    "": "All orders", "11": "Awaiting fulfillment", "12": "In review", "3": "Partially shipped",
    "2": "Shipped", "14": "Partially refunded", "4": "Refunded", "5": "Cancelled",
    "0": "Incomplete",
}  # fmt: skip
BADGES = {
    0: "secondary", 2: "success", 3: "primary", 4: "secondary", 5: "secondary", 6: "danger",
    7: "warning", 10: "success", 11: "primary", 12: "warning", 13: "danger", 14: "secondary",
}  # fmt: skip
STATUSES = {number: statuses.label(number) for number in range(len(statuses.NAMES))}


def row(order: Order) -> dict[str, Any]:
    """An order as list and page show it."""
    address = OrderAddress.objects.filter(order=order).first()
    return {
        "order": order,
        "document": orders.as_v2(order),
        "products": list(OrderProduct.objects.filter(order=order)),
        "address": address.document if address else None,
        "badge": BADGES.get(order.status_id, "secondary"),
        "financed": orders.financed(order),
    }


def found(status: str, search: str) -> QuerySet[Order]:
    """Newest first. Incomplete orders are only in their own tab, as in BigCommerce."""
    rows = Order.objects.filter(is_deleted=False).order_by("-id")
    rows = rows.filter(status_id=status) if status.isdigit() else rows.exclude(status_id=0)
    if search.isdigit():
        return rows.filter(id=search)
    if search:
        rows = rows.filter(
            Q(document__billing_address__email__icontains=search)
            | Q(document__billing_address__last_name__icontains=search)
            | Q(document__payment_provider_id__icontains=search)
        )
    return rows


@require_GET
def order_list(request: HttpRequest) -> HttpResponse:
    status, search = request.GET.get("status", ""), request.GET.get("q", "").strip()
    rows = [row(order) for order in found(status, search)[:50]]
    context = {
        "rows": rows, "tabs": TABS, "status": status, "search": search, "statuses": STATUSES,
    }  # fmt: skip
    return frame.page(request, "cp/orders.html", **context)


@require_GET
def order_page(request: HttpRequest, order_id: int) -> HttpResponse:
    order = get_object_or_404(Order, id=order_id)
    context = row(order) | {
        "statuses": STATUSES,
        "left": merchant.left_to_ship(order),
        "shipments": Shipment.objects.filter(order=order),
        "refunds": [refunds.as_v3(one) for one in Refund.objects.filter(order=order)],
        "shipping_left": refunds.shipping_left(order),
        "carriers": merchant.CARRIERS,
        "catalogue": Product.objects.order_by("id"),
        "countries": geography.COUNTRIES,
    }
    return frame.page(request, "cp/order.html", **context)


@require_GET
def extension(request: HttpRequest, order_id: int, extension_id: int) -> HttpResponse:
    """What the panel's iframe opens: the app's /load, with the order's path in the signed JWT."""
    found = get_object_or_404(AppExtension, id=extension_id)
    path = found.url.replace("${id}", str(order_id))
    target = load_url(user=frame.user_of(request), locale=frame.locale_of(request), url=path)
    return HttpResponseRedirect(target)


@require_GET
def in_shop(_request: HttpRequest, order_id: int) -> HttpResponse:
    """The order's confirmation page as its shopper sees it."""
    order = get_object_or_404(Order, id=order_id)
    cart = Checkout.objects.filter(id=order.cart_id).first() if order.cart_id else None
    address = f"{settings.SHOP_URL}/checkout/order-confirmation/{order.id}"
    if cart is None:
        return HttpResponseRedirect(address)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    token = CheckoutToken.objects.create(
        token=secrets.token_hex(16), checkout=cart, uses_left=1, expires=soon
    )
    return HttpResponseRedirect(f"{address}?t={token.token}")


@require_POST
def prefer(request: HttpRequest) -> HttpResponse:
    """Another user, or another language of the user."""
    back = request.POST.get("back", "")
    response = HttpResponseRedirect(back if back.startswith("/manage/") else "/manage/orders")
    if request.POST.get("locale") in frame.LOCALES:
        response.set_cookie(frame.LOCALE_COOKIE, request.POST["locale"], samesite="Lax")
    if request.POST.get("user") in USERS:
        response.set_cookie(frame.USER_COOKIE, request.POST["user"], samesite="Lax")
    return response
