"""A connected store and attempts to pay, as rows."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from local.sandbox_control import SandboxControl
from payments.models import Solicitation
from payments.notifications import digest
from stores.models import Connection, Merchant, Store
from tests.payments.shop import Shop
from tests.payments.web import Web

SHOP = "http://shop.localhost:8100"
MakeSolicitation = Callable[..., Solicitation]


@pytest.fixture
def store(transactional_db: None) -> Store:
    return Store.objects.create(
        hash="abc123",
        access_token="token",
        name="Tienda",
        secure_url=SHOP,
        channels=[{"id": 1, "name": "Tienda", "origins": [SHOP]}],
    )


@pytest.fixture
def merchant(store: Store) -> Merchant:
    connection = Connection.objects.create(
        store=store,
        deployment="sequra",
        environment="sandbox",
        username="demo",
        password="demo-secret",
        api_url="http://127.0.0.1:9/",
    )
    return Merchant.objects.create(store=store, connection=connection, country="ES", ref="demo_es")


@pytest.fixture
def make_solicitation(merchant: Merchant) -> MakeSolicitation:
    """A solicited attempt; keyword arguments override its fields."""

    def make(**fields: Any) -> Solicitation:
        attempt = Solicitation(
            store=merchant.store,
            connection=merchant.connection,
            merchant_ref=merchant.ref,
            checkout_id=str(uuid.uuid4()),
            order={"cart": {"items": []}},
            fingerprint="f",
            amount=11089,
            currency="EUR",
            country="ES",
            origin=SHOP,
            reference=uuid.uuid4(),
            payment_methods=[],
            shopper={"ip": "203.0.113.7", "user_agent": "x", "locale": "es", "layout": "desktop"},
        )
        for name, value in fields.items():
            setattr(attempt, name, value)
        attempt.token_digest = digest(attempt.token)
        attempt.save()
        return attempt

    return make


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxControl) -> Shop:
    """A store that is installed and connected in the sandbox."""
    return Shop(sandbox)


@pytest.fixture
def web(live_app: str, shop: Shop) -> Web:
    """The app behind granian, two processes, for the store of `shop`."""
    return Web(live_app, shop)
