"""The identification form in a real browser, inside a page of the shop."""

import re

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from local.sandbox_control import SandboxControl
from sandbox.tests.sequra_shop import Client, Shop, solicitation

# As the plugins do it: scripts that arrive by innerHTML run only when they are made anew.
EMBED = """html => {
  const holder = document.createElement("div");
  holder.innerHTML = html;
  document.body.replaceChildren(holder);
  for (const script of holder.querySelectorAll("script")) {
    const again = document.createElement("script");
    for (const attribute of script.attributes) again.setAttribute(attribute.name, attribute.value);
    again.text = script.text;
    script.replaceWith(again);
  }
}"""
SHOW = """() => {
  SequraFormInstance.setCloseCallback(() => {
    SequraFormInstance.defaultCloseCallback();
    window.closed_by_shopper = true;
  });
  SequraFormInstance.show();
}"""
CONTINUE = '[class*="actions-section"] > button:not([disabled]):visible'


class Form:
    """The form of one order, opened in a page of the shop's origin."""

    def __init__(self, page: Page, sandbox: SandboxControl, sequra: Client, shop: Shop) -> None:
        self.page, self.shop = page, shop
        order = solicitation(shop.url)
        # Any page of a loopback address: browsers keep the wider network away from it.
        order["merchant"]["return_url"] = f"{sandbox.origin('sequra')}/portal?p=SQ_PRODUCT_CODE"
        self.uuid = sequra.solicit(order)
        path = f"orders/{self.uuid}/form_v2?product=sp1&ajax=1"
        page.goto(f"{sandbox.origin('shop')}/_control/knobs")
        page.evaluate(EMBED, sequra.call("GET", path, Accept="text/html").text)
        page.wait_for_function("window.SequraFormInstance")
        page.evaluate(SHOW)
        # Until its script listens, the form hears no key, and its fields take no focus.
        expect(self.frame.locator("[name=given_names]")).to_be_enabled()

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("#sq-identification-sp1")

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.frame.locator(f"[name={name}]").fill(value)
        self.frame.locator("#sequra_privacy_policy_accepted").check()
        self.go_on()

    def go_on(self) -> None:
        self.frame.locator(CONTINUE).click()

    def enter_code(self, code: str) -> None:
        for place, digit in enumerate(code, start=1):
            self.frame.get_by_label(f"Please enter OTP character {place}").fill(digit)
        self.go_on()


@pytest.fixture
def form(page: Page, sandbox: SandboxControl, sequra: Client, shop: Shop) -> Form:
    return Form(page, sandbox, sequra, shop)


SPAIN = {"date_of_birth": "01/01/2000", "nin": "23232323T"}


def test_a_shopper_pays_and_comes_back_to_the_shop(form: Form) -> None:
    form.fill(**SPAIN)
    form.enter_code("66666")

    form.page.wait_for_url(re.compile(r"/portal\?p=sp1$"))
    assert [message.fields["sq_state"] for message in form.shop.heard] == ["approved"]


def test_mistakes_are_named_beside_their_fields(form: Form) -> None:
    form.go_on()

    expect(form.frame.locator("[name=nin] ~ .mistake")).to_have_text("Este campo es obligatorio.")
    expect(form.frame.locator("[name=date_of_birth]")).to_be_focused()


def test_a_wrong_code_is_asked_again(form: Form) -> None:
    form.fill(**SPAIN)
    form.enter_code("12345")

    expect(form.frame.locator("#otp-mistake")).to_be_visible()
    form.enter_code("66666")
    form.page.wait_for_url(re.compile(r"/portal\?p=sp1$"))


@pytest.mark.parametrize("how", ["button", "key"])
def test_the_shopper_closes_the_form(form: Form, how: str) -> None:
    if how == "button":
        form.frame.locator("#close").click()
    else:
        form.frame.locator("[name=given_names]").press("Escape")

    form.page.wait_for_function("window.closed_by_shopper")
    expect(form.page.locator("#sq-identification-sp1")).to_be_hidden()


def test_a_review_is_explained_before_the_way_back(form: Form) -> None:
    form.fill(**SPAIN, given_names="Review Test Approve")
    form.enter_code("66666")

    expect(form.frame.get_by_text("Estamos revisando tu pedido")).to_be_visible()
    form.frame.get_by_role("button", name="Volver a la tienda").click()
    form.page.wait_for_url(re.compile(r"/portal\?p=sp1$"))


def test_a_rejected_shopper_goes_back_to_choose_another_method(form: Form) -> None:
    form.fill(**SPAIN, given_names="Test Decline")

    expect(form.frame.get_by_text("Esta vez no ha sido posible")).to_be_visible()
    form.frame.get_by_role("button", name="Volver a la tienda").click()
    form.page.wait_for_function("window.closed_by_shopper")
    assert form.shop.heard == []


def test_a_conflict_is_explained(form: Form) -> None:
    form.shop.answers = [410]

    form.fill(**SPAIN)
    form.enter_code("66666")

    expect(form.frame.get_by_text("Tu carrito ha cambiado")).to_be_visible()
