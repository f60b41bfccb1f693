"""The demo's shop is translated in whole: every text of its templates and all that it sells."""

import ast
import re
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from sandbox import settings
from sandbox.shop.money import amount
from sandbox.shop.texts import LANGUAGES, PAGES, WARES, text, ware

TEMPLATES = sorted((settings.HERE / "shop/templates").rglob("*.html"))
SCRIPT = settings.HERE / "shop/static/shop/checkout.js"


def constant(path: Path, name: str) -> Any:
    """A table of the sandbox, whose models this process cannot load."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise LookupError(name)


def fields(told: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(told) if name}


def test_every_text_of_the_templates_has_its_row_and_every_row_its_text() -> None:
    source = "".join(path.read_text() for path in TEMPLATES)
    asked = {
        found[1] for found in re.finditer(r"""\{% t (?:"|')(.+?)(?:"|')(?: \w+=| %\})""", source)
    }

    assert asked == set(PAGES)


def test_nothing_in_the_templates_is_text_without_a_row() -> None:
    for path in TEMPLATES:
        bare = re.sub(r"(?s)\{[%#{].*?[%#}]\}|<(svg|script).*?</\1>|<[^>]+>", " ", path.read_text())
        words = set(re.findall(r"[A-Za-z]{3,}", bare)) - {"doctype", "html", "SKU", "Barcelona"}
        assert (path.name, words) == (path.name, set())


@pytest.mark.parametrize("english", PAGES)
def test_a_translation_names_the_same_values(english: str) -> None:
    assert [fields(told) for told in PAGES[english]] == [fields(english)] * len(LANGUAGES)


def test_all_that_the_shop_sells_is_translated() -> None:
    catalogue = settings.HERE / "bigcommerce/catalogue.py"
    products = constant(catalogue, "PRODUCTS")
    sold = {text for product in products for text in (product[1], product[-1])}
    sold |= set(constant(catalogue, "CATEGORIES").values())
    shipping = constant(settings.HERE / "bigcommerce/shopper.py", "SHIPPING")
    sold |= {description for description, _ in shipping.values()}

    assert sold - set(WARES) == set()
    assert ware("Lamp Montseny", "es") == "Lámpara Montseny"
    assert ware("Engraving", "es") == "Engraving"
    assert text("Order {id}", "fr", id=7) == "Commande 7"
    assert text("Order {id}", "en", id=7) == "Order 7"


def test_the_checkout_has_the_same_words_in_each_language() -> None:
    tables = re.search(r"(?s)const TEXTS = \{\n(.*?)\n  \};", SCRIPT.read_text())
    assert tables
    languages = re.findall(r"(?s)    (\w\w): \{\n(.*?)\n    \},", tables[1])
    keys = {name: re.findall(r"""(\w+): (?=["`])""", block) for name, block in languages}

    assert set(keys) == {"en", *LANGUAGES}
    assert [sorted(found) for found in keys.values()] == [sorted(keys["en"])] * len(keys)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "€1,234.50"),
        ("es", "1.234,50\N{NO-BREAK SPACE}€"),
        ("fr", "1\N{NARROW NO-BREAK SPACE}234,50\N{NO-BREAK SPACE}€"),
    ],
)
def test_prices_are_written_as_the_reader_writes_them(language: str, told: str) -> None:
    assert amount("1234.5", "EUR", language) == told
