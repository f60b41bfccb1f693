"""Convert amounts of money. No other module changes their representation.

Everywhere else an amount is an `int` in cents with tax included, as in SeQura's API. BigCommerce
sends strings with four decimals (V2) and floating-point numbers (V3).
"""

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import floor
from typing import Any

Amount = str | int | float | Decimal

# Fifteen digits are enough for any amount. Without a limit "1e999999999" would be a number.
_WRITTEN = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{0,40})?(?:[eE](?:\+?[0-9]|1[0-5]|-[0-9]{1,2}))?")

# Where the sign stands, decimal mark, mark between thousands, and from how many digits on that one
# is written, per language: facts of CLDR, as `Intl.NumberFormat` has them. `pt` is for Portugal.
_NOTATIONS = {
    "en": ("€{}", ".", ",", 4),
    "es": ("{}\u00a0€", ",", ".", 5),
    "fr": ("{}\u00a0€", ",", "\u202f", 4),
    "it": ("{}\u00a0€", ",", ".", 5),
    "pt": ("{}\u00a0€", ",", "\u00a0", 5),
}


class NotMoney(ValueError):
    """The value is not an amount."""


def to_decimal(value: Amount) -> Decimal:
    """Return the number as it was written, not its binary neighbour. Raise NotMoney."""
    try:
        written = str(value).strip()
    except ValueError:  # a whole number with thousands of digits
        written = "a number of thousands of digits"
    if not _WRITTEN.fullmatch(written):
        raise NotMoney(f"{written[:40]!r} is no amount of money")
    return Decimal(written)


def to_cents(value: Amount) -> int:
    """Convert major units ("12.3450", 12.345) to cents (1235), half a cent away from zero."""
    return round_half_up(to_decimal(value) * 100)


def is_given(value: object) -> bool:
    """Return whether an optional amount is present: not null, empty, "null" or "None"."""
    return value is not None and str(value).strip() not in ("", "None", "null")


def optional_cents(value: Any) -> int:
    """Return an optional amount in cents, 0 when it is absent.

    An order has several for each line, nearly all as V2 writes them: with four decimals.
    """
    if isinstance(value, str) and value[-5:-4] == ".":
        digits = value[:-5] + value[-4:]
        if digits.isdecimal() and digits.isascii() and 4 < len(digits) < 20:
            return (int(digits) + 50) // 100
    return to_cents(value) if is_given(value) else 0


def round_half_up(number: Decimal | Fraction) -> int:
    """Return the nearest integer; a half is rounded away from zero, as on an invoice."""
    if isinstance(number, Decimal):
        return int(number.to_integral_value(ROUND_HALF_UP))
    nearest = floor(abs(number) + Fraction(1, 2))
    return -nearest if number < 0 else nearest


def share_out(cents: int, weights: Sequence[Decimal | int]) -> list[int]:
    """Split `cents` in proportion to `weights`; the parts add up to exactly `cents`.

    Weights may not be negative; with no weight at all the first one bears everything.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight may not be negative")
    if cents and not weights:
        raise ValueError(f"{cents} cents and nobody to bear them")
    if not any(weights):
        return [cents, *(0 for _ in weights[1:])] if weights else []
    if sum(1 for weight in weights if weight) == 1:
        return [cents if weight else 0 for weight in weights]
    total = sum(Fraction(weight) for weight in weights)
    sign = -1 if cents < 0 else 1
    shares = [Fraction(weight) * abs(cents) / total for weight in weights]
    return [sign * part for part in round_together(shares)]


def round_together(exact: Sequence[Fraction]) -> list[int]:
    """Round amounts with a whole sum so that the sum stays the same.

    Largest remainder: every amount is rounded down, and the remaining cents go to the largest
    fractions, the earlier one when they are equal. No amount changes by a whole cent, and a whole
    amount does not change at all. Raise ValueError when the sum is not whole.
    """
    total = sum(exact, Fraction(0))
    if total.denominator != 1:
        raise ValueError(f"{total} is not whole")
    rounded = [floor(amount) for amount in exact]
    by_fraction = sorted(range(len(exact)), key=lambda n: (rounded[n] - exact[n], n))
    for n in by_fraction[: int(total) - sum(rounded)]:
        rounded[n] += 1
    return rounded


def euros(cents: int, locale: str = "en", *, whole: bool = False) -> str:
    """Return an amount as browsers write it: `€110.89` in English, `1110,89 €` in Spanish.

    The same as `Intl.NumberFormat(locale, {style: "currency", currency: "EUR"})`. `whole` leaves
    the cents out, for an amount that has none.
    """
    notation = _NOTATIONS.get(locale[:2].lower(), _NOTATIONS["en"])
    pattern, mark, thousands, grouped_from = notation
    units, rest = divmod(abs(cents), 100)
    digits = str(units)
    if len(digits) >= grouped_from:
        digits = f"{units:,}".replace(",", thousands)
    written = pattern.format(digits if whole else f"{digits}{mark}{rest:02d}")
    return f"-{written}" if cents < 0 else written
