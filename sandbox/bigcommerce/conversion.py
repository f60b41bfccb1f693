"""From a checkout to an Incomplete order, with everything the checkout says at that moment."""

from sandbox.bigcommerce import totals
from sandbox.bigcommerce.geography import CURRENCIES
from sandbox.bigcommerce.models import (
    Checkout,
    Document,
    Order,
    OrderAddress,
    OrderCoupon,
)
from sandbox.bigcommerce.orders import (
    add_fee,
    discount,
    money,
    new_product,
    pair,
    recompute,
    use_certificate,
    use_store_credit,
    v2_address,
)
from sandbox.bigcommerce.totals import Amount
from sandbox.bigcommerce.webhooks import emit_order


def from_checkout(checkout: Checkout, *, carried: bool) -> Order:
    """An Incomplete order with everything the checkout says now. `carried` debits store credit."""
    sums = totals.of(checkout)
    order = Order.objects.create(
        cart_id=checkout.id, customer_id=checkout.customer_id, channel_id=checkout.channel_id
    )
    order.document = new_document(checkout, sums)
    sent_to: dict[str, int] = {}  # line id to shipping address
    for consignment, cost in zip(checkout.consignments, sums.deliveries, strict=True):
        if not consignment.get("pickup"):
            address = new_address(order, consignment, cost)
            sent_to |= dict.fromkeys(consignment["line_item_ids"], address.id)
    picked_up = any(consignment.get("pickup") for consignment in checkout.consignments)
    for line in sums.lines:
        add_product(order, line, sums, sent_to.get(line.line["id"], 0), picked_up=picked_up)
    for coupon, saved in sums.coupons:
        OrderCoupon.objects.create(
            order=order,
            document={
                "coupon_id": coupon.id, "code": coupon.code, "type": coupon.type,
                "amount": int(coupon.amount), "discount": float(saved),
            },
        )  # fmt: skip
    for fee, cost in sums.fees:
        add_fee(order, fee["name"], fee.get("display_name") or fee["name"], cost)
    if carried:
        settle(order, sums)
    recompute(order)
    checkout.order_id = order.id
    checkout.save()
    emit_order(order.id, order.channel_id, "created")
    return order


def new_document(checkout: Checkout, sums: totals.Totals) -> Document:
    """The order's own fields, before it is added up."""
    currency_id = CURRENCIES.get(checkout.currency, CURRENCIES["EUR"])[0]
    return {
        **pair("shipping_cost", sums.shipping), "base_shipping_cost": money(sums.shipping.ex),
        "shipping_cost_tax_class_id": 2,
        **pair("handling_cost", Amount()), "base_handling_cost": money(0),
        "handling_cost_tax_class_id": 2,
        **pair("wrapping_cost", sums.wrapping), "base_wrapping_cost": money(sums.wrapping.ex),
        "wrapping_cost_tax_class_id": 3,
        "is_tax_inclusive_pricing": checkout.tax_included,
        "payment_method": "", "payment_provider_id": "", "payment_status": "",
        "refunded_amount": money(0),
        "store_credit_amount": money(0), "gift_certificate_amount": money(0),
        "ip_address": "203.0.113.50", "ip_address_v6": "",
        "geoip_country": "Spain", "geoip_country_iso2": "ES",
        "currency_id": currency_id, "currency_code": checkout.currency,
        "currency_exchange_rate": "1.0000000000",
        "default_currency_id": currency_id, "default_currency_code": checkout.currency,
        "store_default_currency_code": "EUR",
        "store_default_to_transactional_exchange_rate": "1.0000000000",
        "staff_notes": "", "customer_message": checkout.customer_message,
        "ebay_order_id": "0", "billing_address": v2_address(checkout.billing),
        "is_email_opt_in": False, "credit_card_type": None, "order_source": "checkout_api",
        "external_source": None, "external_id": None, "external_merchant_id": None,
        "external_order_id": "", "tax_provider_id": "BasicTaxProvider",
        "customer_locale": checkout.locale, "_shipping_discount": money(sums.shipping_discount),
    }  # fmt: skip


def new_address(order: Order, consignment: Document, cost: Amount) -> OrderAddress:
    """The shipping address of a consignment, with its shipping method."""
    return OrderAddress.objects.create(
        order=order,
        document={
            **v2_address(consignment["address"]), "items_total": 0, "items_shipped": 0,
            "shipping_method": consignment["option"]["description"],
            "base_cost": money(cost.ex), **pair("cost", cost), "cost_tax_class_id": 2,
            "base_handling_cost": money(0), **pair("handling_cost", Amount()),
            "handling_cost_tax_class_id": 2, "shipping_zone_id": 1, "shipping_zone_name": "Europe",
        },
    )  # fmt: skip


def add_product(
    order: Order, line: totals.Line, sums: totals.Totals, address_id: int, *, picked_up: bool
) -> None:
    """A line of the checkout as an order product."""
    source = line.line
    if source["type"] == "custom":
        source = {**source, "type": "physical"}
    discounts: list[Document] = []
    if line.coupon:
        coupon = sums.coupons[0][0]
        discounts.append(discount("coupon", line.coupon, coupon.name, coupon.code))
    if line.discount:
        discounts.append(discount("manual-discount", line.discount, "Manual Discount", None))
    if line.extended != line.promoted:
        name = "Promotion"
        discounts.append(discount("promotion", line.extended - line.promoted, name, None))
    product = new_product(
        order, source, quantity=line.quantity, included=line.included, address_id=address_id,
        discounts=discounts,
    )  # fmt: skip
    if picked_up and source["type"] == "physical":
        product.document["order_pickup_method_id"] = 1
        product.save()


def settle(order: Order, sums: totals.Totals) -> None:
    """Debit the store credit and the gift certificates the checkout applied."""
    if sums.store_credit:
        use_store_credit(order, sums.store_credit)
    for certificate, used in sums.gift_certificates:
        use_certificate(order, certificate.code, used)
