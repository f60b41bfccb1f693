"""A store with a session of its panel, another store, and entries to look at."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders.models import Order
from stores.models import Connection, Store
from tests.orders.conftest import merchant
from tests.stores.conftest import Panel, panel_for
from transaction_log.models import Entry

__all__ = ["merchant"]

MakeEntry = Callable[..., Entry]
MakeOrder = Callable[..., Order]
NOON = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)  # twelve o'clock in Madrid


def make_store(name: str) -> Store:
    return Store.objects.create(
        hash=name,
        name=f"Tienda {name}",
        access_token="token",
        control_panel_url=f"https://store-{name}.mybigcommerce.com",
        timezone="Europe/Madrid",
        language="es",
    )


@pytest.fixture
def store(db: None) -> Store:
    return make_store("abc123")


@pytest.fixture
def panel(store: Store) -> Panel:
    """A user of the store who reads English."""
    return panel_for(store)


@pytest.fixture
def stranger(db: None) -> Panel:
    """A user of another store."""
    return panel_for(make_store("other9"), number=77)


@pytest.fixture
def make_entry(store: Store) -> MakeEntry:
    """An accepted shipment of order 250; later calls make later entries."""
    made: list[Entry] = []

    def make(**fields: Any) -> Entry:
        at = NOON + timedelta(minutes=len(made))
        given = {
            "store": store,
            "bigcommerce_id": 250,
            "payment_method": "SeQura - Paga en 3",
            "event": "ship",
            "outcome": "accepted",
            "at": at,
            "last_at": fields.get("at", at),
            **fields,
        }
        is_open = given["outcome"] in ("rejected", "delayed")
        closed = None if is_open else given["at"]
        made.append(Entry.objects.create(**{"closed_at": closed, **given}))
        return made[-1]

    return make


@pytest.fixture
def make_rejected(make_entry: MakeEntry) -> MakeEntry:
    """An open refusal by SeQura."""

    def make(**fields: Any) -> Entry:
        words = "The sum of the items is 11088 and the order's total is 11089"
        return make_entry(
            **{
                "outcome": "rejected",
                "reason": "sequra_409",
                "words": words,
                "statement": uuid.uuid4().hex,
                **fields,
            }
        )

    return make


@pytest.fixture
def make_order(store: Store) -> MakeOrder:
    """Order 250, approved, nothing shipped yet."""

    def make(**fields: Any) -> Order:
        connection = Connection.objects.create(
            store=fields.get("store", store),
            deployment="sequra",
            environment=fields.pop("environment", "sandbox"),
            username="demo",
            password=fields.pop("password", "demo-secret"),
            api_url="http://127.0.0.1:9/",
        )
        number = fields.get("bigcommerce_id", 250)
        return Order.objects.create(
            **{
                "store": store,
                "connection": connection,
                "merchant_ref": "demo_es",
                "bigcommerce_id": number,
                "reference": uuid.uuid4(),
                "order_ref_1": str(number),
                "status": "approved",
                "product": "pp3",
                "payment_method": "SeQura - Paga en 3",
                "amount": 11089,
                "placed_at": NOON,
                **fields,
            }
        )

    return make
