"""The paths of SeQura's API, of its form and of its portal."""

from django.urls import path

from sandbox.sequra import assets, portal, reports, shopper, solicitations, updates
from sandbox.sequra.answers import endpoint

urlpatterns = [
    path("deployments", endpoint(GET=solicitations.deployments)),
    path("merchants/credentials", endpoint(GET=solicitations.credentials)),
    path("merchants/<str:ref>/credentials", endpoint(GET=solicitations.merchant_credentials)),
    path(
        "merchants/<str:ref>/payment_methods", endpoint(GET=solicitations.merchant_payment_methods)
    ),
    path("merchants/<str:ref>/orders/<path:order_ref>", endpoint(PUT=updates.update_order)),
    path("orders", endpoint(POST=solicitations.solicit)),
    path("orders/delivery_reports", endpoint(POST=reports.receive_report)),
    path("delivery_reports", endpoint(POST=reports.receive_report)),
    path("orders/<uuid:reference>/pumbaa_form", endpoint(GET=shopper.form_page)),
    path(
        "orders/<str:reference>/payment_methods", endpoint(GET=solicitations.order_payment_methods)
    ),
    path("orders/<str:reference>/form_v2", endpoint(GET=shopper.form)),
    path(
        "orders/<str:reference>",
        endpoint(PUT=solicitations.confirm, PATCH=solicitations.register),
    ),
    path("store_integrations", endpoint(POST=reports.create_integration)),
    path("store_integrations/<path:webhook_url>", endpoint(DELETE=reports.delete_integration)),
    path("api/v1/checkout/<uuid:reference>/identification", endpoint(POST=shopper.identify)),
    path("api/v1/checkout/<uuid:reference>/validate_otp", endpoint(POST=shopper.validate_otp)),
    path("api/v1/checkout/<uuid:reference>/wait", endpoint(POST=shopper.wait)),
    path("assets/<str:name>", assets.asset),
    path("portal", portal.order_list),
    path("portal/orders/<uuid:reference>", portal.order_page),
]
