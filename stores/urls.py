"""BigCommerce's callbacks, and the control panel's pages below a session."""

from django.urls import include, path

from stores.views import callbacks, connection, countries, overview, payment_methods

panel = [
    path("", overview.dashboard, name="dashboard"),
    path("repair", overview.repair, name="repair"),
    path("logout", overview.logout, name="logout"),
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
