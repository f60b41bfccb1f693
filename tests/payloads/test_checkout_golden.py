"""Documents of BigCommerce in, the order SeQura hears out: whole values, a folder each."""

import json
from typing import Any

import pytest

from payloads.checkout.reasons import NotOffered, Reason
from payloads.checkout.solicitation import fingerprint, solicitation
from tests.payloads.checkout_cases import CASES, OUTCOMES, circumstances, document, outcome


@pytest.mark.parametrize("case", CASES)
def test_checkout_becomes_its_order(case: str) -> None:
    name, content = outcome(case)

    golden = {found: document(case, found.removesuffix(".json")) for found in OUTCOMES}

    assert golden == {found: content if found == name else None for found in OUTCOMES}


@pytest.mark.parametrize("case", [case for case in CASES if document(case, "order")])
def test_order_is_what_the_shopper_still_pays(case: str) -> None:
    cart = document(case, "order")["cart"]
    claim, customer = document(case, "claim") or {}, document(case, "customer") or {}
    total = round(document(case, "checkout")["grand_total"] * 100)
    credit = 2000 if claim.get("store_credit_applied") and customer else 0

    assert cart["order_total_with_tax"] == total - credit
    assert sum(item["total_with_tax"] for item in cart["items"]) == total - credit


def test_fingerprint_ignores_what_means_nothing() -> None:
    checkout = document("two_products", "checkout")
    order = solicitation(checkout, circumstances())
    checkout["cart"]["line_items"]["physical_items"][0]["url"] = "https://shop.example/other/"
    other = circumstances(
        ip="2001:db8::1",
        user_agent="curl",
        locale="fr",
        layout="smartphone",
        notification_parameters={"signature": "other"},
        notify_url="https://other.example",
        platform={"name": "BigCommerce", "version": "v4"},
    )

    assert fingerprint(solicitation(checkout, other)) == fingerprint(order)
    assert fingerprint(order | {"state": "on_hold"}) == fingerprint(order)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("cart", "line_items", "physical_items", 0, "sku"), "CAM-001-L"),
        (("cart", "line_items", "physical_items", 0, "options", 0, "value"), "L"),
        (("cart", "line_items", "physical_items", 0, "quantity"), 1),
        (("cart", "currency", "code"), "USD"),
        (("cart", "customer_id"), 25),
        (("billing_address", "email"), "other@example.com"),
        (("billing_address", "address1"), "Gran Vía 1"),
        (("billing_address", "last_name"), "Muñoz"),
        (("billing_address", "company"), "Muebles Muñoz"),
        (("consignments", 0, "address", "address2"), "3º 2ª"),
        (("consignments", 0, "address", "state_or_province"), "Girona"),
        (("consignments", 0, "address", "postal_code"), "28013"),
        (("consignments", 0, "address", "country_code"), "FR"),
        (("consignments", 0, "selected_shipping_option", "description"), "Envío urgente"),
        (("id",), "another cart"),
    ],
)
def test_fingerprint_tells_another_cart(path: tuple[str | int, ...], value: object) -> None:
    checkout = document("two_products", "checkout")
    before = fingerprint(solicitation(checkout, circumstances()))
    place = checkout
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    assert fingerprint(solicitation(checkout, circumstances())) != before


@pytest.mark.parametrize("change", [{"credit": 1}, {"merchant": "merchant_fr"}])
def test_fingerprint_tells_other_credit_and_merchant(change: dict[str, object]) -> None:
    checkout = document("two_products", "checkout")

    assert fingerprint(solicitation(checkout, circumstances(**change))) != fingerprint(
        solicitation(checkout, circumstances())
    )


def test_odd_characters_reach_neither_database_nor_sequra() -> None:
    """PostgreSQL stores no NUL and nobody encodes half a character."""
    order = solicitation(
        document("odd_characters", "checkout"), circumstances(user_agent="Mozilla\0 \ud83d")
    )

    text = json.dumps(order, ensure_ascii=False)
    assert "\\u0000" not in text
    assert text.encode().decode() == text
    assert len(fingerprint(order)) == 64


@pytest.mark.parametrize("total", ["", None, "None", "NaN", "9" * 5000, [], "1e999999"])
def test_a_total_that_is_none_is_a_reason(total: Any) -> None:
    checkout = document("two_products", "checkout") | {"grand_total": total}

    with pytest.raises(NotOffered) as refusal:
        solicitation(checkout, circumstances())

    assert refusal.value.reason == Reason.UNREADABLE


def test_nothing_null_is_sent() -> None:
    def has_null(value: object) -> bool:
        if isinstance(value, dict):
            return any(has_null(one) for one in value.values())
        return any(has_null(one) for one in value) if isinstance(value, list) else value is None

    assert [case for case in CASES if has_null(outcome(case)[1])] == []
