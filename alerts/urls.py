"""The addresses in mails."""

from django.urls import path

from alerts import views

urlpatterns = [
    path("<uuid:key>/confirm", views.confirm_address, name="alerts_confirm"),
    path("<uuid:key>/stop", views.stop_alerts, name="alerts_stop"),
]
