"""Every address we answer; each app keeps its own."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("panel.urls")),
    path("", include("payments.urls")),
    path("", include("orders.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "panel.views.errors.bad_request"
handler403 = "panel.views.errors.forbidden"
handler404 = "panel.views.errors.not_found"
handler500 = "panel.views.errors.server_error"
