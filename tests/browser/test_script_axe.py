"""What the storefront script puts into the checkout is accessible: axe finds nothing in it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.browser.scripted import Answer, World

OURS = "li.sequra-item"
BUTTON = "#sequra-continue"


@pytest.mark.parametrize("language", ["en", "es"])
def test_axe_finds_nothing_in_the_options(world: World, open_checkout: Open, language: str) -> None:
    page = open_checkout(f"lang={language}", width=1440)
    expect(page.locator(OURS)).to_have_count(3)

    assert violations(page, OURS) == []
    page.set_viewport_size({"width": 390, "height": 900})
    assert violations(page, OURS) == []
    page.locator(f"{OURS} input").first.check()
    assert [found for found in violations(page) if "sequra" in found] == []
    page.set_viewport_size({"width": 1440, "height": 900})
    assert [found for found in violations(page) if "sequra" in found] == []


# One after the other, on one page.


def as_offered(_world: World, page: Page) -> None:
    """Nothing chosen yet."""


def as_chosen(_world: World, page: Page) -> None:
    page.locator(f"{OURS} input").first.check()


def without_terms(_world: World, page: Page) -> None:
    page.locator(BUTTON).click()
    expect(page.locator("#sequra-terms-error")).not_to_be_empty()


def refused(world: World, page: Page) -> None:
    world.fail("/form", Answer(422, {"code": "phone", "message": "El teléfono no es válido."}))
    page.locator("#terms").check()
    page.locator(BUTTON).click()
    expect(page.locator(".sequra-alert")).not_to_be_empty()


def with_the_form(world: World, page: Page) -> None:
    world.faults.clear()
    page.locator(BUTTON).click()
    expect(page.locator("iframe#sq-identification-pp3")).to_be_focused()


@pytest.mark.parametrize("theme", ["v1", "v2"])
def test_axe_finds_nothing_in_any_state(world: World, open_checkout: Open, theme: str) -> None:
    page = open_checkout(f"terms=1&theme={theme}", width=390)
    expect(page.locator(OURS)).to_have_count(3)
    expect(page.locator("#radio-bankdeposit")).to_be_focused()
    for state in (as_offered, as_chosen, without_terms, refused, with_the_form):
        state(world, page)

        assert violations(page) == [], state


@pytest.mark.parametrize("knob", ["methods=none", "wallet=1"])
def test_axe_finds_nothing_beside_other_methods(
    world: World, open_checkout: Open, knob: str
) -> None:
    page = open_checkout(knob)
    expect(page.locator(OURS)).to_have_count(3)
    page.locator(f"{OURS} input").first.check()

    assert violations(page) == []


def test_axe_finds_nothing_in_a_note(world: World, open_checkout: Open) -> None:
    world.methods, world.message = [], "Con tarjetas regalo no se puede pagar con SeQura."
    page = open_checkout()
    expect(page.get_by_text(world.message)).to_be_visible()

    assert violations(page) == []
