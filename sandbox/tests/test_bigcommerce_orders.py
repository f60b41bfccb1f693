"""Orders of the pretend BigCommerce: V2's quirks, what merchants do, what writing refuses."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from local.sandbox_control import ControlRefused, SandboxControl
from sandbox.tests.bigcommerce_app import Api, Ears, exchange

LAMP, BOOK, VIDEO = {"product_id": 102}, {"product_id": 107}, {"product_id": 108}


@pytest.fixture
def api(sandbox: SandboxControl) -> Iterator[Api]:
    with Api(sandbox) as installed:
        yield installed


def lines(api: Api, order: dict[str, Any]) -> list[dict[str, Any]]:
    return list(api.get(f"v2/orders/{order['id']}/products"))


def fresh(api: Api, order: dict[str, Any]) -> dict[str, Any]:
    return dict(api.get(f"v2/orders/{order['id']}"))


# --- Reading -------------------------------------------------------------------------------------


def test_lists_that_are_empty_have_no_body(api: Api) -> None:
    order = api.order(lines=[VIDEO])
    number = order["id"]
    for name in ("shipments", "coupons", "fees", "shipping_addresses"):
        assert api.get(f"v2/orders/{number}/{name}", expect=204) is None
    assert api.get(f"v3/orders/{number}/transactions", expect=204) is None
    assert api.get(f"v3/orders/{number}/payment_actions/refunds")["data"] == []
    assert order["order_is_digital"] is True


def test_unknown_order_is_an_array_of_errors(api: Api) -> None:
    refusal = [{"status": 404, "message": "The requested resource was not found."}]
    for path in ("", "/products", "/shipments", "/fees", "/shipping_addresses", "/coupons"):
        assert api.get(f"v2/orders/999999{path}", expect=404) == refusal
    assert api.get("v3/orders/999999/payment_actions/refunds", expect=404)["status"] == 404


def test_money_and_dates_are_text(api: Api) -> None:
    order = api.order()
    assert order["total_inc_tax"] == "149.8000"
    assert parsedate_to_datetime(order["date_created"]).tzinfo is not None
    assert order["date_shipped"] == ""
    assert order["custom_status"] == "Ready to pack"


def test_pages_of_products(api: Api) -> None:
    many = [{"name": f"Thing {i}", "price": "1.00", "quantity": 1} for i in range(60)]
    order = api.order(lines=many)
    first = api.get(f"v2/orders/{order['id']}/products", page=1, limit=50)
    second = api.get(f"v2/orders/{order['id']}/products", page=2, limit=50)
    assert (len(first), len(second)) == (50, 10)
    assert api.get(f"v2/orders/{order['id']}/products", 204, page=3, limit=50) is None


WHOLE: dict[str, Any] = {
    "include": "consignments.line_items,fees",
    "consignment_structure": "object",
}


def test_an_order_comes_with_its_consignments_and_fees(api: Api) -> None:
    order = api.order(lines=[{"name": "Lamp", "price": "10.00", "quantity": 2}, VIDEO])
    number = order["id"]
    fee = {"display_name_merchant": "Fee", "cost_ex_tax": "5.00", "cost_inc_tax": "6.05"}
    api.call("PUT", f"v2/orders/{number}", {"fees": [fee]})
    products = api.get(f"v2/orders/{number}/products")
    lamp, video = products
    (address,) = api.get(f"v2/orders/{number}/shipping_addresses")

    whole = api.get(f"v2/orders/{number}", **WHOLE)
    assert whole["fees"] == api.get(f"v2/orders/{number}/fees")
    ways = whole["consignments"]
    (parcel,), (download,) = ways["shipping"], ways["downloads"]
    assert (parcel["line_items"], download["line_items"]) == ([lamp], [video])
    assert (ways["pickups"], ways["email"]) == ([], {"gift_certificates": []})
    assert parcel["street_1"] == address["street_1"]
    assert parcel["cost_inc_tax"] == float(address["cost_inc_tax"])

    linked = api.get(f"v2/orders/{number}", **WHOLE | {"include": "consignments"})
    assert linked["fees"]["resource"] == f"/orders/{number}/fees"
    (line,) = linked["consignments"]["shipping"][0]["line_items"]
    assert line["resource"] == f"/orders/{number}/products/{lamp['id']}"
    without = api.get(f"v2/orders/{number}", include="consignments")
    assert without["consignments"]["resource"] == f"/orders/{number}/consignments"
    assert api.get(f"v2/orders/{number}", expect=400, include="products")


def test_orders_are_filtered_and_sorted(api: Api) -> None:
    first, second = api.order(), api.order(None)
    found = api.get("v2/orders", sort="id:desc")
    assert [row["id"] for row in found] == [second["id"], first["id"]]
    assert [row["id"] for row in api.get("v2/orders", status_id=0)] == [second["id"]]
    assert len(api.get("v2/orders", min_id=first["id"], limit=1)) == 1
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert api.get("v2/orders", 204, min_date_modified=soon) is None
    hour_ago = "Sat, 21 Nov 2020 10:00:00 +0000"
    assert len(api.get("v2/orders", min_date_modified=hour_ago)) == 2
    assert api.get("v2/orders", 400, min_date_modified="yesterday")[0]["status"] == 400
    assert api.get("v2/orders", 400, colour="red")[0]["status"] == 400


# --- PUT -----------------------------------------------------------------------------------------


def test_put_writes_what_a_payment_app_needs(api: Api) -> None:
    body = {
        "status_id": 11, "payment_method": "SeQura", "payment_provider_id": "ref",
        "external_source": "12345", "external_order_id": "ref", "staff_notes": "note",
    }  # fmt: skip
    order = api.order(None)
    changed = api.call("PUT", f"v2/orders/{order['id']}", body)
    assert {name: changed[name] for name in body} == body


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"external_id": "x"},
        {"colour": "red"},
        {"status_id": 15},
        {"status_id": "11"},
        {"total_inc_tax": "10.0000"},
        {"shipping_cost_ex_tax": "1"},
        {"total_inc_tax": "ten", "total_ex_tax": "ten"},
        {"products": [{"id": 999_999, "quantity": 2}]},
        {"products": [{"name": "Thing", "quantity": 1}]},
        {"refunds": []},
        {"date_modified": "now"},
        {"channel_id": 77},
    ],
)
def test_put_refuses(api: Api, body: dict[str, Any]) -> None:
    order = api.order()
    refusal = api.call("PUT", f"v2/orders/{order['id']}", body, expect=400)
    assert (refusal[0]["status"], len(refusal)) == (400, 1)
    assert fresh(api, order) == order


def test_put_of_a_line_clears_its_discounts_only(api: Api) -> None:
    order = api.order(lines=[LAMP, BOOK], coupon="SAVE10")
    lamp, _ = lines(api, order)
    body = {"products": [{"id": lamp["id"], "quantity": 2}]}
    changed = api.call("PUT", f"v2/orders/{order['id']}", body)
    assert changed["total_inc_tax"] == "213.6500"  # 2 × 89.95 + 28.80 + 4.95
    found = lines(api, order)
    assert [len(line["applied_discounts"]) for line in found] == [0, 1]
    assert [line["id"] for line in found] == [line["id"] for line in lines(api, order)]


def test_put_adds_and_removes_lines(api: Api) -> None:
    order = api.order(lines=[LAMP, BOOK])
    custom = {"name": "Extra", "quantity": 2, "price_ex_tax": "10", "price_inc_tax": "12.10"}
    gone = {"id": lines(api, order)[1]["id"], "quantity": 0}
    body = {"products": [custom, {"product_id": 104, "quantity": 1}, gone]}
    changed = api.call("PUT", f"v2/orders/{order['id']}", body)
    assert [line["name"] for line in lines(api, order)] == [
        "Lamp Montseny", "Extra", "Coffee set Terra, 6 pieces",
    ]  # fmt: skip
    assert changed["total_inc_tax"] == "174.0000"  # 89.95 + 24.20 + 54.90 + 4.95


def test_put_replaces_fees_and_overrides_totals(api: Api) -> None:
    order = api.order(lines=[LAMP])
    path = f"v2/orders/{order['id']}"
    fee = {"display_name_merchant": "Fee", "cost_ex_tax": "5.00", "cost_inc_tax": "6.05"}
    assert api.call("PUT", path, {"fees": [fee]})["total_inc_tax"] == "100.9500"
    assert api.call("PUT", path, {"fees": []})["total_inc_tax"] == "94.9000"
    body = {"total_ex_tax": "70.00", "total_inc_tax": "84.70"}
    assert api.call("PUT", path, body)["total_inc_tax"] == "84.7000"


# --- What the merchant does ----------------------------------------------------------------------


def test_editing_recalculates(api: Api) -> None:
    order = api.order(lines=[LAMP, BOOK], coupon="SAVE10")
    lamp, book = lines(api, order)
    edits = [
        {"id": lamp["id"], "quantity": 2}, {"id": book["id"], "price": "20.00"},
        {"product_id": 104, "quantity": 1}, {"name": "Engraving", "price": "5.00"},
    ]  # fmt: skip
    changed = api.merchant("edit_order", order["id"], lines=edits)
    assert changed["subtotal_inc_tax"] == "259.8000"  # 179.90 + 20 + 54.90 + 5
    assert changed["coupon_discount"] == "21.2000"  # 2 × 9.00, and the book's 3.20 stays
    assert changed["total_inc_tax"] == "243.5500"
    changed = api.merchant("edit_order", order["id"], shipping_cost="9.90", discount="12.34")
    assert changed["total_inc_tax"] == "236.1600"
    changed = api.merchant("edit_order", order["id"], lines=[{"id": book["id"], "quantity": 0}])
    assert len(lines(api, order)) == 3


def test_editing_can_renumber_lines(api: Api) -> None:
    api.sandbox.knobs(edit_renumbers_lines=True)
    order = api.order(lines=[LAMP])
    before = lines(api, order)[0]["id"]
    api.merchant("edit_order", order["id"], lines=[{"id": before, "quantity": 2}])
    assert lines(api, order)[0]["id"] != before


def test_addresses_are_edited_alone(api: Api) -> None:
    order = api.order()
    api.merchant("edit_billing_address", order["id"], city="Girona")
    api.merchant("edit_shipping_address", order["id"], street_1="Carrer Nou 1")
    changed = fresh(api, order)
    assert changed["billing_address"]["city"] == "Girona"
    address = api.get(f"v2/orders/{order['id']}/shipping_addresses")[0]
    assert (address["street_1"], address["city"]) == ("Carrer Nou 1", "Barcelona")
    assert changed["total_inc_tax"] == order["total_inc_tax"]
    path = f"v2/orders/{order['id']}/shipping_addresses/{address['id']}"
    assert api.call("PUT", path, {"phone": "1"})["phone"] == "1"
    api.call("PUT", path, {"colour": "red"}, expect=400)


def test_shipping_in_parcels(api: Api) -> None:
    order = api.order(lines=[LAMP | {"quantity": 2}, VIDEO])
    lamp = lines(api, order)[0]["id"]
    items = [{"order_product_id": lamp, "quantity": 1}]
    parcel = api.merchant(
        "ship", order["id"], items=items, tracking_number="CX1", carrier="correos"
    )
    assert fresh(api, order)["status_id"] == 3
    assert lines(api, order)[0]["quantity_shipped"] == 1
    api.merchant("ship", order["id"])
    changed = fresh(api, order)
    assert (changed["status_id"], changed["items_shipped"]) == (2, 2)
    assert changed["date_shipped"] != ""
    shipments = api.get(f"v2/orders/{order['id']}/shipments")
    assert [s["tracking_number"] for s in shipments] == ["CX1", ""]
    with pytest.raises(ControlRefused, match="nothing left to ship"):
        api.merchant("ship", order["id"])
    api.merchant("edit_shipment", order["id"], shipment_id=parcel["id"], tracking_number="CX2")
    api.merchant("unship", order["id"], shipment_id=parcel["id"])
    assert fresh(api, order)["status_id"] == 2  # deleting a shipment does not move the status
    assert lines(api, order)[0]["quantity_shipped"] == 1
    assert len(api.get(f"v2/orders/{order['id']}/shipments")) == 1


def test_shipping_by_api(api: Api) -> None:
    order = api.order(lines=[LAMP])
    path = f"v2/orders/{order['id']}/shipments"
    address = api.get(f"v2/orders/{order['id']}/shipping_addresses")[0]["id"]
    items = [{"order_product_id": lines(api, order)[0]["id"], "quantity": 1}]
    body = {"order_address_id": address, "tracking_number": "X", "items": items}
    api.call("POST", path, {"items": items}, expect=400)
    shipment = api.call("POST", path, body, expect=201)
    api.call("POST", path, body, expect=400)
    assert api.get(f"{path}/{shipment['id']}")["items"][0]["quantity"] == 1
    assert api.get(f"{path}/count") == {"count": 1}
    assert api.call("PUT", f"{path}/{shipment['id']}", {"comments": "Late"})["comments"] == "Late"
    api.call("PUT", f"{path}/{shipment['id']}", {"items": []}, expect=400)
    api.call("DELETE", f"{path}/{shipment['id']}", expect=204)


def test_status_by_hand_has_no_documents(api: Api) -> None:
    order = api.order()
    for status in (2, 4, 5, 11):
        assert api.merchant("set_status", order["id"], status_id=status)["status_id"] == status
    assert api.get(f"v2/orders/{order['id']}/shipments", expect=204) is None
    assert api.get(f"v3/orders/{order['id']}/payment_actions/refunds")["data"] == []


def test_refunds_change_status_and_counts_but_not_totals(api: Api) -> None:
    order = api.order(lines=[LAMP, BOOK], customer_id=11)
    lamp, book = lines(api, order)
    items = [{"order_product_id": book["id"], "quantity": 1}]
    first = api.merchant("refund", order["id"], items=items)
    assert (first["total_amount"], first["total_tax"]) == (32, 1.23)
    changed = fresh(api, order)
    assert (changed["status_id"], changed["refunded_amount"]) == (14, "0.0000")
    assert changed["total_inc_tax"] == order["total_inc_tax"]
    assert lines(api, order)[1]["quantity_refunded"] == 1
    credit = api.merchant("refund", order["id"], amount="5.00", provider="storecredit")
    assert credit["payments"][0] | {"id": 0} == {
        "id": 0, "provider_id": "storecredit", "amount": 5, "offline": False,
        "is_declined": False, "declined_message": "", "transaction_id": "",
    }  # fmt: skip
    assert api.sandbox.held("customers")[0]["store_credit"] == "55.00"
    declined = api.merchant("refund", order["id"], declined=True)
    assert declined["payments"][0]["is_declined"] is True
    assert fresh(api, order)["status_id"] == 14
    rest = api.merchant("refund", order["id"])
    assert fresh(api, order)["status_id"] == 4
    assert first["total_amount"] + credit["total_amount"] + rest["total_amount"] == 126.9
    assert len(api.get(f"v3/orders/{order['id']}/payment_actions/refunds")["data"]) == 4
    assert lamp["quantity_refunded"] == 0


def test_refund_of_shipping_and_tax(api: Api) -> None:
    order = api.order(lines=[LAMP])
    shipping = api.merchant("refund", order["id"], shipping=True)
    assert (shipping["total_amount"], shipping["items"][0]["item_type"]) == (4.95, "SHIPPING")
    adjusted = api.merchant("refund", order["id"], tax_adjustment="1.00")
    assert (adjusted["items"], adjusted["total_tax"]) == ([], 1)
    with pytest.raises(ControlRefused, match="exceeds"):
        api.merchant("refund", order["id"], shipping="0.01")
    with pytest.raises(ControlRefused, match="exceeds"):
        api.merchant("refund", order["id"], amount="94.90")
    api.merchant("cancel", order["id"])
    with pytest.raises(ControlRefused, match="Cancelled"):
        api.merchant("refund", order["id"], amount="1.00")


def test_refunds_by_api_match_their_quote(api: Api) -> None:
    order = api.order(lines=[LAMP | {"quantity": 3}])
    base = f"v3/orders/{order['id']}/payment_actions"
    item = {"item_type": "PRODUCT", "item_id": lines(api, order)[0]["id"], "quantity": 2}
    quote = api.call("POST", f"{base}/refund_quotes", {"items": [item]}, expect=201)["data"]
    assert quote["total_refund_amount"] == 179.9
    payment = quote["refund_methods"][0][0]
    payments = [{name: payment[name] for name in ("provider_id", "amount", "offline")}]
    wrong = [payments[0] | {"amount": 1}]
    refusal = api.call("POST", f"{base}/refunds", {"items": [item], "payments": wrong}, expect=422)
    assert refusal["data"][0]["status"] == 422
    body = {"items": [item], "payments": payments}
    refund = api.call("POST", f"{base}/refunds", body, expect=201)["data"]
    assert refund["total_amount"] == 179.9
    api.call("POST", f"{base}/refunds", body, expect=422)
    api.call("POST", f"{base}/refunds", {"items": [], "payments": payments}, expect=422)
    store_wide = api.get(f"v3/orders/payment_actions/refunds?order_id:in={order['id']}")
    assert [row["id"] for row in store_wide["data"]] == [refund["id"]]
    one = api.http.get(
        f"{api.sandbox.url}/stores/demo123/v3/orders/payment_actions/refunds/{refund['id']}",
        headers={"X-Auth-Token": api.token, "Accept": "application/json"},
    )
    assert one.json()["data"] == refund


def test_late_readers_see_the_old_order(api: Api) -> None:
    order = api.order(lines=[LAMP])
    api.sandbox.knobs(read_lag=0.5)
    api.merchant("ship", order["id"])
    assert fresh(api, order)["status_id"] == 11
    assert api.get(f"v2/orders/{order['id']}/shipments", expect=204) is None
    with Ears() as ears:
        ears.settle(0.6)
    assert fresh(api, order)["status_id"] == 2
    assert len(api.get(f"v2/orders/{order['id']}/shipments")) == 1


def test_archived_orders_leave_the_list(api: Api) -> None:
    order = api.order()
    api.call("DELETE", f"v2/orders/{order['id']}", expect=204)
    assert api.get("v2/orders", expect=204) is None
    assert fresh(api, order)["is_deleted"] is True


def test_metafields_are_unique(api: Api) -> None:
    order = api.order()
    path = f"v3/orders/{order['id']}/metafields"
    field = {"permission_set": "app_only", "namespace": "sequra", "key": "k", "value": "v"}
    api.call("POST", path, field)
    api.call("POST", path, field, expect=409)
    api.call("POST", path, {"key": "k"}, expect=422)
    assert [row["value"] for row in api.get(path)["data"]] == ["v"]


def test_other_documents_of_the_store(api: Api) -> None:
    assert api.get("v2/store")["currency"] == "EUR"
    assert len(api.get("v2/order_statuses")) == 15
    assert [row["currency_code"] for row in api.get("v2/currencies")] == ["EUR", "USD", "GBP"]
    assert api.get("v2/countries", country_iso2="ES")[0]["country"] == "Spain"
    products = api.get("v3/catalog/products?id:in=101,108")["data"]
    assert [(row["id"], row["type"]) for row in products] == [(101, "physical"), (108, "digital")]
    assert api.get("v3/catalog/products", keyword="lamp")["data"][0]["sku"] == "LAMP-01"
    assert len(api.get("v3/catalog/categories")["data"]) == 5
    customer = api.get("v3/customers?id:in=11&include=storecredit")["data"][0]
    assert customer["store_credit_amounts"] == [{"amount": 50}]
    assert api.get("v3/settings/inventory")["data"]["update_stock_behavior"] == "order_placed"
    assert api.get("v3/settings/storefront/security")["data"]["csp_header"]["enabled"] is False


def test_customers_and_their_addresses_are_changed_with_the_scope_for_it(api: Api) -> None:
    entry = {
        "customer_id": 11, "first_name": "Lucía", "last_name": "Fernández", "address1": "Calle 1",
        "city": "Madrid", "country_code": "ES", "postal_code": "28013",
    }  # fmt: skip
    home, work = (
        api.sandbox.control("POST", "addresses", entry | change)["id"]
        for change in ({}, {"address1": "Calle 2"})
    )
    api.call("PUT", "v3/customers/addresses", [{"id": home, "city": "Getafe"}], expect=403)
    granted = api.sandbox.held("stores")[0]["scopes"] + " store_v2_customers"
    address = api.sandbox.control("POST", "auth_url", {"scope": granted})["url"]
    api.token = str(exchange(api.sandbox, address).json()["access_token"])

    changes = [{"id": home, "address1": "Calle 2"}, {"id": work, "city": "Getafe"}]
    changed = api.call("PUT", "v3/customers/addresses", changes)["data"]

    assert [(one["id"], one["city"]) for one in changed] == [(work, "Getafe")]  # no copies
    found = api.get("v3/customers/addresses?customer_id:in=11")["data"]
    assert [(one["address1"], one["city"]) for one in found] == [
        ("Calle 1", "Madrid"),
        ("Calle 2", "Getafe"),
    ]
    assert api.get("v3/customers/addresses?customer_id:in=12")["data"] == []
    account = {"id": 11, "email": "right@example.com", "phone": "93 000 00 00"}
    api.call("PUT", "v3/customers", [account])
    customer = api.get("v3/customers?id:in=11")["data"][0]
    assert (customer["email"], customer["address_count"]) == ("right@example.com", 2)
    api.call("PUT", "v3/customers", [{"id": 12, "email": "RIGHT@example.com"}], expect=422)
    api.call("PUT", "v3/customers", [account] * 11, expect=413)


def test_refund_in_two_payments(api: Api) -> None:
    order = api.order(lines=[LAMP], customer_id=11)
    payments = [
        {"provider_id": "custom", "amount": "6", "is_declined": True},
        {"provider_id": "storecredit", "amount": "4"},
    ]
    with pytest.raises(ControlRefused, match="do not match"):
        api.merchant("refund", order["id"], amount="11", payments=payments)
    refund = api.merchant("refund", order["id"], amount="10", payments=payments)
    assert [(p["amount"], p["is_declined"]) for p in refund["payments"]] == [(6, True), (4, False)]
    assert api.sandbox.held("customers")[0]["store_credit"] == "54.00"
    assert fresh(api, order)["status_id"] == 14
    assert api.merchant("refund", order["id"])["total_amount"] == 90.9
    assert fresh(api, order)["status_id"] == 4


def test_refund_of_wrapping_and_unknown_fee(api: Api) -> None:
    order = api.order(lines=[LAMP | {"wrapping": {"name": "Paper", "amount": "4.00"}}])
    base = f"v3/orders/{order['id']}/payment_actions/refund_quotes"
    item = {"item_type": "GIFT_WRAPPING", "item_id": lines(api, order)[0]["id"], "quantity": 1}
    quote = api.call("POST", base, {"items": [item]}, expect=201)["data"]
    assert quote["total_refund_amount"] == 4
    fee = {"item_type": "FEE", "item_id": 1, "amount": 1}
    api.call("POST", base, {"items": [fee]}, expect=422)
