"""The paths of panel.localhost: the pretend control panel."""

from django.urls import include, path

urlpatterns = [
    path("_control/", include("sandbox.control")),
    path("", include("sandbox.panel.urls")),
]
