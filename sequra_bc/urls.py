"""Every address we answer; each app keeps its own."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("stores.urls")),
    *(
        path("", include(f"{app}.urls"))
        for app in ("payments", "orders", "transaction_log")
        if find_spec(f"{app}.urls")
    ),
    path("admin/", admin.site.urls),
]

handler400 = "stores.views.errors.bad_request"
handler403 = "stores.views.errors.forbidden"
handler404 = "stores.views.errors.not_found"
handler500 = "stores.views.errors.server_error"
