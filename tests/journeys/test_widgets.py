"""A merchant turns promotional widgets on, a visitor sees them in the shop, and off again."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.journeys.system import System, eventually

pytestmark = pytest.mark.xdist_group("production")
COMPONENT = ".sequra-promotion-widget"
PLACES = {"product": ["pp3"], "cart": ["pp3"], "listing": ["pp3"]}


def scripts(system: System) -> list[dict[str, Any]]:
    found = system.sandbox.held("scripts")
    return [one for one in found if one["name"] == "SeQura widgets"]


def test_widgets_are_seen_in_the_shop_while_they_are_on(
    system: System, browsers: Callable[..., BrowserContext]
) -> None:
    shop, page = system.sandbox.origin("shop"), browsers().new_page()
    assert scripts(system) == []

    system.configure({"widgets": {"methods": PLACES}})
    assert eventually(lambda: scripts(system))
    page.goto(f"{shop}/?lang=es")
    expect(page.locator("[data-entity-id='101'] .sequra-widget")).to_have_text("Desde 35,41 €/mes")
    page.goto(f"{shop}/products/101")
    expect(page.locator(f"{COMPONENT} b")).to_have_text("35,41 €")
    page.locator(".buy button").click()
    expect(page.locator(f"{COMPONENT} b")).to_have_text("35,41 €")

    system.configure({"widgets": {"methods": {}}})
    assert eventually(lambda: not scripts(system))
    page.goto(f"{shop}/products/101")
    expect(page.locator(".productView-title")).to_be_visible()
    expect(page.locator("script[src*='sequra']")).to_have_count(0)
