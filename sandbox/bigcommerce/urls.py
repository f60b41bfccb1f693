"""Paths of BigCommerce's login, API and payments hosts, with the scopes each asks for."""

from django.urls import path, re_path

from sandbox.bigcommerce import (
    catalogue_api,
    checkouts,
    extensions,
    hooks,
    oauth,
    order_api,
    payment_api,
    refund_api,
    scripts,
    store,
    storefront_graphql,
)
from sandbox.bigcommerce.answers import endpoint

ORDERS = ("store_v2_orders", "store_v2_orders_read_only")
REFUNDS = (*ORDERS, "store_v2_transactions", "store_v2_transactions_read_only")
INFORMATION = ("store_v2_information", "store_v2_information_read_only")
CHANNELS = ("store_channel_settings", "store_channel_settings_read_only")
SITES = (*CHANNELS, "store_sites", "store_sites_read_only")
CHECKOUTS = ("store_checkout", "store_checkouts", "store_checkout_read_only")
CARTS = ("store_cart", "store_cart_read_only")
CONTENT = ("store_content_checkout", "store_checkout_content", "store_v2_content")
CUSTOMERS = ("store_v2_customers", "store_v2_customers_read_only")
PRODUCTS = ("store_v2_products", "store_v2_products_read_only")
STOREFRONT = ("store_storefront_api",)
IMPERSONATION = ("store_storefront_api_customer_impersonation",)
PAY = ("store_payments_access_token_create",)

V2, V3 = "stores/<str:store_hash>/v2/", "stores/<str:store_hash>/v3/"
ORDER = f"{V2}orders/<int:order_id>"
ORDER_V3 = f"{V3}orders/<int:order_id>"
CHECKOUT = f"{V3}checkouts/<uuid:checkout_id>"
CHANNEL = f"{V3}channels/<int:channel_id>"

login = [path("oauth2/token", oauth.token)]

information = [
    path(f"{V2}store", endpoint(*INFORMATION, GET=store.store)),
    path(f"{V2}time", endpoint(GET=store.clock)),
    path(f"{V2}currencies", endpoint(*INFORMATION, GET=store.currencies)),
    path(f"{V2}countries", endpoint(*INFORMATION, GET=store.countries)),
    path(f"{V2}countries/<int:country_id>/states", endpoint(*INFORMATION, GET=store.states)),
    path(f"{V2}order_statuses", endpoint(*ORDERS, GET=store.order_statuses)),
    path(f"{V3}channels", endpoint(*CHANNELS, GET=store.channels)),
    path(CHANNEL, endpoint(*CHANNELS, GET=store.channel)),
    path(f"{CHANNEL}/site", endpoint(*SITES, GET=store.site)),
    path(f"{CHANNEL}/currency-assignments", endpoint(*CHANNELS, GET=store.currency_assignments)),
    path(f"{V3}sites", endpoint(*SITES, GET=store.sites)),
    path(f"{V3}settings/<path:name>", endpoint(*INFORMATION, GET=store.settings_of)),
    path(f"{V3}tax/settings", endpoint(*INFORMATION, GET=store.tax_settings)),
    path(
        f"{V3}checkouts/settings/channels/<int:channel_id>",
        endpoint(*CHECKOUTS, *INFORMATION, GET=store.checkout_settings),
    ),
]

registration = [
    path(f"{V3}hooks", endpoint(GET=hooks.collection, POST=hooks.create)),
    path(f"{V3}hooks/admin", endpoint(GET=hooks.admin, PUT=hooks.set_emails)),
    path(
        f"{V3}hooks/<int:hook_id>",
        endpoint(GET=hooks.read, PUT=hooks.update, DELETE=hooks.delete),
    ),
    path(f"{V3}content/scripts", endpoint(*CONTENT, GET=scripts.collection, POST=scripts.create)),
    path(
        f"{V3}content/scripts/<uuid:uuid>",
        endpoint(*CONTENT, GET=scripts.read, PUT=scripts.update, DELETE=scripts.delete),
    ),
    path("stores/<str:store_hash>/graphql", endpoint(POST=extensions.graphql)),
]

catalogue = [
    path(f"{V3}catalog/products", endpoint(*PRODUCTS, GET=catalogue_api.products)),
    path(f"{V3}catalog/products/<int:product_id>", endpoint(*PRODUCTS, GET=catalogue_api.product)),
    path(f"{V3}catalog/categories", endpoint(*PRODUCTS, GET=catalogue_api.categories)),
    path(f"{V3}catalog/trees/categories", endpoint(*PRODUCTS, GET=catalogue_api.tree_categories)),
    path(f"{V2}customer_groups", endpoint(*CUSTOMERS, GET=catalogue_api.customer_groups)),
    path(
        f"{V3}customers",
        endpoint(*CUSTOMERS, GET=catalogue_api.customers, PUT=catalogue_api.update_customers),
    ),
    path(
        f"{V3}customers/addresses",
        endpoint(*CUSTOMERS, GET=catalogue_api.addresses, PUT=catalogue_api.update_addresses),
    ),
]

checkout = [
    path(CHECKOUT, endpoint(*CHECKOUTS, GET=checkouts.read)),
    path(f"{CHECKOUT}/token", endpoint(*CHECKOUTS, POST=checkouts.token)),
    path(f"{CHECKOUT}/orders", endpoint(*CHECKOUTS, POST=checkouts.convert)),
    path(
        f"{V3}carts/<uuid:checkout_id>",
        endpoint(*CARTS, GET=checkouts.read_cart, DELETE=checkouts.delete_cart),
    ),
    path(f"{V3}payments/access_tokens", endpoint(*PAY, POST=payment_api.access_token)),
    path("stores/<str:store_hash>/payments", endpoint(POST=payment_api.payment)),
    path(
        f"{V3}storefront/api-token-private",
        endpoint(*STOREFRONT, POST=storefront_graphql.token("private")),
    ),
    path(
        f"{V3}storefront/api-token-customer-impersonation",
        endpoint(*IMPERSONATION, POST=storefront_graphql.token("customer")),
    ),
    re_path(
        r"^stores/(?P<store_hash>\w+)/storefront(?P<channel>(-\d+)?)/graphql$",
        endpoint(POST=storefront_graphql.graphql),
    ),
]

order = [
    path(f"{V2}orders", endpoint(*ORDERS, GET=order_api.collection)),
    path(f"{V2}orders/count", endpoint(*ORDERS, GET=order_api.count)),
    path(
        ORDER,
        endpoint(*ORDERS, GET=order_api.read, PUT=order_api.update, DELETE=order_api.delete),
    ),
    path(f"{ORDER}/consignments", endpoint(*ORDERS, GET=order_api.read_consignments)),
    path(f"{ORDER}/shipments/count", endpoint(*ORDERS, GET=order_api.count_shipments)),
    path(
        f"{ORDER}/shipments",
        endpoint(*ORDERS, GET=order_api.sublist("shipments"), POST=order_api.create_shipment),
    ),
    path(
        f"{ORDER}/shipments/<int:row_id>",
        endpoint(
            *ORDERS,
            GET=order_api.one_of("shipments"),
            PUT=order_api.update_shipment,
            DELETE=order_api.delete_shipment,
        ),
    ),
    path(
        f"{ORDER}/shipping_addresses/<int:row_id>",
        endpoint(
            *ORDERS,
            GET=order_api.one_of("shipping_addresses"),
            PUT=order_api.update_shipping_address,
        ),
    ),
    path(f"{ORDER}/products/<int:row_id>", endpoint(*ORDERS, GET=order_api.one_of("products"))),
    *(
        path(f"{ORDER}/{name}", endpoint(*ORDERS, GET=order_api.sublist(name)))
        for name in ("products", "shipping_addresses", "coupons", "taxes", "fees")
    ),
    path(f"{ORDER_V3}/transactions", endpoint(*REFUNDS, GET=order_api.transactions)),
    path(
        f"{ORDER_V3}/metafields",
        endpoint(GET=order_api.metafields, POST=order_api.create_metafield),
    ),
    path(f"{ORDER_V3}/payment_actions/refund_quotes", endpoint(*REFUNDS, POST=refund_api.quote)),
    path(
        f"{ORDER_V3}/payment_actions/refunds",
        endpoint(*REFUNDS, GET=refund_api.collection, POST=refund_api.create),
    ),
    path(
        f"{V3}orders/payment_actions/refunds",
        endpoint(*REFUNDS, GET=order_api.refunds_of_store),
    ),
    path(
        f"{V3}orders/payment_actions/refunds/<int:refund_id>",
        endpoint(*REFUNDS, GET=refund_api.read),
    ),
]

urlpatterns = [*login, *information, *registration, *catalogue, *checkout, *order]
