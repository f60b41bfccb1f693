"""Webhooks of the pretend BigCommerce: signed, several per action, twice, late, lost, retried."""

import hashlib
import json
import time
from collections.abc import Iterator

import pytest

from local.sandbox_control import SandboxControl
from sandbox.tests.bigcommerce_app import Api, Ears

SCOPES = (
    "order/created", "order/updated", "order/statusUpdated", "order/archived",
    "order/refund/created", "shipment/created", "shipment/updated", "shipment/deleted",
)  # fmt: skip


@pytest.fixture
def api(sandbox: SandboxControl) -> Iterator[Api]:
    with Api(sandbox) as installed:
        yield installed


@pytest.fixture
def ears() -> Iterator[Ears]:
    with Ears() as listening:
        yield listening


def listen(api: Api, ears: Ears) -> None:
    for scope in SCOPES:
        api.hook(f"store/{scope}", ears.url, **{"X-Secret": "s3cret"})


def test_event_is_signed_and_as_documented(api: Api, ears: Ears) -> None:
    order = api.order()
    listen(api, ears)
    api.merchant("set_status", order["id"], status_id=5)
    hooks = ears.wait(2)
    [hook] = [hook for hook in hooks if "status" in hook.event["data"]]
    assert hook.is_signed
    assert hook.path == "/webhooks"
    assert (hook.headers["X-Secret"], hook.headers["Content-Type"]) == (
        "s3cret", "application/json",
    )  # fmt: skip
    event = hook.event
    assert abs(event.pop("created_at") - time.time()) < 5
    data = {
        "type": "order", "id": order["id"],
        "status": {"previous_status_id": 11, "new_status_id": 5},
    }  # fmt: skip
    encoded = json.dumps(data, separators=(",", ":")).encode()
    assert event == {
        "scope": "store/order/statusUpdated", "store_id": "1025646", "data": data,
        "hash": hashlib.sha1(encoded, usedforsecurity=False).hexdigest(),
        "producer": "stores/demo123",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("action", "arguments", "scopes"),
    [
        ("edit_order", {"discount": 1}, ["order/updated"]),
        ("edit_billing_address", {"city": "Girona"}, ["order/updated"]),
        ("add_note", {"text": "Hello"}, ["order/updated"]),
        ("ship", {}, ["order/statusUpdated", "order/updated", "shipment/created"]),
        ("refund", {"amount": 1},
         ["order/refund/created", "order/statusUpdated", "order/updated"]),
        ("refund", {"amount": 1, "declined": True}, ["order/refund/created", "order/updated"]),
        ("cancel", {}, ["order/statusUpdated", "order/updated"]),
        ("archive", {}, ["order/archived", "order/updated"]),
    ],
)  # fmt: skip
def test_action_tells_its_hooks(
    api: Api, ears: Ears, action: str, arguments: dict[str, object], scopes: list[str]
) -> None:
    order = api.order()
    listen(api, ears)
    api.merchant(action, order["id"], **arguments)
    ears.wait(len(scopes))
    ears.settle()
    assert ears.scopes() == scopes


def test_refused_action_tells_nothing(api: Api, ears: Ears) -> None:
    order = api.order()
    listen(api, ears)
    api.call("PUT", f"v2/orders/{order['id']}", {"status_id": 5, "external_id": "x"}, expect=400)
    assert ears.settle() == []


def test_copies_share_hash_and_id(api: Api, ears: Ears) -> None:
    order = api.order()
    listen(api, ears)
    api.sandbox.control("POST", "webhooks/duplicate", {"copies": 2})
    api.merchant("add_note", order["id"], text="x")
    hooks = ears.wait(3)
    assert len({hook.event["hash"] for hook in hooks}) == 1
    assert len({hook.headers["webhook-id"] for hook in hooks}) == 1


def test_held_events_are_released_in_reverse(api: Api, ears: Ears) -> None:
    order = api.order()
    listen(api, ears)
    api.sandbox.control("POST", "webhooks/hold")
    for status in (9, 10, 5):
        api.merchant("set_status", order["id"], status_id=status)
    assert ears.settle() == []
    assert api.sandbox.control("POST", "webhooks/reorder", {"copies": 2})["released"] == 6
    events = [hook.event["data"] for hook in ears.wait(12)]
    seen = [data["status"]["new_status_id"] for data in events if "status" in data]
    assert seen[0] == 5
    assert sorted(seen) == [5, 5, 9, 9, 10, 10]


def test_dropped_events_never_come(api: Api, ears: Ears) -> None:
    order = api.order()
    listen(api, ears)
    api.sandbox.control("POST", "webhooks/drop")
    api.merchant("ship", order["id"])
    assert ears.settle() == []
    api.sandbox.control("POST", "webhooks/drop", {"on": False})
    api.merchant("add_note", order["id"], text="x")
    ears.wait(1)


def test_failed_delivery_is_repeated_and_the_hook_deactivated(api: Api, ears: Ears) -> None:
    order = api.order()
    number = api.hook("store/order/updated", ears.url)
    api.sandbox.knobs(webhook_retries=[0.05, 0.05])
    ears.status = 500
    api.merchant("add_note", order["id"], text="x")
    hooks = ears.wait(3)
    assert len({hook.headers["webhook-id"] for hook in hooks}) == 1
    ears.settle()
    assert len(ears.received) == 3
    assert api.get(f"v3/hooks/{number}")["data"]["is_active"] is False
    assert api.get("v3/hooks/admin")["data"]["hooks_list"][0]["status"] == "deactivated"
    ears.status = 200
    api.merchant("add_note", order["id"], text="y")
    assert len(ears.settle()) == 3
    api.call("PUT", f"v3/hooks/{number}", {"is_active": True})
    api.merchant("add_note", order["id"], text="z")
    ears.wait(4)


def test_wildcards_and_channel_scopes(api: Api, ears: Ears) -> None:
    order = api.order()
    api.hook("store/order/*", ears.url + "/wild")
    api.hook("store/channel/1/order/updated", ears.url + "/channel")
    api.merchant("cancel", order["id"])
    hooks = ears.wait(3)
    assert sorted(hook.path for hook in hooks) == [
        "/webhooks/channel", "/webhooks/wild", "/webhooks/wild",
    ]  # fmt: skip


def test_unsigned_when_turned_off(api: Api, ears: Ears) -> None:
    order = api.order()
    listen(api, ears)
    api.sandbox.knobs(webhook_signed=False)
    api.merchant("add_note", order["id"], text="x")
    assert "webhook-signature" not in ears.wait(1)[0].headers


def test_log_of_webhooks(api: Api, ears: Ears) -> None:
    order = api.order()
    listen(api, ears)
    api.merchant("add_note", order["id"], text="x")
    ears.wait(1)
    ears.settle(0.1)
    log = api.sandbox.control("GET", "webhooks")
    assert log["pending"] == 0
    assert [(row["scope"], row["status"], row["attempts"]) for row in log["events"]] == [
        ("store/order/updated", 200, 1)
    ]


def test_sandbox_emits_anything_on_demand(api: Api, ears: Ears) -> None:
    api.hook("store/app/uninstalled", ears.url)
    wish = {"scope": "store/app/uninstalled", "data": {"type": "store"}}
    api.sandbox.control("POST", "webhooks/emit", wish)
    assert ears.wait(1)[0].event["data"] == {"type": "store"}
