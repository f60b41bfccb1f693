"""/uninstall and /remove_user: A07, A08, A12, and what is destroyed."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from orders import topics
from orders.models import WebhookEvent
from orders.sync.worker import take_events
from orders.topics import UNINSTALLED
from stores import install
from stores.models import Connection, PanelSession, PanelUser, Store
from tests.stores.conftest import ALL_SCOPES, Panel, Sign, panel_for
from tests.stores.world import World

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


@pytest.fixture
def call(client: Client) -> Call:
    def get(path: str, token: str, **query: str) -> Any:
        response = client.get(path, {"signed_payload_jwt": token, **query})
        return response.status_code, response.json()

    return get


def connect(store: Store) -> Connection:
    return Connection.objects.create(
        store=store,
        deployment="sequra",
        environment="sandbox",
        username="sequra",
        password="planted-password",
        api_url="http://127.0.0.1:9",
    )


def test_uninstall_destroys_every_secret_at_once(call: Call, sign: Sign, installed: Store) -> None:
    connect(installed)
    panel = panel_for(installed)

    assert call("/uninstall", sign()) == (200, {"status": "uninstalled"})

    store = Store.objects.get()
    assert (store.state, store.access_token) == (Store.State.UNINSTALLED, "")
    assert store.webhook_secret not in ("", installed.webhook_secret)
    assert store.report_token not in ("", installed.report_token)
    assert (Connection.objects.get().password, Connection.objects.get().state) == ("", "archived")
    assert panel.get().status_code == 401
    assert not PanelUser.objects.exists()


def test_uninstall_lets_other_apps_destroy_theirs(
    call: Call, sign: Sign, installed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Store] = []

    def uninstalled(store: Store) -> tuple[int, ...]:
        seen.append(store)
        return ()

    monkeypatch.setattr(apps.get_app_config("orders"), "uninstalled", uninstalled)

    call("/uninstall", sign())

    assert seen == [installed]


def test_an_old_uninstall_cannot_touch_a_new_installation(
    call: Call, sign: Sign, installed: Store, client: Client, world: World
) -> None:
    old = sign()
    call("/uninstall", old)
    query = {"code": "code1", "context": "stores/abc123", "scope": ALL_SCOPES}
    assert client.get("/auth", query).status_code == 200

    assert call("/uninstall", old) == (200, {"status": "ignored"})

    assert Store.objects.get().is_installed


def test_an_uninstall_from_before_the_installation_is_ignored(
    call: Call, sign: Sign, installed: Store
) -> None:
    assert call("/uninstall", sign(iat=int(time.time()) - 30)) == (200, {"status": "ignored"})
    assert Store.objects.get().is_installed


def test_reinstalling_gives_new_secrets_and_the_old_name(
    call: Call, sign: Sign, installed: Store, client: Client, world: World
) -> None:
    call("/uninstall", sign())
    query = {"code": "code1", "context": "stores/abc123", "scope": ALL_SCOPES}
    client.get("/auth", query)

    store = Store.objects.get()
    assert store.public_id == installed.public_id
    assert store.installed_at > installed.installed_at
    assert {hook["headers"]["X-Webhook-Secret"] for hook in world.hooks} == {store.webhook_secret}


def test_callbacks_act_on_the_signed_store_only(call: Call, sign: Sign, installed: Store) -> None:
    other = Store.objects.create(hash="other", access_token="token")

    call("/uninstall", sign(), store="other", sub="stores/other", context="stores/other")

    other.refresh_from_db()
    assert other.is_installed
    assert not Store.objects.get(hash="abc123").is_installed


def test_uninstalling_an_unknown_store_is_nothing(call: Call, sign: Sign) -> None:
    assert call("/uninstall", sign("unknown")) == (200, {"status": "ignored"})


def test_remove_user_ends_his_open_pages(call: Call, sign: Sign, panel: Panel) -> None:
    colleague = panel_for(panel.store, 10)
    other = panel_for(Store.objects.create(hash="other"))
    assert colleague.get().status_code == 200

    assert call("/remove_user", sign(user_id=10), user="9") == (200, {"status": "removed"})

    assert colleague.get().status_code == 401
    assert (panel.get().status_code, other.get().status_code) == (200, 200)
    assert call("/remove_user", sign(user_id=10)) == (200, {"status": "removed"})


@pytest.mark.parametrize("path", ["/uninstall", "/remove_user"])
def test_callbacks_refuse_what_bigcommerce_did_not_sign(
    call: Call, sign: Sign, panel: Panel, path: str
) -> None:
    head, body, _ = sign().split(".")
    _, _, foreign = sign(user_id=1).split(".")

    status, answer = call(path, f"{head}.{body}.{foreign}")

    assert (status, answer) == (401, {"error": "signed_payload_jwt is not valid"})
    assert panel.get().status_code == 200


def test_sessions_end_after_an_hour_of_idleness_and_after_half_a_day(panel: Panel) -> None:
    session = PanelSession.objects.get()
    for idle, age, status in [
        (timedelta(minutes=59), timedelta(hours=11), 200),
        (timedelta(minutes=61), timedelta(hours=2), 401),
        (timedelta(minutes=1), timedelta(hours=12, minutes=1), 401),
    ]:
        now = timezone.now()
        PanelSession.objects.filter(pk=session.pk).update(used_at=now - idle, created_at=now - age)
        assert panel.get().status_code == status


def test_a_dump_of_the_database_holds_no_secret(installed: Store, world: World) -> None:
    """A50: what is planted does not appear in any column."""
    connect(installed)
    planted = [installed.access_token, installed.webhook_secret, "planted-password"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t::text FROM stores_store t UNION ALL SELECT c::text FROM stores_connection c"
        )
        dump = "\n".join(row[0] for row in cursor.fetchall())

    assert [secret for secret in planted if secret in dump] == []


CLERK = {"id": 77, "email": "clerk@example.com", "locale": "es"}


def test_a_clerks_payload_uninstalls_nothing_that_bigcommerce_still_grants(
    call: Call, sign: Sign, installed: Store
) -> None:
    assert call("/uninstall", sign(user=CLERK)) == (200, {"status": "ignored"})
    installed.refresh_from_db()
    assert (installed.state, bool(installed.access_token)) == ("installed", True)


def test_a_clerk_may_uninstall_what_bigcommerce_has_revoked(
    call: Call, sign: Sign, installed: Store, world: World
) -> None:
    world.refuse["GET .*/v2/store"] = (401, {"title": "Unauthorized"})
    assert call("/uninstall", sign(user=CLERK)) == (200, {"status": "uninstalled"})
    installed.refresh_from_db()
    assert installed.state == "uninstalled"


def test_a_token_that_is_revoked_a_moment_later_is_noticed(
    call: Call, sign: Sign, installed: Store, world: World
) -> None:
    call("/uninstall", sign(user=CLERK))
    world.refuse["GET .*/v2/store"] = (401, {"title": "Unauthorized"})
    install.uninstall_what_was_revoked()
    installed.refresh_from_db()
    assert (installed.state, installed.uninstall_asked_at) == ("uninstalled", None)


DATES: list[Any] = [None, "1700000000", True, [], 10**12]
UNDATED: list[dict[str, Any]] = [{}, *({"created_at": date} for date in DATES)]


@pytest.fixture(params=UNDATED, ids=str)
def undated(request: pytest.FixtureRequest, installed: Store) -> WebhookEvent:
    """An `app/uninstalled` that does not tell of which installation it speaks."""
    return WebhookEvent.objects.create(
        store=installed, scope=UNINSTALLED, hash="x", payload=request.param
    )


def test_an_undated_event_uninstalls_nothing_that_bigcommerce_still_grants(
    undated: WebhookEvent, installed: Store, world: World
) -> None:
    topics.handle(installed.pk, undated.scope)
    installed.refresh_from_db()
    assert (installed.state, bool(installed.access_token)) == ("installed", True)

    world.refuse["GET .*/v2/store"] = (401, {"title": "Unauthorized"})
    install.uninstall_what_was_revoked()
    installed.refresh_from_db()
    assert (installed.state, installed.access_token) == ("uninstalled", "")


def test_an_undated_event_causes_no_call_while_events_are_locked(
    undated: WebhookEvent, installed: Store, world: World
) -> None:
    world.refuse["GET .*/v2/store"] = (401, {"title": "Unauthorized"})
    world.calls.clear()
    take_events()
    install.uninstall_what_was_revoked(until=0.0)  # no time is left in this run
    undated.refresh_from_db()
    installed.refresh_from_db()
    assert (world.calls, undated.outcome, installed.state) == ([], "ignored", "installed")

    install.uninstall_what_was_revoked()
    installed.refresh_from_db()
    assert (installed.state, installed.uninstall_asked_at) == ("uninstalled", None)


def test_an_undated_event_uninstalls_what_bigcommerce_has_revoked(
    undated: WebhookEvent, installed: Store, world: World
) -> None:
    world.refuse["GET .*/v2/store"] = (401, {"title": "Unauthorized"})
    topics.handle(installed.pk, undated.scope)
    install.uninstall_what_was_revoked()
    installed.refresh_from_db()
    assert (installed.state, installed.access_token) == ("uninstalled", "")


def test_no_answer_about_an_undated_event_uninstalls_nothing(
    undated: WebhookEvent, installed: Store, world: World
) -> None:
    world.refuse["GET .*/v2/store"] = (503, {})
    topics.handle(installed.pk, undated.scope)
    install.uninstall_what_was_revoked()
    installed.refresh_from_db()
    assert installed.state == "installed"


@pytest.mark.parametrize(("later", "state"), [(-1, "installed"), (0, "uninstalled")])
def test_a_dated_event_is_about_the_installation_of_its_time(
    installed: Store, later: int, state: str
) -> None:
    moment = int(installed.installed_at.timestamp()) + later
    WebhookEvent.objects.create(
        store=installed, scope=UNINSTALLED, hash="x", payload={"created_at": moment}
    )
    topics.handle(installed.pk, UNINSTALLED)
    installed.refresh_from_db()
    assert installed.state == state


def test_no_answer_uninstalls_nothing(
    call: Call, sign: Sign, installed: Store, world: World
) -> None:
    world.refuse["GET .*/v2/store"] = (503, {})
    assert call("/uninstall", sign(user=CLERK)) == (200, {"status": "ignored"})
    installed.refresh_from_db()
    assert installed.state == "installed"
