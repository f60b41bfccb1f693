"""One method per BigCommerce endpoint that the app uses. Each may raise Rejected or Unavailable.

https://developer.bigcommerce.com/docs/rest-management
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, cast

import requests

from bigcommerce import documents
from bigcommerce.api import PAGE, TIMEOUT, Api, Rejected, Unavailable, graphql_refusal, read_grant
from transport.call import Timeout, Transport, new_session

_CONVERSION_TIMEOUT: Timeout = (3, 30)
_CHECKOUT_PARTS = "cart.line_items.physical_items.options,cart.line_items.digital_items.options"
_ORDER_PARTS = {
    "include": "consignments.line_items,fees",
    "consignment_structure": "object",
}
# A page of the control panel waits while an address book is read.
_BOOK_PAGES = 4
_PRODUCT_FIELDS = "name,sku,type,categories"
_STORE_CREDIT = {
    "payment": {
        "instrument": {"type": "store_credit"},
        "payment_method_id": "bigcommerce.store_credit",
    }
}

# GraphQL of a storefront: what is left to pay of a checkout, and the certificates that pay a part.
# https://docs.bigcommerce.com/developer/docs/storefront/guides/graphql-storefront-api
_CHECKOUT_BALANCE = """query Balance($id: String!) { site { checkout(entityId: $id) {
  outstandingBalance { value currencyCode }
  giftCertificates { code balance { value } used { value } } } } }"""

# GraphQL for the entry in an order's Action menu that opens our panel.
# https://developer.bigcommerce.com/docs/integrations/apps/app-extensions
_EXTENSION = "id context model url label { defaultValue locales { value localeCode } }"

_LIST_EXTENSIONS = (
    f"query {{ store {{ appExtensions {{ edges {{ node {{ {_EXTENSION} }} }} }} }} }}"
)

_CREATE_EXTENSION = f"""mutation AppExtension($input: CreateAppExtensionInput!) {{
  appExtension {{ createAppExtension(input: $input) {{ appExtension {{ {_EXTENSION} }} }} }} }}"""

_UPDATE_EXTENSION = f"""mutation AppExtension($input: UpdateAppExtensionInput!) {{
  appExtension {{ updateAppExtension(input: $input) {{ appExtension {{ {_EXTENSION} }} }} }} }}"""

_DELETE_EXTENSION = """mutation AppExtension($input: DeleteAppExtensionInput!) {
  appExtension { deleteAppExtension(input: $input) { deletedAppExtensionId } } }"""


def exchange_code(
    login_url: str,
    *,
    client_id: str,
    client_secret: str,
    code: str,
    context: str,
    scope: str,
    redirect_uri: str,
    session: requests.Session | None = None,
    timeout: Timeout = TIMEOUT,
) -> documents.TokenGrant:
    """Return the access token for the code of `/auth`. A code works once.

    https://developer.bigcommerce.com/docs/integrations/apps/guide/auth
    """
    transport = Transport(Rejected, Unavailable, timeout, session or new_session())
    url = f"{login_url.rstrip('/')}/oauth2/token"
    body = {
        "client_id": client_id,
        "client_secret": client_secret,
        "code": code,
        "context": context,
        "scope": scope,
        "grant_type": "authorization_code",
        "redirect_uri": redirect_uri,
    }
    document = transport.json("POST", url, headers={"Accept": "application/json"}, body=body)
    if (grant := read_grant(document)) is None:
        raise transport.unreadable("POST", url, "has not the documented shape")
    return grant


def checkout_balance(
    storefront_url: str,
    token: str,
    checkout_id: str,
    customer_id: int | None = None,
    *,
    session: requests.Session | None = None,
    timeout: Timeout = TIMEOUT,
) -> dict[str, Any] | None:
    """Return a checkout's balance and gift certificates; None when this token does not see it.

    `customer_id`: whose checkout it is, with a token that may impersonate customers.
    """
    transport = Transport(Rejected, Unavailable, timeout, session or new_session())
    headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
    if customer_id:
        headers["X-Bc-Customer-Id"] = str(customer_id)
    url = f"{storefront_url}/graphql"
    body = {"query": _CHECKOUT_BALANCE, "variables": {"id": checkout_id}}
    match transport.json("POST", url, headers=headers, body=body):
        case {"errors": errors} if errors:
            raise graphql_refusal(url, errors)
        case {"data": {"site": {"checkout": dict(found)}}}:
            return found
        case {"data": {"site": {"checkout": None}}}:
            return None
        case _:
            raise transport.unreadable("POST", url, "has not the documented shape")


class BigCommerce(Api):
    """The APIs of one store, with its access token."""

    # Store ----------------------------------------------------------------------------------

    def store(self) -> documents.StoreInformation:
        return cast(documents.StoreInformation, self._object("GET", "v2", "store"))

    def channels(self) -> list[documents.Channel]:
        """Return the storefronts that are in use."""
        params = {"available": "true", "type:in": "storefront"}
        return self._v3_rows("v3", "channels", params=params)

    def site(self, channel_id: int) -> documents.Site:
        """Return the URLs of a storefront: primary, canonical, checkout; empty before it has any.

        A channel without a site is a 404, and sometimes a response without content.
        """
        path = ("v3", "channels", channel_id, "site")
        try:
            document = self._json("GET", *path)
        except Rejected as refusal:
            if refusal.status != 404:
                raise
            return {}
        data = document.get("data") if isinstance(document, dict) else document
        if not isinstance(data or {}, dict):
            raise self._unreadable("GET", *path)
        return cast(documents.Site, data or {})

    def order_statuses(self) -> list[documents.OrderStatus]:
        return self._v2_page("v2", "order_statuses")

    def checkout_settings(self, channel_id: int) -> documents.CheckoutSettings:
        path = ("v3", "checkouts", "settings", "channels", channel_id)
        return cast(documents.CheckoutSettings, self._data("GET", *path))

    # Checkout -------------------------------------------------------------------------------

    def checkout(self, checkout_id: str) -> documents.Checkout:
        params = {"include": _CHECKOUT_PARTS}
        data = self._data("GET", "v3", "checkouts", checkout_id, params=params)
        return cast(documents.Checkout, data)

    def checkout_token(self, checkout_id: str, max_uses: int, ttl: int) -> str:
        """Return a token that lets a guest see the confirmation page. `ttl` is in seconds.

        Works only before the order exists. The specification has the token at the top, its example
        in `data`.
        """
        path = ("v3", "checkouts", checkout_id, "token")
        document = self._object("POST", *path, body={"maxUses": max_uses, "ttl": ttl})
        match document:
            case {"data": {"checkoutToken": str(token)}} | {"checkoutToken": str(token)}:
                return token
            case _:
                raise self._unreadable("POST", *path)

    def storefront_token(self, channel_id: int, expires_at: int, *, impersonates: bool) -> str:
        """Return a token for a storefront's GraphQL API that is for servers alone.

        `expires_at` is in Unix seconds. Without `impersonates` it sees what nobody signed in for.
        """
        kind = "customer-impersonation" if impersonates else "private"
        path = ("v3", "storefront", f"api-token-{kind}")
        body: dict[str, Any] = {"channel_ids": [channel_id], "expires_at": expires_at}
        if not impersonates:
            body["scopes"] = ["Unauthenticated"]
        if not isinstance(token := self._data("POST", *path, body=body).get("token"), str):
            raise self._unreadable("POST", *path)
        return token

    def create_order(self, checkout_id: str, *, timeout: Timeout = _CONVERSION_TIMEOUT) -> int:
        """Create an Incomplete order and return its id.

        NOT repeatable: each call creates an order.
        """
        path = ("v3", "checkouts", checkout_id, "orders")
        data = self._data("POST", *path, timeout=timeout)
        if not isinstance(order_id := data.get("id"), int):
            raise self._unreadable("POST", *path)
        return order_id

    def delete_cart(self, cart_id: str) -> None:
        self._delete("v3", "carts", cart_id)

    # Orders ---------------------------------------------------------------------------------

    def order(self, order_id: int) -> documents.Order:
        return cast(documents.Order, self._object("GET", "v2", "orders", order_id))

    def whole_order(self, order_id: int) -> tuple[documents.Order, str]:
        """Return the order with its consignments, their products and its fees, and its digest.

        Orders with the same digest are equal to the letter. Where BigCommerce leaves a part out,
        its place holds a link, as in `order`.
        """
        url = self._url("v2", "orders", order_id)
        reply = self._transport.send("GET", url, headers=self._headers, params=_ORDER_PARTS)
        document = self._transport.document("GET", url, reply)
        if not isinstance(document, dict):
            raise self._unreadable("GET", "v2", "orders", order_id)
        return cast(documents.Order, document), sha256(reply.body).hexdigest()

    def orders(self, **filters: str | int) -> list[documents.Order]:
        """Return all matching orders, such as `cart_id=…` or `min_date_modified=…, sort="id:asc"`.

        With a `limit` or a `page` of the caller, return that page only.
        """
        if "limit" in filters or "page" in filters:
            return self._v2_page("v2", "orders", params=filters)
        return self._v2_rows("v2", "orders", params=filters)

    def update_order(self, order_id: int, fields: Mapping[str, Any]) -> documents.Order:
        """Update an order.

        Never send `products`: that clears the discounts of the lines it names.
        """
        return cast(documents.Order, self._object("PUT", "v2", "orders", order_id, body=fields))

    def order_products(self, order_id: int) -> list[documents.OrderProduct]:
        return self._v2_rows("v2", "orders", order_id, "products")

    def shipping_addresses(self, order_id: int) -> list[documents.OrderShippingAddress]:
        return self._v2_rows("v2", "orders", order_id, "shipping_addresses")

    def update_shipping_address(
        self, order_id: int, address_id: int, fields: Mapping[str, Any]
    ) -> documents.OrderShippingAddress:
        path = ("v2", "orders", order_id, "shipping_addresses", address_id)
        return cast(documents.OrderShippingAddress, self._object("PUT", *path, body=fields))

    def shipments(self, order_id: int) -> list[documents.Shipment]:
        return self._v2_rows("v2", "orders", order_id, "shipments")

    def fees(self, order_id: int) -> list[documents.OrderFee]:
        """Return the fees.

        The example has them in `fees`, the text describes a list; none may be a 404.
        """
        try:
            answer = self._json("GET", "v2", "orders", order_id, "fees")
        except Rejected as refusal:
            if refusal.status == 404:
                return []
            raise
        match answer:
            case None:
                return []
            case list(fees) | {"fees": list(fees)}:
                return fees
            case _:
                raise self._unreadable("GET", "v2", "orders", order_id, "fees")

    def refunds(self, order_id: int) -> list[documents.Refund]:
        return self._v3_list("v3", "orders", order_id, "payment_actions", "refunds")

    def refund_quote(
        self, order_id: int, items: Sequence[Mapping[str, Any]]
    ) -> documents.RefundQuote:
        """Return what a refund of these items comes to, and how it can be paid. Changes nothing."""
        path = ("v3", "orders", order_id, "payment_actions", "refund_quotes")
        return cast(documents.RefundQuote, self._data("POST", *path, body={"items": list(items)}))

    def create_refund(
        self,
        order_id: int,
        items: Sequence[Mapping[str, Any]],
        payments: Sequence[Mapping[str, Any]],
    ) -> documents.Refund:
        """Refund these items by payments of a quote. NOT repeatable: each call is a refund."""
        path = ("v3", "orders", order_id, "payment_actions", "refunds")
        body = {"items": list(items), "payments": list(payments)}
        return cast(documents.Refund, self._data("POST", *path, body=body))

    def transactions(self, order_id: int) -> list[documents.Transaction]:
        return self._v3_list("v3", "orders", order_id, "transactions")

    # Customers and catalogue ----------------------------------------------------------------

    def customer(self, customer_id: int) -> documents.Customer | None:
        """Return the customer with `store_credit_amounts`; None when it is gone."""
        return next(iter(self.customers([customer_id])), None)

    def customers(self, customer_ids: Iterable[int]) -> list[documents.Customer]:
        return self._by_id(customer_ids, "id:in", "v3", "customers", include="storecredit")

    def customer_groups(self) -> list[documents.CustomerGroup]:
        return self._v2_rows("v2", "customer_groups")

    def update_customer(self, customer_id: int, fields: Mapping[str, Any]) -> None:
        """Update a customer's account. Needs the scope Customers: modify."""
        body = [{"id": customer_id, **fields}]
        self._data("PUT", "v3", "customers", kind=list, body=body)

    def customer_addresses(self, customer_id: int) -> list[documents.CustomerAddress]:
        """Return the customer's address book. Raise Rejected for one that no person keeps."""
        path, params = ("v3", "customers", "addresses"), {"customer_id:in": customer_id}
        rows: list[documents.CustomerAddress] = []
        for page in range(1, _BOOK_PAGES + 1):
            paged = {**params, "page": page, "limit": PAGE}
            found = self._data("GET", *path, kind=list, params=paged)
            rows += found
            if len(found) < PAGE:
                return rows
        raise Rejected(413, [f"The address book has {len(rows)} addresses or more."])

    def update_customer_addresses(
        self, changes: Sequence[Mapping[str, Any]]
    ) -> list[documents.CustomerAddress]:
        """Update addresses of address books, each named by its `id`. Return those that changed.

        BigCommerce leaves out, and leaves as it is, what would become a copy of another address.
        """
        path = ("v3", "customers", "addresses")
        data = self._data("PUT", *path, kind=list, body=list(changes))
        return cast(list[documents.CustomerAddress], data)

    def products(self, product_ids: Iterable[int]) -> list[documents.Product]:
        path = ("v3", "catalog", "products")
        return self._by_id(product_ids, "id:in", *path, include_fields=_PRODUCT_FIELDS)

    def custom_fields(self, product_ids: Iterable[int]) -> list[documents.Product]:
        """Return products with their `custom_fields`."""
        path = ("v3", "catalog", "products")
        return self._by_id(product_ids, "id:in", *path, include="custom_fields")

    def search_products(self, text: str, limit: int = 20) -> list[documents.Product]:
        """Return the first products whose name, SKU or description contains `text`."""
        params = {"keyword": text, "include_fields": _PRODUCT_FIELDS, "limit": limit}
        data = self._data("GET", "v3", "catalog", "products", kind=list, params=params)
        return cast(list[documents.Product], data)

    def categories(
        self, text: str = "", category_ids: Iterable[int] | None = None
    ) -> list[documents.Category]:
        """Return the categories with these ids; else those whose name contains `text`; else all."""
        path = ("v3", "catalog", "trees", "categories")
        if category_ids is not None:
            return self._by_id(category_ids, "category_id:in", *path)
        return self._v3_rows(*path, params={"name:like": f"%{text}%"} if text else {})

    def _by_id(self, ids: Iterable[int], key: str, *path: str, **params: str) -> list[Any]:
        wanted = sorted(set(ids))
        chunks = [wanted[start : start + PAGE] for start in range(0, len(wanted), PAGE)]
        return [
            row
            for chunk in chunks
            for row in self._v3_rows(*path, params={**params, key: ",".join(map(str, chunk))})
        ]

    # Payments -------------------------------------------------------------------------------

    def payment_access_token(self, order_id: int) -> str:
        """Return a token for payments of this order, valid for an hour."""
        path = ("v3", "payments", "access_tokens")
        data = self._data("POST", *path, body={"order": {"id": order_id}})
        if not isinstance(token := data.get("id"), str):
            raise self._unreadable("POST", *path)
        return token

    def pay_otherwise(self, order_id: int, certificate: str = "") -> documents.Payment:
        """Pay a part of an Incomplete order. NOT repeatable.

        With the gift certificate of this code, or with all of the customer's store credit.

        https://developer.bigcommerce.com/docs/store-operations/payments
        """
        headers = {
            "Accept": "application/vnd.bc.v1+json",
            "Authorization": f"PAT {self.payment_access_token(order_id)}",
        }
        instrument = {"type": "gift_certificate", "gift_certificate_code": certificate}
        payment = {"instrument": instrument, "payment_method_id": "bigcommerce.gift_certificate"}
        body = {"payment": payment} if certificate else _STORE_CREDIT
        document = self._transport.json("POST", self._payments, headers=headers, body=body)
        match document:
            case {"data": dict(payment)}:
                return cast(documents.Payment, payment)
            case _:
                raise self._transport.unreadable("POST", self._payments, "is no payment")

    # What the app registers: webhooks, scripts, the entry that opens its panel ---------------
    #
    # No `create_…` may be repeated blindly: list first, then create or update.
    # https://developer.bigcommerce.com/docs/integrations/webhooks
    # https://developer.bigcommerce.com/docs/integrations/scripts

    def hooks(self) -> list[documents.Hook]:
        return self._v3_rows("v3", "hooks")

    def create_hook(
        self, scope: str, destination: str, headers: Mapping[str, str]
    ) -> documents.Hook:
        """Create a webhook. NOT repeatable: list first. Every webhook carries `headers`."""
        body = {
            "scope": scope,
            "destination": destination,
            "is_active": True,
            "headers": dict(headers),
        }
        return cast(documents.Hook, self._data("POST", "v3", "hooks", body=body))

    def update_hook(self, hook_id: int, **fields: Any) -> documents.Hook:
        return cast(documents.Hook, self._data("PUT", "v3", "hooks", hook_id, body=fields))

    def delete_hook(self, hook_id: int) -> None:
        self._delete("v3", "hooks", hook_id)

    def hooks_admin(self) -> documents.HooksAdmin:
        """Return deactivated webhooks, and domains to which BigCommerce stopped sending."""
        return cast(documents.HooksAdmin, self._data("GET", "v3", "hooks", "admin"))

    def scripts(self) -> list[documents.Script]:
        return self._v3_rows("v3", "content", "scripts")

    def create_script(self, fields: Mapping[str, Any]) -> documents.Script:
        """Create a script. NOT repeatable: a second call creates a second script."""
        return cast(documents.Script, self._data("POST", "v3", "content", "scripts", body=fields))

    def update_script(self, uuid: str, fields: Mapping[str, Any]) -> documents.Script:
        data = self._data("PUT", "v3", "content", "scripts", uuid, body=fields)
        return cast(documents.Script, data)

    def delete_script(self, uuid: str) -> None:
        self._delete("v3", "content", "scripts", uuid)

    def app_extensions(self) -> list[documents.AppExtension]:
        match self._graphql(_LIST_EXTENSIONS, {}):
            case {"store": {"appExtensions": {"edges": list(edges)}}}:
                return [edge["node"] for edge in edges if isinstance(edge, dict)]
            case _:
                raise self._unreadable("POST", "graphql")

    def create_app_extension(self, fields: Mapping[str, Any]) -> documents.AppExtension:
        """Create the entry. `fields`: context, model, url and label, which needs `locales`."""
        return self._app_extension(_CREATE_EXTENSION, "createAppExtension", fields)

    def update_app_extension(
        self, extension_id: str, url: str, label: documents.Label
    ) -> documents.AppExtension:
        fields = {"id": extension_id, "data": {"url": url, "label": label}}
        return self._app_extension(_UPDATE_EXTENSION, "updateAppExtension", fields)

    def delete_app_extension(self, extension_id: str) -> None:
        self._graphql(_DELETE_EXTENSION, {"input": {"id": extension_id}})

    def _app_extension(
        self, mutation: str, name: str, fields: Mapping[str, Any]
    ) -> documents.AppExtension:
        match self._graphql(mutation, {"input": dict(fields)}):
            case {"appExtension": dict(results)}:
                if isinstance(result := results.get(name), dict) and result.get("appExtension"):
                    return cast(documents.AppExtension, result["appExtension"])
        raise self._unreadable("POST", "graphql")
