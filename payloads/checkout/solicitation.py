"""Translate a V3 checkout and its circumstances into the order that SeQura is asked to finance.

Pure: documents in, document out. SeQura's model: https://docs.sequrapi.com (start solicitation).
All amounts are cents with tax.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from payloads.cart import Line, cart
from payloads.checkout.lines import cart_lines
from payloads.checkout.parts import Document, currency_of, customer_number, is_readable
from payloads.checkout.reasons import NotOffered, Reason
from payloads.checkout.shopper import (
    consignment,
    delivery_address,
    email,
    is_pickup,
    known_moment,
    language_code,
    merchant_country,
    previous_orders,
    sequra_address,
)
from payloads.money import NotMoney
from payloads.order.lines import text
from payloads.order.services import Terms, first_charge, sold_as_services
from transport.reading import cleaned, section

Order = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What a solicitation needs besides the checkout: merchant id, shopper and URLs."""

    merchant: str  # SeQura's merchant id for `merchant_country(checkout)`
    notify_url: str
    return_url: str
    abort_url: str
    events_url: str
    notification_parameters: Mapping[str, str]  # come back in the notification and the events
    ip: str  # the shopper's own address, not a proxy's
    user_agent: str
    locale: str = ""  # the shop's language as the browser sees it
    layout: Literal["desktop", "smartphone"] = "desktop"
    platform: Mapping[str, str] = field(default_factory=dict)
    customer: Document | None = None  # GET /v3/customers; None for guests
    orders: Iterable[Document] = ()  # GET /v2/orders of that customer
    credit: int = 0  # store credit in cents, as payloads/checkout/other_payments.py allows
    certificates: int = 0  # gift certificates in cents, likewise
    services: Mapping[str, Terms] = field(default_factory=dict)  # by reference of the line


def solicitation(checkout: Document, circumstances: Circumstances) -> Order:
    """Return the body of `POST /orders`, without its envelope. Raise `NotOffered`."""
    if not is_readable(checkout):
        raise NotOffered(Reason.UNREADABLE, "a part of the checkout is missing")
    billing = section(checkout.get("billing_address"))
    delivery = delivery_address(checkout)
    order: Order = {
        "state": "",
        "merchant": _merchant(circumstances),
        "cart": cart(
            currency_of(checkout),
            _lines(checkout, circumstances),
            cart_ref=text(checkout.get("id")) or None,
        ),
        "delivery_method": _delivery_method(checkout),
        "delivery_address": sequra_address(billing if delivery is None else delivery),
        "invoice_address": sequra_address(billing),
        "customer": _customer(checkout, circumstances),
        "gui": {"layout": circumstances.layout},
        "platform": dict(circumstances.platform),
    }
    body: Order = cleaned({key: _without_nulls(value) for key, value in order.items()})
    return body


def _lines(checkout: Document, circumstances: Circumstances) -> list[Line]:
    try:
        lines = cart_lines(checkout, circumstances.credit, circumstances.certificates)
        return sold_as_services(lines, circumstances.services)
    except NotMoney as odd:
        raise NotOffered(Reason.UNREADABLE, str(odd)) from odd


def fingerprint(order: Order) -> str:
    """Return the SHA-256 of what the shopper agreed to and SeQura assessed.

    Two solicited orders with the same fingerprint are interchangeable; another one means that the
    cart changed while the form was open. Language, browser, our URLs and product links are left
    out: their changes mean nothing.
    """
    agreed = {
        "merchant": order["merchant"]["id"],
        "cart": order["cart"]
        | {"items": [_without(item, "url") for item in order["cart"]["items"]]},
        "delivery_address": order["delivery_address"],
        "invoice_address": order["invoice_address"],
        "customer": {key: order["customer"].get(key) for key in ("email", "ref")},
    }
    canonical = json.dumps(agreed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _without(item: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != key}


def _merchant(circumstances: Circumstances) -> dict[str, Any]:
    parameters = dict(circumstances.notification_parameters)
    charged_on = first_charge(circumstances.services.values())
    return {
        "id": circumstances.merchant,
        "notify_url": circumstances.notify_url,
        "notification_parameters": parameters,
        "return_url": circumstances.return_url,
        "abort_url": circumstances.abort_url or None,
        "events_webhook": {"url": circumstances.events_url, "parameters": parameters},
        "options": {"desired_first_charge_on": charged_on} if charged_on else None,
    }


def _delivery_method(checkout: Document) -> dict[str, Any]:
    """Return how the consignment for SeQura is shipped; nothing for digital carts and pickups."""
    chosen = consignment(checkout)
    if chosen is None:
        return {"name": "Digital delivery", "home_delivery": False}
    if is_pickup(chosen):
        return {"name": "Store pickup", "home_delivery": False}
    option = section(chosen.get("selected_shipping_option"))
    return {
        "name": text(option.get("description")) or "Shipping",
        "days": text(option.get("transit_time")) or None,
        "home_delivery": True,
    }


def _customer(checkout: Document, circumstances: Circumstances) -> dict[str, Any]:
    billing = section(checkout.get("billing_address"))
    known = section(circumstances.customer)
    customer_id = customer_number(checkout)
    names = {
        key: text(billing.get(key)) or text(known.get(key)) or None
        for key in ("first_name", "last_name", "company")
    }
    return {
        "given_names": names["first_name"],
        "surnames": names["last_name"],
        "company": names["company"],
        "email": email(checkout),
        "language_code": language_code(circumstances.locale, merchant_country(checkout)),
        "ip_number": circumstances.ip,
        "user_agent": circumstances.user_agent,
        "logged_in": customer_id is not None,
        "ref": str(customer_id) if customer_id else None,
        "created_at": known_moment(known.get("date_created")) if customer_id else None,
        "updated_at": known_moment(known.get("date_modified")) if customer_id else None,
        "previous_orders": previous_orders(circumstances.orders) if customer_id else None,
    }


def _without_nulls(value: Any) -> Any:
    """Remove unknown values at every depth, as SeQura requires."""
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value
