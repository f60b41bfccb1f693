"""SeQura's instalments on the shop's own pages: where, how much, and that nothing jumps."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.scripted import Answer, held, run_timers
from tests.browser.widget_pages import METHOD, WidgetWorld, markup

COMPONENT = ".sequra-promotion-widget"
DRAWN = f"{COMPONENT} b"  # the amount that SeQura drew
# All shifts since the page began: nobody touches it meanwhile.
SHIFTS = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    list.getEntries().forEach((one) => (sum += one.value));
  }).observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => setTimeout(() => done(sum), 50));
})"""
STANDING = "document.getAnimations().length === 0"
Open = Callable[..., Page]


@pytest.fixture
def shop() -> Iterator[WidgetWorld]:
    made = WidgetWorld()
    yield made
    made.close()
    # What the script reports is a failure too, but where SeQura's is kept from it.
    assert bool(made.called("app", "/errors")) == bool(made.faults)


@pytest.fixture
def visit(shop: WidgetWorld, browser: Browser) -> Iterator[Open]:
    """Opens a page of the shop. What the page itself throws is a failure of the test."""
    contexts: list[BrowserContext] = []
    thrown: list[str] = []

    def opened(path: str = "/product", width: int = 1440) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.on("pageerror", lambda error: thrown.append(str(error)))
        page.goto(f"{shop.url('shop')}{path}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert thrown == []


def shifts(page: Page) -> float:
    page.wait_for_function(STANDING)
    return float(page.evaluate(SHIFTS))


def settle(shop: WidgetWorld, page: Page) -> None:
    """Until the script has looked again at all that changed, and its questions are answered."""
    shop.settle(page, 400)


@pytest.mark.parametrize("width", [390, 1440])
def test_the_instalment_stands_below_the_price_and_nothing_jumps(
    shop: WidgetWorld, visit: Open, width: int
) -> None:
    page = visit(width=width)

    expect(page.locator(DRAWN)).to_have_text("35,41 €")
    assert page.locator(".productView-price + .sequra-widget").count() == 1
    assert page.locator(COMPONENT).evaluate("one => ({ ...one.dataset })") == {
        "product": "pp3", "amount": "38900", "alignment": "left",
    }  # fmt: skip
    assert shifts(page) == 0
    box = page.locator(".sequra-widget").bounding_box()
    below = page.locator("#below").bounding_box()
    assert box is not None
    assert below is not None
    assert box["height"] > 40
    assert below["y"] > box["y"] + box["height"]
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_amount_follows_variant_and_quantity(shop: WidgetWorld, visit: Open) -> None:
    page = visit()
    expect(page.locator(DRAWN)).to_have_text("35,41 €")

    page.get_by_role("combobox").select_option("Large")
    expect(page.locator(DRAWN)).to_have_text("93,82 €")
    page.locator('[name="qty[]"]').fill("2")
    expect(page.locator(DRAWN)).to_have_text("184,65 €")

    assert page.locator(COMPONENT).count() == 1
    assert shop.asked() == 1
    assert shop.loads_of_sequra() == 1


def test_only_methods_for_the_amount_are_shown(shop: WidgetWorld, visit: Open) -> None:
    shop.shown["methods"] = [METHOD, METHOD | {"product": "sp1", "max": 100000}]
    page = visit()
    expect(page.locator(f"{COMPONENT}:visible")).to_have_count(2)

    page.get_by_role("combobox").select_option("Large")

    expect(page.locator(f"{COMPONENT}:visible")).to_have_count(1)
    expect(page.locator(f"{COMPONENT}:visible")).to_have_attribute("data-product", "pp3")


@pytest.mark.parametrize(
    ("places", "methods", "asked"),
    [("cart,listing", [METHOD], 0), ("product", [], 1), ("product", [METHOD | {"min": 40000}], 1)],
    ids=["place off", "rules", "amount"],
)
def test_where_nothing_is_shown_nothing_is_loaded(
    shop: WidgetWorld, visit: Open, places: str, methods: list[Any], asked: int
) -> None:
    shop.places, shop.shown["methods"] = places, methods
    page = visit()
    settle(shop, page)

    assert (shop.asked(), shop.loads_of_sequra()) == (asked, 0)
    assert page.locator(".sequra-widget").count() == 0


def test_a_currency_that_sequra_does_not_finance_shows_nothing(
    shop: WidgetWorld, visit: Open
) -> None:
    shop.pages["/product"] = markup("product").replace("EUR", "USD").replace("€", "$")
    page = visit()
    settle(shop, page)

    assert (shop.asked(), shop.loads_of_sequra()) == (0, 0)


def test_a_shop_that_shows_prices_without_tax_has_the_instalment_of_those(
    shop: WidgetWorld, visit: Open
) -> None:
    shop.pages["/product"] = markup("product").replace("data-product-price-with-tax", "data-gone")
    page = visit()

    expect(page.locator(COMPONENT)).to_have_attribute("data-amount", "32149")


def test_another_variant_is_asked_for_where_that_decides(shop: WidgetWorld, visit: Open) -> None:
    shop.shown["by_sku"] = True
    page = visit()
    expect(page.locator(DRAWN)).to_have_text("35,41 €")
    shop.shown |= {"methods": []}

    page.get_by_role("combobox").select_option("Large")

    expect(page.locator(".sequra-widget")).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1440])
def test_a_theme_without_known_classes_shows_it_too(
    shop: WidgetWorld, visit: Open, width: int
) -> None:
    shop.pages["/product"] = markup("plain-product")
    page = visit(width=width)

    expect(page.locator(DRAWN)).to_have_text("35,41 €")
    assert page.locator(".amount + .sequra-widget").count() == 1
    assert shifts(page) == 0
    page.locator('[name="quantity"]').fill("2")
    expect(page.locator(COMPONENT)).to_have_attribute("data-amount", "77800")


def test_the_merchant_s_selectors_come_first(shop: WidgetWorld, visit: Open) -> None:
    shop.shown |= {"selector": "#below", "price_selector": ".price--non-sale"}
    page = visit()

    expect(page.locator(COMPONENT)).to_have_attribute("data-amount", "45000")
    assert page.locator("#below + .sequra-widget").count() == 1


@pytest.mark.parametrize("selector", ["#gone", "p[", "footer > :nope"])
def test_a_selector_that_matches_nothing_leaves_the_usual_place(
    shop: WidgetWorld, visit: Open, selector: str
) -> None:
    shop.shown["selector"] = shop.shown["price_selector"] = selector
    page = visit()

    expect(page.locator(DRAWN)).to_have_text("35,41 €")
    assert page.locator(".productView-price + .sequra-widget").count() == 1


def test_without_sequra_s_script_the_page_stays_as_it_was(shop: WidgetWorld, visit: Open) -> None:
    shop.fail("sequra-checkout.min.js", Answer(503))
    page = visit()
    shop.wait_called(page, "app", "/errors")
    run_timers(page, 300)

    assert page.locator(".sequra-widget").evaluate("one => one.offsetHeight") == 0
    assert shifts(page) == 0


# --- The cart ------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [390, 1440])
def test_the_cart_shows_the_instalment_of_its_total(
    shop: WidgetWorld, visit: Open, width: int
) -> None:
    page = visit("/cart.php", width=width)

    expect(page.locator(DRAWN)).to_have_text("35,41 €")
    assert page.locator("[data-cart-totals] + .sequra-widget").count() == 1
    assert shifts(page) == 0
    assert shop.queries("widgets") == [
        {
            "place": ["cart"], "channel": ["1"], "currency": ["EUR"], "locale": ["es"],
            "product": ["101"], "sku": ["CHAIR-CB"],
        }
    ]  # fmt: skip


def test_the_amount_follows_the_cart(shop: WidgetWorld, visit: Open) -> None:
    page = visit("/cart.php")
    expect(page.locator(DRAWN)).to_have_text("35,41 €")

    page.evaluate("update('€1,089.90')")

    expect(page.locator(DRAWN)).to_have_text("93,82 €")
    assert page.locator(COMPONENT).count() == 1


def test_an_emptied_cart_shows_nothing(shop: WidgetWorld, visit: Open) -> None:
    page = visit("/cart.php")
    expect(page.locator(DRAWN)).to_have_text("35,41 €")
    shop.carts = []

    page.evaluate("document.querySelector('.body').innerHTML = '<h1>Your cart is empty</h1>'")

    expect(page.locator(".sequra-widget")).to_have_count(0)


def test_a_cart_without_known_classes_shows_it_before_the_checkout(
    shop: WidgetWorld, visit: Open
) -> None:
    shop.pages["/cart"] = markup("plain-cart")
    page = visit("/cart")

    expect(page.locator(COMPONENT)).to_have_attribute("data-amount", "38900")
    assert page.locator(".sum + .sequra-widget").count() == 1


@pytest.mark.parametrize("place", ["off", "rules"])
def test_a_cart_where_nothing_is_shown_loads_nothing(
    shop: WidgetWorld, visit: Open, place: str
) -> None:
    shop.places = "product" if place == "off" else "cart"
    shop.shown["methods"] = []
    page = visit("/cart.php")
    settle(shop, page)

    asked = int(place == "rules")
    assert (shop.asked(), shop.loads_of_sequra()) == (asked, 0)
    assert len(shop.called("shop", "/carts", "GET")) == asked


# --- Lists of products ---------------------------------------------------------------------------

LINES = "article .sequra-widget, .tile .sequra-widget"


@pytest.mark.parametrize("width", [390, 1440])
def test_each_product_of_a_list_has_a_line_and_nothing_jumps(
    shop: WidgetWorld, visit: Open, width: int
) -> None:
    page = visit("/living-room", width=width)

    # Below the smallest amount its text says so; above the largest there is none.
    expect(page.locator(LINES)).to_have_text(
        [
            "Desde 35,41 €/mes",
            "Desde 10,49 €/mes",
            "Fracciona a partir de 50,00 €",
            "Desde 65,41 €/mes",
        ]
    )
    assert shifts(page) == 0
    assert shop.queries("widgets")[0]["product"] == ["101", "102", "103", "104", "105"]
    assert shop.loads_of_sequra() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_products_that_sequra_does_not_finance_have_no_line(shop: WidgetWorld, visit: Open) -> None:
    shop.shown["only"] = [102, 105]
    page = visit("/living-room")

    expect(page.locator(LINES)).to_have_text(["Desde 10,49 €/mes", "Desde 65,41 €/mes"])


def test_a_list_below_the_smallest_amount_loads_nothing_of_sequra(
    shop: WidgetWorld, visit: Open
) -> None:
    shop.shown["methods"] = [METHOD | {"min": 500_000, "max": None}]
    page = visit("/living-room")

    expect(page.locator(LINES)).to_have_count(5)
    assert shop.loads_of_sequra() == 0


@pytest.mark.parametrize(("lang", "asked"), [("es_ES", "es-ES"), ("es-ES-ES", "en-US")])
def test_an_odd_language_of_the_page_hides_nothing(
    shop: WidgetWorld, visit: Open, lang: str, asked: str
) -> None:
    listing = markup("listing").replace('lang="es"', f'lang="{lang}"')
    shop.pages["/living-room"] = listing
    page = visit("/living-room")

    expect(page.locator(LINES)).to_have_count(4)
    assert shop.queries("widgets")[0]["locale"] == [asked]


def test_products_that_come_later_get_their_line(shop: WidgetWorld, visit: Open) -> None:
    page = visit("/living-room")
    expect(page.locator(LINES)).to_have_count(4)

    page.evaluate(
        """() => {
          const one = document.querySelector('.product').cloneNode(true);
          one.querySelector('.sequra-widget').remove();
          document.querySelector('.productGrid').append(one);
        }"""
    )

    expect(page.locator(LINES)).to_have_count(5)
    assert shop.asked() == 1


def test_a_list_without_known_classes_shows_lines_too(shop: WidgetWorld, visit: Open) -> None:
    shop.pages["/living-room"] = markup("plain-listing")
    page = visit("/living-room")

    expect(page.locator(LINES)).to_have_text(["Desde 35,41 €/mes", "Desde 10,49 €/mes"])
    assert shifts(page) == 0


def test_the_merchant_s_card_selector_comes_first(shop: WidgetWorld, visit: Open) -> None:
    shop.more = "&cards=.product:nth-child(2)"
    page = visit("/living-room")

    expect(page.locator(LINES)).to_have_text(["Desde 10,49 €/mes"])


@pytest.mark.parametrize("place", ["off", "rules"])
def test_a_list_where_nothing_is_shown_loads_nothing(
    shop: WidgetWorld, visit: Open, place: str
) -> None:
    shop.places = "cart" if place == "off" else "listing"
    shop.shown["methods"] = []
    page = visit("/living-room")
    settle(shop, page)

    assert (shop.asked(), shop.loads_of_sequra()) == (int(place == "rules"), 0)


# --- Catalyst ------------------------------------------------------------------------------------


def test_on_catalyst_it_follows_variants_and_client_side_navigation(
    shop: WidgetWorld, visit: Open
) -> None:
    page = visit("/catalyst")
    expect(page.locator(COMPONENT)).to_have_attribute("data-amount", "38900")
    assert page.locator(".text-xl + .sequra-widget").count() == 1
    assert shifts(page) == 0

    page.evaluate("document.querySelector('.text-xl').textContent = '€1,089.90'")
    expect(page.locator(COMPONENT)).to_have_attribute("data-amount", "108990")
    page.evaluate("go('/chairs', list())")
    expect(page.locator(LINES)).to_have_text(["Desde 35,41 €/mes", "Desde 10,49 €/mes"])
    page.evaluate("go('/stool', product('Stool', '€89.95', 102))")
    expect(page.locator(COMPONENT)).to_have_attribute("data-amount", "8995")
    page.evaluate("go('/cart', cart())")
    expect(page.locator(COMPONENT)).to_have_attribute("data-amount", "38900")
    page.evaluate("go('/about', '<h1>About us</h1>')")
    expect(page.locator(".sequra-widget")).to_have_count(0)

    assert [one["place"] for one in shop.queries("widgets")] == [
        ["product"], ["listing"], ["product"], ["cart"],
    ]  # fmt: skip
    assert shop.called("shop", "/carts", "GET") == []  # there is no such address


def test_markup_that_react_has_yet_to_take_over_is_left_alone(
    shop: WidgetWorld, visit: Open
) -> None:
    """The script waits until the page has loaded, here for a picture that comes late."""
    page = visit("/living-room")
    with held(page, "**/late.png") as release:
        shop.pages["/catalyst"] += '<img alt="" src="/late.png">'
        page.goto(f"{shop.url('shop')}/catalyst", wait_until="commit")
        page.wait_for_function("document.readyState === 'interactive'")
        settle(shop, page)
        before = [one["place"] for one in shop.queries("widgets")]
        release()
        expect(page.locator(COMPONENT)).to_have_attribute("data-amount", "38900")

    assert before == [["listing"]]
