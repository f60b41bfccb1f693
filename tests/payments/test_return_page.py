"""The page a shopper returns to, in every state: accessible, and no wider than a phone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from payments.models import Solicitation
from tests.browser.axe import violations
from tests.payments.conftest import MakeSolicitation
from tests.payments.web import Web

Phase = Solicitation.Phase
WITH_ORDER = {"phase": Phase.DONE, "order_id": 1001}
CANCELLED = WITH_ORDER | {"state": "cancelled", "accepted_state": "on_hold"}
REFUSED = {"phase": Phase.REFUSED, "state": "approved"}
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
# State → the columns that make it, of the store and of the payment, and its heading.
STATES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "waiting": ({}, {"state": "approved"}, "Estamos terminando tu pedido"),
    "in review": ({}, WITH_ORDER | {"state": "needs_review", "accepted_state": "on_hold"},
                  "SeQura está revisando tu pago"),
    "in review, no status": ({"status_needs_review": None},
                             WITH_ORDER | {"state": "needs_review", "accepted_state": "on_hold"},
                             "SeQura está revisando tu pago"),
    "confirmed, no status": ({"status_approved": None},
                             WITH_ORDER | {"state": "approved", "accepted_state": "confirmed"},
                             "Gracias, hemos recibido tu pedido"),
    "refused": ({}, REFUSED | {"refusal": "cart_changed"}, "Tu pedido no se ha realizado"),
    "refused, in doubt": ({}, REFUSED | {"refusal": "gave_up", "confirm_intent_at": LONG_AGO},
                          "Tu pedido no se ha realizado"),
    "cancelled after a review": ({}, CANCELLED, "Tu pedido se ha cancelado"),
}  # fmt: skip


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that counts nothing down while it is looked at; axe needs its other timers."""
    opened = browser.new_page()
    opened.clock.install()
    opened.add_init_script("window.setInterval = () => 0")
    yield opened
    opened.close()


def nothing_is_wrong(page: Page) -> None:
    for width in (320, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert violations(page) == [], width
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_in_any_state(
    web: Web, make_solicitation: MakeSolicitation, page: Page, state: str
) -> None:
    of_store, of_payment, heading = STATES[state]
    found = make_solicitation(**of_payment)
    for name, value in ({"status_approved": 11, "status_needs_review": 12} | of_store).items():
        setattr(found.store, name, value)
    found.store.save()

    page.goto(f"{web.url}/return/{found.public_id}")

    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    nothing_is_wrong(page)
    if state == "waiting":
        page.clock.run_for(25_000)
        expect(page.locator("#slow")).to_be_visible()
        nothing_is_wrong(page)
    if state == "in review":
        expect(page.get_by_role("timer")).to_have_text("12")
        page.get_by_role("button", name="Quedarme en esta página").click()
        expect(page.get_by_role("status")).to_be_visible()
        nothing_is_wrong(page)


@pytest.mark.parametrize(
    ("locale", "language"),
    [("ca", "es"), ("gl-ES", "es"), ("eu", "es"), ("es-419", "es"), ("pt-BR", "pt"), ("de", "en")],
)
def test_the_page_speaks_the_language_of_the_checkout(
    web: Web, make_solicitation: MakeSolicitation, locale: str, language: str
) -> None:
    found = make_solicitation(state="approved")
    found.shopper |= {"locale": locale}
    found.save()

    page = requests.get(f"{web.url}/return/{found.public_id}", timeout=60)

    assert page.headers["Content-Language"] == language
    heading = {
        "es": "Estamos terminando tu pedido",
        "pt": "Estamos a concluir a tua encomenda",
        "en": "We are finishing your order",
    }[language]
    assert f'<html lang="{language}">' in page.text
    assert heading in page.text
