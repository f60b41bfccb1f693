"""Every address we answer; each app keeps its own."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("stores.urls")),
    path("", include("payments.urls")),
    path("", include("orders.urls")),
    path("", include("transaction_log.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "stores.views.errors.bad_request"
handler403 = "stores.views.errors.forbidden"
handler404 = "stores.views.errors.not_found"
handler500 = "stores.views.errors.server_error"
