"""Amounts on pages, beside what the browser itself would write."""

import random

import pytest
from django.conf import settings
from playwright.sync_api import Page

from payloads.money import euros

# Each number of digits, at both of its ends; then whatever comes.
EDGES = [edge + step for edge in (10**n for n in range(10)) for step in (-1, 0, 1, 50)]
RANDOM = random.Random(1)
AMOUNTS = [*EDGES, *(RANDOM.randrange(10 ** RANDOM.randrange(1, 13)) for _ in range(500))]
INTL = """([locale, cents, digits]) => {
    const style = { style: "currency", currency: "EUR", maximumFractionDigits: digits };
    const written = new Intl.NumberFormat(locale, style);
    return cents.map((amount) => written.format(amount / 100));
}"""
# Portuguese without a country is Brazil's in browsers, and Portugal's here.
TAGS = {"pt": "pt-PT"}


@pytest.mark.parametrize("language", [code for code, _name in settings.LANGUAGES])
def test_amounts_are_written_as_the_browser_writes_them(page: Page, language: str) -> None:
    tag = TAGS.get(language, language)
    amounts = AMOUNTS + [-cents for cents in AMOUNTS if cents]
    rounds = [cents // 100 * 100 for cents in amounts]

    assert [euros(cents, language) for cents in amounts] == page.evaluate(INTL, [tag, amounts, 2])
    assert [euros(cents, tag, whole=True) for cents in rounds if cents] == page.evaluate(
        INTL, [tag, [cents for cents in rounds if cents], 0]
    )
