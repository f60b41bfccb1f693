"""What SeQura accepts: orders, order updates and delivery reports.

https://docs.sequra.com/docs/start-solicitation
https://docs.sequra.com/docs/order-update-api
"""

from collections.abc import Iterator
from typing import Any

from sandbox.sequra.shapes import (
    Shape,
    anything,
    boolean,
    both,
    by_type,
    day,
    email,
    filled,
    integer,
    ip_address,
    list_of,
    map_of,
    matching,
    moment,
    one_of,
    record,
    reference,
    text,
    url,
)

DURATION = (
    r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?"  # ISO 8601, as P1Y or PT8H
)
COUNTRY = matching(r"[A-Z]{2}", "an ISO 3166-1 alpha-2 code in upper case")
CENTS = integer()
POSITIVE = integer(least=1)
NOT_NEGATIVE = integer(least=0)
NEGATIVE = integer(most=-1)


def exactly_one_end(value: Any, where: str) -> Iterator[str]:
    if ("ends_on" in value) == ("ends_in" in value):
        yield f"{where}: Exactly one of ends_on or ends_in should be set"


def amount_line(amount: Shape) -> Shape:
    return record(
        {"type": text, "reference": reference, "name": filled, "total_with_tax": amount},
        {"tax_rate": CENTS, "total_without_tax": CENTS},
    )


OBSOLETE = {"tax_rate": CENTS, "price_without_tax": CENTS, "total_without_tax": CENTS}
PRODUCT = record(
    {
        "reference": reference,
        "name": filled,
        "price_with_tax": CENTS,
        "quantity": POSITIVE,
        "total_with_tax": CENTS,
        "downloadable": boolean,
    },
    {
        "type": text,
        "perishable": boolean,
        "personalized": boolean,
        "restockable": boolean,
        "category": text,
        "description": text,
        "manufacturer": text,
        "supplier": text,
        "product_id": reference,
        "url": url,
        "tracking_reference": reference,
        "subscription_period": text,
        "subscription_price_per_item": CENTS,
        "subscription_price": CENTS,
        **OBSOLETE,
    },
)
SERVICE = both(
    record(
        {
            "type": text,
            "reference": reference,
            "name": filled,
            "price_with_tax": CENTS,
            "quantity": NOT_NEGATIVE,
            "total_with_tax": CENTS,
            "downloadable": boolean,
        },
        {
            "ends_on": day,
            "ends_in": matching(DURATION, "an ISO 8601 duration"),
            "supplier": text,
            "rendered": boolean,
            **OBSOLETE,
        },
    ),
    exactly_one_end,
)
ITEM = by_type(
    {
        "product": PRODUCT,
        "service": SERVICE,
        "handling": amount_line(POSITIVE),
        "discount": amount_line(NEGATIVE),
        "other_payment": amount_line(NEGATIVE),
        "registration": amount_line(POSITIVE),
        "invoice_fee": record({"type": text, "total_with_tax": CENTS}),
    },
    default="product",
)
CART = record(
    {
        "currency": one_of("EUR"),
        "order_total_with_tax": NOT_NEGATIVE,
        "items": list_of(ITEM),
    },
    {"gift": boolean, "cart_ref": reference, "created_at": moment, "updated_at": moment},
)

ADDRESS = record(
    {
        "company": text,
        "address_line_1": text,
        "address_line_2": text,
        "postal_code": text,
        "city": text,
        "country_code": COUNTRY,
    },
    {
        "given_names": text,
        "surnames": text,
        "phone": text,
        "mobile_phone": text,
        "state": text,
        "extra": text,
        "vat_number": text,
        "nin": text,
    },
)
PREVIOUS_ORDER = record(
    {"created_at": moment, "amount": CENTS, "currency": matching("[A-Z]{3}", "a currency")},
    {
        "raw_status": text,
        "status": one_of("processing", "shipped", "cancelled"),
        "payment_method_raw": text,
        "payment_method": matching("CC|PP|TR|COD|SQ|O/.+", "CC, PP, TR, COD, SQ or O/name"),
        "postal_code": text,
        "country_code": COUNTRY,
    },
)
KNOWN_OR_NOT = (True, False, "unknown")
CUSTOMER = record(
    {
        "email": email,
        "language_code": matching("[a-z]{2}(-[A-Z]{2})?", "a language such as es-ES"),
        "ip_number": ip_address,
        "user_agent": filled,
        "logged_in": one_of(*KNOWN_OR_NOT),
    },
    {
        "given_names": text,
        "surnames": text,
        "title": text,
        "ref": reference,
        "date_of_birth": day,
        "nin": text,
        "nin_control": text,
        "company": text,
        "vat_number": text,
        "created_at": moment,
        "updated_at": moment,
        "rating": integer(0, 100),
        "previous_orders": list_of(PREVIOUS_ORDER),
        "vehicle": record(
            {"plaque": filled},
            {"brand": text, "model": text, "frame": text, "first_registration_date": day},
        ),
    },
)

MERCHANT = record(
    {"id": filled, "notify_url": url, "return_url": url},
    {
        "notification_parameters": map_of(text),
        "approved_callback": filled,
        "rejected_callback": filled,
        "partpayment_details_getter": filled,
        "edit_url": url,
        "abort_url": url,
        "approved_url": url,
        "store_ref": reference,
        "options": record(
            {},
            {
                "has_jquery": boolean,
                "uses_shipped_cart": boolean,
                "addresses_may_be_missing": boolean,
                "immutable_customer_data": boolean,
                "desired_first_charge_on": day,
            },
        ),
        "events_webhook": record({"url": url}, {"parameters": map_of(text)}),
        "timeout": record({}, {"timeout_at": moment, "timeout_url": url}),
    },
)
MERCHANT_REFERENCE = record(
    {"order_ref_1": reference}, {"order_ref_2": reference, "subscription_ref_1": reference}
)
DELIVERY_METHOD = record(
    {"name": filled}, {"days": text, "provider": text, "home_delivery": boolean}
)
PLATFORM = record(
    {"name": filled, "version": text, "uname": text, "db_name": text, "db_version": text},
    {"plugin_version": text, "php_version": text},
)
PICKUP = record(
    {"type": text, "reference": reference},
    {
        "operator_ref": reference,
        "store_ref": reference,
        "tracking_number": text,
        "available_at": moment,
        "delivered_at": moment,
        "address_line_1": text,
        "address_line_2": text,
        "postal_code": text,
        "city": text,
        "state": text,
        "country_code": matching("[A-Z]{2,3}", "a country code"),
    },
)
POSTAL = record(
    {"type": text, "reference": reference, "carrier": filled},
    {"tracking_number": text, "delivered_at": moment, "tracking_url": url},
)
TRACKINGS = list_of(by_type({"postal": POSTAL, "pickup_store": PICKUP, "pickup_point": PICKUP}))

ADDRESSES = {"delivery_address": ADDRESS, "invoice_address": ADDRESS}
SOLICITED = {
    "merchant": MERCHANT,
    "cart": CART,
    "delivery_method": DELIVERY_METHOD,
    "customer": CUSTOMER,
    "gui": record({"layout": one_of("desktop", "smartphone")}),
    "platform": PLATFORM,
}
SOLICITED_OPTIONAL = {"merchant_reference": MERCHANT_REFERENCE, "trackings": TRACKINGS}
BEFORE_SALE = {"state": one_of("", None)}
CONFIRMING = {"state": one_of("confirmed", "on_hold")}


def order_shape(state: dict[str, Shape], state_required: bool, addresses_required: bool) -> Shape:
    """The whole order, as solicited or as confirmed."""
    required, optional = dict(SOLICITED), dict(SOLICITED_OPTIONAL)
    (required if addresses_required else optional).update(ADDRESSES)
    (required if state_required else optional).update(state)
    return record(required, optional)


ORDER_UPDATE = record(
    {
        "merchant": record({"id": filled}, {"store_ref": reference}),
        "merchant_reference": MERCHANT_REFERENCE,
        "unshipped_cart": CART,
        "shipped_cart": CART,
    },
    {
        **ADDRESSES,
        "state": one_of("cancelled"),
        "cancellation_reason": filled,
        "trackings": TRACKINGS,
        "delivery_method": DELIVERY_METHOD,
        "customer": CUSTOMER,
        "platform": PLATFORM,
    },
)
PATCH = record({"merchant_reference": MERCHANT_REFERENCE}, {"merchant": record({"id": filled})})

REPORTED_ORDER = record(
    {
        "state": one_of("shipped", "delivered"),
        "merchant_reference": MERCHANT_REFERENCE,
        "cart": CART,
        "remaining_cart": CART,
        "delivery_method": DELIVERY_METHOD,
        "customer": CUSTOMER,
        **ADDRESSES,
    },
    {"sent_at": moment, "trackings": TRACKINGS},
)
STATISTICS_ORDER = record(
    {"completed_at": moment, "currency": matching("[A-Z]{3}", "a currency")},
    {
        "amount": CENTS,
        "merchant_reference": MERCHANT_REFERENCE,
        "payment_method": matching("CC|PP|TR|COD|SQ|O/.+", "CC, PP, TR, COD, SQ or O/name"),
        "country": COUNTRY,
        "device": matching("(computer|tablet|phone|other)(/.*)?", "a kind of device"),
        "status": one_of("processing", "shipped", "cancelled"),
        "raw_status": text,
        "sequra_offered": boolean,
    },
)
# Broken orders are there because they cannot be right: nothing is asked of them.
BROKEN_ORDER = map_of(anything)
DELIVERY_REPORT = record(
    {
        "merchant": record({"id": filled}),
        "orders": list_of(REPORTED_ORDER),
        "platform": PLATFORM,
    },
    {
        "broken_orders": list_of(BROKEN_ORDER),
        "statistics": record({"orders": list_of(STATISTICS_ORDER)}),
    },
)
CAPABILITIES = (
    "general",
    "widget",
    "banner",
    "order-status",
    "store-info",
    "advanced",
    "hosted-checkout",
    "listing-selectors",
    "alt-product-price",
    "express-checkout",
)
STORE_INTEGRATION = record({"webhook_url": url, "capabilities": list_of(one_of(*CAPABILITIES))})
