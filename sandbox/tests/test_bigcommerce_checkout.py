"""Checkouts of the pretend BigCommerce: their arithmetic, conversion, tokens, storefront."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import requests

from local.sandbox_control import ControlRefused, SandboxControl
from sandbox.tests.bigcommerce_app import Api, Ears

LAMP, BOOK, VIDEO = {"product_id": 102}, {"product_id": 107}, {"product_id": 108}
AWKWARD = {"name": "Awkward", "price": "33.333", "quantity": 3, "sku": "AWK"}


@pytest.fixture
def api(sandbox: SandboxControl) -> Iterator[Api]:
    with Api(sandbox) as installed:
        yield installed


def checkout(api: Api, **wishes: Any) -> tuple[str, dict[str, Any]]:
    number = api.sandbox.checkout(**wishes)["checkout_id"]
    return number, api.get(f"v3/checkouts/{number}")["data"]


@pytest.mark.parametrize(
    ("wishes", "subtotal", "goods", "shipping", "grand"),
    [
        ({"lines": [LAMP]}, 89.95, 89.95, 4.95, 94.9),
        ({"lines": [LAMP], "coupon": "SAVE10"}, 89.95, 80.95, 4.95, 85.9),
        ({"lines": [LAMP, BOOK], "coupon": "MINUS20"}, 121.95, 101.95, 4.95, 106.9),
        ({"lines": [LAMP | {"quantity": 2}], "coupon": "ITEM5"}, 179.9, 169.9, 4.95, 174.85),
        ({"lines": [LAMP], "coupon": "FREESHIP"}, 89.95, 89.95, 0, 89.95),
        ({"lines": [LAMP], "coupon": "SHIP3"}, 89.95, 89.95, 1.95, 91.9),
        ({"lines": [AWKWARD]}, 100, 100, 4.95, 104.95),
        ({"lines": [LAMP], "discount": 10}, 89.95, 79.95, 4.95, 84.9),
        ({"lines": [VIDEO]}, 45, 45, 0, 45),
        ({"lines": [LAMP], "country": "FR", "shipping": "express"}, 89.95, 89.95, 19.95, 109.9),
    ],
)
def test_checkout_adds_up(
    api: Api, wishes: dict[str, Any], subtotal: float, goods: float, shipping: float, grand: float
) -> None:
    _, found = checkout(api, **wishes)
    sums = (
        found["subtotal_inc_tax"], found["cart"]["cart_amount_inc_tax"],
        found["shipping_cost_total_inc_tax"], found["grand_total"],
    )  # fmt: skip
    assert sums == (subtotal, goods, shipping, grand)


def test_prices_without_tax(api: Api) -> None:
    api.sandbox.knobs(tax_inclusive=False)
    _, found = checkout(api, lines=[{"name": "Thing", "price": "100", "quantity": 1}])
    assert found["cart"]["tax_included"] is False
    assert found["cart"]["line_items"]["physical_items"][0]["list_price"] == 100
    assert (found["cart"]["cart_amount_ex_tax"], found["cart"]["cart_amount_inc_tax"]) == (100, 121)
    assert found["grand_total"] == 125.95


def test_wrapping_and_fees_are_paid(api: Api) -> None:
    wrapped = LAMP | {"wrapping": {"name": "Paper", "message": "Felicitats", "amount": "4.00"}}
    number, found = checkout(api, lines=[wrapped], fees=[{"name": "Insurance", "cost": "6.00"}])
    assert found["grand_total"] == 89.95 + 4 + 6 + 4.95
    assert found["fees"][0]["cost_inc_tax"] == 6
    order = api.call("POST", f"v3/checkouts/{number}/orders")["data"]["id"]
    shown = api.get(f"v2/orders/{order}")
    assert (shown["total_inc_tax"], shown["wrapping_cost_inc_tax"]) == ("104.9000", "4.0000")
    assert api.get(f"v2/orders/{order}/fees")[0]["cost_inc_tax"] == "6.0000"


def test_conversion_is_not_idempotent_and_leaves_the_cart(api: Api) -> None:
    number, _ = checkout(api)
    first = api.call("POST", f"v3/checkouts/{number}/orders")["data"]["id"]
    second = api.call("POST", f"v3/checkouts/{number}/orders")["data"]["id"]
    found = api.get("v2/orders", cart_id=number)
    assert [(row["id"], row["status_id"]) for row in found] == [(first, 0), (second, 0)]
    assert api.get(f"v3/checkouts/{number}")["data"]["order_id"] == str(second)


def test_order_says_what_the_checkout_said(api: Api) -> None:
    number, found = checkout(api, lines=[LAMP, BOOK], coupon="SAVE10", message="Ring twice")
    order_id = api.call("POST", f"v3/checkouts/{number}/orders")["data"]["id"]
    order = api.get(f"v2/orders/{order_id}")
    lines = api.get(f"v2/orders/{order_id}/products")
    assert order["total_inc_tax"] == f"{found['grand_total']:.4f}" == "114.7000"
    assert (order["coupon_discount"], order["discount_amount"]) == ("12.2000", "0.0000")
    assert (order["cart_id"], order["channel_id"]) == (number, 1)
    assert (order["status_id"], order["status"], order["order_source"]) == (
        0, "Incomplete", "checkout_api",
    )  # fmt: skip
    assert (order["customer_message"], order["refunded_amount"]) == ("Ring twice", "0.0000")
    assert [line["discounted_total_inc_tax"] for line in lines] == ["80.9500", "28.8000"]
    paid = sum(Decimal(line["discounted_total_inc_tax"]) for line in lines)
    assert paid + Decimal(order["shipping_cost_inc_tax"]) == Decimal(order["total_inc_tax"])
    assert api.get(f"v2/orders/{order_id}/coupons")[0]["code"] == "SAVE10"
    assert api.get(f"v2/orders/{order_id}/taxes")[0]["rate"] == "21.0000"
    assert api.get(f"v2/orders/{order_id}/shipping_addresses")[0]["country_iso2"] == "ES"
    assert api.get(f"v2/orders/{order_id}", include="consignments,fees")["fees"] == []


@pytest.mark.parametrize("wish", [{"payable": False}, {"lines": []}, {"billing": {"email": ""}}])
def test_unfinished_checkout_is_not_converted(api: Api, wish: dict[str, Any]) -> None:
    number, _ = checkout(api, **wish)
    assert api.call("POST", f"v3/checkouts/{number}/orders", expect=422)["status"] == 422
    assert api.get("v2/orders", expect=204) is None


def test_new_address_asks_for_shipping_again(api: Api) -> None:
    number, _ = checkout(api)
    address = {"country_code": "PT", "address1": "Rua Augusta 1", "city": "Lisboa"}
    wish = {"checkout_id": number, "address": address}
    api.sandbox.control("POST", "shopper/set_address", wish)
    refusal = api.call("POST", f"v3/checkouts/{number}/orders", expect=422)
    assert refusal["title"] == "Missing shipping option"


def test_conversion_can_fail_right_after_a_change(api: Api) -> None:
    api.sandbox.knobs(conversion_fails=2)
    number, _ = checkout(api)
    api.call("POST", f"v3/checkouts/{number}/orders", expect=409)
    api.call("POST", f"v3/checkouts/{number}/orders", expect=409)
    api.call("POST", f"v3/checkouts/{number}/orders")


def test_token_is_refused_once_the_order_is_finalised(api: Api) -> None:
    number, _ = checkout(api)
    token = api.call("POST", f"v3/checkouts/{number}/token", {"maxUses": 5, "ttl": 600})
    assert len(token["data"]["checkoutToken"]) == 64
    order_id = api.call("POST", f"v3/checkouts/{number}/orders")["data"]["id"]
    api.call("POST", f"v3/checkouts/{number}/token", {"maxUses": 1, "ttl": 1})
    api.call("PUT", f"v2/orders/{order_id}", {"status_id": 11})
    api.call("POST", f"v3/checkouts/{number}/token", {"maxUses": 1, "ttl": 1}, expect=422)


@pytest.mark.parametrize(
    "body", [{"ttl": 0}, {"ttl": 2_592_001}, {"maxUses": 0}, {"maxUses": "5"}, {"uses": 3}]
)
def test_token_needs_sensible_limits(api: Api, body: dict[str, Any]) -> None:
    number, _ = checkout(api)
    api.call("POST", f"v3/checkouts/{number}/token", body, expect=422)


def test_deleted_cart_takes_the_checkout_along(api: Api) -> None:
    number, _ = checkout(api)
    assert api.get(f"v3/carts/{number}")["data"]["id"] == number
    assert api.call("DELETE", f"v3/carts/{number}", expect=204) is None
    for method, path in (("GET", "checkouts"), ("GET", "carts"), ("DELETE", "carts")):
        assert api.call(method, f"v3/{path}/{number}", expect=404)["status"] == 404
    api.call("POST", f"v3/checkouts/{number}/orders", expect=404)
    api.get(f"v3/checkouts/{uuid4()}", expect=404)


def test_lookup_by_cart_lags(api: Api) -> None:
    api.sandbox.knobs(lookup_lag=60.0)
    number, _ = checkout(api)
    order_id = api.call("POST", f"v3/checkouts/{number}/orders")["data"]["id"]
    assert api.get("v2/orders", 204, cart_id=number) is None
    assert api.get(f"v2/orders/{order_id}")["id"] == order_id
    api.sandbox.knobs(lookup_lag=0.0)
    assert api.get("v2/orders", cart_id=number)[0]["id"] == order_id


def test_conversion_tells_created_and_converted(api: Api) -> None:
    with Ears() as ears:
        for scope in ("order/created", "order/updated", "order/statusUpdated", "cart/converted"):
            api.hook(f"store/{scope}", ears.url)
        api.order()
        ears.wait(4)
        assert ears.scopes() == [
            "cart/converted", "order/created", "order/statusUpdated", "order/updated",
        ]  # fmt: skip


# --- Store credit and gift certificates ----------------------------------------------------------


def pay(api: Api, order_id: int, **changes: str) -> requests.Response:
    """Pay an order with store credit as the Payments API wants it."""
    body = {"order": {"id": order_id}}
    token = api.call("POST", "v3/payments/access_tokens", body, expect=201)["data"]["id"]
    headers = {"Accept": "application/vnd.bc.v1+json", "Authorization": f"PAT {token}"}
    payment = {
        "payment": {
            "instrument": {"type": "store_credit"},
            "payment_method_id": "bigcommerce.store_credit",
        }
    }
    url = f"{api.sandbox.url}/stores/demo123/payments"
    return requests.post(url, json=payment, headers=headers | changes, timeout=60)


def credit(api: Api, customer_id: int = 11) -> str:
    rows = {row["id"]: row["store_credit"] for row in api.sandbox.held("customers")}
    return str(rows[customer_id])


def test_conversion_forgets_store_credit_unless_told(api: Api) -> None:
    order = api.order(None, customer_id=11, store_credit=True)
    assert (order["store_credit_amount"], credit(api)) == ("0.0000", "50.00")
    api.sandbox.knobs(store_credit_carried=True)
    order = api.order(None, customer_id=11, store_credit=True)
    assert (order["store_credit_amount"], credit(api)) == ("50.0000", "0.00")
    assert order["total_inc_tax"] == "149.8000"
    transactions = api.get(f"v3/orders/{order['id']}/transactions")["data"]
    assert [(row["method"], row["amount"]) for row in transactions] == [("store_credit", 50)]


def test_store_credit_is_paid_while_incomplete(api: Api) -> None:
    order = api.order(None, customer_id=11, store_credit=True)
    assert api.get(f"v3/orders/{order['id']}/transactions", expect=204) is None
    reply = pay(api, order["id"])
    assert (reply.status_code, reply.json()["data"]["status"]) == (201, "success")
    assert credit(api) == "0.00"
    order = api.get(f"v2/orders/{order['id']}")
    assert (order["store_credit_amount"], order["status_id"]) == ("50.0000", 1)
    again = pay(api, order["id"])
    assert (again.status_code, again.json()["code"]) == (422, 30101)


def test_store_credit_that_covers_everything_finishes_the_order(api: Api) -> None:
    order = api.order(None, customer_id=13)
    assert pay(api, order["id"]).status_code == 201
    assert api.get(f"v2/orders/{order['id']}")["status_id"] == 11
    assert credit(api, 13) == "2350.20"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Authorization": "PAT nonsense"}, 401),
        ({"Authorization": ""}, 401),
        ({"Accept": "application/json"}, 406),
    ],
)
def test_payments_refuse_other_callers(api: Api, changes: dict[str, str], status: int) -> None:
    order = api.order(None, customer_id=11)
    assert pay(api, order["id"], **changes).status_code == status
    assert credit(api) == "50.00"


def test_guest_has_no_store_credit(api: Api) -> None:
    order = api.order(None)
    assert pay(api, order["id"]).json()["code"] == 30102
    with pytest.raises(ControlRefused, match="guest"):
        api.sandbox.checkout(store_credit=True)


# --- The storefront API --------------------------------------------------------------------------


def test_storefront_knows_no_strangers(api: Api) -> None:
    number = api.sandbox.checkout()["checkout_id"]
    host = {"Host": f"shop.localhost:{api.sandbox.port}"}
    base = f"{api.sandbox.url}/api/storefront"
    assert requests.get(f"{base}/carts", headers=host, timeout=60).json() == []
    for path in (f"checkouts/{number}", "orders/1"):
        reply = requests.get(f"{base}/{path}", headers=host, timeout=60)
        assert (reply.status_code, reply.json()["status"]) == (404, 404)
    url = f"{base}/checkouts/{number}/store-credit"
    assert requests.post(url, headers=host, timeout=60).status_code == 403
    assert requests.get(f"{base}/carts", timeout=60).status_code == 404


# --- Unusual carts -------------------------------------------------------------------------------


def test_two_addresses(api: Api) -> None:
    wish = {"city": "Girona", "postal_code": "17001"}
    number, found = checkout(api, lines=[LAMP, BOOK], second_address=wish)
    assert [len(row["line_item_ids"]) for row in found["consignments"]] == [1, 1]
    assert (found["shipping_cost_total_inc_tax"], found["grand_total"]) == (9.9, 131.85)
    order = api.call("POST", f"v3/checkouts/{number}/orders")["data"]["id"]
    addresses = api.get(f"v2/orders/{order}/shipping_addresses")
    lines = api.get(f"v2/orders/{order}/products")
    assert [row["city"] for row in addresses] == ["Barcelona", "Girona"]
    assert [row["order_address_id"] for row in lines] == [row["id"] for row in addresses]
    assert api.get(f"v2/orders/{order}")["total_inc_tax"] == "131.8500"


def test_pickup_has_no_shipping_address(api: Api) -> None:
    number, found = checkout(api, lines=[LAMP], pickup=True)
    assert found["consignments"][0]["selected_pickup_option"] == {"pickup_method_id": 1}
    assert found["grand_total"] == 89.95
    order = api.call("POST", f"v3/checkouts/{number}/orders")["data"]["id"]
    assert api.get(f"v2/orders/{order}/shipping_addresses", expect=204) is None
    line = api.get(f"v2/orders/{order}/products")[0]
    assert (line["order_address_id"], line["order_pickup_method_id"]) == (0, 1)


def test_custom_item_and_bought_gift_certificate(api: Api) -> None:
    custom = {"name": "Made to measure", "price": "75", "type": "custom"}
    gift = {"name": "Gift certificate", "price": "25", "type": "giftcertificate", "tax_rate": 0}
    number, found = checkout(api, lines=[custom, gift])
    items = found["cart"]["line_items"]
    assert (items["custom_items"][0]["list_price"], items["gift_certificates"][0]["amount"]) == (
        75, 25,
    )  # fmt: skip
    order = api.call("POST", f"v3/checkouts/{number}/orders")["data"]["id"]
    lines = api.get(f"v2/orders/{order}/products")
    assert [(row["type"], row["product_id"]) for row in lines] == [
        ("physical", 0), ("giftcertificate", 0),
    ]  # fmt: skip
    assert lines[0]["order_address_id"] > 0
