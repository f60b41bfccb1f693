"""/load: A01–A06, A11, where it leads, and ten at once."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
import requests
from django.conf import settings
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from panel.views import callbacks
from stores import tasks
from stores.models import PanelSession, PanelUser, SpentPayload, Store
from tests.stores.conftest import Sign
from tests.stores.world import World

pytestmark = pytest.mark.django_db
Load = Callable[..., Any]


@pytest.fixture
def load(client: Client, installed: Store) -> Load:
    return lambda token: client.get("/load", {"signed_payload_jwt": token})


def token_in(response: Any) -> str:
    return str(response["Location"].split("/")[2])


def test_load_opens_a_session_at_a_clean_address(load: Load, sign: Sign, client: Client) -> None:
    response = load(sign())

    assert response.status_code == 302
    assert response["Location"] == f"/s/{token_in(response)}/"
    assert len(token_in(response)) == 43
    assert not response.cookies
    page = client.get(response["Location"])
    assert page.status_code == 200
    assert '<html lang="es">' in page.content.decode()


def test_load_keeps_only_the_digest_of_the_token(load: Load, sign: Sign) -> None:
    token = token_in(load(sign()))

    session = PanelSession.objects.get()
    assert session.digest == hashlib.sha256(token.encode()).hexdigest()


def test_load_provisions_the_user_once(load: Load, sign: Sign) -> None:
    load(sign(user_id=7))
    load(sign(user_id=7, owner={"id": 7, "email": ""}))

    user = PanelUser.objects.get(bigcommerce_id=7)
    assert (user.email, user.locale, user.is_owner) == ("m@example.com", "es-ES", True)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("/", ""),
        ("/orders/106/sequra", "orders/106/"),
        ("/orders/106/sequra/", "orders/106/"),
        ("https://evil.example/", ""),
        ("//evil.example", ""),
        ("/orders/106/sequra?x=1", ""),
        ("/orders/1e3/sequra", ""),
        ("/orders/٣/sequra", ""),
        ("/orders/106/sequra\n", ""),
        ("/orders/../admin/sequra", ""),
    ],
)
def test_load_goes_nowhere_but_to_its_own_pages(
    load: Load, sign: Sign, url: str, where: str
) -> None:
    response = load(sign(url=url))

    assert response["Location"] == f"/s/{token_in(response)}/{where}"


@pytest.mark.parametrize(("url", "order"), [("/", None), ("/orders/106/sequra", 106)])
def test_session_remembers_the_order_whose_menu_opened_it(
    load: Load, sign: Sign, url: str, order: int | None
) -> None:
    load(sign(url=url))

    assert PanelSession.objects.get().side_panel_of == order


def mutated(token: str) -> str:
    head, body, signature = token.split(".")
    flipped = "A" if signature[0] != "A" else "B"
    return f"{head}.{body}.{flipped}{signature[1:]}"


def crafted(head: dict[str, Any], body: str, secret: str = "") -> str:
    def encode(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    signed = f"{encode(json.dumps(head).encode())}.{body}"
    digest = hmac.new(secret.encode(), signed.encode(), "sha256").digest() if secret else b""
    return f"{signed}.{encode(digest)}"


FORGERIES: dict[str, Callable[[str], str]] = {
    "flipped signature": mutated,
    "no token": lambda _: "",
    "rubbish": lambda _: "x.y.z",
    "none": lambda token: crafted({"alg": "none"}, token.split(".")[1]),
    "None": lambda token: crafted({"alg": "None", "typ": "JWT"}, token.split(".")[1]),
    "other secret": lambda token: crafted({"alg": "HS256"}, token.split(".")[1], "other"),
    "empty secret": lambda token: crafted({"alg": "HS256"}, token.split(".")[1]),
    "HS512": lambda token: jwt.encode(
        jwt.decode(token, options={"verify_signature": False}),
        settings.BIGCOMMERCE_CLIENT_SECRET * 2,
        algorithm="HS512",
    ),
    "jku": lambda token: crafted(
        {"alg": "HS256", "jku": "https://evil.example"}, token.split(".")[1], "evil"
    ),
    "kid": lambda token: crafted({"alg": "HS256", "kid": "../../dev/null"}, token.split(".")[1]),
    "RS256": lambda token: crafted(
        {"alg": "RS256"}, token.split(".")[1], settings.BIGCOMMERCE_CLIENT_SECRET
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_load_refuses_what_bigcommerce_did_not_sign(load: Load, sign: Sign, forgery: str) -> None:
    response = load(FORGERIES[forgery](sign()))

    assert response.status_code == 401
    assert not response.cookies
    assert not PanelSession.objects.exists()
    assert not PanelUser.objects.exists()
    assert not SpentPayload.objects.exists()
    assert "We couldn&#x27;t open SeQura" in response.content.decode()


BAD_CLAIMS: list[dict[str, Any]] = [
    {"aud": "another-app"},
    {"aud": ["demo-client-id", "another-app"]},
    {"iss": "evil"},
    {"sub": "stores/../x"},
    {"sub": "stores/ABC"},
    {"sub": ["stores/abc123"]},
    {"sub": 5},
    {"sub": "stores/unknown"},
    {"exp": ...},
    {"iat": ...},
    {"nbf": ...},
    {"sub": ...},
    {"user": ...},
    {"user": {"email": "x"}},
]


@pytest.mark.parametrize("claims", BAD_CLAIMS, ids=str)
def test_load_refuses_a_payload_that_is_not_for_us(
    load: Load, sign: Sign, claims: dict[str, Any]
) -> None:
    assert load(sign(**claims)).status_code == 401
    assert not PanelSession.objects.exists()


@pytest.mark.parametrize(
    ("shift", "status"),
    [
        ({"exp": -30}, 302),
        ({"exp": -62}, 401),
        ({"nbf": 30}, 302),
        ({"nbf": 65}, 401),
        ({"iat": -9 * 60}, 302),
        ({"iat": -10 * 60 - 2}, 401),
    ],
)
def test_load_knows_the_time(load: Load, sign: Sign, shift: dict[str, int], status: int) -> None:
    now = int(time.time())
    claims = {name: now + seconds for name, seconds in shift.items()}

    assert load(sign(**claims)).status_code == status


def test_load_accepts_a_payload_once(load: Load, sign: Sign) -> None:
    token = sign()

    assert load(token).status_code == 302
    again = load(token)

    assert again.status_code == 401
    assert "Open SeQura from the Apps menu" in again.content.decode()
    assert PanelSession.objects.count() == 1


def test_load_refuses_a_store_that_uninstalled(load: Load, sign: Sign, installed: Store) -> None:
    Store.objects.update(state=Store.State.UNINSTALLED)

    assert load(sign()).status_code == 401


def test_each_load_closes_the_session_before(load: Load, sign: Sign, client: Client) -> None:
    first, second = token_in(load(sign())), token_in(load(sign()))

    assert first != second
    assert client.get(f"/s/{first}/").status_code == 401
    assert client.get(f"/s/{second}/").status_code == 200


def test_load_notices_what_the_merchant_removed(
    load: Load, sign: Sign, client: Client, world: World
) -> None:
    world.scripts.clear()
    world.hooks.pop()

    english = {"id": 9, "email": "", "locale": "en-US"}
    page = client.get(load(sign(user=english))["Location"]).content.decode()

    assert "The checkout of Tienda has no SeQura script." in page
    assert "Missing: store/information/updated" in page
    store = Store.objects.get()
    kinds = {
        name: [one["kind"] for one in part["problems"]] for name, part in store.registration.items()
    }
    assert kinds == {
        "information": [],
        "webhooks": ["missing"],
        "script": ["missing"],
        "panel": [],
        "page": ["unreached"],  # nothing listens at APP_URL in this test
    }
    assert world.scripts == []


def test_load_opens_while_bigcommerce_is_away(load: Load, sign: Sign, world: World) -> None:
    world.refuse[".*/hooks"] = 503, ""

    assert load(sign()).status_code == 302


def test_a_refused_token_asks_for_a_new_consent(load: Load, sign: Sign, world: World) -> None:
    world.tokens.append("another")

    load(sign())

    assert Store.objects.get().state == Store.State.NEEDS_REAUTHORISATION


@pytest.mark.django_db(transaction=True)
def test_ten_loads_at_once_leave_one_user_and_one_session(
    live_server: LiveServer, world: World, installed: Store, sign: Sign
) -> None:
    def load(token: str) -> int:
        address, query = f"{live_server.url}/load", {"signed_payload_jwt": token}
        return requests.get(address, params=query, timeout=60, allow_redirects=False).status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(load, [sign() for _ in range(10)]))

    assert statuses == [302] * 10
    assert PanelUser.objects.count() == PanelSession.objects.count() == 1
    assert [len(rows) for rows in (world.hooks, world.scripts, world.extensions)] == [10, 1, 1]


def test_token_that_was_refused_by_mistake_works_again(
    load: Load, sign: Sign, installed: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.needs_reauthorisation()
    monkeypatch.setattr(callbacks, "wake", lambda task, *args: task(*args))

    load(sign(url="/orders/106/sequra"))

    installed.refresh_from_db()
    assert installed.state == Store.State.INSTALLED


def test_refused_token_is_probed_once_an_hour(
    installed: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.needs_reauthorisation()
    probed: list[str] = []
    monkeypatch.setattr(tasks, "_try_again", lambda store: probed.append(store.hash))

    for _ in range(3):
        tasks.maintain_stores()

    assert probed == ["abc123"]


def test_app_page_and_side_panel_are_open_side_by_side(
    load: Load, sign: Sign, client: Client
) -> None:
    """Of each there is one: opening it again ends the session before (A11)."""
    app, side = (load(sign(url=url))["Location"] for url in ("/", "/orders/106/sequra"))
    assert [client.get(page).status_code for page in (app, side)] == [200, 200]

    again = load(sign(url="/orders/107/sequra"))["Location"]
    assert [client.get(page).status_code for page in (app, side, again)] == [200, 401, 200]

    load(sign())
    assert [client.get(page).status_code for page in (app, again)] == [401, 200]


def test_a_payload_without_a_name_opens_one_session_however_it_is_written(
    load: Load, sign: Sign, installed: Store
) -> None:
    token = sign(jti=...)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + letters[letters.index(token[-1]) ^ 1]  # two bits that mean nothing
    assert load(token).status_code == 302
    assert [load(again).status_code for again in (token, token + "=", twin)] == [401] * 3


def test_sessions_end_with_the_client_secret(
    client: Client, load: Load, sign: Sign, installed: Store, settings: Settings
) -> None:
    page = load(sign())["Location"]
    assert client.get(page).status_code == 200
    settings.BIGCOMMERCE_CLIENT_SECRET = "another-secret-0123456789abcdef"
    assert client.get(page).status_code == 401
    assert not PanelSession.objects.exists()
