"""What is welcome and not needed never stops a purchase; what is odd is left out, or a reason.

Everything goes over HTTP: the pretend BigCommerce answers what each test makes it answer.
"""

import json
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payloads.checkout.reasons import Reason
from payments.models import Offer, Solicitation
from payments.solicit import Offered
from stores.models import Store
from stores.storefronts import origin_of
from tests.payloads.checkout_cases import document
from tests.payments.conftest import MakeSolicitation
from tests.payments.shop import Shop

HISTORY, CUSTOMER, CHECKOUT = r"/v2/orders\?", r"/v3/customers", r"/v3/checkouts/[^/]+$"
READABLE = {
    "total_inc_tax": "12.0000",
    "currency_code": "EUR",
    "date_created": "2026-03-04T05:06:07Z",
    "status_id": 10,
    "billing_address": {"country_iso2": "Spain"},
}
ODD_ORDERS = [
    READABLE | {"total_inc_tax": ""},
    READABLE,
    READABLE | {"date_created": "yesterday"},
    READABLE | {"currency_code": ""},
    READABLE | {"currency_code": None},
    None,
]


def registered(shop: Shop, **wishes: Any) -> str:
    """The checkout of a registered customer."""
    customer = shop.sandbox.control("POST", "customers", {})["id"]
    return str(shop.sandbox.checkout(customer_id=customer, **wishes)["checkout_id"])


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 403, "body": '[{"status":403,"message":"You don\'t have a required scope"}]'},
        {"status": 200, "body": "no JSON"},
        {"status": 200, "body": '{"orders": []}'},
        {"status": 200, "body": "[" * 100_000},
        {"reset": True},
    ],
)
@pytest.mark.parametrize("path", [HISTORY, CUSTOMER])
def test_a_purchase_goes_on_without_customer_and_history(
    shop: Shop, path: str, fault: dict[str, Any]
) -> None:
    checkout_id = registered(shop)
    shop.sandbox.fault(path, **fault)

    offered = shop.offer(checkout_id)

    assert (offered.reasons, bool(offered.methods)) == ([], True)
    assert offered.solicitation is not None
    assert offered.solicitation.order["customer"]["logged_in"] is True


def test_a_number_of_thousands_of_digits_is_not_known_and_nothing_more(shop: Shop) -> None:
    checkout_id = registered(shop)
    odd = json.dumps([READABLE | {"id": 7}]).replace("7}", "7" * 5000 + "}")
    shop.sandbox.fault(HISTORY, status=200, body=odd)

    offered = shop.offer(checkout_id)

    assert offered.solicitation is not None
    assert [one["amount"] for one in offered.solicitation.order["customer"]["previous_orders"]] == [
        1200
    ]


def test_an_earlier_order_that_cannot_be_read_is_left_out(shop: Shop) -> None:
    checkout_id = registered(shop)
    shop.sandbox.fault(HISTORY, status=200, body=json.dumps(ODD_ORDERS))

    offered = shop.offer(checkout_id)

    assert offered.solicitation is not None
    assert [
        (one["created_at"], one["amount"])
        for one in offered.solicitation.order["customer"]["previous_orders"]
    ] == [("2026-03-04T05:06:07+00:00", 1200)]


def test_a_customer_whose_credit_counts_must_be_known(shop: Shop) -> None:
    checkout_id = registered(shop)
    shop.sandbox.fault(CUSTOMER, status=503)

    offered = shop.offer(checkout_id, applied=True)

    assert offered.reasons == [Reason.BIGCOMMERCE_UNAVAILABLE]


def offer_of(shop: Shop, checkout: Any) -> Offered:
    """The offer for a checkout that BigCommerce shows like this."""
    checkout_id = shop.sandbox.checkout()["checkout_id"]
    body = checkout if isinstance(checkout, str) else json.dumps({"data": checkout})
    shop.sandbox.fault(CHECKOUT, status=200, body=body)
    return shop.offer(checkout_id)


def test_odd_characters_are_left_out_on_their_way_to_postgresql_and_sequra(shop: Shop) -> None:
    offered = offer_of(shop, document("odd_characters", "checkout"))

    assert offered.solicitation is not None
    kept = Solicitation.objects.get(pk=offered.solicitation.pk).order
    assert [item["name"] for item in kept["cart"]["items"]] == [
        "Camiseta algodón (Talla: M)",
        "Zapatillas 👟",
        "Envío",
    ]
    asked = [call for call in shop.sandbox.calls("sequra") if call["method"] == "POST"]
    assert asked[-1]["status"] == 204


ODD_CHECKOUTS: list[tuple[dict[str, Any], str]] = [
    ({"grand_total": ""}, "unreadable"),
    ({"grand_total": None}, "unreadable"),
    ({"grand_total": "NaN"}, "unreadable"),
    ({"grand_total": [1]}, "unreadable"),
    ({"grand_total": 25_000_000}, "amount"),
    ({"cart": None}, "unreadable"),
    ({"cart": {"currency": {"code": "EUR"}, "line_items": []}}, "unreadable"),
    ({"consignments": 7}, "unreadable"),
    ({"billing_address": "none"}, "unreadable"),
    ({"tax_total": "many"}, "unreadable"),
]


@pytest.mark.parametrize(("change", "reason"), ODD_CHECKOUTS)
def test_a_checkout_that_cannot_be_read_is_a_reason(
    shop: Shop, change: dict[str, Any], reason: str
) -> None:
    offered = offer_of(shop, document("two_products", "checkout") | change)

    assert [str(one) for one in offered.reasons] == [reason]
    assert Offer.objects.get().reasons == [reason]


def test_optional_parts_of_another_shape_are_left_out_all_the_way_to_sequra(shop: Shop) -> None:
    checkout = document("two_products", "checkout")
    lines = checkout["cart"]["line_items"]["physical_items"]
    lines[0] |= {"gift_wrapping": "Paper", "options": [None], "discounts": [None], "url": []}
    checkout["cart"]["line_items"] |= {"physical_items": [None, *lines], "custom_items": None}
    checkout["consignments"] = [None, *checkout["consignments"]]
    checkout |= {"coupons": [None], "fees": "none", "taxes": [None]}

    offered = offer_of(shop, checkout)

    assert (offered.reasons, bool(offered.methods)) == ([], True)
    assert offered.solicitation is not None
    assert offered.solicitation.order["cart"]["order_total_with_tax"] == 14488


def test_numbers_beyond_reason_are_a_reason(shop: Shop) -> None:
    checkout = json.dumps({"data": document("two_products", "checkout")})

    for number in ("9" * 5000, "1e400", "NaN", "-Infinity"):
        offered = offer_of(shop, checkout.replace("144.88", number))
        assert [str(one) for one in offered.reasons] == ["unreadable"], number[:9]


@pytest.mark.parametrize("channel", [0, None, 10**30, -5])
def test_a_channel_that_no_row_holds_is_the_first(shop: Shop, channel: Any) -> None:
    checkout = document("two_products", "checkout")
    checkout["cart"]["channel_id"] = channel

    offered = offer_of(shop, checkout)

    assert offered.solicitation is not None
    assert offered.solicitation.channel_id == 1


def test_the_way_back_leads_to_this_checkout(
    shop: Shop, make_solicitation: MakeSolicitation
) -> None:
    """`/checkout` alone is the cart of the browser's session: another one after "buy now"."""
    attempt = shop.solicited()
    asked = [call for call in shop.sandbox.calls("sequra") if call["method"] == "POST"][-1]
    refused = make_solicitation(phase="refused", refusal="cart_changed")

    page = Client().get(f"/return/{refused.public_id}").content.decode()

    own = f"{shop.origin}/checkout/{attempt.checkout_id}"
    assert asked["body"]["order"]["merchant"]["abort_url"] == own
    assert ways_on(page) == [f"{refused.origin}/checkout/{refused.checkout_id}"]


def test_nobody_is_sent_back_to_pay_again_while_a_payment_is_in_doubt(
    db: None, make_solicitation: MakeSolicitation
) -> None:
    doubted = make_solicitation(
        phase="refused", refusal="cart_changed", state="approved", confirm_intent_at=timezone.now()
    )
    assert doubted.is_in_doubt

    page = Client().get(f"/return/{doubted.public_id}").content.decode()

    assert ways_on(page) == []


def test_a_review_without_a_confirmation_page_leads_back_to_the_shop(
    db: None, make_solicitation: MakeSolicitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = make_solicitation(
        phase="done", state="needs_review", accepted_state="on_hold", order_id=1001
    )
    monkeypatch.setattr("payments.progress.confirmation_url", lambda _: None)

    page = Client().get(f"/return/{held.public_id}").content.decode()

    assert ways_on(page) == [held.origin]


def ways_on(page: str) -> list[str]:
    """Where the buttons of our page lead, and nothing stands on it that is no sentence."""
    assert not re.search("[<>=]{7}|&lt;{3}|{%|{{", page)
    return re.findall(r'<a class="button"[^>]* href="([^"]*)"', page)


SPELLINGS = ("https://tienda-ñandú.example", "https://xn--tienda-and-z9a5i.example")


@pytest.mark.parametrize("known", SPELLINGS)
def test_a_host_is_the_same_in_both_spellings(db: None, known: str) -> None:
    store = Store.objects.create(
        hash="abc123", public_id=uuid.uuid4(), channels=[{"id": 1, "name": "", "origins": [known]}]
    )
    address = f"/storefront/{store.public_id}/payment-methods"

    for named in (SPELLINGS[1], SPELLINGS[1].upper().replace("HTTPS", "https")):
        answer = Client().options(address, headers={"Origin": named})
        assert answer["Access-Control-Allow-Origin"] == named
    for other in ("https://tienda-nandu.example", f"{SPELLINGS[1]}/x", f"{SPELLINGS[1]}:8443"):
        answer = Client().options(address, headers={"Origin": other})
        assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        (f"{SPELLINGS[0]}/", SPELLINGS[1]),
        (SPELLINGS[1], SPELLINGS[1]),
        ("https://Tienda-Ñandú.example:443", SPELLINGS[1]),
        ("https://tienda-ñandú.example:8443", f"{SPELLINGS[1]}:8443"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://-ñ-.example", ""),
        ("https://[::1", ""),
        ("https://\ud800.example", ""),
        ("//ñ.example", ""),
    ],
)
def test_an_address_is_kept_as_browsers_write_it(address: str, origin: str) -> None:
    assert origin_of(address) == origin
