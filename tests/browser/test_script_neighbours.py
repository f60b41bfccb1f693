"""The storefront script beside the scripts of others, in custom and in embedded checkouts."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.scripted import (
    BUTTON,
    NATIVE_BUTTON,
    OURS,
    SP1,
    World,
    choose,
)


def test_a_script_that_wants_another_order_gets_it(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)

    page.evaluate(
        """() => {
          window.moves = 0;
          const item = document.querySelector('li[data-method=cod]');
          const last = () => {
            const list = item.parentNode;
            if (list.lastElementChild === item || window.moves > 500) return;
            window.moves += 1;
            list.append(item);
          };
          new MutationObserver(last).observe(item.parentNode, { childList: true });
          last();
        }"""
    )

    world.settle(page, 700)
    assert page.evaluate("window.moves") <= 10
    expect(page.locator(OURS)).to_have_count(3)
    choose(page)
    expect(page.locator(BUTTON)).to_be_visible()


def test_a_script_that_takes_our_options_away_does_not_freeze_the_page(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)

    page.evaluate(
        """() => {
          window.removals = 0;
          const remove = () => document.querySelectorAll('.sequra-item').forEach((item) => {
            if (window.removals < 3000) { window.removals += 1; item.remove(); }
          });
          new MutationObserver(remove).observe(document.body, { childList: true, subtree: true });
          remove();
        }"""
    )

    world.settle(page, 700)
    assert page.evaluate("window.removals") < 3000
    page.locator(NATIVE_BUTTON).click()
    page.wait_for_url(re.compile("order-confirmation"))


def test_who_takes_our_options_away_for_ever_is_left_alone_more_and_more(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    page.clock.install()
    page.clock.run_for(2_000)
    page.evaluate(
        """() => {
          window.removals = 0;
          const remove = () => document.querySelectorAll('.sequra-item').forEach((item) => {
            window.removals += 1;
            item.remove();
          });
          window.theirs = new MutationObserver(remove);
          window.theirs.observe(document.body, { childList: true, subtree: true });
          remove();
        }"""
    )

    page.clock.run_for(100_000)

    assert page.evaluate("window.removals") < 1000  # 9000 if we went on as at first
    page.evaluate("window.theirs.disconnect()")
    page.clock.run_for(200_000)
    expect(page.locator(OURS)).to_have_count(3)


def test_a_script_that_wants_to_be_last_beside_our_button_is(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    choose(page)
    page.evaluate(
        """() => {
          window.moves = 0;
          const home = document.querySelector('.form-actions');
          const theirs = document.createElement('i');
          const last = () => {
            if (home.lastElementChild === theirs) return;
            window.moves += 1;
            home.append(theirs);
          };
          new MutationObserver(last).observe(home, { childList: true });
          last();
        }"""
    )

    world.settle(page, 700)
    assert page.evaluate("window.moves") == 1
    expect(page.locator(BUTTON)).to_be_visible()


def test_words_that_a_translator_replaced_stay_replaced(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    choose(page)

    page.evaluate(
        """() => {
          window.rewritten = 0;
          const translate = () => {
            const ours = '#sequra-continue,.sequra-item *,.sequra-status';
            for (const node of document.querySelectorAll(ours)) {
              const [only] = node.childNodes;
              if (!only || only.nodeType !== Node.TEXT_NODE || node.tagName === 'FONT') continue;
              const font = document.createElement('font');
              font.textContent = `${only.data} (translated)`;
              only.replaceWith(font);
              window.rewritten += 1;
            }
          };
          new MutationObserver(translate)
            .observe(document.body, { childList: true, subtree: true, characterData: true });
          translate();
        }"""
    )
    first = page.evaluate("window.rewritten")

    world.settle(page, 1100)
    assert page.evaluate("window.rewritten") == first
    expect(page.locator(BUTTON)).to_have_text("Continuar con SeQura (translated)")


def test_another_app_in_the_list_takes_and_gives_the_choice(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    page.evaluate(
        """() => document.querySelector('.checkout-step--payment .form-checklist')
          .insertAdjacentHTML('afterbegin', `<li class="form-checklist-item">
            <div class="form-checklist-header"><div class="form-field">
              <input type="radio" class="form-checklist-checkbox" name="theirs" id="radio-theirs">
              <label class="form-label" for="radio-theirs">Zenobia</label></div></div></li>`)"""
    )
    checked = page.get_by_role("radio", checked=True)

    choose(page)
    expect(checked).to_have_count(1)
    page.get_by_label("Zenobia").check()
    expect(page.locator("#radio-theirs")).to_be_checked()
    expect(page.locator(f"{OURS} input:checked")).to_have_count(0)
    expect(page.locator(NATIVE_BUTTON)).to_be_visible()
    choose(page, SP1)

    expect(checked).to_have_count(1)
    expect(checked).to_have_id("radio-sequra-sp1-permanente")


def test_a_custom_checkout_says_where_sequra_goes(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)

    page.evaluate(
        """() => {
          document.querySelector('#checkout-app').innerHTML = `
            <label><input type=radio name=mine id=mine checked> Mine</label>
            <ul data-sequra-methods></ul>
            <div data-sequra-actions><button id=mine-button>Pay</button></div>`;
          const mine = document.querySelector('#mine');
          window.told = [];
          addEventListener('sequra:change', ({ detail }) => {
            window.told.push(detail && detail.product);
            if (detail) mine.checked = false;
          });
          mine.addEventListener('change', () => dispatchEvent(new Event('sequra:leave')));
        }"""
    )
    methods = page.locator("[data-sequra-methods] > .sequra-item")
    expect(methods).to_have_count(3)
    expect(page.locator(f"[data-sequra-actions] > {BUTTON}")).to_be_hidden()

    choose(page)
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    expect(page.locator("#mine-button")).to_be_visible()
    page.get_by_label("Mine").check()
    expect(page.get_by_role("radio", checked=True)).to_have_id("mine")
    expect(page.locator(BUTTON)).to_be_hidden()
    choose(page, SP1)
    page.locator(BUTTON).click()

    expect(page.locator("iframe#sq-identification-sp1")).to_be_visible()
    assert page.evaluate("window.told") == ["pp3", None, "sp1"]


def test_a_custom_checkout_asks_anew_after_a_change(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    world.total, world.version = 90.0, 9

    page.evaluate("dispatchEvent(new Event('sequra:refresh'))")

    world.wait_called(page, "app", "payment-methods", 2)
    assert world.called("app", "payment-methods")[-1]["outstanding_balance"] == 90.0


def test_an_embedded_checkout_stays_as_it_was(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    asked = len(world.called("app", "payment-methods"))

    page.goto(f"{world.url('shop')}/order-confirmation")  # no script of ours in this one
    page.set_content(f"<iframe src='{world.url('shop')}/checkout' style='height:800px'></iframe>")
    embedded = page.frame_locator("iframe")

    expect(embedded.locator(NATIVE_BUTTON)).to_be_visible()
    world.settle(page.frames[1], 500)
    expect(embedded.locator(OURS)).to_have_count(0)
    assert len(world.called("app", "payment-methods")) == asked
