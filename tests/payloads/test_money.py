"""Cents."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payloads.money import (
    Amount,
    NotMoney,
    euros,
    optional_cents,
    round_half_up,
    round_together,
    share_out,
    to_cents,
)


@pytest.mark.parametrize(
    ("amount", "cents"),
    [
        ("12.3450", 1235),
        ("0.0000", 0),
        ("-0.005", -1),
        ("-12.344", -1234),
        (1.005, 101),
        (33.333, 3333),
        (0.1 + 0.2, 30),
        (19.99, 1999),
        (7, 700),
        (Decimal("99.995"), 10000),
        (1e6, 100000000),
        ("1e3", 100000),
        (" 12.30\n", 1230),
        (1e-7, 0),
    ],
)
def test_to_cents_rounds_half_away_from_zero(amount: Amount, cents: int) -> None:
    assert to_cents(amount) == cents


ODD: list[Any] = [
    "", "twelve", "12,50", "NaN", "Infinity", float("nan"), float("inf"), "1 2", None, True, "None",
    "1_0", "٣", "1e16", "1e400", "1e999999999", 1e22, "9" * 5000, 10**5000, [], {}, "\0", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("amount", ODD, ids=range(len(ODD)))
def test_to_cents_refuses_what_is_no_amount(amount: Any) -> None:
    with pytest.raises(NotMoney, match="is no amount of money"):
        to_cents(amount)


@pytest.mark.parametrize("absent", [None, "", " ", "None"])
def test_an_optional_amount_may_be_absent(absent: Any) -> None:
    assert optional_cents(absent) == 0


@pytest.mark.parametrize("amount", ["NaN", "twelve", True, "9" * 5000])
def test_an_optional_amount_is_no_excuse_for_nonsense(amount: Any) -> None:
    with pytest.raises(NotMoney):
        optional_cents(amount)


@given(st.integers(-(10**12), 10**12))
def test_to_cents_is_exact_for_two_decimals(cents: int) -> None:
    written = f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"

    assert to_cents(written) == to_cents(f"{written}00") == to_cents(Decimal(written)) == cents


@given(st.integers(-(10**9), 10**9))
def test_to_cents_is_exact_for_json_numbers(cents: int) -> None:
    assert to_cents(cents / 100) == cents


@pytest.mark.parametrize(("number", "whole"), [("2.5", 3), ("-2.5", -3), ("2.4999", 2), ("0", 0)])
def test_round_half_up_goes_away_from_zero(number: str, whole: int) -> None:
    assert round_half_up(Decimal(number)) == round_half_up(Fraction(number)) == whole


@pytest.mark.parametrize(
    ("cents", "weights", "parts"),
    [
        (10, [1, 1, 1], [4, 3, 3]),
        (-10, [1, 1, 1], [-4, -3, -3]),
        (100, [2, 1, 0], [67, 33, 0]),
        (7, [0, 0], [7, 0]),
        (0, [], []),
        (5, [Decimal("0.1"), Decimal("0.4")], [1, 4]),
    ],
)
def test_share_out_gives_the_rest_to_the_largest_remainder(
    cents: int, weights: list[Decimal | int], parts: list[int]
) -> None:
    assert share_out(cents, weights) == parts


@pytest.mark.parametrize(("cents", "weights"), [(1, []), (1, [2, -1])])
def test_share_out_refuses_what_nobody_can_bear(cents: int, weights: list[Decimal | int]) -> None:
    with pytest.raises(ValueError, match=r"nobody|negative"):
        share_out(cents, weights)


@given(st.integers(-(10**7), 10**7), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_share_out_loses_no_cent(cents: int, weights: list[int]) -> None:
    parts = share_out(cents, weights)

    assert sum(parts) == cents
    if total := sum(weights):
        shares = [Fraction(cents * weight, total) for weight in weights]
        assert all(abs(part - share) < 1 for part, share in zip(parts, shares, strict=True))


@given(st.lists(st.fractions(-1000, 1000, max_denominator=1000), max_size=12))
def test_round_together_keeps_the_sum(amounts: list[Fraction]) -> None:
    rest = -sum(amounts, Fraction(0)) % 1
    exact = [*amounts, rest]

    rounded = round_together(exact)

    assert sum(rounded) == sum(exact)
    assert all(abs(cents - amount) < 1 for cents, amount in zip(rounded, exact, strict=True))


def test_round_together_refuses_a_sum_that_is_not_whole() -> None:
    with pytest.raises(ValueError, match="is not whole"):
        round_together([Fraction(1, 3)])


@pytest.mark.parametrize(
    ("cents", "locale", "text"),
    [
        (11089, "en", "€110.89"),
        (111089, "en-GB", "€1,110.89"),
        (111089, "es-ES", "1110,89\u00a0€"),
        (1110890, "es", "11.108,90\u00a0€"),
        (111089, "fr", "1\u202f110,89\u00a0€"),
        (-5, "it_IT", "-0,05\u00a0€"),
        (-5, "en", "-€0.05"),
        (123456789, "pt", "1\u00a0234\u00a0567,89\u00a0€"),
        (100, "de", "€1.00"),
    ],
)
def test_euros_are_written_as_browsers_write_them(cents: int, locale: str, text: str) -> None:
    assert euros(cents, locale) == text


@pytest.mark.parametrize(
    ("locale", "text"), [("en", "€20,000"), ("es", "20.000\u00a0€"), ("pt", "20\u00a0000\u00a0€")]
)
def test_whole_euros_have_no_cents(locale: str, text: str) -> None:
    assert euros(2_000_000, locale, whole=True) == text
