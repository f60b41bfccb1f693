"""The webhook's address, attacked and used over HTTP."""

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from local.sandbox_control import plain_session
from orders import webhooks
from orders.models import WebhookEvent
from orders.queue.claim import fold
from stores.install import uninstall
from stores.models import Store, new_secret

Send = Callable[..., int]
UPDATED: dict[str, Any] = {
    "scope": "store/order/updated",
    "store_id": "1025646",
    "data": {"type": "order", "id": 250},
    "hash": "352e4afc6dd3fc85ea26bfdf3f91852604d57528",
    "created_at": 1561482670,
    "producer": "stores/abc123",
}


@pytest.fixture
def store(transactional_db: None) -> Store:
    return Store.objects.create(hash="abc123", access_token="token")


@pytest.fixture
def send(live_app: str, store: Store) -> Send:
    """One request to the store's webhook address; the status of its answer."""
    session = plain_session()

    def post(
        payload: Any = UPDATED,
        *,
        secret: str | bytes | None = store.webhook_secret,
        body: bytes | None = None,
        public_id: object = store.public_id,
        method: str = "POST",
        **headers: str | bytes,
    ) -> int:
        given = {"X-Webhook-Secret": secret, **headers}
        reply = session.request(
            method,
            f"{live_app}/webhooks/bigcommerce/{public_id}",
            data=json.dumps(payload).encode() if body is None else body,
            headers={name: value for name, value in given.items() if value is not None},
            timeout=60,
        )
        assert reply.content == b""
        return reply.status_code

    return post


def signature(body: bytes, identity: str = "msg_1", timestamp: str = "1700000000") -> str:
    key = settings.BIGCOMMERCE_CLIENT_SECRET.encode()
    message = f"{identity}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()


def signed(body: bytes) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": signature(body),
    }


def rows() -> int:
    return WebhookEvent.objects.count()


def test_authentic_webhook_is_stored_once(send: Send, store: Store) -> None:
    assert send() == 204
    event = WebhookEvent.objects.get()
    assert (event.store, event.scope, event.bigcommerce_order_id) == (store, UPDATED["scope"], 250)
    assert (event.payload, event.outcome, event.deliveries) == (UPDATED, "new", 1)


def test_signed_webhook_is_stored(send: Send) -> None:
    body = json.dumps(UPDATED).encode()
    assert send(body=body, **signed(body)) == 204
    assert rows() == 1


@pytest.mark.parametrize("secret", [None, "", "wrong", "ñ".encode(), b"\xff\xfe", b"x" * 4000])
def test_forged_secret_is_refused(send: Send, secret: Any) -> None:
    assert send(secret=secret) == 401
    assert rows() == 0


BODY = json.dumps(UPDATED).encode()


@pytest.mark.parametrize(
    "value",
    [
        "v1,AAAA",
        "v1",
        "v1,,",
        "v1," + "A" * 43 + "=",
        signature(BODY)[:-4],
        signature(BODY).replace(",", ",,"),
        "v2," + signature(BODY)[3:],
        "",
        b"v1,\xff\xff",
        "v1,ñ".encode(),
    ],
)
def test_forged_signature_is_refused_although_the_secret_is_right(send: Send, value: Any) -> None:
    headers: dict[str, Any] = signed(BODY) | {"webhook-signature": value}
    assert send(body=BODY, **headers) == 401
    assert rows() == 0


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_half_a_signature_is_refused(send: Send, name: str) -> None:
    headers = signed(BODY)
    del headers[name]
    assert send(body=BODY, **headers) == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_not_allowed(send: Send, method: str) -> None:
    assert send(method=method) == 405
    assert rows() == 0


def test_secret_of_one_store_says_nothing_about_another(send: Send, store: Store) -> None:
    other = Store.objects.create(hash="other", access_token="token")
    assert send(UPDATED | {"producer": "stores/other"}) == 401
    assert send(UPDATED, public_id=other.public_id) == 401
    assert send(UPDATED, public_id=other.public_id, secret=other.webhook_secret) == 401
    assert rows() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b'{"scope": NaN}',
        b'{"scope": "store/order/updated", "data": {"id": 250}}',
        b'{"scope": "store/order/updated", "producer": 5}',
    ],
)
def test_malformed_bodies_are_refused_quickly(send: Send, body: bytes) -> None:
    began = time.thread_time()
    assert send(body=body) == 400
    assert time.thread_time() - began < 1
    assert rows() == 0


ODD_IDS = [
    b"Infinity", b"9" * 5000, b"99999999999999999999", b"0", b"-1", b"1e400", b"2.5", b"true",
    b"null", b'""', b'"\\u0000"', b'"\\ud800"', '"٣"'.encode(), b'"' + b"9" * 5000 + b'"',
    b'{"a": 1}',
    b"[[[[]]]]", b"[" * 900 + b"]" * 900, b"[" * 20_000 + b"]" * 20_000,
]  # fmt: skip
ODD_BODIES = [
    *(BODY.replace(b"250", odd) for odd in ODD_IDS),
    BODY.replace(b"order/updated", b"order/" + b"x" * 80),
    BODY.replace(b"store/order/updated", b"\\u0000"),
    BODY.replace(b"store/order/updated", b"store/something/new"),
    BODY.replace(b'"store/order/updated"', b"7"),
    BODY.replace(b'"1025646"', b'"\\u0000"'),
    BODY.replace(b'"1025646"', b'"\\ud800"'),
    BODY.replace(b'"1025646"', b'"\xff"'),
    b'{"scope": 5, "producer": "stores/abc123"}',
    b'{"producer": "stores/abc123"}',
    b'{"scope": "store/order/updated", "data": [], "producer": "stores/abc123"}',
    b'{"scope": "store/order/updated", "data": "\\u0000", "producer": "stores/abc123"}',
]


@pytest.mark.parametrize("body", ODD_BODIES, ids=range(len(ODD_BODIES)))
def test_an_authentic_webhook_is_kept_whatever_its_data(send: Send, body: bytes) -> None:
    """BigCommerce judges the domain of all stores by its failures; the row is ignored later."""
    assert send(body=body) == 204
    assert send(body=body, **signed(body)) == 204
    assert WebhookEvent.objects.get().bigcommerce_order_id in (None, 250)
    fold()
    assert WebhookEvent.objects.get().outcome in ("ignored", "parked")


def test_hostile_hash_is_replaced(send: Send) -> None:
    for told in ("\u0000", "\ud800", "x" * 65, "", 5, None, {"a": 1}, "ñ"):
        payload = {**UPDATED, "hash": told, "store_id": str(uuid4())}
        assert send(payload) == 204
    assert set(WebhookEvent.objects.values_list("outcome", flat=True)) == {"new"}


def test_big_bodies_are_refused(send: Send) -> None:
    padding = b" " * (64 * 1024 - len(BODY))
    assert send(body=BODY + padding) == 204
    assert send(body=BODY + padding + b" ") == 413
    assert send(body=b"x" * 1_000_000) == 413
    assert rows() == 1


def test_lying_content_length_is_an_answer_and_no_failure(live_app: str, store: Store) -> None:
    port = int(live_app.rsplit(":", 1)[1])
    for length in ("-1", "many", "1e3", "99999999999"):
        request = (
            f"POST /webhooks/bigcommerce/{store.public_id} HTTP/1.1\r\nHost: localhost\r\n"
            f"X-Webhook-Secret: {store.webhook_secret}\r\nContent-Length: {length}\r\n\r\n{{}}"
        )
        with socket.create_connection(("127.0.0.1", port), timeout=60) as raw:
            raw.sendall(request.encode())
            status = raw.recv(200).split(b" ")[1:2]
        assert status in ([b"400"], [b"413"])
    assert rows() == 0


def test_repeated_webhook_stays_one_row_and_becomes_new_again(send: Send) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: send(), range(80))) == {204}
    WebhookEvent.objects.update(outcome="folded")
    send()
    event = WebhookEvent.objects.get()
    assert (event.deliveries, event.outcome) == (81, "new")


def test_repeated_webhook_brings_an_old_status_no_second_time(send: Send) -> None:
    """Two changes may share a hash, never the moment as well."""

    def status() -> Any:
        return WebhookEvent.objects.get().payload["data"].get("status")

    moved = {"previous_status_id": 11, "new_status_id": 2}
    shipped = {
        **UPDATED,
        "scope": "store/order/statusUpdated",
        "data": {"type": "order", "id": 250, "status": moved},
    }
    for _ in range(2):  # not counted yet
        send(shipped)
        assert status() == moved
    for _ in range(2):
        WebhookEvent.objects.update(outcome="folded")
        for _ in range(2):
            send(shipped)
            assert status() is None
    assert WebhookEvent.objects.get().outcome == "new"
    send({**shipped, "created_at": 1561482999})
    assert status() == moved
    for data in ("odd", 7, None, ["status"]):
        assert send({**shipped, "data": data, "hash": "odd"}) == 204
        WebhookEvent.objects.filter(hash="odd").update(outcome="folded")
        assert send({**shipped, "data": data, "hash": "odd"}) == 204


def test_unknown_store_gets_a_yes_and_no_row(send: Send) -> None:
    assert send(public_id=uuid4()) == 204
    assert send(public_id=uuid4(), secret=None) == 401
    assert rows() == 0


def test_uninstalled_store_gets_a_yes_and_no_row_and_the_new_secret_works_at_once(
    send: Send, store: Store
) -> None:
    old = store.webhook_secret
    assert send() == 204
    uninstall(store)
    Store.objects.filter(pk=store.pk).update(webhook_secret=new_secret())
    WebhookEvent.objects.all().delete()
    assert send(secret="anything") == 204
    assert rows() == 0
    Store.objects.filter(pk=store.pk).update(state="installed")
    store.refresh_from_db()
    assert send(secret=store.webhook_secret) == 204
    assert send(secret=old) == 401
    assert rows() == 1


def test_paused_store_is_heard(send: Send, store: Store) -> None:
    Store.objects.filter(pk=store.pk).update(state="needs_reauthorisation")
    assert send() == 204
    assert rows() == 1


def test_deleted_store_gets_a_yes(send: Send, store: Store) -> None:
    assert send() == 204
    store.delete()
    assert send() == 204
    assert rows() == 0


@pytest.mark.parametrize("path", ["", "not-a-uuid", "6f1c2f3e-0b6b-4d0e-9d7b-0c9b6f8d3f6a/more"])
def test_other_addresses_are_unknown(live_app: str, transactional_db: None, path: str) -> None:
    reply = requests.post(f"{live_app}/webhooks/bigcommerce/{path}", data=b"{}", timeout=60)
    assert reply.status_code == 404


def test_order_of_a_shipment_is_found(send: Send) -> None:
    shipped = {
        **UPDATED,
        "scope": "store/shipment/created",
        "data": {"type": "shipment", "id": 5, "orderId": "251"},
    }
    assert send(shipped) == 204
    assert WebhookEvent.objects.get().bigcommerce_order_id == 251


def test_one_webhook_costs_one_statement(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[bool] = []
    monkeypatch.setattr(webhooks, "wake_worker", lambda: woken.append(True))
    client, secret = Client(), store.webhook_secret
    address = f"/webhooks/bigcommerce/{store.public_id}"

    def post() -> int:
        return client.post(
            address, UPDATED, "application/json", headers={"X-Webhook-Secret": secret}
        ).status_code

    assert post() == 204
    with CaptureQueriesContext(connection) as queries:
        assert post() == 204
    assert [query["sql"].split()[0] for query in queries] == ["INSERT"]
    assert woken == [True, True]


def test_database_that_is_away_is_a_503(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "PORT", "9")
    connection.close()
    monkeypatch.setattr(connection, "health_check_enabled", False)
    headers = {"X-Webhook-Secret": store.webhook_secret}
    address = f"/webhooks/bigcommerce/{store.public_id}"
    reply = Client().post(address, UPDATED, "application/json", headers=headers)
    monkeypatch.undo()
    connection.close()
    assert reply.status_code == 503
    assert rows() == 0


def test_every_process_refuses_the_secret_of_an_installation_that_is_over(
    send: Send, store: Store
) -> None:
    old = store.webhook_secret
    # Enough to have each web process believe the secret.
    assert {send({**UPDATED, "hash": f"h{number}"}) for number in range(20)} == {204}
    uninstall(store)
    WebhookEvent.objects.all().delete()
    assert {send(secret=old) for _ in range(10)} == {204}
    assert rows() == 0
    Store.objects.filter(pk=store.pk).update(state="installed", access_token="new")
    gone = {"scope": "store/app/uninstalled", "hash": "forged", "producer": "stores/abc123"}
    assert {send(gone, secret=old) for _ in range(20)} == {401}
    assert rows() == 0
