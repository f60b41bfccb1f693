"""The pages about one order, below a session of the control panel."""

from django.urls import include, path

from orders import correction_views, drift_views, panel, shipping_views
from orders.reports import trigger

pages = [
    path("orders/<int:order_id>/", panel.order_panel, name="order_panel"),
    path("orders/<int:order_id>/compare/", panel.order_comparison, name="order_comparison"),
    path("orders/<int:order_id>/retry", panel.retry_order, name="retry_order"),
    path("orders/<int:order_id>/again", drift_views.tell_again, name="tell_again"),
    path("orders/<int:order_id>/finish", drift_views.finish_order, name="finish_order"),
    path(
        "orders/<int:order_id>/corrections",
        correction_views.enter_correction,
        name="enter_correction",
    ),
    path(
        "orders/<int:order_id>/corrections/<int:correction_id>/apply",
        correction_views.apply_correction,
        name="apply_correction",
    ),
    path(
        "orders/<int:order_id>/corrections/<int:correction_id>/keep",
        correction_views.keep_correction,
        name="keep_correction",
    ),
    path("shipping/", shipping_views.shipping, name="shipping"),
    path("shipping/send", shipping_views.send_report_now, name="send_report_now"),
    path("shipping/progress", shipping_views.report_progress, name="report_progress"),
    path("shipping/report.json", shipping_views.report_document, name="report_document"),
    path("reconciliation/", drift_views.reconciliation, name="reconciliation"),
    path("reconciliation/check", drift_views.check_now, name="check_now"),
    path("reconciliation/progress", drift_views.drift_progress, name="drift_progress"),
    path("reconciliation/<int:check_id>.csv", drift_views.drift_csv, name="drift_csv"),
]

urlpatterns = [
    path("s/<str:session>/", include(pages)),
    path(
        "sequra/report/<uuid:public_id>/<str:token>",
        trigger.trigger_report,
        name="trigger_report",
    ),
]
