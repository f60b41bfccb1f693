"""The log, below a session of the control panel."""

from django.urls import include, path

from transaction_log import views

panel = [
    path("log/", views.transaction_log, name="transaction_log"),
    path("log/export.csv", views.export_csv, name="transaction_log_csv"),
    path("log/keep", views.keep_log, name="keep_log"),
    path("log/<int:entry_id>/ignore", views.ignore_entry, name="ignore_entry"),
]

urlpatterns = [path("s/<str:session>/", include(panel))]
