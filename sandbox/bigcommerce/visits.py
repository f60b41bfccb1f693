"""The shopper's session in the shop. Used by the shop's pages and the storefront API.

    visit_of(request) -> Visit        the visitor of a request; a new one (not stored) for a stranger
    remember(response, visit)         store it and set its cookies on the response
    checkout_of(visit) -> Checkout | None      the visitor's cart, None when there is none any more
    enter(visit, checkout_id)         make a checkout the visitor's own (demo links, tests)
    may_see_order(visit, order_id, token) -> bool       the confirmation page's question; a token's
                                      use is counted, and an order once seen stays visible
"""

import secrets
from datetime import UTC, datetime
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from sandbox.bigcommerce.models import Checkout, CheckoutToken, Order, Visit

COOKIE, XSRF_COOKIE = "SHOP_SESSION_TOKEN", "XSRF-TOKEN"


def visit_of(request: HttpRequest) -> Visit:
    known = Visit.objects.filter(key=request.COOKIES.get(COOKIE, "")).first()
    return known or Visit(key=secrets.token_hex(24), xsrf_token=secrets.token_hex(24))


def remember(response: HttpResponse, visit: Visit) -> HttpResponse:
    visit.save()
    response.set_cookie(COOKIE, visit.key, httponly=True, samesite="Lax")
    response.set_cookie(XSRF_COOKIE, visit.xsrf_token, samesite="Lax")
    return response


def checkout_of(visit: Visit) -> Checkout | None:
    if visit.checkout_id is None:
        return None
    return Checkout.objects.filter(id=visit.checkout_id, cart_deleted=False).first()


def enter(visit: Visit, checkout_id: UUID | str) -> Checkout:
    checkout = Checkout.objects.get(id=checkout_id)
    visit.checkout_id, visit.customer_id = checkout.id, checkout.customer_id
    return checkout


def may_see_order(visit: Visit, order_id: int, token: str = "") -> bool:
    order = Order.objects.filter(id=order_id).first()
    if order is None or order.status_id == 0:
        return False
    own = order.customer_id and order.customer_id == visit.customer_id
    if own or order_id in visit.orders:
        return True
    found = CheckoutToken.objects.select_for_update().filter(
        token=token, checkout_id=order.cart_id, uses_left__gt=0, expires__gt=datetime.now(UTC)
    ).first()  # fmt: skip
    if found is None:
        return False
    found.uses_left -= 1
    found.save()
    visit.orders.append(order_id)
    return True
