"""What an app registers in the pretend BigCommerce: hooks, scripts, extensions; and channels."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from local.sandbox_control import SandboxControl
from sandbox.tests.bigcommerce_app import Api, exchange

HOOK = {"scope": "store/order/updated", "destination": "https://app.example.com/webhooks/1"}
SCRIPT = {
    "name": "Checkout", "kind": "src", "src": "https://app.example.com/static/checkout.js",
    "location": "footer", "load_method": "default", "visibility": "checkout",
    "consent_category": "essential", "auto_uninstall": True, "enabled": True, "channel_id": 1,
    "integrity_hashes": ["sha384-" + "A" * 64],
}  # fmt: skip
LABEL = {"defaultValue": "Order", "locales": [{"value": "Pedido", "localeCode": "es-ES"}]}
EXTENSION = {"context": "PANEL", "model": "ORDERS", "url": "/orders/${id}/x", "label": LABEL}
LIST = "query { store { appExtensions { edges { node { id context model url } } } } }"


@pytest.fixture
def api(sandbox: SandboxControl) -> Iterator[Api]:
    with Api(sandbox) as installed:
        yield installed


# --- Hooks ---------------------------------------------------------------------------------------


def test_hook_lives(api: Api) -> None:
    hook = api.call("POST", "v3/hooks", HOOK | {"headers": {"X-Secret": "s"}})["data"]
    assert (hook["is_active"], hook["headers"]) == (True, {"X-Secret": "s"})
    path = f"v3/hooks/{hook['id']}"
    assert api.get(path)["data"] == hook
    assert api.call("PUT", path, {"is_active": False})["data"]["is_active"] is False
    assert api.get("v3/hooks", is_active="true")["data"] == []
    assert api.get("v3/hooks/admin")["data"]["hooks_list"][0]["status"] == "inactive"
    api.call("DELETE", path)
    api.get(path, expect=404)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"destination": None}, "destination"),
        ({"destination": "http://app.example.com/webhooks"}, "destination"),
        ({"destination": "https://app.example.com:8443/webhooks"}, "destination"),
        ({"destination": "nonsense"}, "destination"),
        ({"scope": "order/updated"}, "scope"),
        ({"scope": "store/order/"}, None),
        ({"colour": "red"}, "colour"),
        ({"is_active": "yes"}, "is_active"),
        ({"headers": {"X": 1}}, "headers"),
        ({"headers": {"X" * 65: "1"}}, "headers"),
    ],
)
def test_hook_is_refused(api: Api, change: dict[str, Any], field: str | None) -> None:
    if field is None:
        return
    refusal = api.call("POST", "v3/hooks", HOOK | change, expect=422)
    assert list(refusal["errors"]) == [field]


def test_missing_destination_in_bigcommerces_words(api: Api) -> None:
    refusal = api.call("POST", "v3/hooks", {"scope": HOOK["scope"]}, expect=422)
    assert refusal["errors"] == {"destination": "error.path.missing."}


def test_hooks_are_limited(api: Api) -> None:
    api.call("POST", "v3/hooks", HOOK)
    api.call("POST", "v3/hooks", HOOK, expect=422)
    for number in range(2, 11):
        other = {"destination": f"https://app.example.com/webhooks/{number}"}
        api.call("POST", "v3/hooks", HOOK | other)
    api.call("POST", "v3/hooks", HOOK | {"destination": "https://a.example.com/"}, expect=422)
    api.call("PUT", f"v3/hooks/{api.get('v3/hooks')['data'][0]['id']}", {}, expect=422)


def test_hooks_come_in_pages(api: Api) -> None:
    for name in ("created", "updated", "archived"):
        api.call("POST", "v3/hooks", HOOK | {"scope": f"store/order/{name}"})
    page = api.get("v3/hooks", limit=2, page=2)
    assert len(page["data"]) == 1
    pagination = page["meta"]["pagination"]
    assert (pagination["total"], pagination["total_pages"]) == (3, 2)


def test_admin_shows_blocked_domains(api: Api) -> None:
    api.sandbox.knobs(blocked_domains=["app.example.com"])
    blocked = api.get("v3/hooks/admin")["data"]["blocked_domains"]
    assert blocked[0]["destination"] == "https://app.example.com"
    body = {"emails": ["ops@example.com"]}
    assert api.call("PUT", "v3/hooks/admin", body, expect=204) is None


# --- Scripts -------------------------------------------------------------------------------------


def test_script_lives(api: Api) -> None:
    script = api.call("POST", "v3/content/scripts", SCRIPT)["data"]
    assert {name: script[name] for name in SCRIPT} == SCRIPT
    path = f"v3/content/scripts/{script['uuid']}"
    changed = api.call("PUT", path, {"src": "https://app.example.com/2.js"})["data"]
    assert (changed["src"], changed["name"]) == ("https://app.example.com/2.js", "Checkout")
    assert api.get("v3/content/scripts?channel_id:in=1")["data"] == [changed]
    assert api.get("v3/content/scripts?channel_id:in=2")["data"] == []
    assert api.call("DELETE", path, expect=204) is None
    api.get(path, expect=404)
    api.get(f"v3/content/scripts/{uuid4()}", expect=404)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"kind": "link"}, "kind"),
        ({"src": ""}, "src"),
        ({"visibility": "everywhere"}, "visibility"),
        ({"consent_category": "payment"}, "consent_category"),
        ({"integrity_hashes": ["md5-abc"]}, "integrity_hashes"),
        ({"integrity_hashes": ["sha384-AAAA"] * 6}, "integrity_hashes"),
        ({"kind": "script_tag", "html": "<script></script>"}, "integrity_hashes"),
        ({"channel_id": 99}, "channel_id"),
        ({"colour": "red"}, "colour"),
        ({"enabled": "yes"}, "enabled"),
    ],
)
def test_script_is_refused(api: Api, change: dict[str, Any], field: str) -> None:
    refusal = api.call("POST", "v3/content/scripts", SCRIPT | change, expect=422)
    assert list(refusal["errors"]) == [field]


def test_eleventh_script_is_refused(api: Api) -> None:
    for _ in range(10):
        api.call("POST", "v3/content/scripts", SCRIPT)
    api.call("POST", "v3/content/scripts", SCRIPT, expect=422)


def test_checkout_script_needs_its_scope(sandbox: SandboxControl) -> None:
    address = sandbox.control("POST", "auth_url", {"scope": "store_v2_content"})["url"]
    api = Api(sandbox, str(exchange(sandbox, address).json()["access_token"]))
    api.call("POST", "v3/content/scripts", SCRIPT, expect=403)
    api.call("POST", "v3/content/scripts", SCRIPT | {"visibility": "storefront"})
    api.http.close()


# --- App extensions ------------------------------------------------------------------------------


def graphql(api: Api, query: str, **fields: Any) -> Any:
    return api.call("POST", "graphql", {"query": query, "variables": {"input": fields}})


def mutation(name: str) -> str:
    kind = f"{name[0].upper()}{name[1:]}Input"
    return f"mutation X($input: {kind}!) {{ appExtension {{ {name}(input: $input) {{ id }} }} }}"


def listed(api: Api) -> list[dict[str, Any]]:
    edges = graphql(api, LIST)["data"]["store"]["appExtensions"]["edges"]
    return [edge["node"] for edge in edges]


def test_extension_lives(api: Api) -> None:
    made = graphql(api, mutation("createAppExtension"), **EXTENSION)["data"]
    node = made["appExtension"]["createAppExtension"]["appExtension"]
    assert {name: node[name] for name in EXTENSION} == EXTENSION
    label = {"defaultValue": "Orders", "locales": []}
    changes = {"id": node["id"], "data": {"label": label}}
    graphql(api, mutation("updateAppExtension"), **changes)
    assert listed(api) == [node | {"label": label}]
    gone = graphql(api, mutation("deleteAppExtension"), id=node["id"])["data"]
    deleted = gone["appExtension"]["deleteAppExtension"]["deletedAppExtensionId"]
    assert (deleted, listed(api)) == (node["id"], [])


@pytest.mark.parametrize(
    "change",
    [
        {"label": {"defaultValue": "No locales"}},
        {"label": {"defaultValue": "", "locales": []}},
        {"label": None},
        {"context": "MENU"},
        {"model": "CARTS"},
        {"url": "https://app.example.com/orders"},
        {"url": "/" + "x" * 255},
    ],
)
def test_extension_is_refused(api: Api, change: dict[str, Any]) -> None:
    answer = graphql(api, mutation("createAppExtension"), **(EXTENSION | change))
    assert answer["data"] is None
    assert answer["errors"][0]["message"]
    assert listed(api) == []


def test_third_extension_of_a_model_is_refused(api: Api) -> None:
    for _ in range(2):
        graphql(api, mutation("createAppExtension"), **EXTENSION)
    assert "errors" in graphql(api, mutation("createAppExtension"), **EXTENSION)
    assert "errors" not in graphql(
        api, mutation("createAppExtension"), **(EXTENSION | {"model": "CUSTOMERS"})
    )


@pytest.mark.parametrize("query", ["", "query {", "query { shop }", "mutation { x }"])
def test_graphql_mistakes_are_errors(api: Api, query: str) -> None:
    assert graphql(api, query)["errors"]


# --- Channels ------------------------------------------------------------------------------------


def test_second_storefront(api: Api) -> None:
    second = {"id": 2, "name": "Outlet", "url": "http://outlet.localhost:8100"}
    api.sandbox.control("POST", "channels", second)
    channels = api.get("v3/channels?available=true&type:in=storefront")["data"]
    assert [row["id"] for row in channels] == [1, 2]
    site = api.get("v3/channels/2/site")["data"]
    addresses = {row["type"]: row["url"] for row in site["urls"]}
    shop = f"http://shop.localhost:{api.sandbox.port}"
    assert (addresses["primary"], addresses["checkout"]) == (second["url"], shop)
    assert site["is_checkout_url_customized"] is False
    api.get("v3/channels/3/site", expect=404)
    settings = "v3/checkouts/settings/channels"
    terms = "is_order_terms_and_conditions_enabled"
    assert api.get(f"{settings}/2")["data"][terms] is False
    api.sandbox.knobs(terms_required=True)
    assert api.get(f"{settings}/2")["data"][terms] is True
    api.get(f"{settings}/3", expect=422)
