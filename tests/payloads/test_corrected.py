"""The details that SeQura may correct, however it spells them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payloads.order.people import (
    PATHS,
    agreeing,
    differences,
    for_address_book,
    in_account,
    in_address_book,
    in_bigcommerce,
    overlaid,
    read_corrections,
    value_at,
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
        path for path in known if value_at(changed, path) == known[path]
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


ADDRESS = {
    "first_name": "Fulana", "last_name": "De Tal", "company": "", "street_1": "Gran Vía, 1",
    "street_2": "", "city": "Madrid", "state": "Madrid", "zip": "28013", "phone": "666 666 666",
    "country": "Spain", "country_iso2": "ES", "email": "fulana@example.com",
}  # fmt: skip
ENTRY = {
    "id": 7, "customer_id": 3, "first_name": "Fulana", "last_name": "De Tal", "company": "",
    "address1": "Gran Vía, 1", "address2": "", "city": "Madrid", "state_or_province": "Madrid",
    "postal_code": "28013", "country_code": "ES", "phone": "666 666 666",
    "address_type": "residential",
}  # fmt: skip


@pytest.mark.parametrize(
    ("difference", "is_meant"),
    [
        ({}, True),
        ({"address1": " gran  vía, 1"}, True),
        ({"company": None}, True),
        ({"address_type": "commercial"}, True),
        ({"city": "Getafe"}, True),  # corrected before
        ({"city": "Barcelona"}, False),
        ({"phone": ""}, False),
        ({"country_code": "PT"}, False),
        ({"first_name": "Mengano"}, False),
        ({"city": "Getafe", "phone": ""}, False),
    ],
)
def test_entries_of_an_address_book_are_meant_that_are_the_order_s_address(
    difference: dict[str, Any], *, is_meant: bool
) -> None:
    corrected = for_address_book({"delivery_address.city": "Getafe"})
    found = in_address_book(ADDRESS, corrected, [ENTRY | difference])
    assert found == ([{"id": 7, "city": "Getafe"}] if is_meant else [])


def test_an_address_book_holds_no_email_address() -> None:
    assert for_address_book({"customer.email": "right@example.com"}) == {}
    assert for_address_book({"customer.surnames": "De Cual"}) == {"last_name": "De Cual"}


@pytest.mark.parametrize(
    ("account", "written"),
    [
        ({"email": "FULANA@example.com"}, {"email": "right@example.com"}),
        ({"email": "right@example.com"}, {"email": "right@example.com"}),
        ({"email": "another@example.com"}, {}),
        ({}, {}),
    ],
)
def test_an_account_is_corrected_where_it_holds_what_the_order_holds(
    account: dict[str, str], written: dict[str, str]
) -> None:
    assert in_account({"customer.email": "right@example.com"}, ADDRESS, account) == written
    assert in_account({"delivery_address.given_names": "Ana"}, ADDRESS, {"first_name": ""}) == {}
