"""The queues as Prometheus sees them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orders.models import Order, WebhookEvent
from sequra_bc.metrics import METHODS, count_request
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
    assert 90 <= found["sequra_bc_oldest_due_seconds"] < 100
    assert found['sequra_bc_webhook_events_waiting{outcome="new"}'] == 1
    assert found['sequra_bc_entries_open{outcome="rejected"}'] == 1


def test_invented_methods_make_no_new_series(db: None) -> None:
    for method in ("BREW", "WHEN", "GET"):
        count_request(method, "coffee", 405, 0.1)
    found = figures()

    assert found['sequra_bc_requests_total{method="other",route="coffee",status="405"}'] == 2
    assert "BREW" not in METHODS
