"""All addresses; those of the control panel are in `panel/urls.py`."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from alerts import views as alerts
from orders.reports.run import trigger_report
from payments import views as payments

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("panel.urls")),
    # The storefront script's endpoints, the shopper's page, and the addresses that SeQura calls.
    path(
        "storefront/<uuid:public_id>/payment-methods",
        payments.payment_methods,
        name="storefront_payment_methods",
    ),
    path("storefront/<uuid:public_id>/widgets", payments.widgets, name="storefront_widgets"),
    path("storefront/<uuid:public_id>/form", payments.form, name="storefront_form"),
    path(
        "storefront/<uuid:public_id>/solicitations/<uuid:solicitation_id>",
        payments.solicitation_status,
        name="storefront_status",
    ),
    path("storefront/<uuid:public_id>/errors", payments.script_error, name="storefront_errors"),
    path("return/<uuid:solicitation_id>", payments.shopper_returns, name="shopper_returns"),
    path(
        "return/<uuid:solicitation_id>/status",
        payments.return_status,
        name="shopper_returns_status",
    ),
    path("sequra/notification/<str:token>", payments.notification, name="sequra_notification"),
    path("sequra/event/<str:token>", payments.event, name="sequra_event"),
    path("sequra/report/<uuid:public_id>/<str:token>", trigger_report, name="trigger_report"),
    # The addresses in mails.
    path("alerts/<uuid:key>/confirm", alerts.confirm_address, name="alerts_confirm"),
    path("alerts/<uuid:key>/stop", alerts.stop_alerts, name="alerts_stop"),
    path("admin/", admin.site.urls),
]

handler400 = "panel.session.bad_request"
handler403 = "panel.session.forbidden"
handler404 = "panel.session.not_found"
handler500 = "panel.session.server_error"
