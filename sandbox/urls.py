"""The APIs' paths: BigCommerce's, SeQura's and the sandbox's own controls."""

from django.urls import include, path

urlpatterns = [
    path("_control/", include("sandbox.control")),
    path("", include("sandbox.bigcommerce.urls")),
    path("", include("sandbox.sequra.urls")),
]
