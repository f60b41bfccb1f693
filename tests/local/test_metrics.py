"""The queues as Prometheus sees them."""

import re
import uuid
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from kombu import Exchange, Queue
from prometheus_client.parser import text_string_to_metric_families

from bigcommerce.client import BigCommerce
from local.sandbox_control import SandboxControl
from orders.models import Gate, Order, WebhookEvent
from sequra.client import Rejected, Sequra, Unavailable
from sequra_bc.celery import FAST, app
from sequra_bc.metrics import _METHODS, _Keeper, count_request
from stores.isolation import _STORE_FAILURES
from stores.models import Connection, Store
from transaction_log.models import Entry


def figures() -> dict[str, float]:
    """Every sample of the page by its name and labels."""
    lines = Client().get("/metrics").content.decode().splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


@pytest.fixture
def store(db: None) -> Store:
    return Store.objects.create(hash="metrics1")


def test_an_empty_house_waits_for_nothing(store: Store) -> None:
    found = figures()

    assert found['sequra_bc_orders_waiting{when="due"}'] == 0
    assert found["sequra_bc_oldest_due_seconds"] == 0
    assert found['sequra_bc_solicitations_open{phase="confirming"}'] == 0
    assert found["sequra_bc_database_up"] == 1


def test_due_orders_events_and_entries_are_counted(store: Store) -> None:
    connection = Connection.objects.create(store=store, deployment="sequra", environment="sandbox")
    for number, late in ((1, 90), (2, -60)):
        Order.objects.create(
            store=store,
            connection=connection,
            merchant_ref="demo_es",
            bigcommerce_id=number,
            order_ref_1=str(number),
            reference=f"00000000-0000-4000-8000-00000000000{number}",
            amount=11088,
            changed=1,
            due_at=timezone.now() - timedelta(seconds=late),
        )
    WebhookEvent.objects.create(store=store, scope="store/order/updated", payload={})
    Entry.objects.create(store=store, event="ship", outcome="rejected")
    found = figures()

    assert found['sequra_bc_orders_waiting{when="due"}'] == 1
    assert found['sequra_bc_orders_waiting{when="later"}'] == 1
    assert 90 <= found["sequra_bc_oldest_due_seconds"] < 600  # later on a busy machine
    assert found['sequra_bc_webhook_events_waiting{outcome="new"}'] == 1
    assert found['sequra_bc_entries_open{outcome="rejected"}'] == 1


def test_invented_methods_make_no_new_series(db: None) -> None:
    for method in ("BREW", "WHEN", "GET"):
        count_request(method, "coffee", 405, 0.1)
    found = figures()

    assert found['sequra_bc_requests_total{method="other",route="coffee",status="405"}'] == 2
    assert "BREW" not in _METHODS


def test_leases_and_breakers_are_counted(store: Store) -> None:
    soon, ago = timezone.now() + timedelta(minutes=1), timezone.now() - timedelta(minutes=1)
    connection = Connection.objects.create(store=store, deployment="sequra", environment="sandbox")
    for number, until in ((1, soon), (2, soon), (3, ago), (4, None)):
        Order.objects.create(
            store=store,
            connection=connection,
            merchant_ref="demo_es",
            bigcommerce_id=number,
            order_ref_1=str(number),
            reference=f"00000000-0000-4000-8000-00000000000{number}",
            amount=11088,
            changed=1,
            leased_until=until,
        )
    Gate.objects.create(store=store, host="bigcommerce", failures=5, open_until=soon)
    Gate.objects.create(store=store, host="https://sequra.example", failures=5, open_until=ago)
    found = figures()

    assert found['sequra_bc_leases{state="held"}'] == 2
    assert found['sequra_bc_leases{state="expired"}'] == 1
    assert found['sequra_bc_breakers_open{system="bigcommerce"}'] == 1
    assert found['sequra_bc_breakers_open{system="sequra"}'] == 0


def test_messages_are_counted_by_lane(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other workers of this run send messages to the lane itself meanwhile.
    name = f"fast-{uuid.uuid4()}"
    monkeypatch.setitem(app.amqp.queues, FAST, Queue(name, Exchange(name), routing_key=name))
    assert figures()['sequra_bc_lane_messages{lane="fast"}'] == 0
    app.send_task("orders.tasks.drain", queue=FAST)
    found = figures()

    assert found['sequra_bc_lane_messages{lane="fast"}'] == 1
    assert found['sequra_bc_lane_messages{lane="slow"}'] >= 0
    assert found["sequra_bc_broker_up"] == 1


def test_webhooks_health_and_static_files_are_counted_and_have_an_id(store: Store) -> None:
    series = {
        "/webhooks/bigcommerce/" + str(store.public_id): (
            "POST",
            "webhooks/bigcommerce/<uuid:public_id>",
            "401",
        ),
        "/health/live": ("GET", "health/live", "200"),
        "/static/storefront/sequra-checkout.0123456789ab.js": ("GET", "static", "404"),
    }
    for path, (method, route, status) in series.items():
        name = f'sequra_bc_requests_total{{method="{method}",route="{route}",status="{status}"}}'
        before = figures().get(name, 0)
        answer = Client().generic(method, path, "{}", headers={"X-Request-Id": "proxys-own-1"})
        assert answer["X-Request-Id"] == "proxys-own-1"
        assert figures()[name] == before + 1


def test_a_call_is_counted_by_how_it_ended(db: None, sandbox: SandboxControl) -> None:
    name = 'sequra_bc_calls_total{method="GET",outcome="%s",system="SeQura"}'
    sequra = Sequra(f"{sandbox.url}/", "demo", "demo-secret")
    before = figures()
    sequra.credentials()
    sandbox.fault("/merchants/credentials", status=503)
    with pytest.raises(Unavailable):
        sequra.credentials()
    with pytest.raises(Rejected):
        Sequra(f"{sandbox.url}/", "demo", "wrong").credentials()
    after = figures()

    for outcome in ("accepted", "unavailable", "rejected"):
        assert after[name % outcome] == before.get(name % outcome, 0) + 1


def test_the_quota_that_a_response_leaves_is_counted_by_its_share(db: None) -> None:
    def at_most(share: str) -> float:
        return figures().get(f'sequra_bc_quota_left_bucket{{le="{share}"}}', 0)

    before = at_most("0.05"), at_most("0.5")
    shop = BigCommerce("http://127.0.0.1:9", "abc", "token")
    names = ("Requests-Left", "Requests-Quota", "Time-Window-Ms", "Time-Reset-Ms")
    shop._read_quota(dict(zip((f"X-Rate-Limit-{name}" for name in names), "3921", strict=True)))
    shop._read_quota({})

    assert (at_most("0.05"), at_most("0.5")) == (before[0], before[1] + 1)


def test_each_worker_adds_what_it_counted_once(store: Store) -> None:
    name, of_workers = (
        f'sequra_bc_{of}store_failures_total{{loop="mine"}}' for of in ("", "worker_")
    )
    first, second = _Keeper(), _Keeper()
    for keeper in (first, second):
        keeper.keep()  # whatever was counted before
    known = figures().get(of_workers, 0)
    _STORE_FAILURES.labels("mine").inc()
    _STORE_FAILURES.labels("mine").inc()
    for _ in range(3):
        first.keep()
    assert figures()[of_workers] == known + 2
    second.keep()  # as another process would
    assert figures()[of_workers] == known + 4
    assert figures()[name] >= 2


def test_what_a_worker_counts_while_the_database_is_away_is_not_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, name = _Keeper(), 'sequra_bc_worker_store_failures_total{loop="away"}'
    keeper.keep()
    _STORE_FAILURES.labels("away").inc()
    with monkeypatch.context() as patched:
        patched.setattr("sequra_bc.metrics.connection", Away())
        keeper.keep()
    assert name not in figures()
    _STORE_FAILURES.labels("away").inc()
    keeper.keep()
    assert figures()[name] == 2


class Away:
    def cursor(self) -> None:
        raise OperationalError("away")


def test_the_seconds_of_workers_calls_are_a_histogram(db: None, sandbox: SandboxControl) -> None:
    Sequra(f"{sandbox.url}/", "demo", "demo-secret").credentials()
    _Keeper().keep()
    page = Client().get("/metrics").content.decode()
    families = {family.name: family for family in text_string_to_metric_families(page)}
    found = families["sequra_bc_worker_call_seconds"]
    assert found.type == "histogram"
    buckets = [one for one in found.samples if one.name.endswith("_bucket")]
    of_sequra = [one for one in buckets if one.labels["system"] == "SeQura"]
    assert [one.value for one in of_sequra] == sorted(one.value for one in of_sequra)
    assert of_sequra[-1].labels["le"] == "+Inf"
    [count] = [
        one.value
        for one in found.samples
        if one.name.endswith("_count") and one.labels["system"] == "SeQura"
    ]
    assert count == of_sequra[-1].value >= 1
    assert len(re.findall(r"# TYPE sequra_bc_worker_call_seconds ", page)) == 1
