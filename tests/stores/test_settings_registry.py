"""One registry of settings: each of them is in the document, on a page and in Django's admin."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from panel.forms import (
    AlertsForm,
    AudienceForm,
    ConnectionForm,
    GeneralForm,
    ReportsForm,
    StatusesForm,
    WebhookForm,
    WidgetsForm,
    _SettingsForm,
)
from stores import catalogue
from stores.models import Store
from stores.settings_file import SETTINGS, WIDGET_THEME
from stores.store_settings import Refused, export_settings, import_settings

pytestmark = pytest.mark.django_db
# Another value than the default's, for each of them.
CHANGED: dict[str, Any] = {
    "send_statistics": False,
    "allowed_ips": ["203.0.113.0/24"],
    "excluded_categories": [23],
    "excluded_products": ["SKU-1"],
    "disabled_channels": [7],
    "offers_services": False,
    "offers_companies": False,
    "excluded_groups": [4],
    "corrects_customers": True,
    "completes_digital": False,
    "services_end": "P1Y",
    "status_approved": 9,
    "status_needs_review": None,
    "status_cancelled": 13,
    "shipped_statuses": [2],
    "cancelling_statuses": [5],
    "refunded_status_refunds": True,
    "reports_enabled": False,
    "reports_hour": 7,
    "statistics_without": ["amount", "device"],
    "widget_methods": {"product": ["pp3", "pp5/summer"], "listing": ["pp3"]},
    "widget_selectors": {"product": ".price-box > p", "cart_price": "#total"},
    "widget_theme": {"alignment": "left", "link-underline": "false", "font-color": "#00112C"},
    "log_retention_days": 30,
    "alerts_without": ["decision"],
    "alerts_quiet_from": 22,
    "alerts_quiet_until": 6,
    "alert_webhook": "https://hooks.example.com/in",
}
USUAL = {name: usual for name, (_label, _pattern, usual) in WIDGET_THEME.items()}
WIDGETS: dict[str, Any] = {
    **CHANGED["widget_methods"],
    **{f"at-{name}": one for name, one in CHANGED["widget_selectors"].items()},
    **{
        f"theme-{name}": one
        for name, one in (USUAL | CHANGED["widget_theme"]).items()
        if one != "false"  # as a browser sends a box that is not checked
    },
}
COLUMNS = {setting.column for setting in SETTINGS}
# What else a row of Store holds.
NOT_OURS = {
    # Who it is, what BigCommerce says about it, and what became of its registration.
    "id", "hash", "public_id", "state", "scopes", "authorised_at", "installed_at", "uninstalled_at",
    "erased_at", "uninstall_asked_at", "name", "email", "secure_url", "control_panel_url",
    "country", "currency", "timezone", "language", "channels", "registration",
    "registration_started_at", "registration_due", "script_file", "checkout_asked_at",
    "widget_script_file", "widgets_due",
    # When the loops over all stores come to it.
    "maintain_due_at", "erase_due_at", "report_due_at", "check_due_at", "forget_due_at",
    "alert_due_at",
    # Secrets.
    "access_token", "webhook_secret", "report_token", "alert_secrets", "alert_secrets_at",
    # What follows from a setting, or is known of it.
    "excluded_subcategories", "catalogue_names", "status_labels", "go_live",
    # What storefronts have of their own: test_channels.py.
    "channel_settings",
    # SeQura has to agree to it: `stores.connect`.
    "environment",
}  # fmt: skip


def make_store(name: str = "abc123", **columns: Any) -> Store:
    channels: list[dict[str, Any]] = [
        {"id": number, "name": f"Shop {number}", "origins": []} for number in (1, 7)
    ]
    return Store.objects.create(hash=name, channels=channels, **columns)


def settings_of(store: Store) -> dict[str, Any]:
    store.refresh_from_db()
    return {column: getattr(store, column) for column in COLUMNS}


def test_every_column_of_a_store_is_a_setting_or_something_else() -> None:
    columns = {field.name for field in Store._meta.concrete_fields}

    assert (columns - COLUMNS, COLUMNS - columns) == (NOT_OURS, set())
    assert set(CHANGED) == COLUMNS


def test_every_setting_moves_to_another_store_by_the_document() -> None:
    document = export_settings(make_store(**CHANGED))
    other = make_store("other9")
    assert [column for column in COLUMNS if getattr(other, column) == CHANGED[column]] == []

    import_settings(other, document)

    assert settings_of(other) == CHANGED


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.column)
def test_a_setting_alone_changes_nothing_else(setting: Any) -> None:
    store = make_store(**{**CHANGED, setting.column: getattr(Store(), setting.column)})
    document: dict[str, Any] = {}
    setting.export(document, CHANGED[setting.column])

    import_settings(store, document)

    assert settings_of(store) == CHANGED


def test_every_setting_is_on_a_page() -> None:
    forms = (
        ConnectionForm, GeneralForm, StatusesForm, ReportsForm, AlertsForm, WebhookForm,
        AudienceForm, WidgetsForm,
    )  # fmt: skip
    assert set(_SettingsForm.__subclasses__()) == set(forms)

    on_pages = [column for form in forms for column in form.columns]

    assert {*on_pages, *catalogue._COLUMNS.values()} == COLUMNS


def test_the_forms_save_what_they_say() -> None:
    store = make_store(
        excluded_categories=[23],
        excluded_products=["SKU-1"],
        widget_methods=CHANGED["widget_methods"],  # SeQura has them no longer
    )
    forms: list[_SettingsForm] = [
        GeneralForm(
            store,
            {
                "allowed_ips": "203.0.113.0/24",
                "channels": ["1"],
                "corrects_customers": "on",
                "log_days": "30",
                "services_end": " P1Y",
            },
            services=True,
        ),
        StatusesForm(
            store,
            {
                "status_approved": "9",
                "status_needs_review": "",
                "status_cancelled": "13",
                "shipped": ["2"],
                "cancelling": ["5"],
                "refunded_status_refunds": "on",
            },
        ),
        ReportsForm(store, {"hour": "7", "parts": ["payment_method", "country", "status"]}),
        AlertsForm(
            store,
            {
                "kinds": ["account", "access", "setup", "payment", "rejected"],
                "quiet_from": "22",
                "quiet_until": "6",
            },
        ),
        WebhookForm(store, {"url": "https://hooks.example.com/in"}),
        WidgetsForm(store, WIDGETS),
        AudienceForm(store, {4: "Empresas"}, {"groups": ["4"]}),
    ]

    for form in forms:
        assert form.is_valid(), form.errors
        assert set(form.values()) == set(form.columns)
        form.save(store)

    assert settings_of(store) == CHANGED


def test_every_setting_is_in_django_s_admin(client: Client) -> None:
    client.force_login(User.objects.create_superuser("ops"))
    store = make_store()

    page = client.get(f"/admin/stores/store/{store.pk}/change/").content.decode()

    own = page.split("Settings</h2>")[1]
    assert [
        column for column in {*COLUMNS, "channel_settings"} if f"field-{column}" not in own
    ] == []


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"general": {"disabled_channels": ["1"]}}, "general.disabled_channels.0"),
        ({"general": {"offers_services": 1}}, "general.offers_services"),
        ({"refunded_status_refunds": None}, "refunded_status_refunds"),
        ({"reports": {"statistics_without": ["phone"]}}, "reports.statistics_without.0"),
        ({"log": {"retention_days": 6}}, "log.retention_days"),
        ({"log": {"retention_days": 3651}}, "log.retention_days"),
        ({"widgets": {"methods": {"home": ["pp3"]}}}, "widgets.methods.home"),
        ({"widgets": {"methods": {"cart": ["p p"]}}}, "widgets.methods.cart.0"),
        ({"widgets": {"selectors": {"product": "p { }"}}}, "widgets.selectors.product"),
        ({"widgets": {"selectors": {"home": "p"}}}, "widgets.selectors.home: is not a setting"),
        ({"widgets": {"theme": {"size": "XXL"}}}, "widgets.theme.size: is not valid"),
        ({"log": {"days": 30}}, "log.days: is not a setting"),
    ],
)
def test_a_value_that_no_form_would_take_is_refused(
    document: dict[str, Any], complaint: str
) -> None:
    store = make_store(**CHANGED)

    with pytest.raises(Refused, match=complaint):
        import_settings(store, document)

    assert settings_of(store) == CHANGED
