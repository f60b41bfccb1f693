"""The page of promotional widgets, and its preview on a page of the store."""

import json
import re
import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
import responses
from django.test import Client, override_settings

from panel.views.widgets import _SECONDS, _address_of_preview
from stores.models import Connection, Merchant
from tests.panel.test_settings import Panel
from tests.panel.world import filled_store
from tests.stores.test_settings_registry import USUAL, WIDGETS

pytestmark = pytest.mark.django_db
PATH = "settings/widgets/"
SHOP = "https://tienda.example"


@pytest.fixture
def panel() -> Panel:
    store = filled_store()
    store.channels = [{"id": 1, "name": "Tienda", "origins": [SHOP]}]
    store.widget_methods = {"product": ["pp5/summer"]}  # SeQura has it no longer
    store.save()
    Merchant.objects.update(assets_key="a1b2c3")
    Connection.objects.update(assets_url="https://assets.example/assets")
    return Panel(store)


def preview(panel: Panel, **query: Any) -> tuple[Any, Any]:
    """What the frame draws, and its policy."""
    address = _address_of_preview(panel.store, "es")
    answer = Client().get(f"{address}&{urlencode(query, doseq=True)}")
    assert answer.status_code == 200
    found = re.search(r'<script id="page"[^>]*>(.*?)</script>', answer.content.decode(), re.DOTALL)
    return json.loads(found[1]) if found else None, answer["Content-Security-Policy"]


def test_the_form_offers_what_sequra_has_and_what_was_chosen(panel: Panel) -> None:
    shown = panel.get(PATH).content.decode()

    product = re.findall(r'name="product" value="([^"]+)"', shown)
    assert product == ["i1", "sp1/permanente", "pp3", "pp5/summer"]
    assert re.findall(r'name="listing" value="([^"]+)"', shown) == ["i1", "pp3"]


def test_what_is_saved_is_in_the_history(panel: Panel) -> None:
    answer = panel.post(PATH, **WIDGETS | {"product": ["pp3"], "listing": ["pp3"]})

    assert answer["Location"] == f"{panel.session}{PATH}?done=saved"
    panel.store.refresh_from_db()
    assert panel.store.widget_methods == {"product": ["pp3"], "listing": ["pp3"]}
    assert panel.store.widgets_due
    history = " ".join(panel.get("settings/history/").content.decode().split())
    assert "Product lists: pp3, Product page: pp3" in history
    assert "Alignment: left" in history


@pytest.mark.parametrize(
    "wrong",
    [
        {"product": ["pp9"]},
        {"at-product": "p { color: red }"},
        {"theme-font-color": "red"},
        {"theme-size": "XXL"},
    ],
    ids=str,
)
def test_what_is_no_setting_is_refused(panel: Panel, wrong: dict[str, Any]) -> None:
    usual = {f"theme-{name}": value for name, value in USUAL.items()}

    assert panel.post(PATH, **usual | wrong).status_code == 400


def test_the_preview_draws_with_the_look_in_the_form(panel: Panel) -> None:
    page, policy = preview(
        panel,
        amount="38900",
        product=["pp3", "gone"],
        **{"theme-size": "L", "theme-font-color": "red", "theme-amount-font-bold": "on"},
    )

    assert page["methods"] == [{"product": "pp3", "campaign": None, "min": 5000, "max": 300000}]
    assert page["amount"] == 38900
    assert page["theme"] == {"size": "L", "amount-font-bold": "true", "link-underline": "false"}
    assert (
        page["configuration"]["scriptUri"] == "https://assets.example/assets/sequra-checkout.min.js"
    )
    assert re.search(r"script-src [^;]*https://assets\.example", policy)
    assert re.search(r"frame-ancestors [^;]*'self'", policy)
    assert "frame-ancestors https://*.mybigcommerce.com" in policy


def test_the_preview_of_nothing_loads_nothing(panel: Panel) -> None:
    page, policy = preview(panel, amount="-1", product=["gone"])

    assert page is None
    assert re.search(r"frame-ancestors [^;]*'self'", policy)
    assert "unsafe-inline" not in policy


def test_the_address_of_the_preview_holds_no_session_and_ends(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = _address_of_preview(panel.store, "es")
    assert panel.session.split("/")[2] not in address
    assert Client().get(address[:-1]).status_code == 404

    later = time.time() + _SECONDS + 1
    monkeypatch.setattr("django.core.signing.time", SimpleNamespace(time=lambda: later))
    assert Client().get(address).status_code == 404


def read(panel: Panel, address: str) -> Any:
    return panel.get(f"{PATH}page?{urlencode({'address': address})}").json()


@override_settings(SANDBOX=False)
@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "http://tienda.example/",
        "https://tienda.example.evil.example/",
        "https://tienda.example@evil.example/",
        "https://127.0.0.1/",
        "file:///etc/passwd",
        "",
    ],
)
def test_only_pages_of_the_store_are_read(panel: Panel, address: str) -> None:
    with responses.RequestsMock() as mock:
        assert read(panel, address) == {}
        assert len(mock.calls) == 0


@override_settings(SANDBOX=False)
@pytest.mark.parametrize(
    ("status", "found"),
    [(200, {"html": "<p>389 €</p>"}), (404, {}), (301, {}), (503, {})],
)
def test_a_page_of_the_store_is_read_without_following_it_elsewhere(
    panel: Panel, status: int, found: Any
) -> None:
    with responses.RequestsMock() as mock:
        headers = {"Location": "https://evil.example/"}
        mock.get(f"{SHOP}/chair", body="<p>389 €</p>", status=status, headers=headers)

        answer = read(panel, f"{SHOP}/chair")
        assert answer.pop("frame", "").startswith("/widget-preview?for=") == bool(found)
        assert answer == found
        assert len(mock.calls) == 1


def test_the_name_of_an_address_inside_is_not_connected_to(panel: Panel) -> None:
    panel.store.channels[0]["origins"] = ["https://localhost.example"]
    panel.store.save()

    with override_settings(SANDBOX=False):
        assert read(panel, "https://localhost.example/") == {}
