"""How much work the script gives the browser: counted, because times depend on the machine."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.scripted import PP3, World, held, run_timers

OURS = "li.sequra-item"
ROOM = "li.sequra-room"
# What the script's own code does, recognised by its stack. In `runs` a letter for each measurement
# (m), change of the page (c) and start of an animation (a), one string for each run of code that
# nothing interrupts; `woken` names the timers and frames that woke it; `changed` counts changes of
# the page, by whomever.
COUNTED = """<script>
  window.runs = [];
  window.woken = [];
  window.changed = 0;
  document.addEventListener('DOMContentLoaded', () => new MutationObserver((list) => {
    window.changed += list.length;
  }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true }));
  let run = null;
  const ours = () => new Error().stack.includes('/static/storefront/');
  const note = (letter) => {
    if (!ours()) return;
    if (run === null) queueMicrotask(() => { window.runs.push(run); run = null; });
    run = (run || '') + letter;
  };
  const method = (owner, name, letter) => {
    const original = owner[name];
    owner[name] = function (...args) { note(letter); return original.apply(this, args); };
  };
  const property = (owner, name, kind, letter) => {
    const found = Object.getOwnPropertyDescriptor(owner, name);
    const original = found[kind];
    found[kind] = function (...args) { note(letter); return original.apply(this, args); };
    Object.defineProperty(owner, name, found);
  };
  const measures = ['getBoundingClientRect', 'getClientRects', 'scrollIntoView'];
  for (const name of measures) method(Element.prototype, name, 'm');
  property(HTMLElement.prototype, 'offsetHeight', 'get', 'm');
  property(HTMLElement.prototype, 'offsetWidth', 'get', 'm');
  property(Element.prototype, 'clientHeight', 'get', 'm');
  method(window, 'getComputedStyle', 'm');
  const changes = ['append', 'remove', 'after', 'setAttribute', 'toggleAttribute'];
  for (const name of changes) method(Element.prototype, name, 'c');
  method(Node.prototype, 'insertBefore', 'c');
  property(Node.prototype, 'textContent', 'set', 'c');
  method(Element.prototype, 'animate', 'a');
  for (const name of ['setTimeout', 'setInterval', 'requestAnimationFrame']) {
    const original = window[name];
    window[name] = (work, ...args) => {
      const noted = (...given) => { window.woken.push(name); work(...given); };
      return original(ours() ? noted : work, ...args);
    };
  }
</script>"""
FORGET = "() => { window.runs.length = window.woken.length = window.changed = 0; }"
IDLE_MS = 1500


def at_rest(world: World, page: Page) -> list[str]:
    """Leave the page alone; return what woke the script meanwhile, which changed nothing."""
    world.settle(page, IDLE_MS)  # also what limits how often options are put back
    page.evaluate(FORGET)
    called = len(world.calls)

    run_timers(page, IDLE_MS)

    assert page.evaluate("window.changed") == 0
    assert "m" not in "".join(page.evaluate("window.runs"))
    assert len(world.calls) == called
    return list(page.evaluate("window.woken"))


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_options_that_come_are_measured_before_anything_moves(
    world: World, open_checkout: Open, motion: str
) -> None:
    """A measurement after a change is a layout that the browser would not have needed."""
    world.head = COUNTED
    page = open_checkout(width=390, reduced_motion=motion)
    page.evaluate("sessionStorage.clear()")
    with held(page, "**/payment-methods") as release:
        page.reload()
        expect(page.locator(ROOM)).to_have_count(3)
        page.evaluate(FORGET)
        release()
        expect(page.locator(OURS)).to_have_count(3)
    run_timers(page, 100)

    arrival = "|".join(page.evaluate("window.runs"))
    glides = motion == "no-preference"
    assert (arrival.count("cm"), arrival.count("am"), "a" in arrival) == (glides, 0, glides)


def test_a_page_at_rest_is_left_at_rest(world: World, open_checkout: Open) -> None:
    """While an option is chosen the page is looked at four times a second, and left as it is."""
    world.head = COUNTED
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    assert at_rest(world, page) == []

    page.get_by_label(PP3["title"]).check()
    assert set(at_rest(world, page)) == {"setInterval"}

    page.get_by_label("Contra reembolso").check()
    assert at_rest(world, page) == []
