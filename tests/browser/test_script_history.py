"""The open form and the browser's history: back, forward, reload, and other scripts' steps."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.scripted import PP3, SP1, World
from tests.browser.test_script_form import BUTTON, FRAME, OURS, choose


def test_the_back_button_closes_the_form_and_stays_in_the_checkout(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    choose(page)
    before = page.url
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(1)
    page.wait_for_function("history.state && history.state.sequra")

    page.evaluate("history.back()")

    expect(page.locator(FRAME)).to_have_count(0)
    expect(page.locator(BUTTON)).to_be_enabled()
    expect(page.get_by_label(PP3["title"])).to_be_checked()
    assert page.url == before
    assert page.evaluate("document.querySelector('main').inert") is False

    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()


def open_form(page: Page, method: dict[str, Any] = PP3) -> None:
    choose(page, method)
    page.locator(BUTTON).click()
    page.wait_for_function("history.state && history.state.sequra")


def step_back(page: Page) -> None:
    """Step back in the history and wait until the page has noticed."""
    page.evaluate(
        """() => new Promise((done) => {
          window.addEventListener('popstate', () => setTimeout(done), { once: true });
          history.back();
        })"""
    )


def leaves_at_once(page: Page) -> None:
    """One step back leads to what was before the checkout."""
    page.wait_for_function("!(history.state && history.state.sequra)")
    page.go_back(wait_until="commit")
    assert page.url == "about:blank"


def test_pages_inside_the_form_leave_no_entry_behind(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    open_form(page)
    frame = page.frame_locator(FRAME)
    for step in ("code", "done"):
        frame.locator("body").evaluate(f"() => {{ location.href = '/orders/form/{step}' }}")
        expect(frame.locator("h1")).to_have_text(step)

    frame.locator("#close").click()

    expect(page.locator(FRAME)).to_have_count(0)
    leaves_at_once(page)


def test_the_back_button_first_goes_back_inside_the_form(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    open_form(page)
    frame = page.frame_locator(FRAME)
    frame.locator("body").evaluate("() => { location.href = '/orders/form/code' }")
    expect(frame.locator("h1")).to_have_text("code")

    page.evaluate("history.back()")
    expect(frame.locator("h1")).to_have_text("form")
    frame.locator("#close").click()

    expect(page.locator(FRAME)).to_have_count(0)
    leaves_at_once(page)


def test_a_reload_with_the_form_open_leaves_no_entry_behind(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    open_form(page)

    page.reload()

    expect(page.locator(OURS)).to_have_count(3)
    expect(page.locator(FRAME)).to_have_count(0)
    page.wait_for_function("!(history.state && history.state.sequra)")
    open_form(page)
    expect(page.locator(FRAME)).to_be_visible()
    step_back(page)
    expect(page.locator(FRAME)).to_have_count(0)
    leaves_at_once(page)


def test_the_forward_button_does_not_lead_to_a_form_that_was_closed(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    open_form(page)
    step_back(page)
    expect(page.locator(FRAME)).to_have_count(0)

    page.evaluate("history.forward()")

    leaves_at_once(page)


@pytest.mark.parametrize("state", ["null", "{ other: 1 }", "'text'"])
def test_steps_of_other_scripts_do_not_close_the_form(
    world: World, open_checkout: Open, state: str
) -> None:
    page = open_checkout()
    open_form(page)
    page.evaluate(f"history.pushState({state}, '')")
    step_back(page)
    page.evaluate("dispatchEvent(new PopStateEvent('popstate', { state: null }))")

    expect(page.locator(FRAME)).to_be_visible()
    assert page.evaluate("document.querySelector('main').inert") is True
    step_back(page)
    expect(page.locator(FRAME)).to_have_count(0)
    leaves_at_once(page)


def test_the_entry_below_another_scripts_is_passed_after_closing(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    open_form(page)
    page.evaluate("history.pushState({ other: 1 }, '')")
    page.frame_locator(FRAME).locator("#close").click()
    expect(page.locator(FRAME)).to_have_count(0)
    assert page.evaluate("history.state") == {"other": 1}

    step_back(page)

    leaves_at_once(page)


def test_an_approval_after_the_form_was_left_leads_to_the_order(
    world: World, open_checkout: Open
) -> None:
    target = f"{world.url('app')}/waiting"
    page = open_checkout()
    page.clock.install()
    open_form(page)
    step_back(page)
    expect(page.locator(FRAME)).to_have_count(0)
    expect(page.locator(BUTTON)).to_be_enabled()
    world.status = {"status": "waiting", "redirect": target, "message": ""}

    page.clock.run_for(5_000)

    page.wait_for_url(target)


def test_a_closed_form_is_forgotten_once_another_is_open(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    page.clock.install()
    open_form(page)
    step_back(page)
    expect(page.locator(BUTTON)).to_be_enabled()
    open_form(page, SP1)
    asked = len(world.called("app", "/s1", "GET"))

    page.clock.run_for(4_500)

    world.wait_called(page, "app", "/s2", method="GET")  # the open form looks for itself
    assert len(world.called("app", "/s1", "GET")) == asked


def test_a_closed_form_leaves_no_entry_in_the_history(world: World, open_checkout: Open) -> None:
    """One step back from the checkout is one step, whether the form was open or not."""
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    page.frame_locator(FRAME).locator("#close").click()

    expect(page.locator(FRAME)).to_have_count(0)
    page.wait_for_function("!(history.state && history.state.sequra)")
    expect(page.locator(BUTTON)).to_be_enabled()
    expect(page.get_by_label(PP3["title"])).to_be_checked()
