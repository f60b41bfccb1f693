"""Every call of the BigCommerce client: what it asks, what is answered, what it makes of that."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bigcommerce import client
from bigcommerce.client import BigCommerce

FIXTURES = Path(__file__).parent / "fixtures"
API = "https://api.bigcommerce.com"
PAYMENTS = "https://payments.bigcommerce.com"
CHECKOUT = "b20a5d1e-4f0c-4f0e-9a57-6a0f3a1d2c3b"
SCRIPT = "095be615-a8ad-4c33-8e9c-c7612fbf6c9f"
HOOK = "https://sequra.example.com/webhooks/1"
PARTS = "cart.line_items.physical_items.options,cart.line_items.digital_items.options"
ALL = {"page": "1", "limit": "250"}
EXTENSION = "bc/store/appExtension/2"
LABEL: Any = {"defaultValue": "SeQura", "locales": []}
SCRIPT_FIELDS = {
    "name": "SeQura checkout",
    "description": "Offers SeQura in the payment step",
    "kind": "src",
    "src": "https://sequra.example.com/static/sequra-checkout.js",
    "location": "footer",
    "load_method": "default",
    "visibility": "checkout",
    "consent_category": "essential",
    "auto_uninstall": True,
    "enabled": True,
    "channel_id": 1,
    "integrity_hashes": ["sha384-abc"],
}
PLACED = {
    "status_id": 11,
    "payment_method": "SeQura",
    "payment_provider_id": "0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a",
    "external_source": "12345",
    "external_order_id": "0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a",
    "staff_notes": "SeQura: approved",
}


def fixture(name: str) -> Any:
    """A JSON document of tests/clients/fixtures, such as "bigcommerce/order"."""
    return json.loads((FIXTURES / f"{name}.json").read_text())


RETURNED = [{"item_type": "PRODUCT", "item_id": 65, "quantity": 1, "reason": "Returned"}]
OFFLINE = [{"provider_id": "custom", "amount": 24.99, "offline": True}]


@dataclass(frozen=True)
class Call:
    """One call. `answer` names a fixture; `result` finds in it what the method returns."""

    name: str
    run: Callable[[BigCommerce], Any]
    method: str
    path: str
    answer: str | None = None
    status: int = 200
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    result: Callable[[Any], Any] = lambda answer: answer

    @property
    def url(self) -> str:
        return f"{API}/stores/abc123/{self.path}"

    @property
    def document(self) -> Any:
        return fixture(f"bigcommerce/{self.answer}") if self.answer else None


def data(answer: Any) -> Any:
    return answer["data"]


def always(result: Any) -> Callable[[Any], Any]:
    return lambda *_: result


def extension(query: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"query": query, "variables": {"input": fields} if fields else {}}


NEW_EXTENSION = {
    "context": "PANEL", "model": "ORDERS", "url": "/orders/${id}/sequra", "label": LABEL,
}  # fmt: skip
NODE = fixture("bigcommerce/app_extensions")["data"]["store"]["appExtensions"]["edges"][0]["node"]

STORE = [
    Call("store", lambda bc: bc.store(), "GET", "v2/store", "store"),
    Call(
        "channels", lambda bc: bc.channels(), "GET", "v3/channels", "channels", result=data,
        query={"available": "true", "type:in": "storefront", **ALL},
    ),
    Call("site", lambda bc: bc.site(1), "GET", "v3/channels/1/site", "site", result=data),
    Call(
        "customer_groups", lambda bc: bc.customer_groups(), "GET", "v2/customer_groups",
        "customer_groups", query=ALL,
    ),
    Call(
        "order_statuses", lambda bc: bc.order_statuses(), "GET", "v2/order_statuses",
        "order_statuses",
    ),
    Call(
        "checkout_settings", lambda bc: bc.checkout_settings(1), "GET",
        "v3/checkouts/settings/channels/1", "checkout_settings", result=data,
    ),
]  # fmt: skip

REGISTRATION = [
    Call("hooks", lambda bc: bc.hooks(), "GET", "v3/hooks", "hooks", query=ALL, result=data),
    Call(
        "create_hook",
        lambda bc: bc.create_hook("store/order/updated", HOOK, {"X-Webhook-Secret": "s"}),
        "POST", "v3/hooks", "hook", result=data,
        body={
            "scope": "store/order/updated", "destination": HOOK, "is_active": True,
            "headers": {"X-Webhook-Secret": "s"},
        },
    ),
    Call(
        "update_hook", lambda bc: bc.update_hook(20172984, is_active=True), "PUT",
        "v3/hooks/20172984", "hook", body={"is_active": True}, result=data,
    ),
    Call(
        "delete_hook", lambda bc: bc.delete_hook(20172984), "DELETE", "v3/hooks/20172984", "hook",
        result=always(None),
    ),
    Call(
        "hooks_admin", lambda bc: bc.hooks_admin(), "GET", "v3/hooks/admin", "hooks_admin",
        result=data,
    ),
    Call(
        "scripts", lambda bc: bc.scripts(), "GET", "v3/content/scripts", "scripts", query=ALL,
        result=data,
    ),
    Call(
        "create_script", lambda bc: bc.create_script(SCRIPT_FIELDS), "POST", "v3/content/scripts",
        "script", body=SCRIPT_FIELDS, result=data,
    ),
    Call(
        "update_script", lambda bc: bc.update_script(SCRIPT, SCRIPT_FIELDS), "PUT",
        f"v3/content/scripts/{SCRIPT}", "script", body=SCRIPT_FIELDS, result=data,
    ),
    Call(
        "delete_script", lambda bc: bc.delete_script(SCRIPT), "DELETE",
        f"v3/content/scripts/{SCRIPT}", status=204,
    ),
    Call(
        "app_extensions", lambda bc: bc.app_extensions(), "POST", "graphql", "app_extensions",
        body=extension(client._LIST_EXTENSIONS, {}), result=always([NODE]),
    ),
    Call(
        "create_app_extension", lambda bc: bc.create_app_extension(NEW_EXTENSION), "POST",
        "graphql", "create_app_extension", result=always(NODE),
        body=extension(client._CREATE_EXTENSION, NEW_EXTENSION),
    ),
    Call(
        "update_app_extension",
        lambda bc: bc.update_app_extension(EXTENSION, "/orders/${id}/sequra", LABEL),
        "POST", "graphql", "update_app_extension", result=always(NODE),
        body=extension(
            client._UPDATE_EXTENSION,
            {"id": EXTENSION, "data": {"url": "/orders/${id}/sequra", "label": LABEL}},
        ),
    ),
    Call(
        "delete_app_extension", lambda bc: bc.delete_app_extension(EXTENSION), "POST", "graphql",
        "delete_app_extension", body=extension(client._DELETE_EXTENSION, {"id": EXTENSION}),
        result=always(None),
    ),
]  # fmt: skip

BUYING = [
    Call(
        "checkout", lambda bc: bc.checkout(CHECKOUT), "GET", f"v3/checkouts/{CHECKOUT}",
        "checkout", query={"include": PARTS}, result=data,
    ),
    Call(
        "checkout_token", lambda bc: bc.checkout_token(CHECKOUT, 10, 86400), "POST",
        f"v3/checkouts/{CHECKOUT}/token", "checkout_token", body={"maxUses": 10, "ttl": 86400},
        result=always("beb359"),
    ),
    Call(
        "create_order", lambda bc: bc.create_order(CHECKOUT), "POST",
        f"v3/checkouts/{CHECKOUT}/orders", "created_order", result=always(250),
    ),
    Call(
        "delete_cart", lambda bc: bc.delete_cart(CHECKOUT), "DELETE", f"v3/carts/{CHECKOUT}",
        status=204,
    ),
    Call(
        "payment_access_token", lambda bc: bc.payment_access_token(250), "POST",
        "v3/payments/access_tokens", "payment_access_token", status=201,
        body={"order": {"id": 250}}, result=always("payment-token-for-tests"),
    ),
    Call(
        "customer", lambda bc: bc.customer(10457), "GET", "v3/customers", "customers",
        query={"id:in": "10457", "include": "storecredit", **ALL},
        result=lambda answer: answer["data"][0],
    ),
    Call(
        "update_customer", lambda bc: bc.update_customer(10457, {"email": "fulano@example.es"}),
        "PUT", "v3/customers", "customers", body=[{"id": 10457, "email": "fulano@example.es"}],
        result=always(None),
    ),
    Call(
        "customer_addresses", lambda bc: bc.customer_addresses(10457), "GET",
        "v3/customers/addresses", "customer_addresses", query={"customer_id:in": "10457", **ALL},
        result=data,
    ),
    Call(
        "update_customer_addresses",
        lambda bc: bc.update_customer_addresses([{"id": 7, "city": "Girona"}]),
        "PUT", "v3/customers/addresses", "customer_addresses", body=[{"id": 7, "city": "Girona"}],
        result=data,
    ),
    Call(
        "products", lambda bc: bc.products([101, 101, 99]), "GET", "v3/catalog/products",
        "products", result=data,
        query={"id:in": "99,101", "include_fields": "name,sku,type,categories", **ALL},
    ),
    Call(
        "custom_fields", lambda bc: bc.custom_fields([101]), "GET", "v3/catalog/products",
        "products", result=data, query={"id:in": "101", "include": "custom_fields", **ALL},
    ),
    Call(
        "search_products", lambda bc: bc.search_products("algodón & más"), "GET",
        "v3/catalog/products", "products", result=data,
        query={
            "keyword": "algodón & más", "include_fields": "name,sku,type,categories", "limit": "20"
        },
    ),
    Call(
        "categories", lambda bc: bc.categories("ropa"), "GET", "v3/catalog/trees/categories",
        "categories", query={"name:like": "%ropa%", **ALL}, result=data,
    ),
    Call(
        "categories_by_id", lambda bc: bc.categories(category_ids=[23]), "GET",
        "v3/catalog/trees/categories", "categories", query={"category_id:in": "23", **ALL},
        result=data,
    ),
]  # fmt: skip

ORDERS = [
    Call("order", lambda bc: bc.order(250), "GET", "v2/orders/250", "order"),
    Call(
        "whole_order", lambda bc: bc.whole_order(250)[0], "GET", "v2/orders/250", "whole_order",
        query={
            "include": "consignments.line_items,fees", "consignment_structure": "object",
        },
    ),
    Call(
        "orders", lambda bc: bc.orders(cart_id=CHECKOUT, status_id=0), "GET", "v2/orders",
        "orders", query={"cart_id": CHECKOUT, "status_id": "0", **ALL},
    ),
    Call(
        "orders_page", lambda bc: bc.orders(sort="date_modified:asc", limit=5), "GET",
        "v2/orders", "orders", query={"sort": "date_modified:asc", "limit": "5"},
    ),
    Call(
        "orders_none", lambda bc: bc.orders(customer_id=7), "GET", "v2/orders", status=204,
        query={"customer_id": "7", **ALL}, result=always([]),
    ),
    Call(
        "update_order", lambda bc: bc.update_order(250, PLACED), "PUT", "v2/orders/250", "order",
        body=PLACED,
    ),
    Call(
        "order_products", lambda bc: bc.order_products(250), "GET", "v2/orders/250/products",
        "order_products", query=ALL,
    ),
    Call(
        "shipping_addresses", lambda bc: bc.shipping_addresses(250), "GET",
        "v2/orders/250/shipping_addresses", "shipping_addresses", query=ALL,
    ),
    Call(
        "update_shipping_address",
        lambda bc: bc.update_shipping_address(250, 51, {"street_1": "Calle Nueva, 1"}),
        "PUT", "v2/orders/250/shipping_addresses/51", "shipping_address",
        body={"street_1": "Calle Nueva, 1"},
    ),
    Call(
        "shipments", lambda bc: bc.shipments(250), "GET", "v2/orders/250/shipments", "shipments",
        query=ALL,
    ),
    Call(
        "shipments_none", lambda bc: bc.shipments(250), "GET", "v2/orders/250/shipments",
        status=204, query=ALL, result=always([]),
    ),
    Call(
        "fees", lambda bc: bc.fees(250), "GET", "v2/orders/250/fees", "fees",
        result=lambda answer: answer["fees"],
    ),
    Call(
        "refunds", lambda bc: bc.refunds(250), "GET", "v3/orders/250/payment_actions/refunds",
        "refunds", result=data,
    ),
    Call(
        "refund_quote", lambda bc: bc.refund_quote(250, RETURNED), "POST",
        "v3/orders/250/payment_actions/refund_quotes", "refund_quote", status=201,
        body={"items": RETURNED}, result=data,
    ),
    Call(
        "create_refund", lambda bc: bc.create_refund(250, RETURNED, OFFLINE), "POST",
        "v3/orders/250/payment_actions/refunds", "refund", status=201,
        body={"items": RETURNED, "payments": OFFLINE}, result=data,
    ),
    Call(
        "transactions", lambda bc: bc.transactions(250), "GET", "v3/orders/250/transactions",
        "transactions", result=data,
    ),
    Call(
        "transactions_none", lambda bc: bc.transactions(250), "GET", "v3/orders/250/transactions",
        status=204, result=always([]),
    ),
]  # fmt: skip

CALLS = [*STORE, *REGISTRATION, *BUYING, *ORDERS]
# Which BigCommerce's OpenAPI files of the REST API do not describe.
UNDESCRIBED = [
    Call(
        "storefront_token", lambda bc: bc.storefront_token(1, 1885635176, impersonates=False),
        "POST", "v3/storefront/api-token-private", "storefront_token", result=always("sf-token"),
        body={"channel_ids": [1], "expires_at": 1885635176, "scopes": ["Unauthenticated"]},
    ),
    Call(
        "storefront_token_customer",
        lambda bc: bc.storefront_token(2, 1885635176, impersonates=True),
        "POST", "v3/storefront/api-token-customer-impersonation", "storefront_token",
        result=always("sf-token"), body={"channel_ids": [2], "expires_at": 1885635176},
    ),
]  # fmt: skip
