"""What the script adds to the page moves nothing that the shopper already sees."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.scripted import I1, PP3, SP1, Answer, World, held, run_timers

OURS = "li.sequra-item"
UNCHOSEN = ".form-checklist-item:not(.form-checklist-item--selected)"
ROOM = "li.sequra-room"
SPAM_CHECK = '[data-test="spam-protection-verify-button"]'
WIDTHS = [320, 360, 390, 768, 1440]
THEMES = pytest.mark.parametrize("theme", ["v1", "v2"])
# The longest that SeQura has in its four countries, all of them in one list.
FOUR = [
    I1,
    I1 | {"product": "pp5", "title": "Paga el mes que viene", "cost_description": "+ 2,95 €"},
    PP3 | {"title": "Payez en plusieurs fois, dès 112,24 €/mois",
           "cost_description": "ou en 3 fois sans frais"},
    SP1 | {"title": "Pagamento Fracionado desde 112,24 €/mês", "icon": PP3["icon"],
           "cost_description": "ou em 3 prestações sem custos"},
]  # fmt: skip
# It follows the form directly, not at the window's lower end.
FOOTER = "<style>body { display: block !important }</style><footer>Mar de Fondo</footer>"
# Shifts of the payment form, and of what stands below it, that no input explains:
# https://web.dev/articles/cls
SHIFTS = """
  window.shifts = [];
  const form = '[data-test="payment-form"]';
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
    const ours = entry.sources.filter(({ node }) => node
      && (node.parentElement.closest(form) || (window.since && node.nodeName === 'FOOTER')));
    const unexplained = !entry.hadRecentInput && entry.startTime >= (window.since || 0);
    if (unexplained && ours.length) window.shifts.push(entry.value);
  })).observe({ type: 'layout-shift', buffered: true });
"""
# Until here the page's own fonts may have moved what stands below the form.
SINCE = "document.fonts.ready.then(() => { window.since = performance.now(); })"
STANDING = "document.getAnimations().length === 0"
HEIGHT = "one => one.closest('ul').getBoundingClientRect().height"
FORGET = "sessionStorage.clear()"
# Its bar stays at the window's lower end, whatever the footer around it does.
FOOTER_WITH_BAR = FOOTER.replace("</footer>", "<b style='position:fixed;bottom:0'>Bar</b></footer>")
# Every frame from now on: how many nodes glide, and where the bar stands.
FRAMES = """
  window.frames_drawn = [];
  const glides = (one) => !(one instanceof CSSAnimation || one instanceof CSSTransition);
  (function look() {
    const count = document.getAnimations().filter(glides).length;
    const bar = document.querySelector('footer b').getBoundingClientRect().bottom;
    window.frames_drawn.push([count, bar]);
    requestAnimationFrame(look);
  })();
"""


def late(world: World) -> Answer:
    """The usual answer, after the native methods are there."""
    found = {"solicitation": "s", "methods": world.methods, "reasons": [], "message": ""}
    return Answer(body=found | {"info": world.info}, delay=1.0)


def shifts(page: Page) -> float:
    """The sum of all shifts since the page began, once nothing moves any more."""
    page.wait_for_function(STANDING)
    page.evaluate(SHIFTS)
    run_timers(page, 0)
    return float(page.evaluate("shifts.reduce((sum, one) => sum + one, 0)"))


def reload_with_late_options(page: Page, rows: int, count: int) -> tuple[float, float]:
    """The list's height with room for so many rows, and with the options in their place."""
    with held(page, "**/payment-methods") as release:
        page.reload()
        page.locator(f"{ROOM},{SPAM_CHECK}").first.wait_for()
        if page.locator(SPAM_CHECK).count():
            page.locator(SPAM_CHECK).evaluate("one => one.click()")  # no input, for the browser
        expect(page.locator(ROOM)).to_have_count(rows)
        before = page.locator(ROOM).first.evaluate(HEIGHT)
        page.evaluate(SINCE)
        release()
        expect(page.locator(OURS)).to_have_count(count)
    expect(page.locator(ROOM)).to_have_count(0)
    return before, page.locator(OURS).first.evaluate(HEIGHT)


def reload_with_early_options(page: Page) -> None:
    """Have the page wait for the checkout until the app has answered: the options are first."""
    with held(page, "**/checkouts/*include=*") as release:
        with page.expect_response(
            lambda one: one.url.endswith("/payment-methods") and one.request.method == "POST"
        ):
            page.reload(wait_until="commit")
        run_timers(page, 0)
        release()
        expect(page.locator(OURS)).not_to_have_count(0)


@THEMES
def test_options_that_are_early_come_with_the_list(
    world: World, open_checkout: Open, theme: str
) -> None:
    """They are built before BigCommerce has drawn the wrapper that names its theme."""
    page = open_checkout(f"theme={theme}")
    expect(page.locator(OURS)).to_have_count(3)
    for asked, width in enumerate([390, 1440], start=2):
        page.set_viewport_size({"width": width, "height": 900})

        reload_with_early_options(page)

        expect(page.locator(OURS)).to_have_count(3)
        assert shifts(page) == 0
        assert len(world.called("app", "payment-methods")) == asked
        fonts = page.locator(f"{UNCHOSEN} .paymentProviderHeader-name").evaluate_all(
            "names => names.map((one) => getComputedStyle(one)).map((look) =>"
            " [look.fontFamily, look.fontWeight, look.fontSize, look.color].join())"
        )
        assert len(fonts) == 4
        assert len(set(fonts)) == 1


@pytest.mark.parametrize("spam", ["", "&spam=1"], ids=["", "spam-check"])
@THEMES
def test_nothing_jumps_the_first_time_however_late_many_and_long_the_options_are(
    world: World, open_checkout: Open, theme: str, spam: str
) -> None:
    """And the list ends with the last of them: what was too much room goes as smoothly."""
    world.extra = FOOTER
    page = open_checkout(f"theme={theme}{spam}")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1600})  # nothing is out of sight
        world.methods = [SP1] if width == 390 else FOUR
        page.evaluate(FORGET)

        reload_with_late_options(page, rows=3, count=len(world.methods))

        assert shifts(page) == 0, width
        assert page.locator(f"{OURS}:last-child").count() == 1


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_what_is_fixed_stays_and_nothing_glides_for_who_wants_no_motion(
    world: World, open_checkout: Open, motion: str
) -> None:
    world.extra, world.methods = FOOTER_WITH_BAR, FOUR
    page = open_checkout(width=390, reduced_motion=motion)
    page.set_viewport_size({"width": 390, "height": 1600})
    page.evaluate(FORGET)
    with held(page, "**/payment-methods") as release:
        page.reload()
        page.locator(ROOM).first.wait_for()
        page.evaluate(FRAMES)
        release()
        expect(page.locator(OURS)).to_have_count(4)
    run_timers(page, 300)

    frames = page.evaluate("frames_drawn")
    assert any(count for count, _bar in frames) == (motion == "no-preference")
    assert {bar for _count, bar in frames} == {1600}


def test_the_reason_of_a_refusal_keeps_its_place_above_the_button(
    world: World, open_checkout: Open
) -> None:
    """The alert was away while the options went: it does not glide in from where it was."""
    page = open_checkout()
    page.get_by_label(PP3["title"]).check()
    world.fail("payment-methods", Answer(403, {"message": "SeQura no puede."}))
    world.version += 1
    page.evaluate(
        """window.gaps = [];
        (function look() {
          const [alert, actions] = ['.sequra-alert:not(:empty)', '.form-actions'].map(
            (one) => document.querySelector(one)?.getBoundingClientRect());
          if (alert) window.gaps.push(Math.round(actions.top - alert.bottom));
          requestAnimationFrame(look);
        })()"""
    )

    page.evaluate("dispatchEvent(new Event('sequra:refresh'))")

    expect(page.locator(".sequra-alert")).to_have_text("SeQura no puede.")
    run_timers(page, 300)
    assert len(set(page.evaluate("gaps"))) == 1


@pytest.mark.parametrize("width", [390, 1440])
def test_exactly_the_room_is_kept_that_the_same_options_took_before(
    world: World, open_checkout: Open, width: int
) -> None:
    world.methods = FOUR
    page = open_checkout(width=width)
    expect(page.locator(OURS)).to_have_count(4)
    run_timers(page, 0)

    room, options = reload_with_late_options(page, rows=4, count=4)

    assert room == options


@pytest.mark.parametrize("answer", [Answer(503, {}, delay=1.0), None], ids=["none", "no methods"])
def test_without_an_offer_the_list_is_as_it_was(
    world: World, open_checkout: Open, answer: Answer | None
) -> None:
    world.methods = []
    world.fail("payment-methods", answer or late(world))
    page = open_checkout(width=390)
    expect(page.locator(ROOM)).to_have_count(3)

    expect(page.locator(ROOM)).to_have_count(0)
    assert shifts(page) == 0


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
