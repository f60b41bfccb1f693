"""What the storefront script puts into the checkout is accessible: axe finds nothing in it."""

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.browser.scripted import World

OURS = "li.sequra-item"


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("language", ["en", "es"])
def test_axe_finds_nothing_in_the_options(
    world: World, open_checkout: Open, width: int, language: str
) -> None:
    page = open_checkout(f"lang={language}", width=width)
    expect(page.locator(OURS)).to_have_count(3)

    assert violations(page, OURS) == []
    page.locator(f"{OURS} input").first.check()
    assert [found for found in violations(page) if "sequra" in found] == []
