"""All URLs; each app keeps its own."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("panel.urls")),
    path("", include("payments.urls")),
    path("alerts/", include("alerts.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "panel.session.bad_request"
handler403 = "panel.session.forbidden"
handler404 = "panel.session.not_found"
handler500 = "panel.session.server_error"
