"""The shop's pages, and the storefront API's calls of its checkout page."""

from django.urls import path

from sandbox.shop import checkout, storefront, views

urlpatterns = [
    *storefront.urlpatterns,
    path("", views.products),
    path("products/<int:product_id>", views.product),
    path("cart", views.cart),
    path("cart/add", views.add),
    path("cart/change", views.change),
    path("login", views.log_in),
    path("terms", views.terms),
    path("checkout", checkout.checkout),
    path("checkout/<uuid:checkout_id>", checkout.buy_now),
    path("checkout/<uuid:checkout_id>/address", checkout.address),
    path("checkout/<uuid:checkout_id>/order", checkout.place),
    path("checkout/order-confirmation", checkout.last_confirmation),
    path("checkout/<uuid:checkout>/order-confirmation", checkout.last_confirmation),
    path("checkout/order-confirmation/<int:order_id>", checkout.confirmation),
]
