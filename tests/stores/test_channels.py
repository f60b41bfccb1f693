"""What a storefront has of its own, in the document of settings and in their history."""

from typing import Any

import pytest

from stores import store_settings
from stores.channels import INHERIT, ChannelSettings, own
from stores.models import SettingChange, Store
from stores.settings_file import BY_CHANNEL, SETTINGS
from stores.store_settings import COMMAND, Refused, export_settings, import_settings
from tests.stores.test_settings_registry import CHANGED, make_store

pytestmark = pytest.mark.django_db
OUTLET = 7
# Another value than the default's and than CHANGED's.
OWN: dict[str, Any] = {
    "excluded_categories": [31],
    "excluded_products": [],
    "status_approved": None,
    "status_needs_review": 13,
    "status_cancelled": 6,
    "shipped_statuses": [10],
    "cancelling_statuses": [6],
}


def part_of(values: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = {}
    for setting in BY_CHANNEL:
        if setting.column in values:
            setting.export(part, values[setting.column])
    return part


def set_own(store: Store, **values: Any) -> None:
    import_settings(store, {"channels": {str(OUTLET): part_of(values)}})
    store.refresh_from_db()


def effective(store: Store, channel: int) -> dict[str, Any]:
    settings = ChannelSettings(store, channel)
    return {setting.column: getattr(settings, setting.column) for setting in BY_CHANNEL}


def test_what_is_missing_is_inherited_and_null_is_a_status_of_its_own() -> None:
    store = make_store(**CHANGED)
    of_store = {column: CHANGED[column] for column in OWN}
    assert effective(store, OUTLET) == of_store

    set_own(store, **OWN)

    assert effective(store, OUTLET) == OWN
    assert effective(store, 1) == of_store


def test_an_export_restores_a_storefront_s_settings_and_takes_later_ones_back() -> None:
    store = make_store()
    set_own(store, status_approved=None, excluded_products=[])
    exported = export_settings(store)
    assert exported["channels"]["1"]["shipped_statuses"] == INHERIT
    set_own(store, status_approved=9, shipped_statuses=[2])
    import_settings(store, {"channels": {"1": {"order_statuses": {"approved": 9}}}})

    import_settings(store, exported)

    assert export_settings(store) == exported
    store.refresh_from_db()
    assert own(store, OUTLET) == {"status_approved": None, "excluded_products": []}
    assert own(store, 1) == {}


def test_a_store_whose_storefronts_inherit_everything_exports_none() -> None:
    store = make_store()
    set_own(store, status_approved=9)
    set_own(store, status_approved=INHERIT)

    assert store.channel_settings == {}
    assert "channels" not in export_settings(store)


@pytest.mark.parametrize("setting", BY_CHANNEL, ids=lambda setting: setting.column)
def test_every_setting_of_a_storefront_is_recorded_and_undone(setting: Any) -> None:
    store = make_store()
    set_own(store, **{setting.column: OWN[setting.column]})
    change = store.setting_changes.get()
    assert (change.key, change.before) == (f"channels.{OUTLET}.{setting.key}", INHERIT)
    assert change.after == OWN[setting.column]
    assert store_settings.can_undo(change)

    assert store_settings.undo(store, change, COMMAND)

    store.refresh_from_db()
    assert store.channel_settings == {}
    back = store.setting_changes.latest("pk")
    assert (back.before, back.after) == (OWN[setting.column], INHERIT)


def test_a_storefront_s_setting_that_changed_since_is_not_undone() -> None:
    store = make_store()
    set_own(store, status_approved=9)
    change = store.setting_changes.get()
    set_own(store, status_approved=8)

    assert not store_settings.undo(store, change, COMMAND)

    store.refresh_from_db()
    assert own(store, OUTLET) == {"status_approved": 8}


def test_what_somebody_else_set_meanwhile_stays() -> None:
    store = make_store()
    stale = Store.objects.get(pk=store.pk)
    set_own(store, status_approved=9)

    import_settings(stale, {"channels": {"1": {"shipped_statuses": [2]}}})

    store.refresh_from_db()
    assert store.channel_settings == {
        str(OUTLET): {"status_approved": 9},
        "1": {"shipped_statuses": [2]},
    }


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"channels": {"7": {"order_statuses": {"approved": 15}}}}, "channels.7.order_statuses"),
        ({"channels": {"7": {"general": {"allowed_ips": []}}}}, "allowed_ips: is not a setting"),
        ({"channels": {"outlet": {}}}, "channels.outlet: is not a storefront's id"),
        ({"channels": {"2147483648": {}}}, "channels.2147483648: is not a storefront's id"),
        ({"channels": {"07": {}}}, "channels.07: is not a storefront's id"),
        ({"channels": {"7": {"countries": None}}}, "channels.7.countries"),
        ({"channels": {"7": {"countries": {"ES": "nobody"}}}}, "nobody"),
        ({"channels": {"7": {"countries": {"DE": "x"}}}}, "SeQura does not sell in 'DE'"),
        ({"channels": {"7": {"shipped_statuses": [2, 5]}}}, r"channels\.7\.cancelling_statuses: 5"),
        ({"channels": []}, "channels"),
    ],
)
def test_a_refused_storefront_stores_nothing(document: dict[str, Any], complaint: str) -> None:
    store = make_store()

    with pytest.raises(Refused, match=complaint):
        import_settings(store, {**document, "reports": {"hour": 9}})

    store.refresh_from_db()
    assert (store.channel_settings, store.reports_hour) == ({}, 4)
    assert SettingChange.objects.count() == 0


def test_a_change_of_the_store_may_not_contradict_a_storefront() -> None:
    store = make_store()
    set_own(store, shipped_statuses=[2, 8])

    with pytest.raises(Refused, match=r"channels\.7\.cancelling_statuses: 8"):
        import_settings(store, {"cancelling_statuses": [5, 6, 8]})


def test_the_settings_of_storefronts_are_settings_of_the_store() -> None:
    assert set(OWN) == {setting.column for setting in BY_CHANNEL}
    assert {*BY_CHANNEL} <= {*SETTINGS}
