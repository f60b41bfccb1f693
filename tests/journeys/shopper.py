"""A shopper with a browser: the shop's payment step, SeQura's form, and what comes after it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import FrameLocator, Locator, Page, Request, Response, expect

from tests.journeys.system import System

CONTINUE = '[class*="actions-section"] > button:not([disabled]):visible'
# By number from us; without one after an order with a method of the shop.
CONFIRMATION = re.compile(
    r"/checkout/(order-confirmation/\d+|([0-9a-f-]{36}/)?order-confirmation$)"
)
PATIENCE_MS = 30_000
COURIER = re.compile("Cash on delivery|Contra reembolso")
PAYMENT_FORM = '[data-test="payment-form"]'
# https://docs.sequra.com test data; the code on the phone is the last five digits of its number.
SPAIN = {
    "given_names": "Fulano",
    "surnames": "De Tal",
    "mobile_phone": "666666666",
    "date_of_birth": "01/01/2000",
    "nin": "23232323T",
}
HOME = {
    "first_name": "Fulano",
    "last_name": "De Tal",
    "email": "fulano@example.com",
    "phone": "666666666",
    "address1": "Carrer d’Alí Bei 7",
    "postal_code": "08010",
    "city": "Barcelona",
}


def is_offer(answer: Response) -> bool:
    return answer.url.endswith("/payment-methods") and answer.request.method == "POST"


@dataclass
class Shopper:
    """Speaks of what people see: titles, buttons, messages."""

    page: Page
    system: System
    checkout_id: str = ""
    storefront: str = "shop"  # the host on which the shopper buys
    thrown: list[str] = field(default_factory=list)  # errors that reached the page
    forms_asked_for: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.thrown.append(str(error)))
        self.page.on("request", self._note_form)

    def _note_form(self, request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/form"):
            self.forms_asked_for.append(request.post_data or "")

    @property
    def shop(self) -> str:
        return self.system.stack.origin(self.storefront)

    # --- To the payment step ---------------------------------------------------------------------

    def come_with(self, query: str = "", **wishes: Any) -> "Shopper":
        """Open the payment step of a checkout made as wished (the sandbox's `make_checkout`)."""
        self.checkout_id = self.system.sandbox.checkout(**wishes)["checkout_id"]
        self.page.goto(f"{self.shop}/checkout/{self.checkout_id}?{query}")
        self._step_is_open()
        return self

    def _step_is_open(self) -> None:
        """The step has given its first input the focus: whatever is typed before loses it."""
        expect(self.page.locator(PAYMENT_FORM)).to_be_visible()
        expect(self.page.locator(f"{PAYMENT_FORM} input").first).to_be_focused()

    @contextmanager
    def waiting_for_the_offer(self) -> Iterator[dict[str, Any]]:
        """Our app's answer to "which payment methods?", filled in at the end of the block."""
        offer: dict[str, Any] = {}
        with self.page.expect_response(is_offer) as answer:
            yield offer
        offer |= answer.value.json() if answer.value.ok else {}

    def log_in(self, name: str) -> None:
        """Become one of the demo shop's customers."""
        self.page.goto(self.shop)
        self.page.locator(".account summary").click()
        self.page.locator(".account-menu").get_by_role("button", name=name).click()

    def put_into_cart(self, *products: str) -> None:
        for product in products:
            self.page.goto(self.shop)
            self.page.get_by_role("button", name=f"Add {product} to cart").click()

    def check_out(self) -> None:
        """From the cart to the payment step, with an address in Spain."""
        page = self.page
        page.goto(f"{self.shop}/cart")
        page.get_by_role("link", name="Check out").click()
        self.checkout_id = page.locator("#checkout-app").get_attribute("data-checkout-id") or ""
        page.locator("[data-test=step-edit-button-shipping]").click()
        for name, value in HOME.items():
            page.locator(f"#field-{name}").fill(value)
        page.locator(".address-form").get_by_role("button").click()
        self._step_is_open()

    # --- On the payment step ---------------------------------------------------------------------

    @property
    def options(self) -> Locator:
        """SeQura's options."""
        return self.page.locator(".sequra-item")

    def option(self, product: str, campaign: str = "") -> Locator:
        chosen = f'[data-sequra-product="{product}"][data-sequra-campaign="{campaign}"]'
        return self.page.locator(f"{chosen} input[type=radio]")

    @property
    def button(self) -> Locator:
        return self.page.locator("#sequra-continue")

    @property
    def alert(self) -> Locator:
        return self.page.locator(".sequra-alert")

    @property
    def native_button(self) -> Locator:
        return self.page.locator("#checkout-payment-continue")

    @property
    def to_pay(self) -> Locator:
        return self.page.locator('[data-test="cart-total"] [data-test="cart-price-value"]')

    def choose(self, product: str = "pp3", campaign: str = "") -> "Shopper":
        self.option(product, campaign).check()
        return self

    def open_form(self, product: str = "pp3", campaign: str = "") -> FrameLocator:
        """Choose and continue; the identification form is open afterwards."""
        self.choose(product, campaign)
        self.button.click()
        form = self.form(product)
        expect(form.locator("[name=nin]")).to_be_enabled()
        return form

    def redeem(self, code: str) -> None:
        """Apply a coupon or a gift certificate."""
        self.page.locator("#redeemableCode").fill(code)
        self.page.locator("[data-test=redeemableEntry-submit]").click()

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        wider = "document.documentElement.scrollWidth - window.innerWidth"
        return int(self.page.evaluate(wider))

    def pay_natively(self) -> None:
        """One of the shop's own methods, to show that the checkout works without SeQura."""
        self.page.locator("#radio-cod").check()
        expect(self.native_button).to_be_visible()
        self.native_button.click()
        self.confirmed()
        expect(self.page.locator(".orderConfirmation")).to_contain_text(COURIER)

    # --- By keyboard alone -----------------------------------------------------------------------

    def tab_to(self, place: Locator, key: str = "") -> None:
        """Press Tab until the focus is there, then the key."""
        for _ in range(60):
            if place.evaluate("one => one === document.activeElement"):
                break
            self.page.keyboard.press("Tab")
        expect(place).to_be_focused()
        if key:
            self.page.keyboard.press(key)

    # --- In the form -----------------------------------------------------------------------------

    def form(self, product: str = "pp3") -> FrameLocator:
        return self.page.frame_locator(f"#sq-identification-{product}")

    def identify(self, form: FrameLocator, **different: str) -> None:
        """Fill everything in and type the code from the telephone."""
        self.fill_in(form, **different)
        for place, digit in enumerate(SPAIN["mobile_phone"][-5:], start=1):
            form.get_by_label(f"Please enter OTP character {place}").fill(digit)
        form.locator(CONTINUE).click()

    def fill_in(self, form: FrameLocator, **different: str) -> None:
        """The first page of the form: who the shopper is."""
        for name, value in (SPAIN | different).items():
            form.locator(f"[name={name}]").fill(value)
        form.locator("#sequra_privacy_policy_accepted").check()
        form.locator(CONTINUE).click()

    def buy(self, product: str = "pp3", campaign: str = "", **different: str) -> int:
        """The whole purchase, up to the shop's confirmation page; gives the order's number."""
        self.identify(self.open_form(product, campaign), **different)
        return self.confirmed()

    # --- Afterwards ------------------------------------------------------------------------------

    def confirmed(self) -> int:
        """The number on the shop's confirmation page."""
        # SeQura's form and the script may both go there: one of the two navigations is aborted.
        expect(self.page).to_have_url(CONFIRMATION, timeout=PATIENCE_MS)
        text = self.page.locator('[data-test="order-confirmation-order-number-text"]')
        expect(text).to_be_visible()
        return int(re.sub(r"\D", "", text.text_content() or ""))
