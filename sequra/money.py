"""Amounts of money: the only place where they change representation.

Everywhere else an amount is an `int` of cents, tax included, which is what SeQura speaks.
BigCommerce speaks strings with four decimals (V2) and floating-point numbers (V3).
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction

Amount = str | int | float | Decimal

# Decimal mark, and the mark between thousands, per language: facts of CLDR.
_MARKS = {
    "en": (".", ","),
    "es": (",", "."),
    "fr": (",", "\u202f"),
    "it": (",", "."),
    "pt": (",", "."),
}


def to_decimal(value: Amount) -> Decimal:
    """The number that was written, not its binary neighbour. ValueError when it is no number."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is no amount of money") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is no amount of money")
    return number


def to_cents(value: Amount) -> int:
    """Major units ("12.3450", 12.345) to cents (1235), half a cent away from zero."""
    return round_half_up(to_decimal(value) * 100)


def round_half_up(number: Decimal) -> int:
    """The nearest integer; a half goes away from zero, as on an invoice."""
    return int(number.to_integral_value(rounding=ROUND_HALF_UP))


def share_out(cents: int, weights: Sequence[Decimal | int]) -> list[int]:
    """Split `cents` in proportion to `weights` so that the parts add up to exactly `cents`.

    Largest remainder: everybody gets the whole cents of his share, the few left over go to the
    largest fractions, the earlier one when they are equal. No part is more than a cent away from
    its exact share. Weights may not be negative; with no weight at all the first one bears it.
    """
    if not weights:
        if cents:
            raise ValueError(f"{cents} cents and nobody to bear them")
        return []
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight may not be negative")
    exact = [Fraction(weight) for weight in weights]
    total = sum(exact)
    if not total:
        return [cents, *(0 for _ in weights[1:])]
    return _largest_remainder(cents, [weight / total for weight in exact])


def _largest_remainder(cents: int, fractions: Sequence[Fraction]) -> list[int]:
    """`share_out` for fractions that add up to one; a negative amount mirrors the positive one."""
    sign, whole = (-1, -cents) if cents < 0 else (1, cents)
    exact = [fraction * whole for fraction in fractions]
    parts = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda n: (parts[n] - exact[n], n))
    for n in by_remainder[: whole - sum(parts)]:
        parts[n] += 1
    return [sign * part for part in parts]


def euros(cents: int, locale: str = "en") -> str:
    """An amount for people: `110.89 €` in English, `1.110,89 €` in Spanish."""
    mark, thousands = _MARKS.get(locale[:2].lower(), _MARKS["en"])
    whole, rest = divmod(abs(cents), 100)
    grouped = f"{whole:,}".replace(",", thousands)
    return f"{'-' if cents < 0 else ''}{grouped}{mark}{rest:02d} €"
