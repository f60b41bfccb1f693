"""Pages of the control panel: asked for by Django's client, and opened in Chromium."""

from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, BrowserContext, Page

from sequra.documents import Addresses, Deployment
from stores.clients import _FRESH
from tests.panel.world import session_of

Open = Callable[..., Page]


@pytest.fixture(autouse=True)
def known_deployments() -> Iterator[None]:
    """SeQura's deployments are known already; whatever else was looked up is forgotten."""
    cache.clear()
    addresses = Addresses("http://127.0.0.1:9", "http://127.0.0.1:9/assets")
    environments = {"sandbox": addresses, "live": addresses}
    found = [Deployment(name.lower(), name, environments) for name in ("seQura", "SVEA")]
    cache.set(_FRESH, found)
    yield
    cache.clear()


@pytest.fixture
def open_panel(browser: Browser, live_app: str) -> Iterator[Open]:
    """Opens a page of a store: `open_panel(store, "settings/", width=390, locale="es-ES")`.

    What the page throws is a failure of the test; so is what the browser refuses it.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(store: object, path: str, width: int = 1440, locale: str = "en-US") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda line: (
                complaints.append(line.text)
                if line.type == "error" and "status of 40" not in line.text
                else None
            ),
        )
        # `Open` leaves the type of a store open.
        page.goto(live_app + session_of(store, locale) + path)  # type: ignore[arg-type]
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
