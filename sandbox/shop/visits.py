"""Who is visiting the shop: a cookie of the shop's own origin, with cart, customer and orders."""

import secrets

from django.http import HttpRequest, HttpResponse

from sandbox.bigcommerce import shopper
from sandbox.bigcommerce.models import Checkout, Customer, Visit
from sandbox.bigcommerce.storefront import COOKIE

XSRF_COOKIE = "XSRF-TOKEN"


def visit_of(request: HttpRequest) -> Visit:
    """The visit of this browser; a new one, kept by `remember`, when it has none."""
    found = Visit.objects.filter(key=request.COOKIES.get(COOKIE, "")).first()
    if found:
        return found
    return Visit(key=secrets.token_hex(16), xsrf_token=secrets.token_hex(16))


def remember(visit: Visit, response: HttpResponse) -> HttpResponse:
    """Store the visit and give the browser its cookies."""
    visit.save()
    response.set_cookie(COOKIE, visit.key, httponly=True, samesite="Lax")
    response.set_cookie(XSRF_COOKIE, visit.xsrf_token, samesite="Lax")
    return response


def cart_of(visit: Visit) -> Checkout | None:
    """The cart while it is still there: an order placed elsewhere may have deleted it."""
    found = Checkout.objects.filter(id=visit.checkout_id).first() if visit.checkout_id else None
    return None if found is None or found.cart_deleted or not found.lines else found


def customer_of(visit: Visit) -> Customer | None:
    return Customer.objects.filter(id=visit.customer_id).first() if visit.customer_id else None


def add_to_cart(visit: Visit, product_id: int, quantity: int, locale: str) -> Checkout:
    """Put a product in the cart; the first one makes the cart."""
    cart = cart_of(visit)
    if cart is not None:
        return shopper.add_line(cart, product_id, quantity)
    wish = {"product_id": product_id, "quantity": quantity}
    cart = shopper.make_checkout([wish], customer_id=visit.customer_id, locale=locale)
    visit.checkout_id = cart.id
    return cart


def switch_customer(visit: Visit, customer_id: int) -> None:
    """Log in as a customer, or out (0). The cart goes along; a guest has no store credit."""
    visit.customer_id = customer_id
    cart = cart_of(visit)
    if cart is None:
        return
    if cart.store_credit_applied:
        shopper.toggle_store_credit(cart, applied=False)
    shopper.set_customer(cart, customer_id)
