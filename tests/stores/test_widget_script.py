"""The script of promotional widgets: registered where they are on, and nowhere else."""

from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

from panel.forms import WidgetsForm
from stores import registration, tasks
from stores.models import ScriptVersion, Store
from stores.registration import checkout_script
from stores.store_settings import COMMAND, import_settings, undo
from tests.stores.world import World

pytestmark = pytest.mark.django_db
# The storage of the settings is not Django's default.
HASHED = staticfiles_storage.stored_name(checkout_script.WIDGETS)  # type: ignore[attr-defined]
ON = {"widgets": {"methods": {"product": ["pp3"], "listing": ["pp3"]}}}
OFF: dict[str, Any] = {"widgets": {"methods": {}}}


@pytest.fixture
def store(installed: Store, world: World) -> Store:
    """Installed, with everything in place."""
    world.calls.clear()
    return installed


def widget_scripts(world: World) -> list[dict[str, Any]]:
    return [script for script in world.scripts if script["name"] == "SeQura widgets"]


def set_up(store: Store, document: dict[str, Any]) -> None:
    """Change settings, and let the task run that this wakes."""
    import_settings(store, document)
    tasks.place_widgets(store.pk)
    store.refresh_from_db()


def test_an_installation_without_widgets_makes_no_call_for_them(store: Store, world: World) -> None:
    assert registration.register(store)

    assert [script["name"] for script in world.scripts] == ["SeQura checkout"]
    assert [path for _verb, path in world.calls if "content/scripts" in path] == [
        "/stores/abc123/v3/content/scripts",  # the checkout script
        "/stores/abc123/v3/content/scripts",  # is looked at, and its address asked
    ]
    assert "widgets" not in store.registration


def test_turned_on_every_storefront_gets_the_script_with_what_it_is_to_do(
    store: Store, world: World
) -> None:
    world.channels.append({"id": 2, "name": "Boutique"})
    registration.register(store, accepted=frozenset({2}))

    set_up(store, ON)

    first, second = sorted(widget_scripts(world), key=lambda script: script["channel_id"])
    assert {name: first[name] for name in first if name != "uuid"} == {
        "name": "SeQura widgets",
        "description": "Shows SeQura's instalments on product, cart and listing pages.",
        "kind": "src",
        "src": (
            f"{settings.APP_URL}/static/{HASHED}?store={store.public_id}"
            "&channel=1&places=listing,product"
        ),
        "location": "footer",
        "load_method": "defer",
        "visibility": "storefront",
        "consent_category": "functional",
        "auto_uninstall": True,
        "enabled": True,
        "channel_id": 1,
        "integrity_hashes": [checkout_script._integrity(checkout_script.WIDGETS)],
    }
    assert second["src"].endswith("&channel=2&places=listing,product")
    assert (store.widget_script_file, store.widgets_due) == (HASHED, False)
    assert store.registration["widgets"]["ok"]
    assert ScriptVersion.objects.filter(name=HASHED).exists()


def test_placing_them_says_nothing_about_the_checkout_s_script(store: Store) -> None:
    Store.objects.update(script_file="an older one", registration={})  # one that nobody finished

    set_up(store, ON)

    assert (store.script_file, store.widget_script_file) == ("an older one", HASHED)
    assert not store.widgets_due


def test_what_is_saved_meanwhile_is_placed_by_the_next_run(
    store: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = registration._run

    def saved_meanwhile(*given: Any) -> Any:
        found = run(*given)
        Store.objects.update(widget_selectors={"listing": ".card"}, widgets_due=True)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(registration, "_run", saved_meanwhile)
        set_up(store, ON)
    assert store.widgets_due

    tasks.place_widgets(store.pk)
    (script,) = widget_scripts(world)
    assert script["src"].endswith("&cards=.card")


def test_turned_off_it_is_gone(store: Store, world: World) -> None:
    set_up(store, ON)

    set_up(store, OFF)

    assert [script["name"] for script in world.scripts] == ["SeQura checkout"]
    assert (store.widget_script_file, store.widgets_due) == ("", False)
    world.calls.clear()
    registration.register(store)
    assert sum("content/scripts" in path for _verb, path in world.calls) == 2


def test_a_storefront_without_sequra_has_no_widgets(store: Store, world: World) -> None:
    set_up(store, ON | {"general": {"disabled_channels": [1]}})
    assert widget_scripts(world) == []

    set_up(store, {"general": {"disabled_channels": []}})
    assert len(widget_scripts(world)) == 1


def test_another_place_or_card_changes_the_script_and_not_a_second_one(
    store: Store, world: World
) -> None:
    set_up(store, ON)

    set_up(store, {"widgets": {"methods": {"cart": ["pp3"]}, "selectors": {"listing": ".a > b"}}})

    (script,) = widget_scripts(world)
    assert script["src"].endswith("&channel=1&places=cart&cards=.a+%3E+b")


def test_undoing_and_the_form_place_it_too(store: Store, world: World) -> None:
    set_up(store, ON)
    change = store.setting_changes.get(key="widgets.methods")

    assert undo(store, change, COMMAND)
    tasks.maintain_stores()
    assert widget_scripts(world) == []

    store.refresh_from_db()
    store.widget_methods = {"product": ["pp3"]}
    form = WidgetsForm(store, {"product": ["pp3"], **LOOK})
    assert form.is_valid(), form.errors
    form.save(Store.objects.get(pk=store.pk))
    tasks.maintain_stores()
    assert len(widget_scripts(world)) == 1


LOOK = {
    "theme-type": "banner", "theme-alignment": "center", "theme-size": "M",
    "theme-amount-font-size": "15", "theme-amount-font-color": "#1C1C1C",
    "theme-font-color": "#1C1C1C", "theme-link-font-color": "#1C1C1C",
    "theme-background-color": "#FFFFFF", "theme-border-color": "#B1AEBA",
    "theme-border-radius": "0",
}  # fmt: skip


def test_a_refusal_is_tried_again_and_leaves_the_checkout_alone(store: Store, world: World) -> None:
    world.refuse["POST .*/content/scripts"] = 422, {"title": "The limit was reached"}

    set_up(store, ON)

    assert store.widgets_due
    assert not store.registration["widgets"]["ok"]
    assert registration.is_healthy(store)
    world.refuse.clear()
    Store.objects.update(maintain_due_at="1970-01-01T00:00Z")
    tasks.maintain_stores()
    assert len(widget_scripts(world)) == 1


def test_what_the_merchant_removed_or_changed_is_left(store: Store, world: World) -> None:
    set_up(store, ON)
    world.scripts[:] = [script for script in world.scripts if script["name"] == "SeQura checkout"]

    registration.repair_registration(store)

    assert widget_scripts(world) == []
    store.refresh_from_db()
    assert [one["kind"] for one in store.registration["widgets"]["problems"]] == ["missing"]
    assert registration.is_healthy(store)


def test_a_renamed_script_is_neither_doubled_nor_taken_for_the_checkouts(
    store: Store, world: World
) -> None:
    set_up(store, ON)
    (script,) = widget_scripts(world)
    script["name"] = "Instalments"

    registration.register(store)

    assert sorted(one["name"] for one in world.scripts) == ["SeQura checkout", "SeQura widgets"]
