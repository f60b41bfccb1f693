"""The storefront API's calls that only the checkout page itself makes: codes and shipping.

Beside `sandbox.bigcommerce.storefront`, with the same session, XSRF token and refusals.
https://developer.bigcommerce.com/docs/storefront/cart-checkout
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from sandbox.bigcommerce import shopper, storefront
from sandbox.bigcommerce.models import Checkout

Change = Callable[[Checkout, dict[str, Any], str], Checkout]


def apply_coupon(cart: Checkout, body: dict[str, Any], _code: str) -> Checkout:
    return shopper.apply_coupon(cart, str(body["couponCode"]))


def remove_coupon(cart: Checkout, _body: dict[str, Any], code: str) -> Checkout:
    return shopper.remove_coupon(cart, code)


def apply_gift_certificate(cart: Checkout, body: dict[str, Any], _code: str) -> Checkout:
    return shopper.apply_gift_certificate(cart, str(body["giftCertificateCode"]))


def remove_gift_certificate(cart: Checkout, _body: dict[str, Any], code: str) -> Checkout:
    cart.gift_certificates = [other for other in cart.gift_certificates if other != code]
    return shopper.changed(cart)


def verify(cart: Checkout, _body: dict[str, Any], _code: str) -> Checkout:
    """The spam check is solved."""
    return cart


def choose_shipping(cart: Checkout, body: dict[str, Any], _consignment: str) -> Checkout:
    return shopper.choose_shipping(cart, str(body["shippingOptionId"]))


def changing(**changes: Change) -> Callable[..., HttpResponse]:
    """A path of a checkout: a change per method, answered with the changed checkout."""

    def view(request: HttpRequest, checkout_id: uuid.UUID, part: str = "") -> HttpResponse:
        visit = storefront.visit_of(request)
        if visit is None or request.headers.get("X-XSRF-TOKEN") != visit.xsrf_token:
            return storefront.refuse(403, "Forbidden")
        cart, change = storefront.opened(request, checkout_id), changes.get(request.method or "")
        if cart is None or change is None:
            return storefront.refuse(404 if change else 405, "Not found")
        try:
            change(cart, json.loads(request.body or b"{}"), part)
        except (KeyError, ValueError) as error:
            return storefront.refuse(400, str(error))
        return storefront.checkout(request, checkout_id)

    return view


CHECKOUT = "api/storefront/checkouts/<uuid:checkout_id>"
urlpatterns = [
    path(f"{CHECKOUT}/spam-protection", changing(POST=verify)),
    path(f"{CHECKOUT}/coupons", changing(POST=apply_coupon)),
    path(f"{CHECKOUT}/coupons/<str:part>", changing(DELETE=remove_coupon)),
    path(f"{CHECKOUT}/gift-certificates", changing(POST=apply_gift_certificate)),
    path(f"{CHECKOUT}/gift-certificates/<str:part>", changing(DELETE=remove_gift_certificate)),
    path(f"{CHECKOUT}/consignments/<str:part>", changing(PUT=choose_shipping)),
]
