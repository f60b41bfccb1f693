"""The storefront script's endpoints, the shopper's page, and the addresses that SeQura calls."""

from django.urls import path

from orders.reports.run import trigger_report
from payments import views

urlpatterns = [
    path(
        "storefront/<uuid:public_id>/payment-methods",
        views.payment_methods,
        name="storefront_payment_methods",
    ),
    path("storefront/<uuid:public_id>/form", views.form, name="storefront_form"),
    path(
        "storefront/<uuid:public_id>/solicitations/<uuid:solicitation_id>",
        views.solicitation_status,
        name="storefront_status",
    ),
    path("storefront/<uuid:public_id>/errors", views.script_error, name="storefront_errors"),
    path("return/<uuid:solicitation_id>", views.shopper_returns, name="shopper_returns"),
    path(
        "return/<uuid:solicitation_id>/status", views.return_status, name="shopper_returns_status"
    ),
    path("sequra/notification/<str:token>", views.notification, name="sequra_notification"),
    path("sequra/event/<str:token>", views.event, name="sequra_event"),
    path("sequra/report/<uuid:public_id>/<str:token>", trigger_report, name="trigger_report"),
]
