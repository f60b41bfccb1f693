"""The details that SeQura may correct, however it spells them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payloads.order.people import (
    PATHS,
    _value_at,
    agreeing,
    differences,
    in_bigcommerce,
    overlaid,
    read_corrections,
)

TOLD: dict[str, Any] = {
    "customer": {"email": "Fulana@example.com", "given_names": "Fulana"},
    "delivery_address": {
        "city": "Barcelona",
        "country_code": "ES",
        "phone": "666666666",
        "mobile_phone": "+34666666666",
    },
    "shipped_cart": {"items": []},
}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("email", "customer.email"),
        ("customer_email", "customer.email"),
        ("customer.email", "customer.email"),
        ("customer[email]", "customer.email"),
        ("order[customer][email]", "customer.email"),
        ("delivery_address[address_line_1]", "delivery_address.address_line_1"),
        ("invoice_address_postal_code", "invoice_address.postal_code"),
    ],
)
def test_spellings(name: str, path: str) -> None:
    assert read_corrections({name: " new  value "}) == {path: "new value"}


@pytest.mark.parametrize(
    "name",
    ["m_email", "event", "order_ref", "order_ref_1", "customer[nin]", "delivery_address[country]"],
)
def test_other_parameters_are_no_details(name: str) -> None:
    assert read_corrections({name: "x"}) == {}


@given(st.dictionaries(st.text(), st.text()))
def test_anything_may_come(parameters: dict[str, str]) -> None:
    for path, value in read_corrections(parameters).items():
        assert path in PATHS
        assert 0 < len(value) <= 255


def test_only_what_differs_is_news() -> None:
    heard = {"customer.email": "fulana@EXAMPLE.com", "delivery_address.city": "Badalona"}
    assert differences(TOLD, heard) == {"delivery_address.city": ("Barcelona", "Badalona")}


@given(st.dictionaries(st.sampled_from(PATHS), st.text(min_size=1).map(str.strip)))
def test_an_update_with_corrections_agrees_with_them(corrections: dict[str, str]) -> None:
    known = {path: text for path, text in corrections.items() if path.split(".")[0] in TOLD}
    changed = overlaid(TOLD, known)
    assert changed["shipped_cart"] == TOLD["shipped_cart"]
    assert set(agreeing(changed, known)) == {
        path for path in known if _value_at(changed, path) == known[path]
    }


def test_a_phone_number_is_corrected_in_both_places() -> None:
    landline = overlaid(TOLD, {"delivery_address.phone": "934000000"})["delivery_address"]
    assert landline == {"city": "Barcelona", "country_code": "ES", "phone": "934000000"}


def test_nothing_corrected_is_the_update_itself() -> None:
    assert overlaid(TOLD, {}) == TOLD


def test_where_it_stands_in_bigcommerce() -> None:
    corrections = {
        "customer.email": "a@b.es",
        "invoice_address.postal_code": "08009",
        "delivery_address.address_line_1": "Rambla, 1",
    }
    assert in_bigcommerce(corrections) == (
        {"email": "a@b.es", "zip": "08009"},
        {"street_1": "Rambla, 1"},
    )
