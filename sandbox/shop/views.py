"""The shop's pages up to the cart, with the classes and data of BigCommerce's own theme."""

import json

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from sandbox.bigcommerce import shopper, totals
from sandbox.bigcommerce.models import Category, Customer, Product
from sandbox.shop import visits
from sandbox.shop.pages import language_of, page


@require_GET
def products(request: HttpRequest) -> HttpResponse:
    """All products, or those of `?category=`."""
    category = request.GET.get("category", "")
    shown = [
        product
        for product in Product.objects.order_by("id")
        if not category or category in map(str, product.categories)
    ]
    context = {
        "products": shown, "categories": Category.objects.order_by("id"), "category": category,
    }  # fmt: skip
    return page(request, visits.visit_of(request), "shop/products.html", **context)


@require_GET
def product(request: HttpRequest, product_id: int) -> HttpResponse:
    found = get_object_or_404(Product, id=product_id)
    price = {"formatted": f"€{found.price}", "value": float(found.price), "currency": "EUR"}
    data = {"product_attributes": {"sku": found.sku, "price": {"with_tax": price}}}
    return page(
        request, visits.visit_of(request), "shop/product.html", product=found, data=json.dumps(data)
    )


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Put a product into the cart."""
    visit = visits.visit_of(request)
    found = get_object_or_404(Product, id=int(request.POST["product_id"]))
    quantity = max(1, int(request.POST.get("qty[]", 1)))
    visits.add_to_cart(visit, found.id, quantity, language_of(request))
    return visits.remember(visit, HttpResponseRedirect("/cart"))


@require_GET
def cart(request: HttpRequest) -> HttpResponse:
    visit = visits.visit_of(request)
    found = visits.cart_of(visit)
    context = {"cart": found, "totals": totals.of(found) if found else None}
    return page(request, visit, "shop/cart.html", **context)


@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """Another quantity of a line; 0 removes it."""
    visit = visits.visit_of(request)
    found = visits.cart_of(visit)
    if found:
        shopper.change_quantity(found, request.POST["line"], int(request.POST["quantity"]))
    return visits.remember(visit, HttpResponseRedirect("/cart"))


@require_POST
def log_in(request: HttpRequest) -> HttpResponse:
    """Become one of the shop's customers, or a guest again."""
    visit = visits.visit_of(request)
    customer_id = int(request.POST.get("customer_id") or 0)
    if customer_id:
        get_object_or_404(Customer, id=customer_id)
    visits.switch_customer(visit, customer_id)
    back = request.POST.get("back", "/")
    target = back if back.startswith("/") and not back.startswith("//") else "/"
    return visits.remember(visit, HttpResponseRedirect(target))


@require_GET
def terms(request: HttpRequest) -> HttpResponse:
    return page(request, visits.visit_of(request), "shop/terms.html")
