"""The storefront script for everybody: languages, small screens, keyboard, screen readers."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.scripted import PP3, ROOT, SP1, Answer, World, run_timers

OURS = "li.sequra-item"
BUTTON = "#sequra-continue"
FRAME = "iframe#sq-identification-pp3"

WORDS = {
    "en": ("Continue with SeQura", "Please agree to the terms and conditions to continue."),
    "es-ES": ("Continuar con SeQura", "Acepta los términos y condiciones para continuar."),
    "fr": ("Continuer avec SeQura", "Veuillez accepter les conditions générales pour continuer."),
    "it": ("Continua con SeQura", "Accetta i termini e le condizioni per continuare."),
    "pt-PT": ("Continuar com a SeQura", "Aceita os termos e condições para continuar."),
    "ca": ("Continuar con SeQura", "Acepta los términos y condiciones para continuar."),
    "gl-ES": ("Continuar con SeQura", "Acepta los términos y condiciones para continuar."),
    "eu": ("Continuar con SeQura", "Acepta los términos y condiciones para continuar."),
    "es-419": ("Continuar con SeQura", "Acepta los términos y condiciones para continuar."),
    "pt_BR": ("Continuar com a SeQura", "Aceita os termos e condições para continuar."),
    "de": ("Continue with SeQura", "Please agree to the terms and conditions to continue."),
}


@pytest.mark.parametrize("language", WORDS)
def test_words_are_in_the_language_of_the_page(
    world: World, open_checkout: Open, language: str
) -> None:
    page = open_checkout(f"lang={language}&terms=1")
    page.get_by_label(PP3["title"]).check()

    page.locator(BUTTON).click()

    button, terms = WORDS[language]
    expect(page.locator(BUTTON)).to_have_text(button)
    expect(page.locator("#sequra-terms-error")).to_have_text(terms)
    assert world.called("app", "payment-methods")[0]["locale"] == language


@pytest.mark.parametrize("name", ["sequra-checkout.js", "sequra-form.js"])
def test_every_language_has_every_text(name: str) -> None:
    source = (ROOT / "static" / "storefront" / name).read_text()
    table = source[source.index("const TEXTS") :]
    table = table[: table.index("\n  };")]

    languages = {block.split(":")[0].strip() for block in table.split("\n    ") if "{" in block}
    keys = [line.split(":")[0].strip() for line in table.splitlines() if line[:6] == "      "]
    keys = [key for key in keys if key.isidentifier()]

    assert {"en", "es", "fr", "it", "pt"} <= languages
    counts = {key: keys.count(key) for key in keys}
    assert set(counts.values()) == {5}


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_overflows(world: World, open_checkout: Open, width: int) -> None:
    long = PP3 | {"title": "Paga cómodamente a plazos con SeQura durante los próximos meses",
                  "cost_description": "desde 18,48 €/mes, sin papeleo"}  # fmt: skip
    world.methods = [long, SP1]
    page = open_checkout(width=width)
    page.get_by_label(long["title"]).check()

    expect(page.locator(BUTTON)).to_be_visible()

    overflow = page.evaluate(
        """() => [...document.querySelectorAll('.sequra-item, #sequra-continue')].filter((one) => {
          const box = one.getBoundingClientRect();
          return box.left < 0 || box.right > innerWidth || one.scrollWidth > one.clientWidth + 1;
        }).length"""
    )
    assert overflow == 0
    asked = world.called("app", "payment-methods")
    assert [one["layout"] for one in asked] == ["smartphone" if width == 390 else "desktop"]


def tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.matches('{selector}')"):
            return
    raise AssertionError(f"{selector} cannot be reached with the keyboard")


# What a screen reader finds in the payment step once our first option is chosen.
TREE = """
- group "Método de pago":
  - list:
    - listitem:
      - radio "Transferencia bancaria" [checked=false]
    - listitem:
      - radio "Contra reembolso" [checked=false]
    - listitem:
      - radio "Paga Fraccionado desde 18,48 €/mes" [checked]
      - button "+ info"
      - paragraph: Elige en cuántas cuotas pagar.
    - listitem:
      - radio "Divide en 3 sin coste" [checked=false]
    - listitem:
      - radio "Recibe tu compra antes de pagar sin coste adicional" [checked=false]
      - button "+ info"
- group "Cupón o tarjeta regalo"
- group "Términos y condiciones":
  - checkbox /acepto los/
- status: Paga Fraccionado
- button "Continuar con SeQura"
"""


def test_a_purchase_by_keyboard_alone(world: World, open_checkout: Open) -> None:
    page = open_checkout("terms=1")
    expect(page.locator(OURS)).to_have_count(3)
    expect(page.locator("#radio-bankdeposit")).to_be_focused()  # the step opens with that

    tab_to(page, "input[name=sequraPayment]")
    page.keyboard.press("Space")
    expect(page.get_by_label(PP3["title"])).to_be_checked()
    expect(page.locator('[data-test="payment-form"]')).to_match_aria_snapshot(TREE)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label(SP1["title"])).to_be_checked()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label(PP3["title"])).to_be_checked()
    tab_to(page, "#terms")
    page.keyboard.press("Space")
    tab_to(page, BUTTON)
    page.keyboard.press("Enter")

    expect(page.locator(FRAME)).to_be_visible()
    page.keyboard.press("Tab")
    page.frame_locator(FRAME).locator("#close").focus()
    page.keyboard.press("Enter")
    expect(page.locator(BUTTON)).to_be_focused()


def test_the_focus_survives_a_render(world: World, open_checkout: Open) -> None:
    page = open_checkout()
    expect(page.locator(OURS)).to_have_count(3)
    expect(page.locator("#radio-bankdeposit")).to_be_focused()  # the step opens with that
    page.get_by_label(PP3["title"]).focus()
    page.keyboard.press("Space")

    page.evaluate("document.querySelectorAll('.sequra-item').forEach((item) => item.remove())")

    expect(page.get_by_label(PP3["title"])).to_be_focused()
    expect(page.get_by_label(PP3["title"])).to_be_checked()


def test_a_screen_reader_hears_names_descriptions_and_progress(
    world: World, open_checkout: Open
) -> None:
    world.fail("/form", Answer(503, {}, delay=0.5))
    page = open_checkout()
    radio = page.get_by_role("radio", name=f"{PP3['title']} {PP3['cost_description']}")
    expect(radio).to_have_accessible_description(PP3["description"])
    radio.check()
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)

    page.locator(BUTTON).click()

    expect(page.locator(".sequra-status")).to_have_text("Abriendo SeQura…")
    expect(page.locator(".sequra-status")).to_have_attribute("role", "status")
    expect(page.locator(".sequra-alert")).to_contain_text("SeQura no responde")
    expect(page.locator(".sequra-status")).to_have_text(PP3["title"])


def test_error_text_has_contrast(world: World, open_checkout: Open) -> None:
    world.fail("/form", Answer(503, {}))
    page = open_checkout()
    page.get_by_label(PP3["title"]).check()
    page.locator(BUTTON).click()
    expect(page.locator(".sequra-alert")).not_to_be_empty()

    colour = page.locator(".sequra-alert").evaluate("one => getComputedStyle(one).color")

    assert colour == "rgb(173, 0, 0)"  # the platform's own red, 7.3:1 on white


# Tasks of more than 50 ms, as browsers define them: https://w3c.github.io/longtasks/
TASKS = """<script>
  window.tasks = [];
  new PerformanceObserver((list) => list.getEntries().forEach((one) => {
    window.tasks.push([one.startTime, one.startTime + one.duration]);
  })).observe({ type: 'longtask', buffered: true });
</script>"""


def test_the_answer_and_its_options_are_no_long_task(world: World, open_checkout: Open) -> None:
    """What the script does once the page is drawn: no task that a browser calls long."""
    world.head = TASKS
    found = {"solicitation": "s", "methods": world.methods, "reasons": [], "message": ""}
    world.fail("payment-methods", Answer(body=found | {"info": world.info}, delay=1.0))
    page = open_checkout()

    assert any(without_long_task(page) for _ in range(8))  # a busy machine makes others long


def without_long_task(page: Page) -> bool:
    """Load the page; return whether all is short once its native methods are drawn."""
    page.reload()
    expect(page.locator("li.sequra-room")).to_have_count(3)
    run_timers(page, 100)
    drawn = page.evaluate("performance.now()")

    expect(page.locator("li.sequra-item")).to_have_count(3)
    run_timers(page, 500)

    return all(end <= drawn for _start, end in page.evaluate("tasks"))


# Also a value written anew wakes everybody who watches the page.
WATCH = """() => {
  window.touched = [];
  new MutationObserver((all) => all.forEach((one) => touched.push(one.target.outerHTML)))
    .observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
}"""


def test_nothing_is_asked_or_touched_while_nothing_happens(
    world: World, open_checkout: Open
) -> None:
    page = open_checkout()
    page.get_by_label(PP3["title"]).check()  # with its heartbeat
    world.settle(page, 400)
    before = len(world.calls)
    page.evaluate(WATCH)

    run_timers(page, 12 * 250)

    assert len(world.calls) == before
    assert page.evaluate("touched") == []
