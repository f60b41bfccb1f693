"""The data map: each column with personal data or a secret, why it is there, and until when.

`stores.privacy.personal_data.TABLES` erases; this table explains. A test compares both with the
models and with docs/privacy.md.
"""

from typing import NamedTuple

from django.apps import apps

_PURCHASE = "as long as the purchase"
_FORM = "30 days without a payment, else as long as the purchase"
_LOG = "the store's log retention when closed, else as long as the purchase"
_AT_ONCE = "the uninstallation, at once"
_REPLACED = "the uninstallation, at once: replaced by a random one"
_STAYS = "stays for accounting; names the business, not its shoppers"
_OPENS_NOTHING = "stays; it opens nothing once the purchase is erased"
_CHANGE = "as long as a purchase of that day"
_CHECKS = "the newest checks of the store"
_ALERTS = "7 days unconfirmed; until removed, or the uninstallation, at once"
_OPERATOR = "until an operator deletes it"
_ONCE_ENDED = (
    "the uninstallation, at once; with a payment under way once it has ended, 24 hours at most"
)

# A table, until when, and the purpose of its columns.
_MAP: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("payments.Solicitation", _FORM, {
        "order": "The order as sent to SeQura: name, addresses, e-mail, telephone, cart",
        "shopper": "IP address, browser and language, which SeQura assesses",
        "claim": "What the checkout showed of store credit",
        "payment_methods": "What SeQura offered this shopper",
        "risk_level": "SeQura's assessment in its notification",
        "last_error": "Why an attempt failed; SeQura's message may quote the shopper",
        "refusal_detail": "Why a payment was refused; may quote the shopper",
    }),
    ("payments.Offer", "90 days", {
        "reasons": "Why SeQura was not shown for a checkout",
        "detail": "The message behind these reasons",
    }),
    ("orders.Order", _PURCHASE, {
        "solicited": "What the shopper agreed to, the base of every order update",
        "accepted_update": "What SeQura last accepted, to send changes only",
        "corrected": "Details that SeQura corrected, until the merchant decides",
        "staff_note": "The app's block in BigCommerce's staff notes, to change nothing else",
    }),
    ("orders.Correction", _PURCHASE, {
        "ours": "The shop's value of a corrected detail",
        "theirs": "SeQura's value of it",
        "heard_by": "The user who entered a correction",
        "decided_by": "The user who decided about it",
    }),
    ("orders.WebhookEvent", "14 days", {
        "payload": "BigCommerce's event: ids, no people",
    }),
    ("orders.Drift", _CHECKS, {
        "detail": "SeQura's message about an order that differs",
    }),
    ("orders.DriftCheck", _CHECKS, {
        "words": "Why a check broke off",
    }),
    ("orders.MerchantReport", _PURCHASE, {
        "words": "SeQura's answer to a delivery report",
    }),
    ("orders.RecentOrders", "7 days", {
        "rows": "Amount, country, status and device of the last orders, for statistics",
    }),
    ("transaction_log.Entry", _LOG, {
        "words": "SeQura's message; may quote the shopper",
        "note": "The merchant's note on a dismissed entry",
        "ignored_by": "The user who dismissed it",
    }),
    ("stores.PanelUser", _AT_ONCE, {
        "email": "Who decided something in the app",
    }),
    ("alerts.Recipient", _ALERTS, {
        "address": "Who receives alerts by e-mail",
    }),
    ("stores.SettingChange", _CHANGE, {
        "by": "Who changed a setting",
    }),
    ("stores.Store", _STAYS, {
        "name": "Shown in the app and to operators",
        "email": "The store's contact, to write to a merchant",
        "allowed_ips": "Addresses that may see SeQura while the merchant tries it",
    }),
    ("stores.Connection", _STAYS, {
        "username": "The merchant's account at SeQura",
    }),
    ("stores.Store", _AT_ONCE, {
        "access_token": "Calls to BigCommerce",
        "alert_webhook": "Where alerts are sent as requests",
        "alert_secrets": "Sign alerts, so that their receiver can verify them",
    }),
    ("stores.Store", _REPLACED, {
        "webhook_secret": "Proves that a webhook is BigCommerce's",
        "report_token": "The address that starts a delivery report",
    }),
    ("stores.Connection", _ONCE_ENDED, {
        "password": "Calls to SeQura",
    }),
    ("stores.Canary", "stays", {
        "secret": "Proves that the keys are right; a random value",
    }),
    ("payments.Solicitation", _OPENS_NOTHING, {
        "token": "The address of the shopper's page",
        "signature": "Proves that a notification is SeQura's",
        "told_addresses": "Our addresses as SeQura knows them, to repeat the order exactly",
    }),
    ("payments.Solicitation", _AT_ONCE, {
        "checkout_token": "Opens BigCommerce's confirmation page",
        "certificates": "Codes of the gift certificates that pay a part, to use them",
    }),
    ("auth.User", _OPERATOR, {
        "username": "An operator's login",
        "first_name": "Not used",
        "last_name": "Not used",
        "email": "Not used",
        "password": "A hash",
    }),
    ("sessions.Session", "two weeks", {
        "session_data": "An operator's login",
    }),
    ("admin.LogEntry", _OPERATOR, {
        "object_repr": "What an operator looked after",
        "change_message": "What an operator did",
    }),
)  # fmt: skip


class _Datum(NamedTuple):
    """One column with personal data or a secret."""

    field: str
    place: str
    purpose: str
    expiry: str


def data_map() -> list[_Datum]:
    """Return the map, each column with its place in PostgreSQL."""
    return [
        _Datum(f"{label}.{name}", _place(label, name), purpose, expiry)
        for label, expiry, columns in _MAP
        for name, purpose in columns.items()
    ]


def _place(label: str, name: str) -> str:
    model = apps.get_model(label)
    return f"{model._meta.db_table}.{model._meta.get_field(name).column}"
