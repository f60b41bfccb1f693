"""The storefront script's options on the payment step."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.scripted import CHECKOUT, I1, PP3, SP1, Answer, World, held

OURS = "li.sequra-item"
NATIVE_BUTTON = "#checkout-payment-continue"
BUTTON = "#sequra-continue"


def titles(page: Page) -> list[str]:
    return page.locator(f"{OURS} .paymentProviderHeader-name").all_inner_texts()


def test_one_option_per_method_with_title_cost_and_icon(world: World, open_checkout: Open) -> None:
    page = open_checkout()

    expect(page.locator(OURS)).to_have_count(3)

    assert titles(page) == [PP3["title"], SP1["title"], I1["title"]]
    costs = page.locator(".sequra-cost").all_inner_texts()
    assert costs == [PP3["cost_description"], SP1["cost_description"], I1["cost_description"]]
    icons = page.locator(f"{OURS} img")
    assert icons.count() == 2
    assert icons.first.evaluate("image => image.complete && image.naturalWidth > 0")
    expect(icons.first).to_have_attribute("src", re.compile(r"^data:image/svg\+xml,"))
    names = page.locator(f"{OURS} input").evaluate_all("all => all.map(one => one.name)")
    assert names == ["sequraPayment"] * 3


def test_the_app_is_asked_with_the_claim_of_a_fresh_checkout(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout("lang=es-ES")
    expect(page.locator(OURS)).to_have_count(3)

    assert world.called("app", "payment-methods") == [
        {
            "checkout_id": CHECKOUT,
            "outstanding_balance": 110.89,
            "store_credit_applied": True,
            "layout": "desktop",
            "locale": "es-ES",
        }
    ]


def test_no_cookie_is_set_or_sent(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)

    assert page.context.cookies() == []
    calls = [call for call in world.calls if call.system == "app"]
    assert [call.headers.get("Cookie") for call in calls] == [None] * len(calls)


def test_choosing_one_hides_the_native_button_and_shows_ours(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    expect(page.locator(BUTTON)).to_be_hidden()

    page.get_by_label(PP3["title"]).check()

    expect(page.locator(NATIVE_BUTTON)).to_be_hidden()
    expect(page.locator(NATIVE_BUTTON)).to_have_count(1)
    expect(page.locator(BUTTON)).to_be_visible()
    expect(page.locator("#radio-bankdeposit")).not_to_be_checked()
    expect(page.get_by_text(PP3["description"])).to_be_visible()
    expect(page.locator(".form-checklist-body:visible")).to_have_count(1)


def test_a_native_radio_takes_the_choice_back(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    page.get_by_label(PP3["title"]).check()

    page.locator("#radio-bankdeposit").click()

    expect(page.locator(NATIVE_BUTTON)).to_be_visible()
    expect(page.locator(BUTTON)).to_be_hidden()
    expect(page.get_by_label(PP3["title"])).not_to_be_checked()
    expect(page.locator("#radio-bankdeposit")).to_be_checked()


def test_our_own_radios_exclude_each_other(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    page.get_by_label(PP3["title"]).check()

    page.get_by_label(SP1["title"]).check()

    checked = page.locator(f"{OURS} input:checked").evaluate_all("all => all.map(one => one.id)")
    assert checked == ["radio-sequra-sp1-permanente"]
    expect(page.locator(f"{OURS}.form-checklist-item--selected")).to_have_count(1)


def test_a_render_that_checks_the_native_radio_again_is_undone(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout("terms=1")
    page.get_by_label(PP3["title"]).check()

    page.locator("#terms").check()

    expect(page.locator("#radio-bankdeposit")).not_to_be_checked()
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    page.locator("#radio-bankdeposit").click()
    expect(page.locator("#radio-bankdeposit")).to_be_checked()
    expect(page.locator(NATIVE_BUTTON)).to_be_visible()


def test_options_stay_below_native_methods_that_come_later(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)

    page.evaluate(
        """() => {
          const item = document.querySelector('li[data-method=cod]');
          const late = item.cloneNode(true);
          late.querySelector('input').id = 'radio-late';
          item.parentNode.append(late);
        }"""
    )

    radios = page.locator(".checkout-step--payment li input")
    assert radios.evaluate_all("all => all.map((one) => one.id)")[2] == "radio-late"


def test_store_credit_reinjects_with_the_new_claim(world: World, open_checkout: Open) -> None:
    """The step applies unused credit as it opens, and may do so after the script has asked."""
    world.balance, world.credit_applied = 50.0, True
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    world.calls.clear()
    world.credit_applied = False
    with held(page, "**/checkouts/*include=*") as release:
        with page.expect_response(lambda one: one.url.endswith(f"/checkouts/{CHECKOUT}")):
            page.reload(wait_until="commit")
        world.settle(page, 200)  # the script has read the checkout, the page has not
        release()
        expect(page.locator(OURS)).to_have_count(3)
    world.settle(page, 400)
    asked = len(world.called("app", "payment-methods"))
    page.get_by_label(PP3["title"]).check()

    page.locator("#useStoreCredit").uncheck()

    expect(page.locator(".checklist-skeleton")).to_have_count(0)
    expect(page.locator(OURS)).to_have_count(3)
    expect(page.get_by_label(PP3["title"])).to_be_checked()
    expect(page.locator(NATIVE_BUTTON)).to_be_hidden()
    world.wait_called(page, "app", "payment-methods", asked + 1)
    world.settle(page, 400)
    claims = [
        (claim["outstanding_balance"], claim["store_credit_applied"])
        for claim in world.called("app", "payment-methods")
    ]
    assert claims[-2:] == [(60.89, True), (110.89, False)]
    assert claims[:-2] in ([], [(110.89, False)])


def test_a_coupon_reinjects(world: World, open_checkout: Open) -> None:
    page = open_checkout(width=1440)
    expect(page.locator(OURS)).to_have_count(3)

    page.locator("#redeemableCode").fill("SAVE10")
    page.locator('[data-test="redeemableEntry-submit"]').click()
    expect(page.locator('[data-test="cart-coupon"]')).to_be_visible()

    expect(page.locator(OURS)).to_have_count(3)
    world.settle(page, 400)
    balances = [one["outstanding_balance"] for one in world.called("app", "payment-methods")]
    assert balances == [110.89, 100.89]


def test_wiped_options_come_back_at_once_without_a_new_question(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    page.get_by_label(PP3["title"]).check()

    seen = page.evaluate(
        """async () => {
          document.querySelectorAll('.sequra-item').forEach((item) => item.remove());
          document.querySelector('#sequra-continue').remove();
          await Promise.resolve();
          return document.querySelectorAll('.sequra-item').length;
        }"""
    )

    assert seen == 3
    expect(page.get_by_label(PP3["title"])).to_be_checked()
    expect(page.locator(BUTTON)).to_be_visible()
    world.settle(page, 500)
    assert len(world.called("app", "payment-methods")) == 1


def test_many_renders_ask_once(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)

    page.evaluate(
        """async () => {
          for (let i = 0; i < 20; i++) {
            document.querySelectorAll('.sequra-item').forEach((item) => item.remove());
            await new Promise((done) => setTimeout(done, 20));
          }
        }"""
    )

    world.settle(page, 500)
    expect(page.locator(OURS)).to_have_count(3)
    assert len(world.called("app", "payment-methods")) == 1


def test_nothing_left_to_pay_hides_sequra(world: World, open_checkout: Open) -> None:
    world.balance, world.credit_applied = 500.0, True
    page = open_checkout()

    expect(page.locator(".storeCreditOverlay")).to_be_visible()
    world.settle(page, 600)

    expect(page.locator(OURS)).to_have_count(0)
    assert world.called("app", "payment-methods") == []
    page.locator("#useStoreCredit").uncheck()
    expect(page.locator(OURS)).to_have_count(3)


def test_the_spam_check_comes_first(world: World, open_checkout: Open) -> None:
    page = open_checkout("spam=1")
    world.settle(page, 500)
    expect(page.locator(OURS)).to_have_count(0)

    page.locator('[data-test="spam-protection-verify-button"]').click()

    expect(page.locator(OURS)).to_have_count(3)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(0),
        Answer(503, {"detail": "no"}),
        Answer(429, {"code": "too_many_requests"}),
        Answer(404, {}),
        Answer(200, "not what was expected", kind="text/html"),
    ],
)
def test_without_our_server_the_native_checkout_is_untouched(
    world: World, open_checkout: Open, answer: Answer
) -> None:
    world.fail("payment-methods", answer)
    page = open_checkout()
    world.wait_called(page, "app", "payment-methods")
    world.settle(page, 400)

    expect(page.locator(OURS)).to_have_count(0)
    expect(page.locator(".sequra-alert")).to_have_count(0)
    expect(page.locator(NATIVE_BUTTON)).to_be_visible()
    page.locator(NATIVE_BUTTON).click()
    page.wait_for_url(re.compile("order-confirmation"))


@pytest.mark.parametrize("status", [503, 408, 425])
def test_our_server_coming_back_brings_the_options(
    world: World, open_checkout: Open, status: int
) -> None:
    ok = Answer(body={"solicitation": "s", "methods": [PP3], "reasons": [], "message": ""})
    world.fail("payment-methods", Answer(status, {}), ok)
    page = open_checkout()

    expect(page.locator(OURS)).to_have_count(1)


def test_a_changed_script_is_not_run(world: World, open_checkout: Open) -> None:
    world.script += b"\nwindow.tampered = true;"
    page = open_checkout()
    world.settle(page, 500)

    expect(page.locator(OURS)).to_have_count(0)
    assert page.evaluate("window.tampered") is None
    expect(page.locator(NATIVE_BUTTON)).to_be_visible()


def test_only_who_chooses_sequra_loads_the_second_file(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    assert world.called("app", world.form_file, "GET") == []

    page.get_by_label(PP3["title"]).check()
    world.wait_called(page, "app", world.form_file, method="GET")
    page.get_by_label(SP1["title"]).check()
    page.locator(BUTTON).click()

    expect(page.locator("iframe")).to_be_visible()
    assert len(world.called("app", world.form_file, "GET")) == 1


def test_a_second_file_that_does_not_load_is_loaded_at_the_next_click(
    world: World, open_checkout: Open
) -> None:
    world.fail(world.form_file, Answer(503))
    page = open_checkout()
    expect(page.locator("#radio-bankdeposit")).to_be_focused()  # the step opens with that
    page.get_by_label(PP3["title"]).check()
    world.wait_called(page, "app", world.form_file, method="GET")
    page.locator(BUTTON).click()
    expect(page.locator(".sequra-alert")).to_contain_text("No se te ha cobrado nada.")
    expect(page.locator(BUTTON)).to_have_text("Continuar con SeQura")
    expect(page.locator(BUTTON)).to_be_focused()

    world.fail(world.form_file)
    page.locator(BUTTON).click()

    expect(page.locator("iframe")).to_be_visible()
    expect(page.locator(".sequra-alert")).to_have_text("")


def test_a_changed_second_file_is_not_run(world: World, open_checkout: Open) -> None:
    world.fail(world.form_file, Answer(body="window.tampered = true", kind="text/javascript"))
    page = open_checkout()
    page.get_by_label(PP3["title"]).check()

    page.locator(BUTTON).click()

    expect(page.locator(".sequra-alert")).to_contain_text("No se te ha cobrado nada.")
    assert page.evaluate("window.tampered") is None


def test_errors_of_another_script_do_not_matter(world: World, open_checkout: Open) -> None:
    world.extra = (
        "<script>setInterval(() => { throw new Error('another script'); }, 30);"
        "document.addEventListener('change', () => { throw new Error('another script'); });"
        "</script>"
    )
    page = open_checkout()

    page.get_by_label(PP3["title"]).check()

    expect(page.locator(BUTTON)).to_be_visible()


def test_hostile_titles_and_icons_stay_text(world: World, open_checkout: Open) -> None:
    attack = "<img src=x onerror='window.hacked = true'>"
    icon = '<svg onload="window.hacked = true"><script>window.hacked = true</script></svg>'
    world.methods = [PP3 | {"title": attack, "cost_description": attack, "icon": icon}]
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(1)
    world.settle(page, 200)

    assert titles(page) == [attack]
    assert page.evaluate("window.hacked") is None


def test_a_message_of_the_app_stands_where_the_options_would(
    world: World, open_checkout: Open
) -> None:
    world.methods, world.message = [], "Con tarjetas regalo no se puede pagar con SeQura."
    page = open_checkout()

    expect(page.get_by_text(world.message)).to_be_visible()
    expect(page.locator("input[name=sequraPayment]")).to_have_count(0)
    expect(page.locator(NATIVE_BUTTON)).to_be_visible()


def test_options_without_any_native_method(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    page.evaluate(
        """() => {
          document.querySelector('.checkout-step--payment .form-checklist').remove();
        }"""
    )

    expect(page.locator(".sequra-list .sequra-item")).to_have_count(3)
    page.get_by_label(PP3["title"]).check()
    expect(page.locator(BUTTON)).to_be_visible()


@pytest.mark.parametrize("reason", ["sequra_unavailable", "bigcommerce_unavailable"])
def test_a_system_that_was_away_for_a_moment_is_asked_again(
    world: World, open_checkout: Open, reason: str
) -> None:
    away = Answer(body={"solicitation": None, "methods": [], "reasons": [reason], "message": ""})
    ok = Answer(body={"solicitation": "s", "methods": [PP3], "reasons": [], "message": ""})
    world.fail("payment-methods", away, ok)
    page = open_checkout()

    expect(page.locator(OURS)).to_have_count(1)
    assert len(world.called("app", "payment-methods")) == 2


@pytest.mark.parametrize("reason", ["refused_by_bigcommerce", "refused_by_sequra"])
def test_a_refusal_for_good_says_why_and_is_not_asked_again(
    world: World, open_checkout: Open, reason: str
) -> None:
    page = open_checkout()
    page.get_by_label(PP3["title"]).check()
    words = "SeQura no está disponible para este pedido."
    no = {"solicitation": None, "methods": [], "reasons": [reason], "message": words}
    world.fail("payment-methods", Answer(body=no))
    world.version += 1

    page.evaluate("dispatchEvent(new Event('sequra:refresh'))")

    expect(page.locator(".sequra-alert")).to_have_text(words)
    expect(page.get_by_role("radio", checked=True)).to_have_id("radio-bankdeposit")
    world.settle(page, 3200)  # the first question after a failure would come after 3 seconds
    assert len(world.called("app", "payment-methods")) == 2


def test_a_list_that_is_drawn_anew_never_opens_the_native_button(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    page.get_by_label(PP3["title"]).check()

    page.evaluate(
        """async () => {
          const list = document.querySelector('.form-checklist');
          const skeleton = document.createElement('div');
          skeleton.className = 'checklist-skeleton';
          list.replaceWith(skeleton);
          await new Promise((done) => setTimeout(done, 100));
          document.querySelector('#checkout-payment-continue').click();
          await new Promise((done) => setTimeout(done, 300));
          skeleton.replaceWith(list);
        }"""
    )

    world.wait_called(page, "app", "form")
    world.settle(page, 100)
    assert "order-confirmation" not in page.url


@pytest.mark.parametrize(
    "path",
    [
        ("billingAddress", "lastName"),
        ("billingAddress", "company"),
        ("consignments", 0, "address", "address2"),
        ("consignments", 0, "address", "stateOrProvinceCode"),
        ("cart", "lineItems", "physicalItems", 0, "id"),
        ("cart", "email"),
        ("customer", "id"),
    ],
    ids=str,
)
def test_whatever_makes_another_order_is_asked_for_anew(
    world: World, open_checkout: Open, path: tuple[str | int, ...]
) -> None:
    """Also where BigCommerce's document has no version."""
    document = world.checkout_document
    changes: list[str] = []

    def changed() -> dict[str, Any]:
        found = document()
        found.pop("version")
        place: Any = found
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = changes[0] if changes else None
        return found

    # For mypy a method is no attribute; it is this one world's answer that changes.
    world.checkout_document = changed  # type: ignore[method-assign]
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    changes.append("another")

    page.evaluate("dispatchEvent(new Event('sequra:refresh'))")

    world.wait_called(page, "app", "payment-methods", 2)
