"""BigCommerce's callbacks, and the control panel's pages below a session."""

from django.urls import include, path

from stores.views import (
    callbacks,
    connection,
    countries,
    exclusions,
    payment_methods,
    session,
    settings,
)

panel = [
    path("logout", session.logout, name="logout"),
    path("settings/", settings.general, name="settings"),
    path("settings/exclusions/", exclusions.exclusions, name="exclusions"),
    path("settings/exclusions/change", exclusions.change_exclusions, name="change_exclusions"),
    path("settings/order-statuses/", settings.order_statuses, name="order_statuses"),
    path("settings/reports/", settings.report_settings, name="report_settings"),
    path("settings/reports/address", settings.new_report_address, name="new_report_address"),
    path("repair", connection.repair, name="repair"),
    path("connection/", connection.connection, name="connection"),
    path("connection/disconnect", connection.disconnect, name="disconnect"),
    path("countries/", countries.countries, name="countries"),
    path("payment-methods/", payment_methods.payment_methods, name="payment_methods"),
    path("payment-methods/refresh", payment_methods.refresh, name="refresh_payment_methods"),
]

urlpatterns = [
    path("auth", callbacks.auth, name="auth"),
    path("load", callbacks.load, name="load"),
    path("uninstall", callbacks.uninstall, name="uninstall"),
    path("remove_user", callbacks.remove_user, name="remove_user"),
    path("s/<str:session>/", include(panel)),
]
