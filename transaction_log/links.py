"""Where an order is found in the two systems.

SeQura has one portal per environment, whatever the deployment.
https://docs.sequra.com/docs/post-checkout-integration
"""

from uuid import UUID

from django.conf import settings

from stores.models import Store
from stores.storefronts import origin_of


def portal_link(environment: str, reference: UUID | None) -> str:
    """The order's page in SeQura's portal; nothing for an order SeQura does not know."""
    return f"{portal_home(environment)}/orders/{reference}" if reference else ""


def portal_home(environment: str) -> str:
    """The portal itself."""
    home: str = settings.PORTAL_URL if environment == "live" else settings.PORTAL_SANDBOX_URL
    return home


def order_link(store: Store, bigcommerce_id: int | None) -> str:
    """The order's page in BigCommerce's control panel; nothing for an attempt without an order."""
    if bigcommerce_id is None:
        return ""
    panel = origin_of(store.control_panel_url) or f"https://store-{store.hash}.mybigcommerce.com"
    return f"{panel}/manage/orders/{bigcommerce_id}"
