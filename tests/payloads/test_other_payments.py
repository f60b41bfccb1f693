"""Gift certificates and store credit beside SeQura: every balance that BigCommerce may show."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payloads.checkout.lines import Claim
from payloads.checkout.other_payments import (
    Certificate,
    OtherPayments,
    Shown,
    other_payments,
    shown_payments,
)
from payloads.checkout.reasons import NotOffered, Reason

TOTAL, CREDIT = 10_000, 1_500
TWO = (Certificate("A", 2_000), Certificate("B", 500))
APPLIED, NOT_APPLIED = Claim(applied=True), Claim()


@pytest.mark.parametrize(
    ("left", "claim", "credit"),
    [
        (6_000, APPLIED, CREDIT),  # both are off the balance
        (6_000, NOT_APPLIED, CREDIT),  # the balance knows better than the browser
        (7_500, APPLIED, CREDIT),  # certificates alone are off the balance
        (7_500, NOT_APPLIED, 0),
        (8_500, NOT_APPLIED, CREDIT),  # store credit alone is off the balance
        (10_000, APPLIED, CREDIT),  # nothing is
        (10_000, NOT_APPLIED, 0),
    ],
)
def test_the_reading_that_fits_is_taken(left: int, claim: Claim, credit: int) -> None:
    found = other_payments(CREDIT, TOTAL, claim, Shown(left, TWO))

    assert found == OtherPayments(TWO, credit)
    assert found.total == 2_500 + credit


def test_store_credit_never_pays_more_than_is_left() -> None:
    assert other_payments(99_999, TOTAL, APPLIED, Shown(0, TWO)) == OtherPayments(TWO, 7_500)


@pytest.mark.parametrize("shown", [None, Shown(-5, ()), Shown(1_234, ())])
def test_without_a_reading_that_fits_the_browser_decides(shown: Shown | None) -> None:
    as_before = Claim(applied=True, outstanding=8_500)
    assert other_payments(CREDIT, TOTAL, as_before, shown) == OtherPayments((), CREDIT)

    with pytest.raises(NotOffered) as refused:
        other_payments(0, TOTAL, Claim(outstanding=7_500), shown)
    assert refused.value.reason == Reason.GIFT_CERTIFICATE


@pytest.mark.parametrize("left", [1_234, 7_501, -5])
def test_certificates_that_no_reading_explains_are_not_dropped(left: int) -> None:
    for claim in (APPLIED, NOT_APPLIED, Claim(applied=True, outstanding=8_500)):
        with pytest.raises(NotOffered) as refused:
            other_payments(CREDIT, TOTAL, claim, Shown(left, TWO))
        assert refused.value.reason == Reason.GIFT_CERTIFICATE


def test_the_browser_has_to_agree_also_without_store_credit() -> None:
    """An empty list beside the whole total: the browser shows a certificate that the list hides."""
    assert other_payments(0, TOTAL, Claim(outstanding=TOTAL), Shown(TOTAL, ())) == OtherPayments()

    with pytest.raises(NotOffered) as refused:
        other_payments(0, TOTAL, Claim(outstanding=7_500), Shown(TOTAL, ()))
    assert refused.value.reason == Reason.UNEXPLAINED_BALANCE


def test_a_browser_that_shows_another_amount_is_asked_again() -> None:
    """The balance is the same with store credit and without: only the browser knows."""
    for outstanding in (6_000, 8_500, None):
        claim = Claim(applied=True, outstanding=outstanding)
        assert other_payments(CREDIT, TOTAL, claim, Shown(7_500, TWO)).credit == CREDIT

    with pytest.raises(NotOffered) as refused:
        other_payments(CREDIT, TOTAL, Claim(applied=True, outstanding=7_000), Shown(7_500, TWO))
    assert refused.value.reason == Reason.UNEXPLAINED_BALANCE


@given(
    st.integers(0, 5_000),
    st.lists(st.integers(1, 3_000), max_size=3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_what_is_left_is_never_more_nor_less(
    balance: int, amounts: list[int], applied: bool, without: bool, uncredited: bool
) -> None:
    """Whatever the balance holds, the parts add up to the total, and no part is invented."""
    certificates = tuple(Certificate(str(n), cents) for n, cents in enumerate(amounts))
    rest = TOTAL - sum(amounts)
    credit = min(balance, rest) if applied else 0
    left = TOTAL - (0 if without else sum(amounts)) - (0 if uncredited else credit)
    claim = Claim(applied, rest - credit)

    found = other_payments(balance, TOTAL, claim, Shown(left, certificates))

    assert found.certificates == certificates
    assert found.credit in {credit, min(balance, rest)}
    # Only two balances that are equal by chance may hide whether credit is applied.
    if left not in {rest - balance, TOTAL - balance}:
        assert found.credit == credit


def shown(**fields: Any) -> dict[str, Any]:
    certificate = {"code": "A", "balance": {"value": 50}, "used": {"value": "20.00"}}
    balance = {"value": 75.5, "currencyCode": "EUR"}
    return {"outstandingBalance": balance, "giftCertificates": [certificate], **fields}


def test_amounts_are_read_to_the_cent() -> None:
    assert shown_payments(shown(), "EUR") == Shown(7_550, (Certificate("A", 2_000),))
    assert shown_payments(shown(giftCertificates=[]), "EUR") == Shown(7_550, ())
    unused = [{"code": "A", "used": {"value": 0}}]
    assert shown_payments(shown(giftCertificates=unused), "EUR") == Shown(7_550, ())


@pytest.mark.parametrize(
    "odd",
    [
        {"outstandingBalance": None},
        {"outstandingBalance": {"value": 75.5, "currencyCode": "USD"}},
        {"outstandingBalance": {"value": "x", "currencyCode": "EUR"}},
        {"giftCertificates": None},
        {"giftCertificates": [{"code": "A", "used": {"value": -1}}]},
        {"giftCertificates": [{"code": "", "used": {"value": 1}}]},
        {"giftCertificates": [{"code": "A", "used": None}]},
    ],
)
def test_what_cannot_be_read_is_not_shown(odd: dict[str, Any]) -> None:
    assert shown_payments(shown(**odd), "EUR") is None


def test_what_an_order_shows_leaves_the_rest() -> None:
    agreed = OtherPayments(TWO, CREDIT)

    assert agreed.left(0, 0) == agreed
    assert agreed.left(2_000, 0) == OtherPayments(TWO[1:], CREDIT)
    assert agreed.left(2_500, CREDIT) == OtherPayments()
    assert agreed.left(0, CREDIT) == OtherPayments(TWO, 0)
    for certificates, credit in ((500, 0), (2_001, 0), (2_501, CREDIT), (0, 1)):
        assert agreed.left(certificates, credit) is None
