"""Nothing of one store is seen or touched from a session of another."""

import uuid

import pytest

from orders.models import Order
from stores.models import Store
from tests.stores.conftest import Panel
from tests.transaction_log.conftest import MakeEntry, MakeOrder

REFERENCE = uuid.UUID("6f1c2f3e-0b6b-4d0e-9d7b-0c9b6f8d3f6a")


@pytest.fixture(autouse=True)
def _secret(make_rejected: MakeEntry, make_order: MakeOrder) -> None:
    make_rejected(bigcommerce_id=987654, reference=REFERENCE, words="top secret")
    make_order(bigcommerce_id=987654, reference=REFERENCE)


@pytest.mark.parametrize(
    "path",
    [
        "log/",
        "log/?outcome=needs_you",
        "log/?q=987654",
        f"log/?q={REFERENCE}",
        "log/?before=9999999999999999-9999999",
        "log/?after=0-0",
        "log/export.csv",
        f"log/export.csv?q={REFERENCE}",
        "orders/987654/",
    ],
)
def test_another_store_s_session_sees_nothing(stranger: Panel, path: str) -> None:
    reply = stranger.get(path)
    assert reply.status_code == 200
    body = b"".join(reply) if reply.streaming else reply.content
    assert b"top secret" not in body
    assert b"demo_es" not in body
    assert b"needs your attention" not in body


def test_another_store_s_session_changes_nothing(stranger: Panel, store: Store) -> None:
    entry = store.entries.get()
    assert stranger.post(f"log/{entry.pk}/ignore", {"note": "x"}).status_code == 404
    assert stranger.post("orders/987654/retry").status_code == 404
    assert stranger.get("orders/987654/compare/").status_code == 404
    assert stranger.post("settings/", {"log_days": "7"}).status_code == 302
    entry.refresh_from_db()
    store.refresh_from_db()
    assert (entry.outcome, store.log_retention_days) == ("rejected", 90)
    assert Order.objects.get().changed == 0
