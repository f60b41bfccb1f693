"""From the first click to selling, in a browser in front of the sandbox."""

import pytest
from playwright.sync_api import Browser, expect

from local.sandbox_control import SandboxControl
from stores.models import Merchant
from tests.browser.axe import violations


@pytest.mark.parametrize("width", [1440, 390])
def test_a_merchant_gets_from_the_first_click_to_selling(
    browser: Browser, live_app: str, sandbox: SandboxControl, width: int
) -> None:
    sandbox.control("POST", "install", {})
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(sandbox.control("POST", "load_url", {})["url"])

    expect(page.locator("[aria-current=step]")).to_have_text("2 Connect SeQura")
    page.locator(".empty-start").get_by_role("link", name="Connect SeQura").click()
    page.locator("#sequra-username").fill("demo")
    page.locator("#sequra-password").fill("mistyped")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert")).to_contain_text("connect to SeQura")
    assert violations(page) == []
    page.locator("#sequra-password").fill("demo-secret")
    page.get_by_role("button", name="Connect").click()

    expect(page.get_by_role("status")).to_have_text("SeQura accepted your credentials.")
    expect(page.get_by_label("Spain")).to_have_value("demo_es")
    page.get_by_label("Italy").select_option("")
    page.get_by_role("button", name="Save and finish").click()

    expect(page.get_by_role("status")).to_contain_text("pay for a test order in your store")
    expect(page.get_by_text("It appears here within seconds")).to_be_visible()
    assert violations(page) == []
    selling = Merchant.objects.filter(selling=True).values_list("country", flat=True)
    assert set(selling) == {"ES", "FR", "PT"}
    context.close()


def test_a_merchant_excludes_a_product_found_by_name(
    browser: Browser, live_app: str, sandbox: SandboxControl
) -> None:
    sandbox.control("POST", "install", {})
    page = browser.new_page()
    page.goto(sandbox.control("POST", "load_url", {})["url"])
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name="Excluded products").click()
    page.get_by_role("searchbox").fill("a")
    page.get_by_role("button", name="Search").click()
    first = page.locator(".thing").filter(has=page.get_by_role("button")).first
    name = first.locator(".thing-name").inner_text()
    first.get_by_role("button").click()

    expect(page.get_by_role("status").first).to_have_text(
        "Item excluded. SeQura is hidden for carts that contain it."
    )
    now = page.get_by_role("region", name="Excluded items")
    expect(now.locator(".thing-name")).to_have_text(name)
    assert violations(page) == []
    now.get_by_role("button").click()
    expect(page.get_by_role("heading", name="No exclusions")).to_be_visible()
    page.close()
