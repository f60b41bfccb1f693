"""Who changed which setting: on every way in, with the value before and after, and undone again."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from orders.models import Order
from stores import connect, store_settings
from stores.models import PanelUser, SettingChange, Store
from stores.settings_file import SETTINGS
from stores.store_settings import Author, Refused, export_settings, import_settings
from tests.panel.test_settings import Panel
from tests.panel.world import filled_store
from tests.stores.test_settings_registry import CHANGED

pytestmark = pytest.mark.django_db


@pytest.fixture
def panel() -> Panel:
    found = Panel(filled_store())
    PanelUser.objects.update(email="ana@shop.example")
    return found


def rows(store: Store) -> list[tuple[str, str, str, Any, Any]]:
    """The newest first."""
    found = store.setting_changes.order_by("-id")
    return [(one.source, one.by, one.key, one.before, one.after) for one in found]


def undo(panel: Panel, change: SettingChange) -> str:
    answer = panel.post(f"settings/history/{change.pk}/undo")
    return str(answer["Location"]).rpartition("=")[2]


# The form as it is, but for one storefront.
ONE_CHANNEL: dict[str, Any] = {
    "allowed_ips": "203.0.113.0/24",
    "channels": ["1"],
    "services": "on",
    "completes_digital": "on",
}


def test_a_form_records_what_differs_and_nothing_else(panel: Panel) -> None:
    panel.post("settings/", **ONE_CHANNEL)
    expected: tuple[Any, ...] = ("page", "ana@shop.example", "general.disabled_channels", [], [7])
    assert rows(panel.store) == [expected]

    panel.post("settings/", **ONE_CHANNEL)
    assert rows(panel.store) == [expected]


def test_what_is_stored_as_off_is_named_so(panel: Panel) -> None:
    panel.post("settings/", **ONE_CHANNEL)
    assert "Storefronts without SeQura" in panel.get("settings/history/").content.decode()


def test_countries_exclusions_and_a_disconnection_are_recorded(panel: Panel) -> None:
    panel.post("countries/", ES="calzados_es", PT="")
    panel.post(
        "settings/exclusions/change", kind="product", key="SKU-9", name="Bota", action="exclude"
    )
    panel.post("connection/disconnect")

    both, one = {"ES": "calzados_es", "PT": "calzados_pt"}, {"ES": "calzados_es"}
    assert [row[2:] for row in rows(panel.store)][-2:] == [
        ("general.excluded_products", ["SKU-1"], ["SKU-1", "SKU-9"]),
        ("countries", both, one),
    ]
    assert {row[2] for row in rows(panel.store)[:-2]} == {
        "connection.accounts",
        "connection.passwords",
        "countries",
    }


def test_secrets_are_named_and_never_kept(panel: Panel) -> None:
    before = panel.store.report_token
    panel.post("settings/reports/address")
    panel.store.connections.update(password="")
    panel.post("connection/disconnect")

    kept = json.dumps(list(panel.store.setting_changes.values("before", "after")))
    page = panel.get("settings/history/").content.decode()
    for secret in (before, panel.store.report_token, "secret"):
        assert secret not in kept
        assert f">{secret}<" not in page
    trigger = panel.store.setting_changes.get(key="reports.trigger_url")
    assert (trigger.before, trigger.after) == (None, None)
    assert undo(panel, trigger) == "not_undone"


@pytest.mark.parametrize(
    ("arguments", "source", "by"),
    [((), "command", ""), (("--support", "Marta"), "support", "Marta")],
)
def test_the_command_says_who_imported(
    tmp_path: Path, panel: Panel, arguments: tuple[str, ...], source: str, by: str
) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"reports": {"hour": 7}}))
    call_command("store_settings", "abc123", "--import", str(file), *arguments, stdout=StringIO())

    assert rows(panel.store) == [(source, by, "reports.hour", 4, 7)]
    page = panel.get("settings/history/").content.decode()
    shown = "SeQura's support (Marta)" if by else "Command line"
    assert ("04:00" in page, "07:00" in page, shown in page) == (True, True, True)


def test_an_import_leaves_what_somebody_else_changed_meanwhile(panel: Panel) -> None:
    stale = Store.objects.get(pk=panel.store.pk)
    Store.objects.update(allowed_ips=["198.51.100.0/24"])

    import_settings(stale, {"reports": {"hour": 7}})

    panel.store.refresh_from_db()
    assert (panel.store.allowed_ips, panel.store.reports_hour) == (["198.51.100.0/24"], 7)


def test_what_changes_again_before_it_is_undone_stays(panel: Panel) -> None:
    import_settings(panel.store, {"reports": {"hour": 7}})
    change = panel.store.setting_changes.get()
    stale = Store.objects.get(pk=panel.store.pk)
    import_settings(panel.store, {"reports": {"hour": 9}})

    assert not store_settings.undo(stale, change, Author("page", "ana@shop.example"))
    panel.store.refresh_from_db()
    assert panel.store.reports_hour == 9


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.column)
def test_every_setting_of_the_registry_is_recorded_and_undone(panel: Panel, setting: Any) -> None:
    store = panel.store
    document: dict[str, Any] = {}
    before = getattr(store, setting.column)
    after = [8] if setting.column == "cancelling_statuses" else CHANGED[setting.column]
    after = [] if before == after else after
    setting.export(document, after)
    import_settings(store, document)
    change = store.setting_changes.get(key=setting.key)  # a first webhook has a secret, too
    assert (change.before, change.after) == (before, after)
    assert panel.get("settings/history/").status_code == 200

    assert undo(panel, change) == "undone"

    assert getattr(panel.store, setting.column) == before
    assert rows(panel.store)[0] == ("page", "ana@shop.example", setting.key, after, before)


def test_countries_are_undone(panel: Panel) -> None:
    panel.post("countries/", ES="calzados_es", PT="")
    assert undo(panel, panel.store.setting_changes.get()) == "undone"
    assert [one.country for one in connect.selling(panel.store)] == ["ES", "PT"]


def test_nothing_is_undone_over_a_later_change(panel: Panel) -> None:
    for hour in (7, 9):
        import_settings(panel.store, {"reports": {"hour": hour}})
    first, second = panel.store.setting_changes.order_by("id")

    assert undo(panel, first) == "not_undone"
    assert Store.objects.get().reports_hour == 9
    page = panel.get("settings/history/").content.decode()
    assert f"history/{second.pk}/undo" in page
    assert f"history/{first.pk}/undo" not in page


def test_a_value_that_is_not_valid_any_more_is_not_undone(panel: Panel) -> None:
    import_settings(panel.store, {"shipped_statuses": [2]})
    import_settings(panel.store, {"cancelling_statuses": [5, 6, 10]})
    change = panel.store.setting_changes.get(key="shipped_statuses")

    assert undo(panel, change) == "not_undone"
    assert Store.objects.get().shipped_statuses == [2]


def test_another_store_can_undo_nothing_here(panel: Panel) -> None:
    import_settings(panel.store, {"reports": {"hour": 7}})
    other = Panel(filled_store("other9"))
    change = panel.store.setting_changes.get()
    assert other.post(f"settings/history/{change.pk}/undo").status_code == 404
    assert "07:00" not in other.get("settings/history/").content.decode()
    assert Store.objects.get(hash="abc123").reports_hour == 7


def test_what_is_refused_is_not_recorded(panel: Panel) -> None:
    with pytest.raises(Refused):
        import_settings(panel.store, {"reports": {"hour": 7}, "shipped_statuses": [5]})
    assert rows(panel.store) == []
    assert export_settings(panel.store)["reports"]["hour"] == 4


def test_the_orders_that_a_change_affects_are_seen_before_it_is_saved(panel: Panel) -> None:
    Order.objects.filter(bigcommerce_id__in=[1005, 1006, 1012]).update(seen_status=9)
    Order.objects.filter(bigcommerce_id=1007).update(seen_status=2)
    long_ago = timezone.now() - timedelta(days=31)
    shipped = {"unshipped_cart": {"items": []}, "shipped_cart": {"items": [{}]}}
    for number, left in ((1020, True), (1021, False)):  # 1020 left more than 30 days ago
        Order.objects.filter(bigcommerce_id=number).update(
            seen_status=9,
            accepted_update=shipped if left else {"unshipped_cart": {"items": [{}]}},
            accepted_at=long_ago,
        )
    page = panel.get("settings/order-statuses/").content.decode()

    assert page.count("Awaiting Shipment: 3 open orders") == 2  # in both lists; 1012 is cancelled
    assert page.count("Enviado: 1 open order<") == 2
    assert "A change affects 2 orders in review." in page


def test_a_storefront_s_own_setting_is_named_with_it(panel: Panel) -> None:
    import_settings(panel.store, {"channels": {"7": {"order_statuses": {"approved": None}}}})

    page = panel.get("settings/history/").content.decode()

    assert "Outlet: Order status settings: Paid" in page
    assert "As in the store" in page
    assert undo(panel, panel.store.setting_changes.get()) == "undone"
