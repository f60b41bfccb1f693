"""A scripted world around the storefront script."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.scripted import World

Open = Callable[..., Page]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
def open_checkout(world: World, browser: Browser) -> Iterator[Open]:
    """Opens the scripted checkout: `open_checkout(query="lang=es", width=390)`.

    What the page itself throws is a failure of the test, except where `errors` is allowed.
    """
    contexts: list[BrowserContext] = []
    thrown: list[str] = []

    def opened(query: str = "", width: int = 1440, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.on("pageerror", lambda error: thrown.append(str(error)))
        page.goto(f"{world.url('shop')}/checkout?{query}")
        if "methods=none" not in query:
            page.wait_for_selector('[data-test="payment-form"], .spamProtection-container')
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [error for error in thrown if "another script" not in error] == []
