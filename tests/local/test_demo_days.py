"""The demo's month: its charts live, and nothing of it is ever worked on again."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from local.demo_days import DAYS, seed
from orders.drift.checks import open_orders
from orders.models import Order
from panel.figures import last_days, unsynced_shipments
from panel.views.sales import _sales
from payments.models import Offer, Solicitation
from payments.retention import forget_abandoned, references_under_way
from stores.models import Connection, Store
from tests.panel.test_settings import Panel
from tests.panel.world import empty_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def store() -> Store:
    found = empty_store("demo123")
    Connection.objects.create(
        store=found,
        deployment="sequra",
        environment=found.environment,
        username="demo",
        password="demo-secret",
        api_url="http://127.0.0.1:9",
    )
    seed(found.hash)
    return found


def rows() -> list[list[int]]:
    kinds: tuple[Any, ...] = (Offer, Solicitation, Order)
    return [list(kind.objects.order_by("pk").values_list("pk", flat=True)) for kind in kinds]


def test_every_day_before_today_has_orders_and_every_table_rows(store: Store) -> None:
    account = store.connections.get()
    days = [day for day in last_days(store, [account.pk], days=60) if day.orders]
    sales = _sales(store, 30)
    found = [step.now or 0 for step in sales.steps]

    assert len(days) == DAYS
    assert found == sorted(set(found), reverse=True)  # offered > form > approved > paid
    wanted = {"method": 6, "country": 4, "channel": 1, "refusal": 3, "hidden": 4}
    assert {table.key: len(table.rows) for table in sales.tables} == wanted
    for path in ("", "sales/", "orders/", f"orders/{Order.objects.latest('pk').bigcommerce_id}/"):
        assert Panel(store).get(path).status_code == 200


def test_nothing_of_it_is_due_open_unsynced_or_under_way(store: Store) -> None:
    orders = Order.objects.filter(store=store)

    assert Order.objects.exists()
    assert not open_orders(store).exists()
    assert unsynced_shipments(store) == []
    assert not orders.filter(changed__gt=F("synced")).exists()
    assert not orders.exclude(shipment=F("reported_shipment")).exists()
    assert not Solicitation.objects.filter(next_at__isnull=False).exists()
    assert not any(one.is_in_doubt for one in Solicitation.objects.all())
    assert references_under_way(store) == []
    assert not orders.filter(placed_at__gt=timezone.now()).exists()
    assert not orders.filter(bigcommerce_id__gt=1000).exists()  # numbers of the sandbox's orders


def test_a_second_start_and_the_housekeeping_leave_it_alone(store: Store) -> None:
    before = rows()
    seed(store.hash)
    forget_abandoned()

    assert rows() == before
    assert Offer.objects.earliest("at").at > timezone.now() - timedelta(days=30)
