"""The address that starts a store's delivery reports."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from local.sandbox_control import plain_session
from orders.models import ReportRun
from stores.models import Store
from stores.rate_limit import LIMITS
from tests.reports.shipments import Shipments

CRON = {"User-Agent": "sequra-cron"}


@pytest.fixture
def store(db: None) -> Store:
    return Store.objects.create(hash="abc123", reports_enabled=False)


def path(store: Store) -> str:
    return urlsplit(store.report_url).path


def ended(state: str) -> None:
    ReportRun.objects.update(state=state, ended_at=timezone.now())


def test_a_hundred_calls_at_once_are_one_run(shipments: Shipments, live_app: str) -> None:
    shipments.ship("ES", range(1, 4))
    shipments.store.report_token = "r" * 43
    shipments.store.save()
    host = {"Host": f"app.localhost:{urlsplit(live_app).port}", **CRON}
    gate = threading.Barrier(20)

    def call(number: int) -> tuple[int, str]:
        session = plain_session()
        if number < 20:
            gate.wait()
        reply = session.get(live_app + path(shipments.store), headers=host, timeout=60)
        return reply.status_code, reply.text

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(call, range(100)))
    # Pages have a share of the threads: what is more is refused at once.
    answers = [answer for answer in answers if answer[0] != 503]

    assert answers == [(200, "ok")] * len(answers)
    assert ReportRun.objects.count() == 1
    assert shipments.go_on().state == ReportRun.State.DONE
    assert shipments.told("demo_es") == [3]
    assert call(100) == (200, "ok")
    assert ReportRun.objects.count() == 2


def test_a_failed_run_is_said_once_it_failed_and_started_again(
    client: Client, store: Store
) -> None:
    assert client.get(path(store), headers=CRON).status_code == 200
    ended("failed")

    answer = client.get(path(store), headers=CRON)

    assert (answer.status_code, answer.content) == (599, b"ko")
    assert ReportRun.objects.filter(state="running").count() == 1
    assert client.get(path(store)).content == b"ko"  # the one under way has not ended yet
    ReportRun.objects.filter(state="running").update(state="done")
    assert client.get(path(store)).content == b"ok"


@pytest.mark.usefixtures("one_window")
def test_wrong_tokens_are_unknown_and_then_too_many(client: Client, store: Store) -> None:
    wrong = path(store)[:-3] + "xyz"
    unknown = path(store).replace(str(store.public_id), str(uuid.uuid4()))

    seen = [client.get(wrong if at % 2 else unknown).status_code for at in range(30)]

    allowed = LIMITS["report address"]["allowed"]
    assert seen == [404] * allowed + [429] * (30 - allowed)
    assert client.get(path(store)).status_code == 200
    assert client.get(wrong, REMOTE_ADDR="198.51.100.9").status_code == 404
    assert ReportRun.objects.count() == 1


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_get_starts_something(client: Client, store: Store, method: str) -> None:
    assert client.generic(method, path(store)).status_code == 405
    assert not ReportRun.objects.exists()


def test_an_uninstalled_store_has_no_address(client: Client, store: Store) -> None:
    Store.objects.update(state=Store.State.UNINSTALLED)

    assert client.get(path(store)).status_code == 404
    assert not ReportRun.objects.exists()


def test_nobody_waits_for_a_broker_that_is_away(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sequra_bc.celery.app.send_task", _broken)

    assert client.get(path(store)).content == b"ok"
    assert ReportRun.objects.count() == 1


def _broken(*_: object, **__: object) -> None:
    raise OSError("no broker")
