"""What the script adds to the page moves nothing that the shopper already sees."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Open
from tests.browser.scripted import I1, PP3, SP1, Answer, World, run_timers

OURS = "li.sequra-item"
UNCHOSEN = ".form-checklist-item:not(.form-checklist-item--selected)"
ROOM = "li.sequra-room"
REST = "li.sequra-rest"
WIDTHS = pytest.mark.parametrize("width", [390, 1440])
# Shifts of the payment form that no input explains: https://web.dev/articles/cls
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
    const ofTheForm = entry.sources.filter(
      ({ node }) => node && node.parentElement.closest('[data-test="payment-form"]')
    );
    if (!entry.hadRecentInput && ofTheForm.length) window.shifts.push(entry.value);
  })).observe({ type: 'layout-shift', buffered: true });
"""


def late(world: World) -> Answer:
    """The usual answer, after the native methods are there."""
    found = {"solicitation": "s", "methods": world.methods, "reasons": [], "message": ""}
    return Answer(body=found | {"info": world.info}, delay=1.0)


def shift_until(page: Page, count: int) -> float:
    """The sum of all shifts since the page began, with this many options shown."""
    expect(page.locator(OURS)).to_have_count(count)
    page.evaluate(SHIFTS)
    run_timers(page, 0)
    return float(page.evaluate("shifts.reduce((sum, one) => sum + one, 0)"))


def reload_with_early_options(page: Page) -> None:
    """Have the page wait for the checkout until the app has answered: the options are first."""
    held: list[Route] = []
    answered: list[bool] = []

    def hold(route: Route) -> None:
        route.continue_() if answered else held.append(route)

    page.route("**/checkouts/*include=*", hold)
    with page.expect_response(
        lambda one: one.url.endswith("/payment-methods") and one.request.method == "POST"
    ):
        page.reload(wait_until="commit")
    run_timers(page, 0)
    answered.append(True)
    for route in held:
        route.continue_()
    assert held


@WIDTHS
def test_options_that_are_early_come_with_the_list(
    world: World, open_checkout: Open, width: int
) -> None:
    page = open_checkout(width=width)
    expect(page.locator(OURS)).to_have_count(3)

    reload_with_early_options(page)

    assert shift_until(page, 3) == 0
    assert len(world.called("app", "payment-methods")) == 2


@pytest.mark.parametrize("theme", ["v1", "v2"])
def test_options_that_are_early_take_the_look_of_the_list(
    world: World, open_checkout: Open, theme: str
) -> None:
    """They are built before BigCommerce has drawn the wrapper that names its theme."""
    page = open_checkout(f"theme={theme}")

    reload_with_early_options(page)

    expect(page.locator(OURS)).to_have_count(3)
    fonts = page.locator(f"{UNCHOSEN} .paymentProviderHeader-name").evaluate_all(
        "names => names.map((one) => getComputedStyle(one)).map((look) =>"
        " [look.fontFamily, look.fontWeight, look.fontSize, look.color].join())"
    )
    assert len(fonts) == 4
    assert len(set(fonts)) == 1


@WIDTHS
def test_room_is_kept_for_options_that_are_late(
    world: World, open_checkout: Open, width: int
) -> None:
    page = open_checkout(width=width)
    expect(page.locator(OURS)).to_have_count(3)
    world.fail("payment-methods", late(world))

    page.reload()
    expect(page.locator(ROOM)).to_have_count(3)

    assert shift_until(page, 3) == 0
    expect(page.locator(ROOM)).to_have_count(0)


@WIDTHS
@pytest.mark.parametrize("count", [1, 2, 3])
def test_nothing_moves_the_first_time_however_many_options_come(
    world: World, open_checkout: Open, width: int, count: int
) -> None:
    world.methods = [PP3, SP1, I1][:count]
    world.fail("payment-methods", late(world))
    page = open_checkout(width=width)
    expect(page.locator(ROOM)).to_have_count(3)

    expect(page.locator(ROOM)).to_have_count(0)
    assert shift_until(page, count) == 0

    # What was left of the room goes when the shopper does something, and moves with that.
    page.locator("#radio-cod").click()
    expect(page.locator(REST)).to_have_count(0)
    run_timers(page, 0)
    assert page.evaluate("shifts.reduce((sum, one) => sum + one, 0)") == 0


@pytest.mark.parametrize("answer", [Answer(503, {}, delay=1.0), None], ids=["none", "no methods"])
def test_without_an_offer_the_list_is_as_it_was(
    world: World, open_checkout: Open, answer: Answer | None
) -> None:
    """A hole under the native methods would be worse than one small shift of an unused place."""
    world.methods = []
    world.fail("payment-methods", answer or late(world))
    page = open_checkout(width=390)
    expect(page.locator(ROOM)).to_have_count(3)

    expect(page.locator(ROOM)).to_have_count(0)
    expect(page.locator(REST)).to_have_count(0)


def test_no_room_is_kept_once_no_answer_came(world: World, open_checkout: Open) -> None:
    world.fail("payment-methods", Answer(503, {}, delay=1.0))
    page = open_checkout()

    expect(page.locator(ROOM)).to_have_count(3)
    expect(page.locator(ROOM)).to_have_count(0)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    world.wait_called(page, "app", "payment-methods", 2)
    expect(page.locator(ROOM)).to_have_count(0)
    expect(page.locator("#checkout-payment-continue")).to_be_visible()


def test_the_app_is_asked_again_when_it_wants_to_be(world: World, open_checkout: Open) -> None:
    away = Answer(
        429, {}, headers={"Retry-After": "5", "Access-Control-Expose-Headers": "Retry-After"}
    )
    ok = Answer(body={"solicitation": "s", "methods": [PP3], "reasons": [], "message": ""})
    world.fail("payment-methods", away, ok)
    page = open_checkout()
    world.wait_called(page, "app", "payment-methods")

    page.evaluate("window.dispatchEvent(new Event('sequra:refresh'))")  # what asks again at once
    expect(page.locator(OURS)).to_have_count(1, timeout=20_000)

    assert len(world.called("app", "payment-methods")) == 2
    first, second = page.evaluate(
        """() => performance.getEntriesByType('resource')
          .filter((one) => one.name.endsWith('/payment-methods') && one.initiatorType === 'fetch')
          .map((one) => [one.startTime, one.responseEnd])"""
    )
    assert second[0] - first[1] >= 4900  # not before it wants to be


def test_where_nothing_was_offered_no_room_is_kept(world: World, open_checkout: Open) -> None:
    methods, world.methods = world.methods, []
    page = open_checkout()
    page.wait_for_function("Object.values(sessionStorage).includes('[]')")
    world.methods = methods
    world.fail("payment-methods", late(world))

    page.reload()
    world.wait_called(page, "app", "payment-methods", 2)

    expect(page.locator(ROOM)).to_have_count(0)
    expect(page.locator(OURS)).to_have_count(3)
