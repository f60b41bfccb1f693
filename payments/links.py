"""Where a shopper is sent: our own page, the shop's checkout and its order confirmation."""

from urllib.parse import quote

from django.conf import settings
from django.urls import reverse

from payments.models import Solicitation
from stores.encryption import readable


def return_url(solicitation: Solicitation) -> str:
    """Our own page for the shopper."""
    return settings.APP_URL + reverse("shopper_returns", args=[solicitation.public_id])


def checkout_url(solicitation: Solicitation) -> str:
    """This very checkout; empty without an address of the shop.

    `/checkout` alone shows the cart of the browser's session, which is another one after "buy now"
    and when the shopper fills a new cart in another tab.
    """
    if not solicitation.origin:
        return ""
    return f"{solicitation.origin}/checkout/{quote(solicitation.checkout_id, safe='')}"


def confirmation_url(solicitation: Solicitation) -> str | None:
    """The shop's order confirmation; None while the order stays Incomplete, where it shows nothing.

    https://docs.bigcommerce.com/docs/rest-management/checkouts/create-checkout-token
    """
    store = solicitation.store
    approved = solicitation.accepted_state == "confirmed"
    status = store.status_approved if approved else store.status_needs_review
    if solicitation.phase not in Solicitation.WITH_ORDER or status is None:
        return None
    address = f"{solicitation.origin}/checkout/order-confirmation/{solicitation.order_id}"
    token = readable(solicitation, "checkout_token")
    return f"{address}?t={token}" if token else address
