"""The checkout page and the order confirmation."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from sandbox.bigcommerce import shopper
from sandbox.bigcommerce.models import (
    Channel,
    Checkout,
    CheckoutToken,
    Order,
    OrderAddress,
    OrderProduct,
    Visit,
)
from sandbox.shop import visits
from sandbox.shop.pages import language_of, new_nonce, page, scripts, strict_policy
from sandbox.shop.texts import wares

TERMS_SETTING = "is_order_terms_and_conditions_enabled"


@require_GET
def checkout(request: HttpRequest) -> HttpResponse:
    """The visitor's own cart."""
    visit = visits.visit_of(request)
    cart = visits.cart_of(visit)
    if cart is None:
        return visits.remember(visit, HttpResponseRedirect("/cart"))
    return show(request, visit, cart)


@require_GET
def buy_now(request: HttpRequest, checkout_id: uuid.UUID) -> HttpResponse:
    """A checkout by its id: this browser becomes its shopper."""
    cart = get_object_or_404(Checkout, id=checkout_id, cart_deleted=False)
    visit = visits.visit_of(request)
    visit.checkout_id, visit.customer_id = cart.id, cart.customer_id
    return show(request, visit, cart)


def show(request: HttpRequest, visit: Visit, cart: Checkout) -> HttpResponse:
    """The page with every script that apps registered.

    Knobs of the query: `csp=strict` (a nonce policy), `terms=1`, `spam=1`, `lang=es`; the page's
    own script reads those of `static/shop/checkout.js`.
    """
    nonce = new_nonce()
    channel = Channel.objects.get(id=cart.channel_id)
    found = scripts(cart.channel_id, "checkout")
    response = page(
        request, visit, "shop/checkout.html",
        checkout=cart,
        wares=json.dumps(wares(language_of(request))),
        nonce=nonce,
        head_scripts=[one for one in found if one.get("location") == "head"],
        footer_scripts=[one for one in found if one.get("location") != "head"],
        terms=channel.settings.get(TERMS_SETTING) or "terms" in request.GET,
        spam="spam" in request.GET,
    )  # fmt: skip
    return strict_policy(response, nonce) if request.GET.get("csp") == "strict" else response


def own_cart(request: HttpRequest, checkout_id: uuid.UUID) -> Checkout:
    """The checkout, when this browser is its shopper; 404 otherwise."""
    visit = visits.visit_of(request)
    return get_object_or_404(Checkout, id=checkout_id if visit.checkout_id == checkout_id else None)


@require_POST
def address(request: HttpRequest, checkout_id: uuid.UUID) -> HttpResponse:
    """Billing and shipping address in one; the first shipping option is chosen."""
    cart = own_cart(request, checkout_id)
    fields: dict[str, Any] = json.loads(request.body)
    shopper.set_customer(cart, cart.customer_id, fields.get("email", ""))
    shopper.set_address(cart, {name: str(value) for name, value in fields.items()})
    options = shopper.shipping_options(cart)
    if options:
        shopper.choose_shipping(cart, options[0]["id"])
    return HttpResponse(status=204)


@require_POST
def place(request: HttpRequest, checkout_id: uuid.UUID) -> HttpResponse:
    """Pay with one of the shop's own methods."""
    cart = own_cart(request, checkout_id)
    order = shopper.place_order(cart, str(json.loads(request.body)["method"]))
    visit = visits.visit_of(request)
    visit.orders = [*visit.orders, order.id]
    return visits.remember(visit, HttpResponse(status=204))


def may_see(visit: Visit, order: Order, token: str) -> bool:
    """The logged-in customer, the browser that placed it, or who holds a token with uses left.

    https://docs.bigcommerce.com/docs/rest-management/checkouts/create-checkout-token
    """
    if visit.customer_id and visit.customer_id == order.customer_id:
        return True
    if order.id in visit.orders:
        return True
    if order.cart_id is None:
        return False
    fresh = CheckoutToken.objects.filter(
        token=token, checkout_id=order.cart_id, uses_left__gt=0, expires__gt=datetime.now(UTC)
    )
    return bool(fresh.update(uses_left=F("uses_left") - 1))


@require_GET
def last_confirmation(request: HttpRequest, **_checkout: Any) -> HttpResponse:
    """Where the page itself goes after a native order: an address without a number."""
    orders = visits.visit_of(request).orders
    return confirmation(request, orders[-1] if orders else 0)


@require_GET
def confirmation(request: HttpRequest, order_id: int) -> HttpResponse:
    """Thank you. Incomplete orders have none; a guest needs a valid token."""
    visit = visits.visit_of(request)
    order = Order.objects.filter(id=order_id, is_deleted=False).exclude(status_id=0).first()
    if order is None or not may_see(visit, order, request.GET.get("t", "")):
        missing = page(request, visit, "shop/not_found.html")
        missing.status_code = 404
        return missing
    address = OrderAddress.objects.filter(order=order).first()
    return page(
        request, visit, "shop/confirmation.html",
        order=order,
        document=order.document,
        products=[line.document for line in OrderProduct.objects.filter(order=order)],
        address=address.document if address else None,
        scripts=scripts(order.channel_id, "order_confirmation"),
        storefront_scripts=[],
        lang=language_of(request),
    )  # fmt: skip
