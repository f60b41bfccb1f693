"""/auth: A09, A10, re-consent, scopes, and ten at once."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
import requests
from django.db import connection
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from local.servers import ROOT
from panel.views import callbacks
from stores import install
from stores.isolation import only_one
from stores.models import PanelSession, Store
from tests.stores.conftest import ALL_SCOPES
from tests.stores.world import World

pytestmark = pytest.mark.django_db


def query(code: str = "code1", **fields: str) -> dict[str, str]:
    return {"code": code, "context": "stores/abc123", "scope": ALL_SCOPES, **fields}


def test_auth_stores_the_token_and_registers_everything(client: Client, world: World) -> None:
    response = client.get("/auth", query())

    store = Store.objects.get()
    assert response.status_code == 200
    assert (store.hash, store.access_token) == ("abc123", world.tokens[-1])
    assert (store.name, store.timezone, store.currency) == ("Tienda", "Europe/Madrid", "EUR")
    assert [len(rows) for rows in (world.hooks, world.scripts, world.extensions)] == [10, 1, 1]
    assert world.bodies[0] == {
        "client_id": "demo-client-id",
        "client_secret": "demo-client-secret-0123456789abcdef",
        "code": "code1",
        "context": "stores/abc123",
        "scope": ALL_SCOPES,
        "grant_type": "authorization_code",
        "redirect_uri": "http://app.localhost:9/auth",
    }


def test_auth_never_opens_a_session(client: Client, world: World) -> None:
    response = client.get("/auth", query())

    assert not PanelSession.objects.exists()
    assert not response.cookies
    assert "/s/" not in response.content.decode()
    assert "Open SeQura" in response.content.decode()


def test_auth_shows_itself_in_the_control_panel_only(client: Client, world: World) -> None:
    response = client.get("/auth", query())

    assert "X-Frame-Options" not in response
    assert (
        "frame-ancestors https://*.mybigcommerce.com https://store-abc123.mybigcommerce.com"
        in response["Content-Security-Policy"]
    )


def test_auth_refuses_a_token_for_another_store(client: Client, world: World) -> None:
    world.codes["evil"] = "stores/good"

    response = client.get("/auth", query("evil"))

    assert response.status_code == 400
    assert not Store.objects.exists()


@pytest.mark.parametrize("context", ["", "stores/", "stores/../x", "abc123", "stores/ABC"])
def test_auth_refuses_what_names_no_store(client: Client, world: World, context: str) -> None:
    assert client.get("/auth", query(context=context)).status_code == 400
    assert world.calls == []
    assert not Store.objects.exists()


def test_auth_refuses_a_code_twice(client: Client, world: World) -> None:
    client.get("/auth", query())
    token = Store.objects.get().access_token

    response = client.get("/auth", query())

    assert response.status_code == 400
    assert "SeQura wasn&#x27;t installed" in response.content.decode()
    assert Store.objects.get().access_token == token


def test_auth_says_when_bigcommerce_does_not_answer(client: Client, world: World) -> None:
    world.refuse["POST /oauth2/token"] = 503, "maintenance"

    response = client.get("/auth", query())

    assert response.status_code == 503
    assert not Store.objects.exists()


def test_consenting_again_replaces_the_token_and_keeps_the_rest(
    client: Client, world: World
) -> None:
    client.get("/auth", query())
    before = Store.objects.get()
    before.needs_reauthorisation()

    client.get("/auth", query("code2"))

    after = Store.objects.get()
    assert after.access_token == world.tokens[-1] != before.access_token
    assert after.is_installed
    assert after.installed_at == before.installed_at
    assert (after.public_id, after.webhook_secret) == (before.public_id, before.webhook_secret)


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        (ALL_SCOPES, []),
        (ALL_SCOPES.replace("store_checkout ", "store_checkouts "), []),
        (ALL_SCOPES.replace("store_content_checkout", "store_checkout_content"), []),
        (ALL_SCOPES.replace("store_cart", ""), ["Carts: modify"]),
    ],
)
def test_auth_names_the_scopes_that_were_not_granted(
    client: Client, world: World, granted: str, missing: list[str]
) -> None:
    world.scope = granted

    page = client.get("/auth", query()).content.decode()

    assert ("Some permissions weren't granted" in page) == bool(missing)
    for name in missing:
        assert f"<li>{name}</li>" in page


def test_the_documented_scopes_are_the_ones_the_app_needs() -> None:
    told = (ROOT / "docs" / "install.md").read_text()
    section = told.partition("### Scopes\n")[2].partition("\nThree more")[0]
    documented = re.findall(r"^\| ([^|]+?) \| [^|]+ \|$", section, re.MULTILINE)

    assert documented == ["Scope", *install._REQUIRED_SCOPES]


@pytest.mark.django_db(transaction=True)
def test_ten_installations_at_once_leave_one_of_each(live_server: LiveServer, world: World) -> None:
    def install(number: int) -> int:
        address = f"{live_server.url}/auth"
        return requests.get(address, params=query(f"code{number}"), timeout=60).status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(install, range(10)))

    # Whoever comes while another's code is exchanged is sent away at once: nobody waits.
    assert set(statuses) <= {200, 503}
    assert 200 in statuses
    assert Store.objects.get().access_token == world.tokens[-1]
    assert [len(rows) for rows in (world.hooks, world.scripts, world.extensions)] == [10, 1, 1]


@pytest.mark.usefixtures("one_window")
def test_one_stores_attempts_are_limited_and_another_store_installs(
    client: Client, world: World, db: None
) -> None:
    asked = {"code": "nonsense", "context": "stores/somebody", "scope": "x"}
    statuses = [client.get("/auth", asked).status_code for _ in range(21)]
    assert (set(statuses[:20]), statuses[20]) == ({400}, 429)
    good = {"code": "code39", "context": "stores/abc123", "scope": ALL_SCOPES}
    assert client.get("/auth", good).status_code == 200


@pytest.mark.usefixtures("one_window")
def test_a_household_is_limited_whatever_store_it_names(
    client: Client, world: World, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "_OF_AN_ADDRESS", {"allowed": 3, "seconds": 60})

    def attempt(address: str, name: str) -> int:
        asked = {"code": "nonsense", "context": f"stores/{name}", "scope": "x"}
        return client.get("/auth", asked, REMOTE_ADDR=address).status_code

    assert [attempt(f"2001:db8::{n}", f"s{n}") for n in range(1, 5)] == [400, 400, 400, 429]
    assert attempt("2001:db8:0:1::1", "s9") == 400


@contextmanager
def held_elsewhere(lock: str) -> Iterator[None]:
    """Hold the lock on another connection until the end of the block: a wait would not end."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with only_one(lock):
            held.set()
            over.wait()
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    try:
        yield
    finally:
        over.set()
        other.join()


def test_an_exchange_under_way_answers_others_at_once(
    client: Client, world: World, transactional_db: None
) -> None:
    asked = {"code": "nonsense", "context": "stores/abc123", "scope": "x"}

    with held_elsewhere("token of abc123"):
        assert client.get("/auth", asked).status_code == 503


def test_a_registration_under_way_makes_no_request_wait(
    client: Client, world: World, transactional_db: None
) -> None:
    """The store is installed; the task registers it once the other run has ended."""
    with held_elsewhere("registration of abc123"):
        answer = client.get("/auth", query())

    assert answer.status_code == 200
    assert not Store.objects.get().registration


def test_few_exchanges_are_under_way_at_a_time(client: Client, world: World, db: None) -> None:
    asked = {"code": "nonsense", "context": "stores/abc123", "scope": "x"}
    with ExitStack() as taken:
        for _ in range(4):
            taken.enter_context(install._exchanges.entered("all"))
        assert client.get("/auth", asked).status_code == 503
        assert world.calls == []
    assert client.get("/auth", asked).status_code == 400
