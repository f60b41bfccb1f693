"""Alerts as signed requests: to the merchant's address alone, at least once, to no other host."""

import base64
import hashlib
import hmac
import http.server
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone

from alerts.models import Alert, Delivery
from local.tls import make_certificate
from stores import install, store_settings
from stores.models import Store
from stores.settings_file import ALERTS
from tests.alerts.conftest import MailServer
from tests.alerts.test_alerts import DUE, NOON, found_and_mailed, recipient, reject, run
from tests.panel.test_settings import Panel
from tests.panel.world import filled_store
from transaction_log.models import Entry
from transport import outside

pytestmark = pytest.mark.django_db


class Receiver:
    """A merchant's program behind HTTPS: keeps each request. `answers` are the next statuses."""

    def __init__(self, port: int) -> None:
        self.url = f"https://127.0.0.1:{port}/hooks/sequra?shop=1"
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.before_answer: list[Callable[[], object]] = []

    def take(self) -> list[dict[str, Any]]:
        """Return the documents that arrived since the last time."""
        found, self.requests = self.requests, []
        return [json.loads(body) for _headers, body in found]


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver on this machine, which counts as public as long as the test lasts."""
    certificate = make_certificate(tmp_path, ["hooks.example"])
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(certificate))
    monkeypatch.setattr(outside, "is_public", lambda address: ip_address(address).is_loopback)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            one.requests.append(({**self.headers}, body))
            if one.before_answer:
                one.before_answer.pop(0)()
            self.send_response(one.answers.pop(0) if one.answers else 204)
            self.send_header("Location", "https://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Keep the tests' output free of it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    one = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield one
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hooked(store: Store, receiver: Receiver) -> Store:
    """A store with a webhook, two refusals, and an account that SeQura rejects."""
    store.connections.get().pause()
    store.alert_webhook = receiver.url
    store.replace_alert_secret()
    store.save()
    return store


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Verify a request as the specification has it, without a line of the app's."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in headers["webhook-signature"].split()


def last(store: Store) -> Delivery:
    return store.deliveries.order_by("-id")[:1].get()


# --- What is sent ---------------------------------------------------------------------------------


def test_each_kind_is_one_signed_request_about_what_is_open(
    hooked: Store, receiver: Receiver
) -> None:
    found_and_mailed()

    secret = hooked.alert_secrets
    assert all(verified(secret, *request) for request in receiver.requests)
    ids = {headers["webhook-id"] for headers, _body in receiver.requests}
    account, rejected = sorted(receiver.take(), key=lambda one: str(one["type"]))
    assert (account["type"], rejected["type"]) == ("alert.account", "alert.rejected")
    assert len(ids) == 2
    assert rejected["data"]["store"] == {"hash": hooked.hash, "name": "Calzados Marina"}
    assert [item["order_id"] for item in rejected["data"]["items"]] == [1001, 1002]
    assert rejected["data"]["items"][1]["todo"].startswith("A refund can't be undone")
    assert account["data"]["items"][0]["order_id"] is None
    assert "secret words" not in json.dumps(rejected)
    assert datetime.fromisoformat(rejected["timestamp"]).tzinfo is not None

    found_and_mailed()
    assert receiver.take() == []


def test_a_request_that_was_changed_or_signed_otherwise_is_not_verified(
    hooked: Store, receiver: Receiver
) -> None:
    found_and_mailed()
    headers, body = receiver.requests[0]
    other = filled_store("other9").replace_alert_secret()

    assert verified(hooked.alert_secrets, headers, body)
    assert not verified(hooked.alert_secrets, headers, body + b" ")
    assert not verified(hooked.alert_secrets, {**headers, "webhook-timestamp": "1"}, body)
    assert not verified(other, headers, body)


def test_for_a_day_both_secrets_sign_then_only_the_new_one(
    hooked: Store, receiver: Receiver
) -> None:
    old = hooked.alert_secrets
    new = hooked.replace_alert_secret()
    hooked.save()

    found_and_mailed()
    assert {verified(secret, *receiver.requests[0]) for secret in (old, new)} == {True}
    receiver.take()
    reject(hooked)
    run(later=timedelta(hours=25))
    run(later=timedelta(hours=25) + DUE)
    (request,) = receiver.requests
    assert (verified(new, *request), verified(old, *request)) == (True, False)


def test_a_store_without_a_webhook_sends_none_and_mails_go_on(
    hooked: Store, receiver: Receiver, mail_server: MailServer
) -> None:
    recipient(hooked)
    found_and_mailed()
    assert (len(receiver.take()), len(mail_server.take())) == (2, 2)

    Store.objects.update(alert_webhook="")
    reject(hooked)
    run(later=timedelta(hours=5))
    run(later=timedelta(hours=5) + DUE)
    assert (len(receiver.take()), len(mail_server.take())) == (0, 1)


def test_kinds_that_are_off_and_quiet_hours_hold_for_requests_too(
    hooked: Store, receiver: Receiver
) -> None:
    hooked.alerts_quiet_from, hooked.alerts_quiet_until = 10, 14
    hooked.alerts_without, hooked.timezone = ["account"], "UTC"
    hooked.save()
    with time_machine.travel(NOON, tick=True):
        found_and_mailed()
        assert receiver.take() == []
        run(later=timedelta(hours=3))
        assert [one["type"] for one in receiver.take()] == ["alert.rejected"]


def test_what_is_over_before_it_is_sent_is_left_out(hooked: Store, receiver: Receiver) -> None:
    hooked.alerts_without = ["account"]
    hooked.save()
    receiver.answers = [503]
    found_and_mailed()
    assert len(receiver.take()) == 1
    Entry.objects.update(closed_at=timezone.now())

    run(later=timedelta(hours=2))
    assert receiver.take() == []
    assert not Delivery.objects.exclude(next_at=None).exists()


# --- At least once, and one store's trouble in that store -----------------------------------------


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500])
def test_whatever_is_no_2xx_is_tried_again_with_the_same_id(
    hooked: Store, receiver: Receiver, status: int
) -> None:
    hooked.alerts_without = [kind for kind in ALERTS if kind != "account"]
    hooked.save()
    receiver.answers = [status]
    found_and_mailed()
    ((first, _),) = receiver.requests
    delivery = last(hooked)
    assert (delivery.sent_at, delivery.failure) == (None, f"HTTP {status}")

    run(later=DUE + timedelta(minutes=1))
    assert len(receiver.requests) == 1  # its pause is not over
    run(later=DUE + timedelta(hours=1))
    (_, (second, body)) = receiver.requests
    assert second["webhook-id"] == first["webhook-id"]
    assert int(second["webhook-timestamp"]) > int(first["webhook-timestamp"])
    assert verified(hooked.alert_secrets, second, body)
    delivery.refresh_from_db()
    assert (delivery.sent_at is None, delivery.failure) == (False, "")


def test_gone_ends_a_request_and_three_days_end_the_others(
    hooked: Store, receiver: Receiver
) -> None:
    hooked.alerts_without = [kind for kind in ALERTS if kind != "account"]
    hooked.save()
    receiver.answers = [410]
    found_and_mailed()
    assert (last(hooked).next_at, last(hooked).failure) == (None, "HTTP 410")

    Delivery.objects.update(next_at=timezone.now(), created_at=timezone.now() - timedelta(days=4))
    receiver.answers = [500]
    run(later=DUE)
    assert (last(hooked).next_at, last(hooked).failure) == (None, "HTTP 500")


def test_a_webhook_that_fails_is_asked_once_a_run_and_stops_no_other_store(
    hooked: Store, receiver: Receiver
) -> None:
    other = filled_store("other9", alert_webhook="https://127.0.0.1:9/closed")
    other.alerts_quiet_from = other.alerts_quiet_until = 0
    other.replace_alert_secret()
    other.save()
    found_and_mailed()

    assert len(receiver.take()) == 2
    assert {one.failure for one in other.deliveries.all()} == {"unreachable"}
    assert not other.deliveries.filter(next_at=None).exists()

    Delivery.objects.filter(store=hooked).delete()
    Alert.objects.filter(store=hooked).delete()
    receiver.answers = [500]
    found_and_mailed()
    assert len(receiver.take()) == 1  # the second request of this run waits for a later one


def test_a_request_that_another_process_has_taken_is_not_sent(
    hooked: Store, receiver: Receiver
) -> None:
    receiver.before_answer = [lambda: run(later=DUE)]
    hooked.alerts_without = [kind for kind in ALERTS if kind != "account"]
    hooked.save()
    run()
    with time_machine.travel(timezone.now() + DUE, tick=True):
        run()
    assert len(receiver.take()) == 1


def test_an_uninstallation_removes_the_address_its_secret_and_what_waits(
    hooked: Store, receiver: Receiver
) -> None:
    receiver.answers = [503]
    found_and_mailed()
    install.uninstall(hooked)

    gone = Store.objects.get(pk=hooked.pk)
    assert (gone.alert_webhook, gone.alert_secrets) == ("", "")
    assert not Delivery.objects.exists()


# --- Where requests go ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.1", "224.0.0.1", "240.0.0.1", "::", "::1", "fe80::1%1", "fc00::1", "ff02::1"),
        *("::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "2001:0:102:304::1"),
    ],
)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not outside.is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1", "64:ff9b::5db8:d70e"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert outside.is_public(address)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://hooks.example.com/", "Enter an address that begins with https://."),
        ("ftp://hooks.example.com/", "Enter an address that begins with https://."),
        ("https://localhost/", "This address isn&#x27;t on the public internet."),
        ("https://intranet/", "This address isn&#x27;t on the public internet."),
        ("https://192.168.0.10/", "This address isn&#x27;t on the public internet."),
        ("https://[::ffff:127.0.0.1]/", "This address isn&#x27;t on the public internet."),
        ("https://user:word@hooks.example.com/", "Enter a valid URL without a password."),
        ("https://hooks.example.com:99999/", "Enter a valid URL without a password."),
        ("https://hooks.example.com/#part", "Enter a valid URL without a password."),
        ("https://hööks.example.com/", "Enter a valid URL without a password."),
    ],
)
def test_an_address_that_is_not_allowed_is_refused_with_a_reason(
    panel: Panel, url: str, sentence: str
) -> None:
    answer = panel.post("settings/alerts/webhook", url=url)

    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    panel.store.refresh_from_db()
    assert panel.store.alert_webhook == ""
    with pytest.raises(store_settings.Refused):
        store_settings.import_settings(panel.store, {"alerts": {"webhook": url}})


def test_a_name_with_one_address_inside_is_not_connected_to(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is resolved when it is connected to, whatever it was when it was saved."""
    asked: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def resolve(host: str, *_args: object, **_options: object) -> list[Any]:
        asked.append(host)
        inside = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", port)), inside]

    store.alert_webhook = f"https://rebinding.example.com:{port}/"
    store.replace_alert_secret()
    store.save()
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    listener.settimeout(0)
    store.deliveries.create(kind=Delivery.TEST)
    run()

    assert "rebinding.example.com" in asked
    assert last(store).failure == "unreachable"
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()


def test_the_certificate_has_to_be_of_the_name(
    hooked: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(receiver.url.split(":")[2].split("/")[0])
    place = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
    real = socket.getaddrinfo
    names = {"hooks.example", "other.example"}

    def resolve(host: str, *args: Any, **options: Any) -> list[Any]:
        return [place] if host in names else list(real(host, *args, **options))

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for name in sorted(names):
        Store.objects.filter(pk=hooked.pk).update(alert_webhook=f"https://{name}:{port}/")
        hooked.deliveries.create(kind=Delivery.TEST)
        run()
    by_age = hooked.deliveries.order_by("id")
    assert [one.failure for one in by_age] == ["", "unreachable"]
    assert len(receiver.take()) == 1


# --- The page -------------------------------------------------------------------------------------


def test_the_secret_is_shown_once_and_can_be_replaced(panel: Panel) -> None:
    answer = panel.post("settings/alerts/webhook", url="https://hooks.example.com/in")
    (shown,) = re.findall(r"whsec_[\w+/=]+", answer.content.decode())
    panel.store.refresh_from_db()
    assert panel.store.alert_secrets == shown
    assert len(base64.b64decode(shown.removeprefix("whsec_"))) == 32
    assert "whsec_" not in panel.get("settings/alerts/").content.decode()

    answer = panel.post("settings/alerts/webhook", url="https://hooks.example.com/two")
    assert answer.status_code == 302  # another address keeps the secret
    answer = panel.post("settings/alerts/webhook", secret="1")
    (new,) = re.findall(r"whsec_[\w+/=]+", answer.content.decode())
    panel.store.refresh_from_db()
    assert panel.store.alert_secrets == f"{new} {shown}"

    history = panel.get("settings/history/").content.decode()
    assert "https://hooks.example.com/two" in history
    assert "Signing secret" in history
    assert "whsec_" not in history
    assert "whsec_" not in json.dumps(store_settings.export_settings(panel.store))


def test_a_test_request_shows_its_result_on_the_page(
    panel: Panel, hooked: Store, receiver: Receiver
) -> None:
    panel.post("settings/alerts/webhook", test="1")
    assert ">Sending<" in panel.get("settings/alerts/").content.decode()
    receiver.answers = [500]
    run()
    page = panel.get("settings/alerts/").content.decode()
    assert (">Retrying<" in page, "HTTP 500" in page) == (True, True)
    run(later=DUE)
    tests = [one for one in receiver.take() if one["type"] == "alert.test"]
    assert [set(one["data"]) for one in tests] == [{"store"}] * 2
    assert ">Delivered<" in panel.get("settings/alerts/").content.decode()


def test_tests_are_limited(panel: Panel, hooked: Store) -> None:
    answers = [panel.post("settings/alerts/webhook", test="1")["Location"] for _ in range(11)]
    assert "tested_too_often" in answers[-1]
    assert hooked.deliveries.count() == 10


def test_a_webhook_that_is_imported_has_a_secret(store: Store) -> None:
    document = {"alerts": {"webhook": "https://hooks.example.com/in"}}
    store_settings.import_settings(store, document)
    store = Store.objects.get(pk=store.pk)
    assert store.alert_secrets.startswith("whsec_")
