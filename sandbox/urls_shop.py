"""The paths of shop.localhost: the shop's pages and BigCommerce's storefront API beside them."""

from django.urls import include, path

urlpatterns = [
    path("_control/", include("sandbox.control")),
    path("", include("sandbox.bigcommerce.storefront")),
    path("", include("sandbox.shop.urls")),
]
