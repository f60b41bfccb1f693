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
    "wide": {"width": 1280, "height": 900},
    "narrow": {"width": 390, "height": 844},
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


def picture(page: Page, name: str, size: str) -> None:
    path = FOLDER / size / f"{name.replace('/', '-')}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, full_page=True)
    print(path.relative_to(ROOT), flush=True)


def take(browser: Browser, stack: Stack, sandbox: SandboxControl) -> None:
    for size, viewport in SIZES.items():
        page = browser.new_page(viewport=viewport)
        load_url = sandbox.control("POST", "load_url", {})["url"]
        for name in panel_pages(page, load_url):
            picture(page, name, size)
        checkout = sandbox.checkout()["url"]
        for name in shop_pages(page, stack.origin("shop"), checkout):
            picture(page, name, size)
        page.close()


def main() -> int:
    with Stack() as stack, sync_playwright() as playwright:
        sandbox = SandboxControl(stack.sandbox_port, stack.app_port)
        install(stack, sandbox)
        buy(Shopper(stack.origin("shop")))
        take(chromium.launch(playwright), stack, sandbox)
    return 0


if __name__ == "__main__":
    sys.exit(main())
