"""Amounts and dates as people in the shop and the control panel read them."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}
NO_BREAK = "\N{NO-BREAK SPACE}"
# What stands between thousands; elsewhere than in English decimals follow a comma.
THOUSANDS = {"es": ".", "fr": "\N{NARROW NO-BREAK SPACE}", "it": ".", "pt": NO_BREAK}


def amount(value: Any, currency: str = "EUR", language: str = "en") -> str:
    """`1234.5` as `€1,234.50`, and in Spanish as `1.234,50 €`."""
    rounded = Decimal(str(value or 0)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    symbol = SYMBOLS.get(currency, currency)
    if language not in THOUSANDS:
        return f"{symbol}{rounded:,.2f}"
    whole, _, cents = f"{rounded:,.2f}".partition(".")
    return f"{whole.replace(',', THOUSANDS[language])},{cents}{NO_BREAK}{symbol}"


def moment(value: datetime) -> str:
    """`21 Nov 2026, 18:04`"""
    return f"{value.day} {value:%b %Y, %H:%M}"
