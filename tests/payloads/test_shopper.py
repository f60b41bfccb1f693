"""Who asks: language, telephone, country, history."""

from typing import Any

import pytest

from payloads.checkout.shopper import (
    language_code,
    merchant_country,
    previous_orders,
    sequra_address,
)
from payloads.codes import mobile_phone, payment_code
from tests.payloads.checkout_cases import document


@pytest.mark.parametrize(
    ("locale", "country", "code"),
    [
        ("es-ES", "ES", "es-ES"),
        ("es_mx", "ES", "es-MX"),
        ("es", "ES", "es-ES"),
        ("EN", "IT", "en-IT"),
        ("es-419", "ES", "es-ES"),
        ("zh-Hant-TW", "PT", "zh-TW"),
        ("", "FR", "fr-FR"),
        ("", "IE", "en-IE"),
        ("?", "IT", "it-IT"),
        ("ast-ES", "ES", "es-ES"),
        ("ca", "ES", "es-ES"),
        ("gl-ES", "ES", "es-ES"),
        ("eu_ES", "ES", "es-ES"),
        ("fr-CH", "FR", "fr-CH"),
        ("pt", "", "pt"),
    ],
)
def test_language_code_has_language_and_region(locale: str, country: str, code: str) -> None:
    assert language_code(locale, country) == code


@pytest.mark.parametrize(
    ("phone", "country", "mobile"),
    [
        ("+34 666 66 66 66", "ES", "666666666"),
        ("0034-711.222.333", "ES", "711222333"),
        ("911 22 33 44", "ES", ""),
        ("06 12 34 56 78", "FR", "0612345678"),
        ("+33 6 12 34 56 78", "FR", "0612345678"),
        ("01 23 45 67 89", "FR", ""),
        ("+39 333 1234567", "IT", "3331234567"),
        ("912 345 678", "PT", "912345678"),
        ("666666666", "DE", ""),
        ("", "ES", ""),
    ],
)
def test_mobile_phone_is_told_only_when_it_is_one(phone: str, country: str, mobile: str) -> None:
    assert mobile_phone(phone, country) == mobile


def test_address_has_the_keys_sequra_requires() -> None:
    assert sequra_address({}) == {
        "given_names": "",
        "surnames": "",
        "company": "",
        "address_line_1": "",
        "address_line_2": "",
        "postal_code": "",
        "city": "",
        "country_code": "",
    }


@pytest.mark.parametrize(
    ("case", "delivery", "billing", "country"),
    [
        ("two_products", "fr", "ES", "FR"),
        ("two_products", "", "ES", ""),
        ("digital_only", None, "pt", "PT"),
        ("pickup", None, "IT", "IT"),
    ],
)
def test_merchant_country_is_where_the_goods_go(
    case: str, delivery: str | None, billing: str, country: str
) -> None:
    checkout = document(case, "checkout")
    checkout["billing_address"]["country_code"] = billing
    if delivery is not None:
        checkout["consignments"][0]["address"]["country_code"] = delivery

    assert merchant_country(checkout) == country


def test_merchant_country_waits_for_the_delivery_address() -> None:
    checkout = document("two_products", "checkout") | {"consignments": []}

    assert merchant_country(checkout) == ""


def order(day: int, **changes: Any) -> dict[str, Any]:
    return {
        "date_created": f"Sun, {day:02d} Nov 2026 10:00:00 +0000",
        "status_id": 11,
        "status": "Awaiting Fulfillment",
        "total_inc_tax": "80.0050",
        "default_currency_code": "EUR",
        "payment_method": "SeQura",
        "billing_address": {"zip": "08010", "country_iso2": "ES"},
    } | changes


def test_previous_order_is_told_in_sequras_words() -> None:
    assert previous_orders([order(1)]) == [
        {
            "created_at": "2026-11-01T10:00:00+00:00",
            "amount": 8001,
            "currency": "EUR",
            "raw_status": "Awaiting Fulfillment",
            "status": "processing",
            "payment_method_raw": "SeQura",
            "payment_method": "SQ",
            "postal_code": "08010",
            "country_code": "ES",
        }
    ]


def test_previous_orders_are_the_last_ten_that_were_placed() -> None:
    orders = [order(day) for day in range(1, 13)]
    orders += [order(20, status_id=0), order(21, is_deleted=True)]

    found = [one["created_at"][8:10] for one in previous_orders(orders)]

    assert found == ["12", "11", "10", "09", "08", "07", "06", "05", "04", "03"]


@pytest.mark.parametrize(
    ("status_id", "status"),
    [(2, "shipped"), (10, "shipped"), (5, "cancelled"), (4, "cancelled"), (7, "processing")],
)
def test_previous_order_status(status_id: int, status: str) -> None:
    assert [one["status"] for one in previous_orders([order(1, status_id=status_id)])] == [status]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SeQura: Paga Después", "SQ"),
        ("PayPal (Credit Card)", "PP"),
        ("Test Payment Gateway", "O/Test Payment Gateway"),
        ("Visa", "CC"),
        ("Tarjeta", "CC"),
        ("Bank Deposit", "TR"),
        ("Cash on Delivery", "COD"),
    ],
)
def test_payment_code(name: str, code: str) -> None:
    assert payment_code(name) == code
