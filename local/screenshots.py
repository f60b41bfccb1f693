"""`make screenshots`: a picture of every page that people see, into artifacts/screenshots."""

import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from local import chromium
from local.demo import buy, install
from local.sandbox_control import SandboxControl
from local.servers import ROOT
from local.shopper import Shopper
from local.stack import Stack

FOLDER = ROOT / "artifacts" / "screenshots"
SIZES: dict[str, ViewportSize] = {
    "wide": {"width": 1440, "height": 900},
    "narrow": {"width": 390, "height": 844},
}
LANGUAGES = {"en": "en-US", "es": "es-ES"}
# What no link leads to: an answer that somebody asked for.
ASKED = {
    "settings-exclusions-found": "settings/exclusions/?q=a",
    "why-shown": "why/?country=ES&amount=120&currency=EUR&products=&ip=",
    "why-not-shown": "why/?country=&amount=120&currency=USD&products=&ip=",
}


def links(page: Page, session: str) -> list[str]:
    """The pages of the control panel that this one links to, each path once."""
    found = page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
    paths = {urlsplit(address).path for address in found}
    pages = (path for path in paths if "." not in path)  # an export is no page
    return sorted(path for path in pages if path.startswith(session))


def panel_pages(page: Page, load_url: str) -> Iterator[str]:
    """Walks from the first page to every page it can reach without changing anything."""
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


def side_panel_pages(page: Page, load_url: str) -> Iterator[str]:
    """What the Action menu of an order opens, and its other tab."""
    page.goto(load_url)
    yield "side-panel"
    page.locator(".tab").last.click()
    yield "side-panel-log"


def shop_pages(page: Page, shop: str, checkout: str) -> Iterator[str]:
    """The shop up to the payment step."""
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
    """What a merchant sees before the store is connected."""
    for size, viewport in SIZES.items():
        page = browser.new_page(viewport=viewport)
        for language, locale in LANGUAGES.items():
            page.goto(sandbox.control("POST", "load_url", {"locale": locale})["url"])
            picture(page, "first-steps", f"{size}-{language}")
            page.locator(".empty-start .button").click()
            picture(page, "first-steps-connection", f"{size}-{language}")
        page.close()


def take(browser: Browser, stack: Stack, sandbox: SandboxControl) -> None:
    (order,) = (one["order"] for one in sandbox.world()["bigcommerce_orders"])
    side_panel = f"/orders/{order['id']}/sequra"
    for size, viewport in SIZES.items():
        page = browser.new_page(viewport=viewport)
        for language, locale in LANGUAGES.items():
            load_url = sandbox.control("POST", "load_url", {"locale": locale})["url"]
            for name in panel_pages(page, load_url):
                picture(page, name, f"{size}-{language}")
            opened = sandbox.control("POST", "load_url", {"locale": locale, "url": side_panel})
            for name in side_panel_pages(page, opened["url"]):
                picture(page, name, f"{size}-{language}")
        checkout = sandbox.checkout()["url"]
        for name in shop_pages(page, stack.origin("shop"), checkout):
            picture(page, name, size)
        page.close()


def main() -> int:
    with Stack() as stack, sync_playwright() as playwright:
        sandbox = SandboxControl(stack.sandbox_port, stack.app_port)
        browser = chromium.launch(playwright)
        sandbox.control("POST", "install", {})
        take_first_steps(browser, sandbox)
        install(stack, sandbox)
        buy(Shopper(stack.origin("shop")))
        take(browser, stack, sandbox)
    return 0


if __name__ == "__main__":
    sys.exit(main())
