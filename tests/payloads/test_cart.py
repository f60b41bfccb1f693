"""Lines, carts, and the line for rounding."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payloads.cart import (
    Line,
    Unbalanced,
    _discount,
    _handling,
    adjustment,
    balance,
    cart,
    lines_total,
    other_payment,
    product,
)

cents = st.integers(0, 10**7)
some = st.integers(1, 10**7)
lines = st.lists(
    st.one_of(
        st.builds(
            product, reference=st.text(), name=st.text(), quantity=some, total_with_tax=cents
        ),
        st.builds(_handling, reference=st.text(), name=st.text(), total_with_tax=some),
        st.builds(
            _discount, reference=st.text(), name=st.text(), total_with_tax=some.map(int.__neg__)
        ),
        st.builds(
            other_payment, reference=st.text(), name=st.text(), total_with_tax=some.map(int.__neg__)
        ),
    ),
    max_size=8,
)


@given(lines)
def test_cart_is_the_sum_of_its_lines(found: list[Line]) -> None:
    whole = cart("EUR", found)

    assert whole["order_total_with_tax"] == sum(line["total_with_tax"] for line in whole["items"])
    assert whole["items"] == found


@given(lines, st.integers(-12, 12))
def test_balance_adds_up_or_refuses(found: list[Line], difference: int) -> None:
    total = lines_total(found) + difference

    if abs(difference) > max(1, len(found)):
        with pytest.raises(Unbalanced):
            balance(found, total)
    else:
        balanced = balance(found, total)
        assert lines_total(balanced) == total
        assert balanced[: len(found)] == found
        assert len(balanced) == len(found) + bool(difference)


def test_balance_names_the_rounding_as_sequra_does() -> None:
    line = product(reference="A", name="A", quantity=1, total_with_tax=1000)

    assert balance([line], 999)[1:] == [
        {
            "type": "discount",
            "reference": "additional_discount",
            "name": "Discount",
            "total_with_tax": -1,
        }
    ]
    assert balance([line], 1001)[1:] == [
        {
            "type": "handling",
            "reference": "additional_handling",
            "name": "Surcharge",
            "total_with_tax": 1,
        }
    ]


def test_unbalanced_says_both_totals() -> None:
    line = product(reference="A", name="A", quantity=1, total_with_tax=11088)

    with pytest.raises(Unbalanced, match=r"the lines add up to €110\.88, the order is €110\.90"):
        balance([line], 11090)


def test_cart_has_its_reference() -> None:
    assert cart("EUR", [], cart_ref="b20a") == {
        "currency": "EUR",
        "gift": False,
        "order_total_with_tax": 0,
        "items": [],
        "cart_ref": "b20a",
    }


def test_product_has_what_sequra_requires_and_what_is_known() -> None:
    line = product(
        reference="TOR-3",
        name="Tornillos",
        quantity=3,
        total_with_tax=10000,
        product_id="7",
        url="https://shop.example/7",
        category="Tools",
        downloadable=True,
    )

    assert line == {
        "type": "product",
        "reference": "TOR-3",
        "name": "Tornillos",
        "price_with_tax": 3333,
        "quantity": 3,
        "total_with_tax": 10000,
        "downloadable": True,
        "product_id": "7",
        "url": "https://shop.example/7",
        "category": "Tools",
    }


@pytest.mark.parametrize(
    ("line", "amount"),
    [(_handling, 0), (_handling, -1), (_discount, 0), (_discount, 1), (other_payment, 0)],
)
def test_lines_of_the_wrong_sign_are_refused(line: Callable[..., Any], amount: int) -> None:
    with pytest.raises(ValueError, match="cents"):
        line(reference="X", name="X", total_with_tax=amount)


def test_quantity_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a quantity of 0"):
        product(reference="X", name="X", quantity=0, total_with_tax=0)


@pytest.mark.parametrize(
    ("amount", "types"), [(5, ["handling"]), (-5, ["discount"]), (0, list[str]())]
)
def test_adjustment_follows_the_sign(amount: int, types: list[str]) -> None:
    found = adjustment(reference="X", name="X", total_with_tax=amount)

    assert [line["type"] for line in found] == types
    assert lines_total(found) == amount
