"""BigCommerce's callbacks, and every page of the control panel below its session."""

from django.urls import include, path

from panel import session
from panel.views import (
    callbacks,
    connection,
    dashboard,
    drift,
    log,
    order,
    orders,
    returns,
    sales,
    self_test,
    settings,
    shipping,
    storefronts,
    why_not_shown,
    widgets,
)

app_pages = [
    path("", dashboard.dashboard, name="dashboard"),
    path("sales/", sales.sales, name="sales"),
    path("sales/export.csv", sales.sales_csv, name="sales_csv"),
    path("why/", why_not_shown.why_not, name="why_not"),
    path("logout", session.logout, name="logout"),
    path("settings/", settings.general, name="settings"),
    path("settings/storefronts/", storefronts.storefronts, name="storefronts"),
    path("settings/storefronts/<int:channel_id>/", storefronts.storefront, name="storefront"),
    path(
        "settings/storefronts/<int:channel_id>/decide",
        storefronts.decide_storefront,
        name="decide_storefront",
    ),
    path("settings/audience/", settings.audience, name="audience"),
    path("settings/exclusions/", settings.exclusions, name="exclusions"),
    path("settings/exclusions/change", settings.change_exclusions, name="change_exclusions"),
    path("settings/order-statuses/", settings.order_statuses, name="order_statuses"),
    path("settings/widgets/", widgets.widgets, name="widgets"),
    path("settings/widgets/page", widgets.widget_page, name="widget_page"),
    path("settings/reports/", settings.report_settings, name="report_settings"),
    path("settings/reports/address", settings.new_report_address, name="new_report_address"),
    path("settings/alerts/", settings.alerts, name="alerts"),
    path("settings/alerts/webhook", settings.alert_webhook, name="alert_webhook"),
    path("settings/alerts/add", settings.add_recipient, name="add_recipient"),
    path("settings/alerts/<int:recipient_id>", settings.change_recipient, name="change_recipient"),
    path("settings/history/", settings.settings_history, name="settings_history"),
    path("settings/history/<int:change_id>/undo", settings.undo_setting, name="undo_setting"),
    path("self-test/", self_test.self_test, name="self_test"),
    path("self-test/run", self_test.run_self_test, name="run_self_test"),
    path("repair", connection.repair, name="repair"),
    path("connection/", connection.connection, name="connection"),
    path("connection/disconnect", connection.disconnect, name="disconnect"),
    path("countries/", connection.countries, name="countries"),
    path("payment-methods/", connection.payment_methods, name="payment_methods"),
    path("payment-methods/refresh", connection.refresh, name="refresh_payment_methods"),
]

order_pages = [
    path("orders/", orders.orders, name="orders"),
    path("orders/<int:order_id>/", order.order_panel, name="order_panel"),
    path("orders/<int:order_id>/compare/", order.order_comparison, name="order_comparison"),
    path("orders/<int:order_id>/retry", order.retry_order, name="retry_order"),
    path(
        "orders/<int:order_id>/again",
        order.retry_order,
        {"in_doubt": True},
        name="tell_again",
    ),
    path("orders/<int:order_id>/finish", order.finish_order, name="finish_order"),
    path(
        "orders/<int:order_id>/corrections",
        order.enter_correction,
        name="enter_correction",
    ),
    path(
        "orders/<int:order_id>/corrections/<int:correction_id>/apply",
        order.apply_correction,
        name="apply_correction",
    ),
    path(
        "orders/<int:order_id>/corrections/<int:correction_id>/keep",
        order.keep_correction,
        name="keep_correction",
    ),
    path(
        "orders/<int:order_id>/returns/<int:entry_id>/", returns.order_return, name="order_return"
    ),
    path(
        "orders/<int:order_id>/returns/<int:entry_id>/refund",
        returns.refund_return,
        name="refund_return",
    ),
    path("shipping/", shipping.shipping, name="shipping"),
    path("shipping/send", shipping.send_report_now, name="send_report_now"),
    path("shipping/progress", shipping.report_progress, name="report_progress"),
    path("shipping/report.json", shipping.report_document, name="report_document"),
    path("reconciliation/", drift.reconciliation, name="reconciliation"),
    path("reconciliation/check", drift.check_now, name="check_now"),
    path("reconciliation/progress", drift.drift_progress, name="drift_progress"),
    path("reconciliation/<int:check_id>.csv", drift.drift_csv, name="drift_csv"),
]

log_pages = [
    path("log/", log.transaction_log, name="transaction_log"),
    path("log/export.csv", log.export_csv, name="transaction_log_csv"),
    path("log/<int:entry_id>/ignore", log.ignore_entry, name="ignore_entry"),
]

urlpatterns = [
    path("auth", callbacks.auth, name="auth"),
    path("load", callbacks.load, name="load"),
    path("uninstall", callbacks.uninstall, name="uninstall"),
    path("remove_user", callbacks.remove_user, name="remove_user"),
    path("widget-preview", widgets.widget_preview, name="widget_preview"),
    path("s/<str:session>/", include([*app_pages, *order_pages, *log_pages])),
]
