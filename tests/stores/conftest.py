"""A world to install into, signed payloads, and stores with open sessions."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from panel.session import _csrf_token, open_session
from stores.models import PanelUser, Store
from tests.stores.world import World, running

Sign = Callable[..., str]
ALL_SCOPES = (
    "store_v2_orders store_v2_transactions_read_only store_checkout store_cart"
    " store_content_checkout store_v2_information_read_only store_channel_settings_read_only"
    " store_sites_read_only store_app_extensions_manage store_v2_customers_read_only"
    " store_v2_products_read_only store_payments_access_token_create"
)


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """BigCommerce and SeQura, with one store that may install us."""
    cache.clear()
    with running() as world:
        settings.BIGCOMMERCE_LOGIN_URL = world.url
        settings.BIGCOMMERCE_API_URL = world.url
        settings.BIGCOMMERCE_PAYMENTS_URL = world.url
        settings.SEQURA_DEPLOYMENTS_URL = f"{world.url}/deployments"
        yield world
    cache.clear()


@pytest.fixture
def sign() -> Sign:
    """A signed payload as BigCommerce makes them; keyword arguments override claims."""

    def make(store_hash: str = "abc123", user_id: int = 9, **claims: Any) -> str:
        now = int(time.time())
        payload = {
            "aud": django_settings.BIGCOMMERCE_CLIENT_ID,
            "iss": "bc",
            "iat": now,
            "nbf": now - 5,
            "exp": now + 24 * 3600,
            "jti": str(uuid.uuid4()),
            "sub": f"stores/{store_hash}",
            "user": {"id": user_id, "email": "m@example.com", "locale": "es-ES"},
            "owner": {"id": 9, "email": "m@example.com"},
            "url": "/",
            "channel_id": None,
            **claims,
        }
        kept = {name: value for name, value in payload.items() if value is not ...}
        return jwt.encode(kept, django_settings.BIGCOMMERCE_CLIENT_SECRET, algorithm="HS256")

    return make


@pytest.fixture
def installed(client: Client, world: World, db: None) -> Store:
    """A store that went through /auth."""
    context = {"code": world.codes and "code39", "context": "stores/abc123", "scope": ALL_SCOPES}
    assert client.get("/auth", context).status_code == 200
    world.calls.clear()
    return Store.objects.get(hash="abc123")


@dataclass
class Panel:
    """A browser with a control-panel session; cookies are not kept, as in a third-party frame."""

    store: Store
    user: PanelUser
    token: str

    def get(self, path: str = "", **headers: Any) -> Any:
        return Client().get(f"/s/{self.token}/{path}", **headers)

    def post(self, path: str = "", data: dict[str, Any] | None = None, csrf: str = "") -> Any:
        fields = {"csrf": csrf or _csrf_token(self.token), **(data or {})}
        return Client(enforce_csrf_checks=True).post(f"/s/{self.token}/{path}", fields)


def panel_for(
    store: Store, number: int = 9, locale: str = "en-US", side_panel_of: int | None = None
) -> Panel:
    user, _ = PanelUser.objects.get_or_create(
        store=store, bigcommerce_id=number, defaults={"locale": locale}
    )
    return Panel(store, user, open_session(user, side_panel_of))


@pytest.fixture
def panel(db: None) -> Panel:
    """A store that is installed and not connected, with a session of its owner."""
    store = Store.objects.create(
        hash="abc123",
        name="Tienda",
        access_token="token",
        control_panel_url="https://store-abc123.mybigcommerce.com",
        timezone="Europe/Madrid",
    )
    return panel_for(store)
