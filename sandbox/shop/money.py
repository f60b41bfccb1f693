"""Amounts and dates as people in the shop and the control panel read them."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}


def amount(value: Any, currency: str = "EUR") -> str:
    """`1234.5` as `€1,234.50`."""
    rounded = Decimal(str(value or 0)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{SYMBOLS.get(currency, currency)}{rounded:,.2f}"


def moment(value: datetime) -> str:
    """`21 Nov 2026, 18:04`"""
    return f"{value.day} {value:%b %Y, %H:%M}"
