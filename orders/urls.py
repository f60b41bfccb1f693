"""Where SeQura asks for a delivery report."""

from django.urls import path

from orders.reports import trigger

urlpatterns = [
    path(
        "sequra/report/<uuid:public_id>/<str:token>",
        trigger.trigger_report,
        name="trigger_report",
    ),
]
