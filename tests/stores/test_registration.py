"""Webhooks, script and panel: list, then create or repair, and never a second copy."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import OperationalError

from stores import registration, tasks
from stores.isolation import only_one
from stores.models import PanelSession, PanelUser, SpentPayload, Store
from stores.registration import checkout_script, parts
from stores.registration.parts import Health
from tests.stores.test_install import held_elsewhere
from tests.stores.world import World

pytestmark = pytest.mark.django_db
# The storage of the settings is not Django's default.
HASHED = staticfiles_storage.stored_name(checkout_script.FILE)  # type: ignore[attr-defined]


def changes(world: World) -> list[tuple[str, str]]:
    """What was written, and not only read."""
    query = "graphql"
    writes = [call for call in world.calls if call[0] != "GET" and not call[1].endswith(query)]
    mutations = [body for body in world.bodies if body and "mutation" in str(body.get("query"))]
    return writes + [("MUTATION", query) for _ in mutations]


@pytest.fixture
def store(installed: Store, world: World) -> Store:
    """Installed, with everything in place."""
    world.calls.clear()
    world.bodies.clear()
    return installed


def test_webhooks_are_explicit_and_carry_the_store_s_secret(store: Store, world: World) -> None:
    assert [hook["scope"] for hook in world.hooks] == list(parts._SCOPES)
    assert not any("*" in hook["scope"] for hook in world.hooks)
    assert {
        (hook["destination"], hook["is_active"], str(hook["headers"])) for hook in world.hooks
    } == {
        (
            f"http://app.localhost:9/webhooks/bigcommerce/{store.public_id}",
            True,
            str({"X-Webhook-Secret": store.webhook_secret}),
        )
    }


def test_script_carries_its_hash_and_the_store(store: Store, world: World) -> None:
    (script,) = world.scripts
    assert {name: script[name] for name in script if name != "uuid"} == {
        "name": "SeQura checkout",
        "description": "Offers SeQura's payment methods in the checkout.",
        "kind": "src",
        "src": f"http://app.localhost:9/static/{HASHED}?store={store.public_id}",
        "location": "footer",
        "load_method": "default",
        "visibility": "checkout",
        "consent_category": "essential",
        "auto_uninstall": True,
        "enabled": True,
        "channel_id": 1,
        "integrity_hashes": [checkout_script._integrity()],
    }
    assert HASHED != checkout_script.FILE


def test_order_panel_has_its_label_in_five_languages(store: Store, world: World) -> None:
    (extension,) = world.extensions
    assert (extension["context"], extension["model"]) == ("PANEL", "ORDERS")
    assert extension["url"] == "/orders/${id}/sequra"
    label = extension["label"]
    texts = [label["defaultValue"], *(one["value"] for one in label["locales"])]
    assert [one["localeCode"] for one in label["locales"]] == ["es-ES", "fr-FR", "it-IT", "pt-PT"]
    assert max(map(len, texts)) <= 25


def test_registering_again_changes_nothing(store: Store, world: World) -> None:
    assert registration.register(store)
    assert changes(world) == []


def test_what_was_changed_or_doubled_is_put_right(store: Store, world: World) -> None:
    world.hooks[0]["is_active"] = False
    world.hooks[1]["destination"] = "https://old.example/webhooks"
    world.hooks[2]["headers"] = None
    world.hooks.append({**world.hooks[3], "id": 900, "destination": "https://old.example"})
    world.hooks.append({**world.hooks[3], "id": 901, "scope": "store/order/*"})
    world.scripts.append({**world.scripts[0], "uuid": "twin"})
    world.scripts[0]["consent_category"] = "analytics"
    world.extensions.append({**world.extensions[0], "id": "bc/store/appExtension/900"})
    world.extensions[0]["label"] = {"defaultValue": "Old", "locales": []}

    assert registration.register(store)

    test_webhooks_are_explicit_and_carry_the_store_s_secret(store, world)
    test_script_carries_its_hash_and_the_store(store, world)
    test_order_panel_has_its_label_in_five_languages(store, world)


def test_a_new_script_keeps_the_old_hash_along(store: Store, world: World) -> None:
    old = [f"sha384-{number}" for number in range(5)]
    world.scripts[0] |= {"src": "http://app.localhost:9/old.js", "integrity_hashes": old}

    registration.register(store)

    (script,) = world.scripts
    assert script["integrity_hashes"] == [checkout_script._integrity(), *old[:4]]
    assert HASHED in script["src"]


def test_every_storefront_gets_the_script(store: Store, world: World) -> None:
    world.channels.append({"id": 2, "name": "Boutique"})

    registration.register(store, accepted=frozenset({2}))

    assert sorted(script["channel_id"] for script in world.scripts) == [1, 2]
    store.refresh_from_db()
    assert store.origins == {
        "https://tienda.example",
        "https://boutique.example",
        "https://pay.boutique.example",
        "https://store-abc123.mybigcommerce.com",
        "https://store-abc123-1.mybigcommerce.com",
        "https://store-abc123-2.mybigcommerce.com",
    }


def test_the_script_of_a_closed_storefront_goes(store: Store, world: World) -> None:
    world.channels.append({"id": 2, "name": "Boutique"})
    registration.register(store, accepted=frozenset({2}))
    world.channels.pop()

    registration.register(store)

    assert [script["channel_id"] for script in world.scripts] == [1]


def test_one_refusal_does_not_stop_the_rest(store: Store, world: World) -> None:
    world.hooks.clear()
    world.scripts.clear()
    world.extensions.clear()
    words = {"status": 422, "title": "Scripts are not allowed on this plan"}
    world.refuse["POST .*/content/scripts"] = 422, words

    assert not registration.register(store)

    assert (len(world.hooks), len(world.scripts), len(world.extensions)) == (10, 0, 1)
    store.refresh_from_db()
    (problem,) = store.registration["script"]["problems"]
    assert (problem["kind"], problem["name"]) == ("failed", "Tienda")
    assert "Scripts are not allowed on this plan" in problem["words"]
    assert store.registration_due


def test_a_lost_answer_makes_no_second_copy(store: Store, world: World) -> None:
    """The work was done, its answer was not heard: the list tells, nothing is repeated."""
    world.refuse["POST .*/hooks"] = 422, {"title": "Webhook exists"}

    assert registration.register(store)
    assert len(world.hooks) == 10


def test_the_task_goes_on_after_an_outage(store: Store, world: World) -> None:
    world.extensions.clear()
    world.refuse["POST .*/graphql"] = 503, ""
    registration.register(store)
    registration.check_registration(store)
    world.refuse.clear()

    tasks.maintain_stores()
    assert world.extensions == []  # not yet

    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        tasks.maintain_stores()

    assert len(world.extensions) == 1
    store.refresh_from_db()
    assert registration.is_healthy(store)
    assert not store.registration_due


def test_a_lasting_refusal_is_asked_about_less_and_less_often(store: Store) -> None:
    start = store.authorised_at
    store.registration_due = True
    times, now = [], start
    while now < start + timedelta(days=3):
        now += timedelta(minutes=4)
        with time_machine.travel(now, tick=False):
            if registration.is_due(store):
                store.registration_started_at = now
                times.append(now)

    assert len(times) < 25


def test_a_script_that_the_merchant_removed_stays_out_until_he_repairs(
    store: Store, world: World
) -> None:
    world.scripts.clear()
    registration.check_registration(store)

    tasks.maintain_stores()

    assert world.scripts == []
    store.refresh_from_db()
    assert not registration.is_healthy(store)


def test_the_daily_look_brings_webhooks_back(store: Store, world: World) -> None:
    """BigCommerce switches off what was idle or failing."""
    world.hooks[4]["is_active"] = False
    world.scripts.clear()
    yesterday = "2026-01-01T00:00:00+00:00"
    for part in store.registration.values():
        part["at"] = yesterday
    store.save(update_fields=["registration"])

    tasks.maintain_stores()

    assert world.hooks[4]["is_active"]
    assert world.scripts == []


def test_a_dead_token_stops_everything(store: Store, world: World) -> None:
    world.tokens.append("another")

    assert not registration.register(store)

    store.refresh_from_db()
    assert store.state == Store.State.NEEDS_REAUTHORISATION


def test_a_token_that_was_replaced_meanwhile_is_not_mourned(store: Store) -> None:
    stale = Store.objects.get(pk=store.pk)
    store.authorised_at = store.authorised_at.replace(year=2027)
    store.save(update_fields=["authorised_at"])

    stale.needs_reauthorisation()

    store.refresh_from_db()
    assert store.is_installed


def grant_another_token(world: World) -> None:
    """Replace the access token as an exchange does that another process has just made."""
    world.tokens.append(f"token-{next(world.ids)}")
    Store.objects.update(
        access_token=world.tokens[-1],
        authorised_at=F("authorised_at") + timedelta(microseconds=1),
    )


def test_a_run_goes_on_with_a_token_that_is_older_than_its_start(
    store: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, steps = registration._read_information, iter([grant_another_token])

    def read_after_a_grant(read_of: Store) -> dict[str, Health]:
        for step in steps:
            step(world)
        return read(read_of)

    monkeypatch.setattr(registration, "_read_information", read_after_a_grant)
    world.hooks.clear()

    assert registration.register(store)
    assert len(world.hooks) == len(parts._SCOPES)


def test_a_token_granted_as_the_lock_comes_free_is_used(
    store: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, steps = only_one, iter([grant_another_token])

    @contextmanager
    def grant_before_release(name: str, wait: float = 0) -> Iterator[None]:
        with held(name, wait):
            yield
            for step in steps:
                step(world)
                world.hooks.clear()

    monkeypatch.setattr(registration, "only_one", grant_before_release)

    assert registration.register(store)
    assert len(world.hooks) == len(parts._SCOPES)


def test_label_is_compared_whatever_the_order() -> None:
    turned = {**parts._LABEL, "locales": parts._LABEL["locales"][::-1]}
    # A copy of a TypedDict is a dict to mypy.
    assert parts._texts(turned) == parts._texts(parts._LABEL)  # type: ignore[arg-type]


def test_looking_after_a_store_notices_a_new_storefront(store: Store, world: World) -> None:
    world.channels.append({"id": 2, "name": "Boutique"})

    tasks.refresh_store(store.pk)

    store.refresh_from_db()
    assert "https://boutique.example" in store.origins
    # It is offered to the merchant, and nothing is missing before he has decided.
    assert [one.get("new", False) for one in store.channels] == [False, True]
    assert [script["channel_id"] for script in world.scripts] == [1]
    assert registration.is_healthy(store)

    assert registration.register(store, accepted=frozenset({2}))

    assert ["new" in one for one in store.channels] == [False, False]
    assert [script["channel_id"] for script in world.scripts] == [1, 2]


def test_a_decision_about_one_storefront_leaves_the_others_to_decide_about(
    store: Store, world: World
) -> None:
    world.channels += [{"id": 2, "name": "Boutique"}, {"id": 3, "name": "Outlet"}]

    assert registration.register(store)
    assert registration.register(store, accepted=frozenset({3}))

    store.refresh_from_db()
    assert [one["id"] for one in store.channels if "new" in one] == [2]
    assert [script["channel_id"] for script in world.scripts] == [1, 3]


@pytest.mark.django_db(transaction=True)
def test_a_decision_during_another_run_is_not_lost_in_silence(store: Store, world: World) -> None:
    world.channels.append({"id": 2, "name": "Boutique"})
    assert registration.register(store)

    with held_elsewhere("registration of abc123"):
        assert not registration.register(store, wait=0, accepted=frozenset({2}))

    assert registration.register(store, wait=0, accepted=frozenset({2}))


def test_storefronts_cost_a_page_one_call_unless_one_is_new(store: Store, world: World) -> None:
    registration.register(store)
    before = len(world.calls)
    assert registration.find_storefronts(store)
    assert [path.split("?")[0] for _verb, path in world.calls[before:]] == [
        "/stores/abc123/v3/channels"
    ]

    world.channels.append({"id": 2, "name": "Boutique"})
    assert registration.find_storefronts(store)

    assert [one.get("new", False) for one in store.channels] == [False, True]


def test_a_wake_up_that_cannot_be_sent_breaks_nothing(store: Store) -> None:
    class Deaf:
        name = "deaf"

        def delay(self, *_: object) -> None:
            raise OperationalError("nobody is there")

    tasks.wake(Deaf())


def test_a_new_version_of_the_script_reaches_every_store(store: Store, world: World) -> None:
    """After a deployment the old file may be gone; nobody waits for a merchant to notice."""
    world.scripts[0] |= {
        "src": "http://app.localhost:9/old.js",
        "integrity_hashes": ["sha384-x"],
    }
    store.script_file = "storefront/old.js"
    store.save(update_fields=["script_file"])
    world.refuse["PUT .*/content/scripts/.*"] = 503, ""

    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        tasks.maintain_stores()
        world.refuse.clear()
    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        tasks.maintain_stores()

        assert HASHED in world.scripts[0]["src"]
        world.calls.clear()
        tasks.maintain_stores()
        assert world.calls == []


def test_a_script_that_the_merchant_changed_is_his_to_repair(store: Store, world: World) -> None:
    world.scripts[0]["enabled"] = False

    registration.repair_registration(store)

    assert not world.scripts[0]["enabled"]
    assert store.registration["script"]["problems"] == [
        {"kind": "changed", "name": "Tienda", "words": "enabled"}
    ]


def test_old_sessions_and_payloads_are_forgotten(store: Store, world: World) -> None:
    old = timezone.now() - timedelta(days=3)
    user = PanelUser.objects.create(store=store, bigcommerce_id=1)
    PanelSession.objects.create(user=user, digest="old", created_at=old)
    PanelSession.objects.create(user=user, digest="new")
    SpentPayload.objects.create(digest="old", at=old)
    SpentPayload.objects.create(digest="new")

    tasks.maintain_stores()

    assert PanelSession.objects.get().digest == SpentPayload.objects.get().digest == "new"
