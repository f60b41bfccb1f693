"""Services: their lines, their ends, and the part of their price that is due at once."""

from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from payloads import cart
from payloads.cart import Line
from payloads.order.lines import BOUGHT_CERTIFICATE
from payloads.order.services import (
    Terms,
    agreed_terms,
    first_charge,
    is_digital,
    is_end,
    product_terms,
    sold_as_services,
)

ALL = ("services", "with_registration", "allow_first_instalment_delay")


def line(reference: str, total: int, quantity: int = 1, *, downloadable: bool = True) -> Line:
    return cart.product(
        reference=reference,
        name=f"Course {reference}",
        quantity=quantity,
        total_with_tax=total,
        downloadable=downloadable,
    )


@pytest.mark.parametrize("end", ["P1Y", "P6M", "P2W", "P1Y2M3DT4H5M6S", "PT12H", "2027-12-31"])
def test_ends_that_sequra_takes(end: str) -> None:
    assert is_end(end)


@pytest.mark.parametrize(
    "end",
    ["", "P", "PT", "P1YT", "1Y", "P1", "2027-02-30", "2027-1-1", "20271231", "P1Y ", "tomorrow"],
)
def test_ends_that_are_none(end: str) -> None:
    assert not is_end(end)


def test_a_service_has_one_end_and_its_registration_fee_is_carved_out() -> None:
    terms = {"A": Terms("P1Y", 5_00), "B": Terms("2027-12-31")}

    found = sold_as_services([line("A", 100_01, 2), line("B", 30_00), line("C", 1_00)], terms)

    assert found == [
        {
            "type": "registration",
            "reference": "A-reg",
            "name": "Reg. Course A",
            "total_with_tax": 10_00,
        },
        {
            "type": "service",
            "reference": "A",
            "name": "Course A",
            "price_with_tax": 45_01,
            "quantity": 2,
            "total_with_tax": 90_01,
            "downloadable": True,
            "ends_in": "P1Y",
        },
        {
            "type": "service",
            "reference": "B",
            "name": "Course B",
            "price_with_tax": 30_00,
            "quantity": 1,
            "total_with_tax": 30_00,
            "downloadable": True,
            "ends_on": "2027-12-31",
        },
        line("C", 1_00),
    ]
    assert agreed_terms(found) == terms


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 100_000)), min_size=1, max_size=3),
    st.integers(0, 10_000),
    st.integers(0, 50),
)
@example([(3, 10_00)], 5_00, 0)
@example([(1, 10_00), (1, 3_00)], 5_00, 0)
def test_services_are_worth_what_the_goods_were(
    lots: list[tuple[int, int]], registration: int, refunded: int
) -> None:
    """Also after a refund: what remains is sold on the terms that were agreed."""
    goods = [line("A", total, quantity) for quantity, total in lots]
    sold = sold_as_services(goods, {"A": Terms("P1Y", registration)})
    assert cart.lines_total(sold) == cart.lines_total(goods)
    assert all(one["total_with_tax"] >= 0 for one in sold)
    assert sold_as_services(goods, agreed_terms(sold)) == sold

    quantity, total = lots[0]
    left = max(1, quantity - refunded)
    remains = line("A", total * left // quantity, left)
    again = sold_as_services([remains], agreed_terms(sold))
    assert cart.lines_total(again) == remains["total_with_tax"]


def test_what_is_shipped_is_no_service_under_the_same_reference() -> None:
    book = line("A", 30_00, downloadable=False)
    assert sold_as_services([book], {"A": Terms("P1Y")}) == [book]


def fields(**values: str) -> dict[str, Any]:
    return {
        "custom_fields": [{"id": 1, "name": name, "value": value} for name, value in values.items()]
    }


@pytest.mark.parametrize(
    ("product", "options", "terms"),
    [
        ({}, ALL, Terms("P1Y")),
        (fields(sequra_service_end="2027-12-31"), ALL, Terms("2027-12-31")),
        (fields(Sequra_Service_End="P3M"), ALL, Terms("P3M")),
        (fields(sequra_service_end="soon"), ALL, Terms("P1Y")),
        (fields(sequra_service_end="No"), ALL, None),
        (fields(sequra_registration="12.50"), ALL, Terms("P1Y", 12_50)),
        (fields(sequra_registration="-3"), ALL, Terms("P1Y")),
        (fields(sequra_registration="free"), ALL, Terms("P1Y")),
        (fields(sequra_registration="12.50"), ("services",), Terms("P1Y")),
        (fields(sequra_first_charge="2027-01-15"), ALL, Terms("P1Y", 0, "2027-01-15")),
        (fields(sequra_first_charge="P1M"), ALL, Terms("P1Y")),
        (fields(sequra_first_charge="2027-01-15"), ("services",), Terms("P1Y")),
        ({"custom_fields": None}, ALL, Terms("P1Y")),
    ],
)
def test_custom_fields_say_how_a_product_is_sold(
    product: dict[str, Any], options: tuple[str, ...], terms: Terms | None
) -> None:
    assert product_terms(product, "P1Y", options) == terms


def test_the_first_charge_of_a_cart_is_its_earliest() -> None:
    days = [date(2027, month, 1).isoformat() for month in (5, 3, 4)]
    assert first_charge(Terms("P1Y", 0, day) for day in days) == "2027-03-01"
    assert first_charge([Terms("P1Y")]) is None


def test_a_cart_is_digital_when_nothing_of_it_is_shipped() -> None:
    discount = cart.adjustment(reference="d", name="d", total_with_tax=-1)
    assert is_digital([line("A", 1), *discount])
    assert is_digital(sold_as_services([line("A", 1)], {"A": Terms("P1Y")}))
    assert not is_digital([line("A", 1), line("B", 1, downloadable=False)])
    assert not is_digital(discount)
    certificate = line(BOUGHT_CERTIFICATE, 1)
    assert not is_digital([certificate, certificate, *discount])
    assert is_digital([certificate, line("A", 1)])
