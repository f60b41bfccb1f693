"""docs/api.md's example of a storefront of one's own, as it stands there, in a browser."""

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from local.servers import ROOT
from tests.journeys.shopper import Shopper
from tests.journeys.system import System


def example(**values: str) -> str:
    """The page of the document with what is its reader's own."""
    text = (ROOT / "docs" / "api.md").read_text()
    (page,) = re.findall(r"^```html\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for place, value in values.items():
        assert place in page
        page = page.replace(place, value)
    return f"<!doctype html><title>Headless</title>{page}"


def test_the_example_buys(system: System, browsers: Callable[..., BrowserContext]) -> None:
    page = browsers().new_page()
    shopper = Shopper(page, system)
    checkout_id = system.sandbox.checkout()["checkout_id"]
    script = system.sandbox.held("scripts")[0]["src"]
    html = example(
        **{
            "https://app.example.com": system.stack.app_url,
            "STORE_ID": script.partition("store=")[2],
            "CHECKOUT_ID": checkout_id,
        }
    )
    page.goto(f"{shopper.shop}/cart")  # an origin of the shop; Chromium distrusts invented pages
    page.set_content(html)

    page.locator("#methods button").filter(has_text="Fraccionado").click()
    form = shopper.form()
    expect(form.locator("[name=nin]")).to_be_enabled()
    shopper.identify(form)

    number = shopper.confirmed()
    assert system.order(checkout_id)["id"] == number
    assert system.sequra_order(number)["state"] == "confirmed"
