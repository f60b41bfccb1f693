"""+ info: SeQura's own explanation of a payment method, fetched when it is asked for."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.browser.scripted import I1, PP3, SP1, Answer, World, held

OURS = "li.sequra-item"
POPUP = "#sequra-popup"
SCRIPT = "/sequra-checkout.min.js"


def info_of(page: Page, title: str) -> Locator:
    return page.locator(OURS).filter(has_text=title).get_by_role("button", name="+ info")


def test_nothing_is_fetched_before_it_is_asked_for(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    more = info_of(page, PP3["title"])
    expect(more).to_have_accessible_description(PP3["title"])
    assert [call for call in world.calls if call.system == "sequra"] == []

    more.click()

    expect(page.locator(POPUP)).to_contain_text("SeQura pp3 110,89 €")
    assert page.evaluate("window.SequraConfiguration.assetKey") == "a1b2c3"
    expect(page.get_by_label(PP3["title"])).not_to_be_checked()
    assert len(world.called("sequra", SCRIPT, "GET")) == 1


def test_a_method_that_sequra_does_not_explain_has_none(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)

    expect(page.get_by_role("button", name="+ info")).to_have_count(2)
    expect(info_of(page, SP1["title"])).to_have_count(0)


def test_without_a_key_nothing_is_explained(world: World, open_checkout: Open) -> None:
    world.info = None
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)

    expect(page.get_by_role("button", name="+ info")).to_have_count(0)


def test_the_keyboard_goes_in_and_comes_back(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator("#radio-bankdeposit")).to_be_focused()
    for title in (I1["title"], PP3["title"], I1["title"]):  # the last one a second time
        more = info_of(page, title)
        more.focus()
        page.keyboard.press("Enter")

        dialog = page.get_by_role("dialog", name="SeQura")
        expect(dialog).to_be_visible()
        expect(dialog).to_be_focused()
        assert page.evaluate("document.querySelector('main').inert") is True
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")

        expect(dialog).to_be_hidden()
        expect(more).to_be_focused()
        assert page.evaluate("document.querySelector('main').inert") is False
    assert len(world.called("sequra", SCRIPT, "GET")) == 1


def test_a_script_that_does_not_come_is_said_and_asked_for_again(
    world: World, open_checkout: Open
) -> None:
    world.fail(SCRIPT, Answer(503, {}))
    page = open_checkout()
    more = info_of(page, PP3["title"])

    more.click()
    expect(page.locator(".sequra-alert")).to_have_text("SeQura no responde en este momento.")
    world.faults.clear()
    more.click()

    expect(page.locator(POPUP)).to_be_visible()


@pytest.mark.parametrize("file", ["app", "sequra"])
def test_a_double_click_fetches_once_and_opens_one_popup(
    world: World, open_checkout: Open, file: str
) -> None:
    page = open_checkout()
    more = info_of(page, PP3["title"])
    address = f"**/{world.form_file}" if file == "app" else f"**{SCRIPT}"
    with held(page, address) as release:
        with page.expect_request(address):
            more.click()
        more.click()
        page.evaluate("window.clicks = []")
        more.evaluate("one => one.addEventListener('click', () => window.clicks.push(1))")
        release()
        expect(page.locator(POPUP)).to_be_visible()

    world.settle(page, 200)
    assert page.evaluate("window.clicks.length") == 1
    assert len(world.called("sequra", SCRIPT, "GET")) == 1
    page.get_by_role("button", name="Cerrar").click()
    expect(more).to_be_focused()
    assert page.evaluate("document.querySelector('main').inert") is False


def test_it_works_under_a_nonce_policy(world: World, open_checkout: Open) -> None:
    page = open_checkout("csp=strict")
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))

    info_of(page, PP3["title"]).click()

    expect(page.locator(POPUP)).to_be_visible()
    assert [line for line in refused if "Content Security Policy" in line] == []


@pytest.mark.parametrize("theme", ["v1", "v2"])
def test_axe_finds_nothing_beside_it(world: World, open_checkout: Open, theme: str) -> None:
    page = open_checkout(f"theme={theme}", width=1440)
    expect(page.get_by_role("button", name="+ info")).to_have_count(2)
    for width in (1440, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert violations(page, ".checkout-step--payment") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.get_by_role("button", name="+ info").first.click()
    expect(page.locator(POPUP)).to_be_visible()

    assert violations(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})
    assert violations(page) == []
