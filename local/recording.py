"""`make recording`: the demo as a short film, docs/pictures/demo.webp, from pictures of its pages.

A shopper buys with SeQura; the merchant ships, and adds more to the order than SeQura approved.
"""

import io
import sys
from dataclasses import dataclass, field

from PIL import Image
from playwright.sync_api import FrameLocator, Page, ViewportSize, expect, sync_playwright

from local import chromium
from local.demo import install
from local.merchant import Merchant
from local.sandbox_control import SandboxControl
from local.servers import ROOT
from local.shopper import PERSON
from local.stack import Stack

FILM = ROOT / "docs" / "pictures" / "demo.webp"
SIZE: ViewportSize = {"width": 1100, "height": 800}
WIDTH = 880  # pixels of the film
LARGEST = 1_500_000  # bytes
CONTINUE = '[class*="actions-section"] > button:not([disabled]):visible'
PATIENCE = 60_000  # milliseconds


@dataclass
class Film:
    """Pictures of one page, each with the milliseconds it stays."""

    page: Page
    frames: list[Image.Image] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def take(self, seconds: float) -> None:
        picture = Image.open(io.BytesIO(self.page.screenshot(animations="disabled")))
        height = WIDTH * picture.height // picture.width
        self.frames.append(picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS))
        self.times.append(round(1000 * seconds))

    def save(self) -> int:
        """Write the film. Return its size in bytes."""
        first, *more = self.frames
        first.save(
            FILM,
            save_all=True,
            append_images=more,
            duration=self.times,
            loop=0,
            quality=72,
            method=4,
        )
        return FILM.stat().st_size


def buy(film: Film, checkout: str) -> int:
    """Buy in the browser. Return the order's number."""
    page = film.page
    page.goto(checkout)
    option = page.locator('[data-sequra-product="pp3"] input[type=radio]').first
    expect(option).to_be_enabled(timeout=PATIENCE)
    option.scroll_into_view_if_needed()
    film.take(2)
    option.check()
    film.take(1.5)
    page.locator("#sequra-continue").click()
    form = page.frame_locator("#sq-identification-pp3")
    identify(film, form)
    number = page.locator('[data-test="order-confirmation-order-number-text"]')
    expect(number).to_be_visible(timeout=PATIENCE)
    film.take(2.5)
    return int("".join(filter(str.isdigit, number.text_content() or "")))


def identify(film: Film, form: FrameLocator) -> None:
    """Fill in SeQura's form, and the code from the telephone."""
    expect(form.locator("[name=nin]")).to_be_enabled(timeout=PATIENCE)
    film.take(1.5)
    for name in ("date_of_birth", "nin"):  # all else is known from the checkout
        form.locator(f"[name={name}]").fill(str(PERSON[name]))
    phone = form.locator("[name=mobile_phone]").input_value()
    form.locator("#sequra_privacy_policy_accepted").check()
    film.take(1.5)
    form.locator(CONTINUE).click()
    for place, digit in enumerate(phone[-5:], start=1):
        form.get_by_label(f"Please enter OTP character {place}").fill(digit)
    film.take(1.5)
    form.locator(CONTINUE).click()


def show_the_merchant(film: Film, stack: Stack, merchant: Merchant) -> None:
    """Show the order's side panel before and after the merchant's work."""
    orders = f"{stack.origin('panel')}/manage/orders"
    film.page.goto(orders)
    film.take(1.5)
    open_side_panel(film.page, merchant.number)
    film.take(2.5)
    line = merchant.order()["products"][0]
    before = merchant.totals()
    merchant.does("ship", items=[{"order_product_id": line["id"], "quantity": 1}])
    merchant.wait_for_change(before)
    merchant.does("edit_order", lines=[{"name": "Engraving", "price": "500.00", "quantity": 1}])
    merchant.rejection_message(stack.app_port)
    film.page.goto(orders)
    open_side_panel(film.page, merchant.number)
    film.take(3.5)


def open_side_panel(page: Page, number: int) -> None:
    menu = page.locator(f'tr[data-order="{number}"] details.dots')
    menu.locator("summary").click()
    menu.locator("[data-panel]").click()
    panel = page.frame_locator(".side-frame")
    expect(panel.locator(".tab").first).to_be_visible(timeout=PATIENCE)


def main() -> int:
    with Stack() as stack, sync_playwright() as playwright:
        sandbox = SandboxControl(stack.sandbox_port, stack.app_port)
        install(stack, sandbox)
        page = chromium.launch(playwright).new_page(viewport=SIZE, locale="en-GB")
        film = Film(page)
        number = buy(film, sandbox.checkout()["url"])
        show_the_merchant(film, stack, Merchant(sandbox, number))
        size = film.save()
    print(f"{FILM.relative_to(ROOT)}: {len(film.frames)} pictures, {size / 1000:.0f} kB")
    return 0 if size <= LARGEST else 1


if __name__ == "__main__":
    sys.exit(main())
