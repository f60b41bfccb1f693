"""The OAuth scopes the app needs, and which of them a merchant did not grant.

BigCommerce's pages spell some of them in two ways, and a broader scope holds the narrower one, so
any spelling will do: https://docs.bigcommerce.com/docs/start/authentication/api-accounts
"""

# As the Developer Portal names them, and the spellings that grant it.
REQUIRED: dict[str, tuple[str, ...]] = {
    "Orders: modify": ("store_v2_orders",),
    "Order Transactions: read-only": (
        "store_v2_transactions_read_only",
        "store_v2_transactions",
    ),
    "Checkouts: modify": ("store_checkout", "store_checkouts"),
    "Carts: modify": ("store_cart", "store_carts"),
    "Checkout Content: modify": ("store_content_checkout", "store_checkout_content"),
    "Information & Settings: read-only": (
        "store_v2_information_read_only",
        "store_v2_information",
    ),
    "Channel Settings: read-only": (
        "store_channel_settings_read_only",
        "store_channel_settings",
    ),
    "Sites & Routes: read-only": ("store_sites_read_only", "store_sites"),
    "App Extensions: manage": ("store_app_extensions_manage",),
    "Customers: read-only": ("store_v2_customers_read_only", "store_v2_customers"),
    "Products: read-only": ("store_v2_products_read_only", "store_v2_products"),
    "Create Payments": ("store_payments_access_token_create",),
}


def missing(granted: str) -> list[str]:
    """Return missing scopes by their Developer Portal names. `granted` is space-separated."""
    scopes = set(granted.split())
    return [name for name, spellings in REQUIRED.items() if not scopes.intersection(spellings)]
