"""The SeQura order of a checkout as it is now, built alike for soliciting and for confirming."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.urls import reverse

from bigcommerce.documents import Checkout
from payloads.checkout.solicitation import Circumstances, Order, solicitation
from payloads.order.services import Terms, agreed_terms
from payments.models import Solicitation
from stores.clients import platform_facts
from stores.encryption import readable
from transport.reading import section


def return_url(solicitation: Solicitation) -> str:
    """Return the URL of the app's page to which SeQura sends the shopper back."""
    return settings.APP_URL + reverse("shopper_returns", args=[solicitation.public_id])


def checkout_url(solicitation: Solicitation) -> str:
    """Return the URL of this checkout; empty without a storefront origin.

    `/checkout` alone shows the cart of the browser's session, which differs after "buy now" and
    when the shopper fills a new cart in another tab.
    """
    if not solicitation.origin:
        return ""
    return f"{solicitation.origin}/checkout/{quote(solicitation.checkout_id, safe='')}"


def confirmation_url(solicitation: Solicitation) -> str | None:
    """Return the URL of the shop's order confirmation; None while the order is Incomplete.

    https://docs.bigcommerce.com/docs/rest-management/checkouts/create-checkout-token
    """
    own, approved = solicitation.settings, solicitation.accepted_state == "confirmed"
    status = own.status_approved if approved else own.status_needs_review
    if solicitation.phase not in Solicitation.WITH_ORDER or status is None:
        return None
    address = f"{solicitation.origin}/checkout/order-confirmation/{solicitation.order_id}"
    token = readable(solicitation, "checkout_token")
    return f"{address}?t={token}" if token else address


def order_of(
    attempt: Solicitation,
    checkout: Checkout,
    *,
    customer: Mapping[str, Any] | None = None,
    orders: Iterable[Mapping[str, Any]] = (),
    services: Mapping[str, Terms] | None = None,
) -> Order:
    """Return the body of `POST /orders` for this attempt. Raise NotOffered.

    Without `services`, what was sold as a service before still is.
    """
    shopper = attempt.shopper
    if services is None:
        services = agreed_terms(section(attempt.order["cart"]).get("items") or ())
    return solicitation(
        checkout,
        Circumstances(
            merchant=attempt.merchant_ref,
            notify_url=_address("sequra_notification", attempt.token),
            return_url=return_url(attempt) + "?product=SQ_PRODUCT_CODE",
            abort_url=checkout_url(attempt),
            events_url=_address("sequra_event", attempt.token),
            notification_parameters={"signature": attempt.signature},
            ip=shopper["ip"],
            user_agent=shopper["user_agent"],
            locale=shopper["locale"],
            layout=shopper["layout"],
            platform=platform_facts(),
            customer=customer,
            orders=orders,
            services=services,
            credit=attempt.store_credit,
            certificates=attempt.paid_by_certificates,
        ),
    )


def keep(attempt: Solicitation, order: Order) -> None:
    """Set the order on the row. URLs and signature that only SeQura may know are encrypted."""
    attempt.order = {**order, "merchant": {"id": order["merchant"]["id"]}}
    attempt.told_addresses = json.dumps(order["merchant"])


def sent_order(attempt: Solicitation) -> Order:
    """Return the order exactly as it was sent to SeQura, even if the app's URL changed since."""
    return {**attempt.order, "merchant": json.loads(attempt.told_addresses)}


def _address(name: str, token: str) -> str:
    return settings.APP_URL + reverse(name, args=[token])
