"""Who may ask the pretend BigCommerce, how, and how often."""

import time

import jwt
import pytest
import requests

from local.sandbox_control import SandboxControl
from local.settings import DEVELOPMENT
from sandbox.tests.bigcommerce_app import SECRET, Api, Ears, exchange


def test_code_works_once(sandbox: SandboxControl) -> None:
    address = sandbox.control("POST", "auth_url")["url"]
    first, second = exchange(sandbox, address), exchange(sandbox, address)
    assert (first.status_code, second.status_code) == (200, 400)
    assert set(first.json()) == {
        "access_token", "scope", "user", "owner", "context", "account_uuid",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client_id", "another"),
        ("client_secret", "another"),
        ("code", "never-given"),
        ("context", "stores/other"),
        ("scope", "store_v2_orders"),
        ("grant_type", "password"),
        ("redirect_uri", "http://app.localhost/elsewhere"),
        ("code", ""),
    ],
)
def test_exchange_refuses(sandbox: SandboxControl, field: str, value: str) -> None:
    address = sandbox.control("POST", "auth_url")["url"]
    assert exchange(sandbox, address, **{field: value}).status_code == 400
    if value != "never-given":
        assert exchange(sandbox, address).status_code == 200


def test_new_consent_kills_the_old_token(sandbox: SandboxControl) -> None:
    with Api(sandbox) as old, Api(sandbox) as new:
        refusal = old.get("v2/time", expect=401)
        assert set(refusal) == {"status", "title", "type"}
        assert set(new.get("v2/time")) == {"time"}


def test_missing_scope_is_403(sandbox: SandboxControl) -> None:
    address = sandbox.control("POST", "auth_url", {"scope": "store_v2_orders"})["url"]
    api = Api(sandbox, str(exchange(sandbox, address).json()["access_token"]))
    assert api.get("v2/store", expect=403)[0]["status"] == 403
    assert api.get("v2/orders", expect=204) is None
    api.http.close()


def test_customers_and_their_groups_need_the_scope_of_customers(sandbox: SandboxControl) -> None:
    sandbox.control("POST", "groups", {"id": 9, "name": "Empresas"})
    member = sandbox.control("POST", "customers", {"email": "eva@example.com", "group_id": 9})["id"]
    with Api(sandbox) as api:
        groups = api.get("v2/customer_groups")
        (customer,) = api.get("v3/customers", **{"id:in": member})["data"]
    assert (groups[-1]["id"], groups[-1]["name"]) == (9, "Empresas")
    assert customer["customer_group_id"] == 9

    address = sandbox.control("POST", "auth_url", {"scope": "store_v2_orders"})["url"]
    other = Api(sandbox, str(exchange(sandbox, address).json()["access_token"]))
    assert other.get("v2/customer_groups", expect=403)[0]["status"] == 403
    other.http.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Accept": "application/json"}, 401),
        ({"X-Auth-Token": "wrong", "Accept": "application/json"}, 401),
        ({"X-Auth-Token": "TOKEN"}, 406),
        ({"X-Auth-Token": "TOKEN", "Accept": "application/xml"}, 406),
        ({"X-Auth-Token": "TOKEN", "Accept": "application/json"}, 200),
    ],
)
def test_headers_are_checked(sandbox: SandboxControl, headers: dict[str, str], status: int) -> None:
    with Api(sandbox) as api:
        sent = {name: value.replace("TOKEN", api.token) for name, value in headers.items()}
        url = f"{sandbox.url}/stores/demo123/v2/time"
        assert requests.get(url, headers=sent, timeout=60).status_code == status


def test_body_must_be_json(sandbox: SandboxControl) -> None:
    with Api(sandbox) as api:
        headers = {"X-Auth-Token": api.token, "Accept": "application/json"}
        url = f"{sandbox.url}/stores/demo123/v3/hooks"
        form = requests.post(url, headers=headers, data={"scope": "x"}, timeout=60)
        headers["Content-Type"] = "application/json"
        broken = requests.post(url, headers=headers, data="{", timeout=60)
        assert (form.status_code, broken.status_code) == (415, 400)
        assert api.call("PATCH", "v3/hooks", {}, expect=405)["status"] == 405
        assert api.get("v3/no/such/path", expect=404)["status"] == 404
        assert api.get("v2/no/such/path", expect=404)[0]["status"] == 404


def test_quota_is_counted_and_refused(sandbox: SandboxControl) -> None:
    with Api(sandbox) as api:
        sandbox.reset()
        sandbox.knobs(quota=3)
        headers = {"X-Auth-Token": api.token, "Accept": "application/json"}
        url = f"{sandbox.url}/stores/demo123/v2/time"
        replies = [requests.get(url, headers=headers, timeout=60) for _ in range(4)]
    left = [reply.headers["X-Rate-Limit-Requests-Left"] for reply in replies]
    assert left == ["2", "1", "0", "0"]
    assert replies[3].status_code == 429
    assert 0 < int(replies[3].headers["X-Retry-After"]) <= 31
    assert 0 < int(replies[3].headers["X-Rate-Limit-Time-Reset-Ms"]) <= 30_000
    assert replies[0].headers["X-Rate-Limit-Requests-Quota"] == "3"
    assert replies[0].headers["X-Rate-Limit-Time-Window-Ms"] == "30000"


def test_load_is_signed_for_the_user(sandbox: SandboxControl) -> None:
    wish = {"user": "staff", "locale": "es-ES", "url": "/orders/7/sequra"}
    address = sandbox.control("POST", "load_url", wish)["url"]
    token = address.partition("signed_payload_jwt=")[2]
    client_id = DEVELOPMENT["BIGCOMMERCE_CLIENT_ID"]
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience=client_id)
    assert claims["sub"] == "stores/demo123"
    assert claims["user"] == {"id": 2, "email": "staff@mardefondo.example", "locale": "es-ES"}
    assert claims["owner"]["id"] == 1
    assert claims["url"] == "/orders/7/sequra"
    assert claims["iat"] - claims["nbf"] == 5
    assert claims["exp"] - claims["iat"] == 24 * 3600


def test_uninstalling_takes_everything_along(sandbox: SandboxControl) -> None:
    with Api(sandbox) as api, Ears() as ears:
        api.hook("store/order/updated", ears.url)
        address = sandbox.control("POST", "load_url", {"user": "owner"})["url"]
        assert address.startswith("http")
        sandbox.control("POST", "uninstall", {"tell": False})
        assert api.get("v2/time", expect=401)["status"] == 401
        world = sandbox.world()
        assert (world["hooks"], world["scripts"], world["extensions"]) == ([], [], [])


def test_times_are_seconds(sandbox: SandboxControl) -> None:
    with Api(sandbox) as api:
        assert abs(api.get("v2/time")["time"] - time.time()) < 5
