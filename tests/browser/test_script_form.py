"""Continuing with SeQura: terms, the identification form, and every way it can go wrong."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from payments.storefront import _TEXTS
from tests.browser.conftest import Open
from tests.browser.scripted import PP3, ROOT, SP1, Answer, World

OURS = "li.sequra-item"
NATIVE_BUTTON = "#checkout-payment-continue"
BUTTON = "#sequra-continue"
FRAME = "iframe#sq-identification-pp3"
ALERT = ".sequra-alert"


def choose(page: Page, method: dict[str, Any] = PP3) -> None:
    page.get_by_label(method["title"]).check()


def native_orders(world: World) -> int:
    return len(world.called("shop", "/order"))


def test_the_form_opens_over_the_page(world: World, open_checkout: Open) -> None:
    page = open_checkout("terms=1")
    choose(page, SP1)
    page.locator("#terms").check()

    page.locator(BUTTON).click()

    frame = page.locator("iframe#sq-identification-sp1")
    expect(frame).to_be_visible()
    assert world.called("app", "form") == [
        {
            "solicitation": "solicitation-1",
            "product": "sp1",
            "campaign": "permanente",
            "terms_accepted": True,
        }
    ]
    dialog = page.get_by_role("dialog", name="Formulario de pago de SeQura")
    expect(dialog).to_have_attribute("aria-modal", "true")
    assert page.evaluate("document.activeElement.tagName") == "IFRAME"
    assert page.evaluate("document.querySelector('main').inert") is True
    assert native_orders(world) == 0


def test_closing_the_form_leaves_a_usable_checkout(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    page.frame_locator(FRAME).locator("#close").click()

    expect(page.locator(FRAME)).to_have_count(0)
    expect(page.locator(BUTTON)).to_be_enabled()
    expect(page.locator(BUTTON)).to_have_text("Continuar con SeQura")
    expect(page.locator(BUTTON)).to_be_focused()
    expect(page.locator(ALERT)).to_be_empty()
    assert page.evaluate("window.SequraFormInstance === undefined") is True
    assert page.evaluate("document.querySelector('main').inert") is False

    choose(page, SP1)
    page.locator(BUTTON).click()
    expect(page.locator("iframe#sq-identification-sp1")).to_be_visible()
    assert [one["product"] for one in world.called("app", "form")] == ["pp3", "sp1"]
    assert len(world.called("app", "payment-methods")) == 1


def test_another_method_can_be_paid_after_closing(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    page.frame_locator(FRAME).locator("#close").click()

    page.locator("#radio-cod").check()
    page.locator(NATIVE_BUTTON).click()

    page.wait_for_url(re.compile("order-confirmation"))
    assert native_orders(world) == 1


def test_a_form_that_vanishes_counts_as_closed(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()

    page.evaluate("window.postMessage('vanish', '*')")

    expect(page.locator(BUTTON)).to_be_enabled()
    assert page.evaluate("document.querySelector('main').inert") is False


def test_a_double_click_opens_one_form(world: World, open_checkout: Open) -> None:
    world.fail("/form", Answer(503, {}, delay=0.4), Answer(503, {}))
    page = open_checkout()
    choose(page)

    page.evaluate(f"document.querySelector('{BUTTON}').click()")
    page.evaluate(f"document.querySelector('{BUTTON}').click()")
    page.locator(BUTTON).dispatch_event("click")

    expect(page.locator(ALERT)).not_to_be_empty()
    assert len(world.called("app", "form")) == 1


def test_unticked_terms_are_said_and_focused(world: World, open_checkout: Open) -> None:
    page = open_checkout("terms=1")
    expect(page.locator("#radio-bankdeposit")).to_be_focused()  # the step opens with that
    choose(page)

    page.locator(BUTTON).click()

    error = page.locator("#sequra-terms-error")
    expect(error).to_have_text("Acepta los términos y condiciones para continuar.")
    expect(error).to_have_attribute("role", "alert")
    expect(page.locator("#terms")).to_be_focused()
    expect(page.locator("#terms")).to_have_attribute("aria-invalid", "true")
    assert world.called("app", "form") == []

    page.locator("#terms").check()
    expect(error).to_have_count(0)
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()


def test_enter_continues_with_sequra_and_never_places_a_native_order(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout("terms=1")
    expect(page.locator("#radio-bankdeposit")).to_be_focused()  # the step opens with that
    choose(page)
    page.locator("#terms").check()

    page.locator("#terms").press("Enter")
    expect(page.locator(FRAME)).to_be_visible()
    page.frame_locator(FRAME).locator("#close").click()
    expect(page.locator(BUTTON)).to_be_enabled()
    page.get_by_label(PP3["title"]).press("Enter")
    expect(page.locator(FRAME)).to_be_visible()
    page.frame_locator(FRAME).locator("#close").click()
    expect(page.locator(BUTTON)).to_be_enabled()
    page.evaluate("document.querySelector('[data-test=\"payment-form\"]').requestSubmit()")
    page.evaluate(f"document.querySelector('{NATIVE_BUTTON}').click()")
    expect(page.locator(FRAME)).to_be_visible()

    assert native_orders(world) == 0
    assert len(world.called("app", "form")) == 3


def test_enter_works_natively_when_ours_is_not_chosen(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)

    page.locator("#radio-cod").press("Enter")

    page.wait_for_url(re.compile("order-confirmation"))
    assert world.called("app", "form") == []


def test_the_form_runs_under_a_strict_policy(world: World, open_checkout: Open) -> None:
    page = open_checkout("csp=strict")
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    choose(page)
    expect(page.locator(NATIVE_BUTTON)).to_be_hidden()

    page.locator(BUTTON).click()

    expect(page.locator(FRAME)).to_be_visible()
    assert page.locator(FRAME).evaluate("one => getComputedStyle(one).position") == "fixed"
    assert [line for line in refused if "Content Security Policy" in line] == []


@pytest.mark.parametrize("tag", ["script", "iframe"])
def test_nothing_is_loaded_from_other_origins(world: World, open_checkout: Open, tag: str) -> None:
    elsewhere = world.url("elsewhere")
    frame = world.url("sequra") if tag == "script" else elsewhere
    script = world.url("sequra") if tag == "iframe" else elsewhere
    world.form_html = (
        f"<iframe id='sq-identification-pp3' src='{frame}/orders/form'></iframe>"
        "<script>window.hacked = true</script><img src=x onerror='window.hacked = true'>"
        f"<script src='{script}/assets/sequra_form-1.js'></script>"
    )
    page = open_checkout()
    choose(page)

    page.locator(BUTTON).click()

    expect(page.locator(ALERT)).to_contain_text("SeQura no responde en este momento")
    world.wait_called(page, "app", "/errors")
    assert page.evaluate("window.hacked") is None
    assert [call for call in world.calls if call.system == "elsewhere"] == []


def test_inline_code_of_the_form_is_not_run(world: World, open_checkout: Open) -> None:
    world.form_html = (
        f"<iframe id='sq-identification-pp3' src='{world.url('sequra')}/orders/form' "
        "style='display:none' onload='window.hacked = true'></iframe>"
        "<script>window.hacked = true</script><img src=x onerror='window.hacked = true'>"
        f"<script src='{world.url('sequra')}/assets/sequra_form-1.js'></script>"
    )
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()

    assert page.evaluate("window.hacked") is None


def test_a_form_that_never_loads_gives_the_checkout_back(world: World, open_checkout: Open) -> None:
    world.fail("sequra_form-1.js", Answer(body="", kind="text/javascript"))
    page = open_checkout()
    choose(page)
    page.clock.install()
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_have_count(1)
    page.clock.run_for(20_000)

    expect(page.locator(ALERT)).to_contain_text("SeQura no responde")
    expect(page.locator(BUTTON)).to_be_enabled()
    expect(page.locator(FRAME)).to_have_count(0)


@pytest.mark.parametrize("status", [0, 500, 502, 503])
def test_an_unavailable_form_is_explained(world: World, open_checkout: Open, status: int) -> None:
    world.fail("/form", Answer(status, {"code": "sequra_unavailable", "message": "raw"}))
    page = open_checkout()
    choose(page)

    page.locator(BUTTON).click()

    expect(page.locator(ALERT)).to_contain_text("No se te ha cobrado nada")
    expect(page.locator(ALERT)).to_have_attribute("role", "alert")
    expect(page.locator(BUTTON)).to_be_enabled()
    expect(page.locator("#radio-bankdeposit")).to_be_enabled()
    page.locator("#radio-bankdeposit").check()
    expect(page.locator(ALERT)).to_be_empty()


def test_being_offline_is_explained(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    choose(page)
    page.context.set_offline(True)

    page.locator(BUTTON).click()

    expect(page.locator(ALERT)).to_contain_text("Parece que no tienes conexión")
    page.context.set_offline(False)
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()


@pytest.mark.parametrize("offline", [True, False])
def test_a_second_file_that_does_not_come_is_explained(
    world: World, open_checkout: Open, offline: bool
) -> None:
    world.fail(world.form_file, Answer(0))
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    page.context.set_offline(offline)
    choose(page)

    page.locator(BUTTON).click()

    text = "Parece que no tienes conexión" if offline else "No se te ha cobrado nada"
    expect(page.locator(ALERT)).to_contain_text(text)
    world.faults.clear()
    page.context.set_offline(False)
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()


def test_the_first_file_shows_no_text_that_only_the_second_one_has() -> None:
    source = (ROOT / "static/storefront/sequra-checkout.js").read_text()
    (own,) = re.findall(r"const TEXTS = (.*?)\n  };", source, re.DOTALL)
    shown = set(re.findall(r'text\("(\w+)"\)', source))

    assert shown == set(re.findall(r"^ +(\w+): \"", own, re.MULTILINE)) | set(_TEXTS)


def test_a_refusal_in_words_is_shown(world: World, open_checkout: Open) -> None:
    world.fail("/form", Answer(422, {"code": "phone", "message": "El teléfono no es válido."}))
    page = open_checkout()
    choose(page)

    page.locator(BUTTON).click()

    expect(page.locator(ALERT)).to_have_text("El teléfono no es válido.")


def test_a_changed_cart_asks_again_and_says_so(world: World, open_checkout: Open) -> None:
    world.fail("/form", Answer(409, {"code": "cart_changed", "message": "changed"}))
    page = open_checkout()
    choose(page)

    page.locator(BUTTON).click()

    expect(page.locator(ALERT)).to_contain_text("Tu carrito ha cambiado")
    assert len(world.called("app", "payment-methods")) == 2
    expect(page.get_by_label(PP3["title"])).to_be_checked()
    world.faults.clear()
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()
    assert world.called("app", "form")[-1]["solicitation"] == "solicitation-2"


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("es", "El importe a pagar es ahora 1215,50 €. Revísalo"),
        ("ca", "El importe a pagar es ahora 1.215,50 €. Revísalo"),
        ("en", "The amount to pay is now €1,215.50. Please"),
        ("fr", "Le montant à payer est maintenant de 1 215,50 €. Vérifiez"),
        ("it", "L’importo da pagare ora è 1215,50 €. Controllalo"),
        ("pt", "O valor a pagar é agora 1215,50 €. Verifica"),  # Portugal's, as the words
    ],
)
def test_another_total_from_another_tab_is_confirmed_first(
    world: World, open_checkout: Open, language: str, sentence: str
) -> None:
    page = open_checkout(f"lang={language}")
    choose(page)
    world.settle(page, 400)
    world.total, world.version = 1215.5, 7

    page.locator(BUTTON).click()

    expect(page.locator(ALERT)).to_contain_text(sentence)
    assert world.called("app", "form") == []
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()
    assert world.called("app", "form")[-1]["solicitation"] == "solicitation-2"


def test_one_question_is_asked_at_a_time(world: World, open_checkout: Open) -> None:
    """Continuing asks for a changed checkout, and so does the timer of the change."""
    page = open_checkout()
    choose(page)
    world.settle(page, 400)
    world.total, world.version = 215.5, 7
    found = {"solicitation": "s", "methods": world.methods, "reasons": [], "message": ""}
    world.fail("payment-methods", Answer(body=found, delay=0.6), Answer(429, {}))

    page.evaluate("dispatchEvent(new Event('sequra:refresh'))")
    page.locator(BUTTON).click()

    expect(page.locator(FRAME)).to_be_visible()
    assert len(world.called("app", "payment-methods")) == 2


def test_a_method_no_longer_offered_gives_the_choice_back(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    choose(page)
    world.settle(page, 400)
    world.version, world.methods = 7, [SP1]

    page.locator(BUTTON).click()

    expect(page.locator(ALERT)).to_contain_text("ya no está disponible")
    expect(page.locator(NATIVE_BUTTON)).to_be_visible()
    expect(page.locator("#radio-bankdeposit")).to_be_checked()
    expect(page.locator(OURS)).to_have_count(1)


def test_choosing_another_method_while_the_form_loads_shows_none(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    choose(page)
    world.fail("/form", Answer(200, {"html": "", "origins": [], "status_url": ""}, delay=0.6))
    with page.expect_response(lambda one: one.url.endswith("/form") and one.status == 200):
        with page.expect_request(lambda one: one.url.endswith("/form")):
            page.locator(BUTTON).click()
        page.locator("#radio-cod").check()
    world.settle(page, 200)

    expect(page.locator("iframe")).to_have_count(0)
    expect(page.locator(NATIVE_BUTTON)).to_be_visible()
    expect(page.locator(ALERT)).to_be_empty()


def test_a_confirmed_payment_leads_to_the_order(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()
    target = f"{world.url('shop')}/checkout/order-confirmation/75?t=abc"

    world.status = {"status": "confirmed", "redirect": target, "message": ""}

    page.wait_for_url(target, timeout=30_000)


def test_closing_after_the_payment_went_through_leads_to_the_order(
    world: World, open_checkout: Open
) -> None:
    target = f"{world.url('shop')}/checkout/order-confirmation/75?t=abc"
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()
    world.status = {"status": "in_review", "redirect": target, "message": ""}

    page.frame_locator(FRAME).locator("#close").click()

    page.wait_for_url(target)


def test_a_refused_payment_is_explained_after_closing(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    world.status = {"status": "refused", "redirect": None, "message": "No se ha pagado."}

    page.frame_locator(FRAME).locator("#close").click()

    expect(page.locator(ALERT)).to_have_text("No se ha pagado.")
    expect(page.locator(BUTTON)).to_be_enabled()


def test_a_redirect_that_is_no_web_address_is_not_followed(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    world.status = {"status": "confirmed", "redirect": "javascript:window.hacked=1", "message": ""}

    page.frame_locator(FRAME).locator("#close").click()

    expect(page.locator(FRAME)).to_have_count(0)
    assert page.evaluate("window.hacked") is None


def test_closing_while_the_order_is_being_made_leads_to_the_page_that_waits(
    world: World, open_checkout: Open
) -> None:
    """The checkout could be paid a second time."""
    target = f"{world.url('app')}/waiting"
    page = open_checkout()
    choose(page)
    page.locator(BUTTON).click()
    expect(page.locator(FRAME)).to_be_visible()
    world.status = {"status": "waiting", "redirect": target, "message": ""}

    page.frame_locator(FRAME).locator("#close").click()

    page.wait_for_url(target)
