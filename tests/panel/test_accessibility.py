"""Everybody can use every page: axe, keyboard, narrow screens, less motion."""

from collections.abc import Iterable

from playwright.sync_api import Page, expect

from stores.models import Store
from tests.browser.axe import violations
from tests.panel.conftest import Open
from tests.panel.world import PAGES, empty_store, filled_store

WIDTHS = (1440, 390)
FRESH = ("", "connection/", "countries/", "payment-methods/", "why/", "settings/exclusions/")


def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(0, width)


def go(page: Page, path: str) -> None:
    """Another page of the same session."""
    page.goto("/".join(page.url.split("/")[:5]) + "/" + path)


def complaints(page: Page, paths: Iterable[str]) -> dict[tuple[str, int], list[str]]:
    """What is wrong on these pages: each is loaded once, and looked at in every width."""
    found = {}
    for path in paths:
        go(page, path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            wide = overflow(page)
            found[path, width] = [*violations(page), *([f"{wide} px"] if wide else [])]
    return {where: what for where, what in found.items() if what}


def test_axe_finds_nothing_and_nothing_overflows(open_panel: Open) -> None:
    assert complaints(open_panel(filled_store(), "", locale="es-ES"), PAGES) == {}


def test_a_fresh_installation_is_as_good(open_panel: Open) -> None:
    assert complaints(open_panel(empty_store(registration={}), ""), FRESH) == {}


def test_the_way_to_the_live_account_is_as_good(open_panel: Open) -> None:
    page = open_panel(filled_store(environment="sandbox"), "")
    assert complaints(page, ("connection/?environment=live", "self-test/?ran=1")) == {}


def test_what_is_hidden_at_first_is_as_good(open_panel: Open) -> None:
    """Confirmations, the chart's table, and a form that came back."""
    page = open_panel(filled_store(), "connection/")
    if page.locator("details").count():
        page.locator("summary").click()
        assert violations(page) == []
    go(page, "")
    page.locator(".more summary").click()
    assert violations(page) == []
    go(page, "settings/")
    page.get_by_label("Allowed IP addresses").fill("nonsense\n203.0.113.9/24")
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator(".error")).to_have_count(2)
    assert violations(page) == []


def test_a_session_that_ended_says_so(open_panel: Open) -> None:
    page = open_panel(filled_store(), "")
    page.goto(page.url.replace("/s/", "/s/x"))
    assert violations(page) == []


def focused(page: Page) -> str:
    """The visible name of what has the focus."""
    return str(page.evaluate("document.activeElement.innerText.trim().split('\\n')[0]"))


def test_the_first_tab_skips_to_the_content(open_panel: Open) -> None:
    page = open_panel(filled_store(), "")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_every_stop_of_the_keyboard_can_be_seen(open_panel: Open) -> None:
    """WCAG 2.4.7 and 2.4.11: an outline, and nothing in front of it."""
    page = open_panel(filled_store(), "settings/order-statuses/", 390)
    stops = 0
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate("""() => {
            const one = document.activeElement;
            if (one === document.body) return null;
            const box = one.getBoundingClientRect();
            const style = getComputedStyle(one);
            return {
                name: one.outerHTML.slice(0, 80),
                outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
                inside: box.bottom > 0 && box.top < innerHeight && box.right > 0,
            };
        }""")
        if stop is None:
            break
        stops += 1
        assert (stop["outline"], stop["inside"]) == (True, True), stop["name"]
    assert stops > 25


def test_a_merchant_saves_settings_by_keyboard_alone(open_panel: Open) -> None:
    store = filled_store()
    page = open_panel(store, "")
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == "Settings":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "allowed_ips":
            break
    page.keyboard.press("Control+A")
    page.keyboard.type("198.51.100.0/24")
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused(page) == "Save changes":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/?done=saved")
    assert page.get_by_role("status").inner_text() == "Your changes have been saved."
    assert Store.objects.get(pk=store.pk).allowed_ips == ["198.51.100.0/24"]


def test_less_motion_when_somebody_wants_less(open_panel: Open) -> None:
    page = open_panel(filled_store(), "settings/")
    page.emulate_media(reduced_motion="reduce")
    page.evaluate("document.querySelector('.button').setAttribute('aria-busy', 'true')")
    seconds = "parseFloat(getComputedStyle(document.querySelector('.button'), '::after').%s)"
    assert page.evaluate(seconds % "animationDuration") >= 4
    moving = """() => [...document.querySelectorAll("*")]
        .filter(one => parseFloat(getComputedStyle(one).transitionDuration) > 0).length"""
    assert page.evaluate(moving) == 0
