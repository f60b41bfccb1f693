"""The pages about one order, below a session of the control panel."""

from django.urls import include, path

from orders import panel, report_views

pages = [
    path("orders/<int:order_id>/", panel.order_panel, name="order_panel"),
    path("orders/<int:order_id>/compare/", panel.order_comparison, name="order_comparison"),
    path("orders/<int:order_id>/retry", panel.retry_order, name="retry_order"),
]

urlpatterns = [
    path("s/<str:session>/", include(pages)),
    path(
        "sequra/report/<uuid:public_id>/<str:token>",
        report_views.trigger_report,
        name="trigger_report",
    ),
]
