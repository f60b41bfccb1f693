"""The storefront script at home on BigCommerce's own payment step: what React, its themes and the
platform's style sheet do there, as observed on the real page."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.scripted import (
    BUTTON,
    CHECKOUT,
    NATIVE_BUTTON,
    OURS,
    PP3,
    SP1,
    Answer,
    World,
    choose,
    held,
    run_timers,
)

ALERT = ".sequra-alert"


WIDTHS = [320, 360, 390, 768, 1440]


THEMES = ["v1", "v2"]


DRAWN = [(320, 568), (360, 640), (390, 844), (768, 1024)]  # where the order is a drawer


LONG = PP3 | {
    "title": "Recibe tu compra y paga después en cómodos plazos",
    "cost_description": "desde 18,48 €/mes con un coste fijo de 5,00 € por cuota",
}


# The most radios that were checked at one moment, looked at in every task and every frame.
WATCH = """() => {
  window.most = 0;
  const count = () => {
    const all = document.querySelectorAll('.checkout-step--payment li input[type=radio]');
    window.most = Math.max(window.most, [...all].filter((one) => one.checked).length);
  };
  const frame = () => { count(); requestAnimationFrame(frame); };
  frame();
  setInterval(count);
}"""


# Radios that look chosen: the label paints the mark.
PAINTED = """() => [...document.querySelectorAll('.checkout-step--payment li input[type=radio]')]
  .filter((one) => {
    const mark = (part) => getComputedStyle(one.nextElementSibling, part).backgroundColor;
    const colour = document.querySelector('.themeV2') ? mark('::before') : mark('::after');
    return colour !== 'rgb(255, 255, 255)';
  }).map((one) => one.id)"""


def box(page: Page, selector: str) -> dict[str, float]:
    found: Any = page.locator(selector).first.bounding_box()
    assert found is not None
    return {side: float(found[side]) for side in ("x", "y", "width", "height")}


def only_ours_is_checked(page: Page) -> None:
    run_timers(page, 100)  # validation and the render behind it
    assert page.evaluate("window.most") == 1
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    expect(page.get_by_role("radio", checked=True)).to_have_id("radio-sequra-pp3")
    assert page.evaluate(PAINTED) == ["radio-sequra-pp3"]


@pytest.mark.parametrize("theme", THEMES)
def test_a_blur_does_not_bring_the_native_mark_back(
    world: World, open_checkout: Open, theme: str
) -> None:
    page = open_checkout(f"terms=1&theme={theme}")
    expect(page.locator("#radio-bankdeposit")).to_be_focused()  # the step opens with that
    choose(page)
    page.evaluate(WATCH)

    page.locator("#radio-bankdeposit").focus()
    page.keyboard.press("Tab")
    only_ours_is_checked(page)
    page.locator("#terms").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    only_ours_is_checked(page)
    page.locator("#redeemableCode-payment").focus()
    page.locator(BUTTON).focus()
    only_ours_is_checked(page)


def test_editing_the_shipping_on_a_phone_leaves_one_mark(world: World, open_checkout: Open) -> None:
    page = open_checkout(width=390)
    choose(page)

    page.locator('[data-test="step-edit-button-shipping"]').click()
    page.locator('[data-test="shipping-continue"]').click()

    expect(page.locator(OURS)).to_have_count(3)
    expect(page.get_by_label(PP3["title"])).to_be_checked()
    page.evaluate(WATCH)
    page.locator("#redeemableCode-payment").focus()
    only_ours_is_checked(page)


def test_a_setter_behind_our_back_is_undone_at_the_next_look(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    choose(page)

    page.evaluate(
        """() => Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'checked')
          .set.call(document.querySelector('#radio-cod'), true)"""
    )

    expect(page.locator("#radio-cod")).not_to_be_checked()
    page.locator("#radio-cod").check()
    expect(page.get_by_role("radio", checked=True)).to_have_id("radio-cod")
    expect(page.locator(NATIVE_BUTTON)).to_be_visible()


def test_back_at_a_native_method_react_has_its_radio_again(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout("terms=1")
    expect(page.locator("#radio-bankdeposit")).to_be_focused()  # the step opens with that
    choose(page)

    page.locator("#radio-bankdeposit").check()
    page.locator("#terms").check()
    page.keyboard.press("Tab")
    world.settle(page, 100)

    expect(page.get_by_role("radio", checked=True)).to_have_id("radio-bankdeposit")
    assert page.evaluate(PAINTED) == ["radio-bankdeposit"]
    page.locator(NATIVE_BUTTON).click()
    page.wait_for_url(re.compile("order-confirmation"))


def test_a_method_with_its_own_button_gives_way_and_comes_back(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout("wallet=1")
    choose(page)
    page.locator("#radio-cod").check()
    at_first = box(page, f"button{NATIVE_BUTTON}")["x"]
    page.locator("#radio-wallet").check()
    expect(page.locator(BUTTON)).to_be_hidden()

    choose(page)
    expect(page.locator(BUTTON)).to_be_visible()
    expect(page.locator("div#checkout-payment-continue")).to_be_hidden()
    page.locator("#radio-cod").check()

    expect(page.locator(f"button{NATIVE_BUTTON}")).to_be_visible()
    expect(page.locator(BUTTON)).to_be_hidden()
    assert box(page, f"button{NATIVE_BUTTON}")["x"] == at_first


@pytest.mark.parametrize("theme", THEMES)
def test_it_looks_like_its_native_neighbours(world: World, open_checkout: Open, theme: str) -> None:
    world.methods = [LONG, SP1]
    page = open_checkout(f"theme={theme}")
    expect(page.locator(OURS)).to_have_count(2)
    look = """name => { const style = getComputedStyle(name);
      return [style.fontFamily, style.fontWeight, style.fontSize, style.color]; }"""
    name = ".paymentProviderHeader-name"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.locator("#radio-bankdeposit").check()
        native = box(page, NATIVE_BUTTON)
        natives = page.locator(f"li:not(.sequra-item) {name}").last.evaluate(look)
        assert page.locator(f"{OURS} {name}").first.evaluate(look) == natives
        marks = page.locator(".checkout-step--payment li input").evaluate_all(
            "all => all.map((one) => Math.round(one.getBoundingClientRect().left))"
        )
        assert len(set(marks)) == 1

        choose(page, LONG)

        ours = box(page, BUTTON)
        assert (ours["x"], ours["width"]) == (native["x"], native["width"])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        icon, title = box(page, f"{OURS} img"), box(page, f"{OURS} {name}")
        assert title["x"] >= icon["x"] + icon["width"]
        assert title["y"] < icon["y"] + icon["height"]
        words, item = box(page, ".sequra-description"), box(page, OURS)
        text_ends = page.locator(".sequra-description").first.evaluate(
            """one => { const range = document.createRange(); range.selectNodeContents(one);
              return range.getBoundingClientRect().bottom; }"""
        )
        assert words["x"] > item["x"]
        assert item["y"] + item["height"] - text_ends >= 12


def test_a_note_has_air_on_all_sides(world: World, open_checkout: Open) -> None:
    world.methods, world.message = [], "Con tarjetas regalo no se puede pagar con SeQura."
    page = open_checkout()

    air = page.locator(".sequra-note").evaluate(
        """one => { const range = document.createRange(); range.selectNodeContents(one);
          const words = range.getBoundingClientRect();
          const item = one.closest('li').getBoundingClientRect();
          return [words.left - item.left, words.top - item.top, item.bottom - words.bottom]; }"""
    )
    assert min(air) >= 12


@pytest.mark.parametrize("theme", THEMES)
def test_an_error_is_never_behind_the_order_drawer(
    world: World, open_checkout: Open, theme: str
) -> None:
    world.fail("/form", Answer(503, {}))
    page = open_checkout(f"terms=1&theme={theme}", width=320)
    choose(page)

    for width, height in DRAWN:
        page.set_viewport_size({"width": width, "height": height})
        page.locator("#terms").uncheck()
        for error in ("#sequra-terms-error", ALERT):
            page.evaluate("scrollTo(0, 0)")
            page.locator(BUTTON).evaluate("one => one.click()")  # without scrolling to it
            expect(page.locator(error)).not_to_be_empty()
            world.settle(page, 100)
            seen, drawer = box(page, error), box(page, ".cartDrawer")
            assert seen["y"] >= 0
            assert seen["y"] + seen["height"] <= drawer["y"]
            page.locator("#terms").check()


def test_a_shop_without_native_methods_still_sells_with_sequra(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout("methods=none")
    expect(page.locator(OURS)).to_have_count(3)
    expect(page.locator(BUTTON)).to_be_hidden()

    choose(page, SP1)
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    ours, button = box(page, ".sequra-list"), box(page, BUTTON)
    assert button["y"] - ours["y"] - ours["height"] >= 16
    page.locator(BUTTON).click()

    expect(page.locator("iframe#sq-identification-sp1")).to_be_visible()
    assert len(world.called("app", "payment-methods")) == 1


@pytest.mark.parametrize("redrawn", [False, True], ids=["", "step drawn anew"])
def test_a_shop_without_native_methods_says_why_sequra_went_and_has_it_again(
    world: World, open_checkout: Open, redrawn: bool
) -> None:
    page = open_checkout("methods=none")
    choose(page, SP1)
    world.fail("payment-methods", Answer(404, {}))
    if redrawn:
        page.locator("#redeemableCode").fill("SAVE10")
        page.locator('[data-test="redeemableEntry-submit"]').click()
    else:
        world.total = 90.0
        page.evaluate("dispatchEvent(new Event('sequra:refresh'))")

    expect(page.locator(ALERT)).to_contain_text("SeQura no responde")
    expect(page.locator(OURS)).to_have_count(0)
    world.faults.clear()
    page.evaluate("dispatchEvent(new Event('online'))")

    expect(page.locator(OURS)).to_have_count(3)
    expect(page.locator(ALERT)).to_be_empty()


def test_credit_that_covers_all_meanwhile_says_nothing_and_keeps_the_choice(
    world: World, open_checkout: Open
) -> None:
    world.balance, world.credit_applied = 500.0, True
    page = open_checkout()
    page.locator("#useStoreCredit").uncheck()
    choose(page)
    world.settle(page, 400)

    with held(page, f"**/checkouts/{CHECKOUT}") as release:
        with page.expect_request(f"**/checkouts/{CHECKOUT}"):
            page.locator("#useStoreCredit").check()
        expect(page.locator(".storeCreditOverlay")).to_be_visible()
        release()
        world.settle(page, 400)
    page.locator("#useStoreCredit").uncheck()

    expect(page.get_by_label(PP3["title"])).to_be_checked()
    expect(page.locator(ALERT)).to_be_empty()
    assert world.called("app", "form") == []


def test_terms_without_a_checkbox_leave_sequra_out(world: World, open_checkout: Open) -> None:
    """Without native methods BigCommerce draws no checkbox: nothing may lead round the terms."""
    world.terms = True
    page = open_checkout("methods=none&terms=1")
    world.wait_called(page, "app", "payment-methods")
    world.settle(page, 400)

    expect(page.locator(".sequra-list")).to_have_count(0)
    expect(page.locator(OURS)).to_have_count(0)


def test_options_come_with_the_checkbox_that_the_terms_need(
    world: World, open_checkout: Open
) -> None:
    world.terms = True
    page = open_checkout("terms=1")
    choose(page)

    page.evaluate("document.querySelector('#terms').closest('fieldset').remove()")
    expect(page.locator(OURS)).to_have_count(0)
    expect(page.locator(NATIVE_BUTTON)).to_be_visible()
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)


def test_nothing_happens_while_a_native_order_is_placed(world: World, open_checkout: Open) -> None:
    world.fail("/order", Answer(204, delay=1.2))
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    page.locator(NATIVE_BUTTON).click()

    page.get_by_text(PP3["title"]).click()
    page.locator(f"{OURS} input").first.focus()
    page.keyboard.press("Space")
    page.evaluate(f"document.querySelector('{BUTTON}').click()")

    assert page.locator(f"{OURS} input:checked").count() == 0
    expect(page.locator(NATIVE_BUTTON)).to_be_visible()
    page.wait_for_url(re.compile("order-confirmation"))
    assert world.called("app", "form") == []
    assert len(world.called("shop", "/order")) == 1


def test_a_refused_native_order_gives_sequra_back(world: World, open_checkout: Open) -> None:
    world.fail("/order", Answer(400, {}))
    page = open_checkout()
    page.locator(NATIVE_BUTTON).click()
    expect(page.locator(NATIVE_BUTTON)).to_be_enabled()

    choose(page)
    page.locator(BUTTON).click()

    expect(page.locator("iframe#sq-identification-pp3")).to_be_visible()


def test_nobody_is_asked_behind_the_spam_check(world: World, open_checkout: Open) -> None:
    page = open_checkout("spam=1")
    world.settle(page, 600)
    assert world.called("app", "payment-methods") == []

    page.locator('[data-test="spam-protection-verify-button"]').click()

    expect(page.locator(OURS)).to_have_count(3)
    assert len(world.called("app", "payment-methods")) == 1


def test_nobody_is_asked_while_the_page_is_only_prepared(world: World, open_checkout: Open) -> None:
    world.head = (
        "<script>let prepared = true;"
        "Object.defineProperty(document, 'prerendering', { get: () => prepared });"
        "window.activate = () => { prepared = false;"
        "  document.dispatchEvent(new Event('prerenderingchange')); };</script>"
    )
    page = open_checkout()
    world.settle(page, 600)
    assert world.called("app", "payment-methods") == []
    expect(page.locator(OURS)).to_have_count(0)

    page.evaluate("window.activate()")

    expect(page.locator(OURS)).to_have_count(3)


@pytest.mark.parametrize("caught", [True, False], ids=["caught by the page", "not caught"])
def test_enter_in_the_coupon_box_opens_no_form(
    world: World, open_checkout: Open, caught: bool
) -> None:
    """Uncaught, it submits the payment form that the box lies in, as the browser does."""
    page = open_checkout()
    choose(page)
    if not caught:
        page.evaluate("addEventListener('keydown', (event) => event.stopPropagation(), true)")

    page.locator("#redeemableCode-payment").fill("SAVE10")
    page.keyboard.press("Enter")

    if caught:
        world.wait_called(page, "app", "payment-methods", 2)
    world.settle(page, 400)
    assert world.coupon == ("SAVE10" if caught else "")
    assert world.called("app", "form") == []
    assert world.called("shop", "/order") == []
    expect(page.get_by_label(PP3["title"])).to_be_checked()
    page.locator("#radio-sequra-pp3").press("Enter")
    expect(page.locator("iframe#sq-identification-pp3")).to_be_visible()


def test_terms_are_asked_for_once(world: World, open_checkout: Open) -> None:
    page = open_checkout("terms=1")
    expect(page.locator("#radio-bankdeposit")).to_be_focused()  # the step opens with that
    page.locator(NATIVE_BUTTON).click()
    expect(page.locator("label#terms-field-error-message")).to_be_visible()

    choose(page)
    page.locator(BUTTON).click()

    expect(page.locator("#terms")).to_be_focused()
    expect(page.locator(".checkout-terms .form-inlineMessage:visible")).to_have_count(1)
    assert world.called("app", "form") == []


def test_our_own_terms_message_colours_the_field(world: World, open_checkout: Open) -> None:
    page = open_checkout("terms=1")
    choose(page)
    page.locator(BUTTON).click()

    field = page.locator(".checkout-terms .form-field")
    expect(page.locator("#sequra-terms-error")).to_have_css("color", "rgb(173, 0, 0)")
    expect(field).to_have_class(re.compile("form-field--error"))
    page.locator("#terms").check()
    expect(field).not_to_have_class(re.compile("form-field--error"))


def test_the_choice_is_announced_and_the_native_one_is_silent(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    said = page.get_by_role("status").filter(has_text=re.compile("."))
    expect(said).to_have_text(["Transferencia bancaria"])

    choose(page)
    expect(said).to_have_text([PP3["title"]])
    choose(page, SP1)
    expect(said).to_have_text([SP1["title"]])
    page.locator("#radio-cod").check()

    expect(said).to_have_text(["Contra reembolso"])


def test_a_page_that_the_browser_kept_has_no_open_form_when_it_is_shown_again(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    expect(page.locator("iframe#sq-identification-pp3")).to_be_focused()
    world.status = {"status": "refused", "redirect": None, "message": "Prueba otro método."}

    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")

    expect(page.locator(ALERT)).to_have_text("Prueba otro método.")
    expect(page.locator("iframe, [inert]")).to_have_count(0)
    expect(page.get_by_label(PP3["title"])).to_be_checked()
    page.locator(BUTTON).click()
    expect(page.locator("iframe#sq-identification-pp3")).to_be_focused()


REACHABLE = """() => [...document.body.children]
  .filter((one) => !one.inert && !['SCRIPT', 'STYLE'].includes(one.tagName))
  .map((one) => one.getAttribute('role') || one.id)"""


def test_everything_outside_the_form_is_out_of_reach(world: World, open_checkout: Open) -> None:
    """Also what comes while it is open, such as a chat; what SeQura itself adds is its own."""
    world.extra = "<a id=elsewhere href='/'>Shop</a><a id=already inert href='/'>Quiet</a>"
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    frame = page.locator("iframe#sq-identification-pp3")
    expect(frame).to_be_focused()

    assert page.evaluate(REACHABLE) == ["dialog"]
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") != "elsewhere"
    page.evaluate(
        """() => {
          const put = (html) => document.body.insertAdjacentHTML('beforeend', html);
          put('<div id=chat><button>Chat</button></div>');
          put('<div id=sq-more><button>3DS</button></div>');
        }"""
    )
    assert page.evaluate(REACHABLE) == ["dialog", "sq-more"]

    page.frame_locator("iframe").locator("#close").click()
    expect(page.locator(BUTTON)).to_be_focused()
    inert = page.locator("[inert]").evaluate_all("all => all.map((one) => one.id)")
    assert inert == ["already"]  # by the page itself
    page.evaluate("document.body.append(document.createElement('p'))")
    assert page.locator("[inert]").count() == 1
