"""`make screenshots`: take a picture of every page, into artifacts/screenshots."""

import sys
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from local import chromium
from local.demo import buy, install, ship_refund_and_edit
from local.merchant import Merchant
from local.sandbox_control import SandboxControl
from local.servers import ROOT
from local.shopper import Shopper
from local.stack import Stack

FOLDER = ROOT / "artifacts" / "screenshots"
SIZES: dict[str, ViewportSize] = {
    "wide": {"width": 1440, "height": 900},
    "narrow": {"width": 390, "height": 844},
}
FIRST_ORDER = 1001
SIDE_PANEL = 0.45  # of the control panel's width, at its narrowest
LANGUAGES = {"en": "en-US", "es": "es-ES"}
# Pages without a link to them: the result of a request.
ASKED = {
    "settings-exclusions-found": "settings/exclusions/?q=a",
    "why-shown": "why/?country=ES&amount=120&currency=EUR&products=&ip=",
    "why-not-shown": "why/?country=&amount=120&currency=USD&products=&ip=",
}


def links(page: Page, session: str) -> list[str]:
    """Return the pages of the control panel that this one links to, each path once."""
    found = page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
    paths = {urlsplit(address).path for address in found}
    pages = (path for path in paths if "." not in path)  # an export is no page
    return sorted(path for path in pages if path.startswith(session))


def panel_pages(page: Page, load_url: str) -> Iterator[str]:
    """Visit every page that can be reached from the first one without changing anything."""
    page.goto(load_url)
    origin = "/".join(page.url.split("/")[:3])
    session = "/".join(urlsplit(page.url).path.split("/")[:3])
    todo, seen = [urlsplit(page.url).path], set[str]()
    while todo:
        path = todo.pop(0)
        if path in seen:
            continue
        seen.add(path)
        page.goto(origin + path)
        yield path.removeprefix(session).strip("/") or "dashboard"
        todo += links(page, session)
    for name, path in ASKED.items():
        page.goto(f"{origin}{session}/{path}")
        yield name


def side_panel_pages(page: Page, load_url: Callable[[str], str]) -> Iterator[str]:
    """What the Action menus of a SeQura order and of another order open, and the log beside it."""
    page.goto(load_url("/orders/9/sequra"))
    yield "side-panel-other-order"
    page.goto(load_url(f"/orders/{FIRST_ORDER}/sequra"))
    yield "side-panel"
    page.get_by_role("navigation").locator(".tab").last.click()
    yield "side-panel-log"


def shop_pages(page: Page, shop: str, checkout: str) -> Iterator[str]:
    """Visit the shop up to the payment step."""
    page.goto(shop)
    yield "shop"
    product = page.locator('a[href^="/products/"]').first.get_attribute("href") or "/"
    for name, path in {"product": product, "cart": "/cart"}.items():
        page.goto(shop + path)
        yield f"shop-{name}"
    page.goto(checkout)
    page.wait_for_selector("[class*=sequra] label, label[for*=sequra]", timeout=20_000)
    yield "shop-checkout"


def picture(page: Page, name: str, folder: str) -> None:
    path = FOLDER / folder / f"{name.replace('/', '-')}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, full_page=True)
    print(path.relative_to(ROOT), flush=True)


def take_first_steps(browser: Browser, sandbox: SandboxControl) -> None:
    """Take pictures of the pages before the store is connected."""
    for size, viewport in SIZES.items():
        page = browser.new_page(viewport=viewport)
        for language, locale in LANGUAGES.items():
            page.goto(sandbox.control("POST", "load_url", {"locale": locale})["url"])
            picture(page, "first-steps", f"{size}-{language}")
            page.locator(".empty-start .button").click()
            picture(page, "first-steps-connection", f"{size}-{language}")
        page.close()


def take(browser: Browser, stack: Stack, sandbox: SandboxControl) -> None:
    for size, viewport in SIZES.items():
        page = browser.new_page(viewport=viewport)
        for language, locale in LANGUAGES.items():

            def load_url(url: str, locale: str = locale) -> str:
                opened = sandbox.control("POST", "load_url", {"locale": locale, "url": url})
                return str(opened["url"])

            for name in panel_pages(page, load_url("/")):
                picture(page, name, f"{size}-{language}")
            if size == "wide":
                width = round(viewport["width"] * SIDE_PANEL)
                page.set_viewport_size({**viewport, "width": width})
            for name in side_panel_pages(page, load_url):
                picture(page, name, f"{size}-{language}")
            page.set_viewport_size(viewport)
        checkout = sandbox.checkout()["url"]
        for name in shop_pages(page, stack.origin("shop"), checkout):
            picture(page, name, size)
        page.close()


def have_a_history(browser: Browser, stack: Stack, sandbox: SandboxControl) -> None:
    """Create orders of every kind: rejected, ignored, delayed, corrected by SeQura."""
    for _ in range(3):
        buy(Shopper(stack.origin("shop")))
    first, second, third = (Merchant(sandbox, FIRST_ORDER + number) for number in range(3))
    ship_refund_and_edit(first, stack.app_port)
    for merchant in (second, third):
        merchant.does("edit_order", lines=[{"name": "Gift", "price": "700.00", "quantity": 1}])
        merchant.rejection_message(stack.app_port)
    page = browser.new_page()
    page.goto(
        sandbox.control("POST", "load_url", {"url": f"/orders/{second.number}/sequra"})["url"]
    )
    page.get_by_text("Dismiss", exact=False).first.click()
    page.get_by_label("Reason for dismissing").fill("Agreed with SeQura by phone")
    page.get_by_role("button", name="Dismiss", exact=True).click()
    page.get_by_text("Record a correction from SeQura").click()
    page.get_by_label("SeQura's value").fill("lucia.ortiz@example.com")
    page.get_by_role("button", name="Save correction").click()
    page.close()
    sandbox.fault(rf"/orders/{third.number}$", method="PUT", status=503, times=999)
    third.does("cancel")


def main() -> int:
    with Stack() as stack, sync_playwright() as playwright:
        sandbox = SandboxControl(stack.sandbox_port, stack.app_port)
        browser = chromium.launch(playwright)
        sandbox.control("POST", "install", {})
        take_first_steps(browser, sandbox)
        install(stack, sandbox)
        have_a_history(browser, stack, sandbox)
        take(browser, stack, sandbox)
    return 0


if __name__ == "__main__":
    sys.exit(main())
