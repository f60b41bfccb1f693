"""Refunds: quoted, then made; the order's totals stay, its status follows by itself.

https://developer.bigcommerce.com/docs/store-operations/orders/refunds
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.bigcommerce import orders, statuses, totals
from sandbox.bigcommerce.models import Customer, Document, Order, OrderFee, OrderProduct, Refund
from sandbox.bigcommerce.orders import ZERO
from sandbox.bigcommerce.totals import Amount, number
from sandbox.bigcommerce.webhooks import emit_order

CLOSED = (statuses.INCOMPLETE, statuses.CANCELLED, statuses.REFUNDED)
TO_THE_SHOPPER = ("storecredit", "giftcertificate")


@dataclass
class Quote:
    """What a refund of `items` comes to."""

    items: list[Document]
    total: Amount
    tax_adjusted: bool = False


def paid_back(refund: Document) -> list[Document]:
    """The payments of a refund that were not declined."""
    return [payment for payment in refund["payments"] if not payment["is_declined"]]


def accepted(order: Order) -> list[Refund]:
    """The order's refunds of which something was paid back."""
    return [r for r in Refund.objects.filter(order=order) if paid_back(r.document)]


def refunded(order: Order) -> Decimal:
    amounts = [p["amount"] for refund in accepted(order) for p in paid_back(refund.document)]
    return sum((Decimal(str(amount)) for amount in amounts), ZERO)


def refunded_by(order: Order, item_type: str) -> Decimal:
    """What was refunded under one type of item."""
    return sum(
        (
            Decimal(str(item.get("requested_amount", 0)))
            for refund in accepted(order)
            for item in refund.document["items"]
            if item["item_type"] == item_type
        ),
        ZERO,
    )


def shipping_left(order: Order) -> Decimal:
    """Shipping cost (tax included) that was not refunded yet."""
    return orders.amount(order.document, "shipping_cost").inc - refunded_by(order, "SHIPPING")


def everything(order: Order) -> list[Document]:
    """Items for all that is left: lines, shipping, and what remains as an amount of the order."""
    wishes: list[Document] = []
    for product in OrderProduct.objects.filter(order=order):
        left = product.document["quantity"] - product.document["quantity_refunded"]
        if left:
            wishes.append({"item_type": "PRODUCT", "item_id": product.id, "quantity": left})
    if shipping_left(order) > 0:
        cost = shipping_left(order)
        wishes.append({"item_type": "SHIPPING", "item_id": order.id, "amount": cost})
    planned = sum((value(order, wish).inc for wish in wishes), ZERO)
    left = Decimal(order.document["total_inc_tax"]) - refunded(order)
    if planned > left:  # amounts of the order were refunded before
        return [{"item_type": "ORDER", "item_id": order.id, "amount": left}]
    if planned < left:
        wishes.append({"item_type": "ORDER", "item_id": order.id, "amount": left - planned})
    return wishes


def value(order: Order, wish: Document) -> Amount:
    """What one item is worth. ValueError when there is not that much left of it."""
    kind = wish["item_type"]
    if kind in ("PRODUCT", "GIFT_WRAPPING"):
        return product_value(order, wish)
    amount = Decimal(str(wish["amount"]))
    if amount <= 0:
        raise ValueError("amount must be positive")
    if kind == "SHIPPING":
        if amount > shipping_left(order):
            raise ValueError("Refund amount exceeds the shipping cost")
        return totals.taxed(amount, totals.SHIPPING_TAX, included=True)
    if kind == "FEE":
        fee = OrderFee.objects.get(order=order, id=wish["item_id"])
        if amount > Decimal(fee.document["cost_inc_tax"]):
            raise ValueError("Refund amount exceeds the fee")
    return Amount(amount, amount)


def product_value(order: Order, wish: Document) -> Amount:
    """The share of a line; the last piece takes what rounding left."""
    product = OrderProduct.objects.filter(order=order, id=wish["item_id"]).first()
    if product is None:
        raise ValueError(f"order {order.id} has no product {wish['item_id']}")
    document, quantity = product.document, int(wish["quantity"])
    before = document["quantity_refunded"]
    if not 0 < quantity <= document["quantity"] - before:
        raise ValueError("Refund quantity exceeds what is left of the product")
    final = orders.discounted(document)
    if wish["item_type"] == "GIFT_WRAPPING":
        final, before = orders.amount(document, "wrapping_cost"), 0

    def share(pieces: int) -> Amount:
        part = totals.cents(final.inc * pieces / document["quantity"])
        return Amount(part, totals.cents(final.ex * pieces / document["quantity"]))

    return share(before + quantity) - share(before)


def quote(order: Order, wishes: list[Document], tax_adjustment: Any = None) -> Quote:
    """What the wished items come to; ValueError when the order does not allow it."""
    if order.status_id in CLOSED:
        raise ValueError(f"an order that is {statuses.NAMES[order.status_id]} cannot be refunded")
    if tax_adjustment is not None:
        tax = Decimal(str(tax_adjustment))
        result = Quote([], Amount(tax, ZERO), tax_adjusted=True)
    else:
        values = [value(order, wish) for wish in wishes]
        items = [item(wish, worth) for wish, worth in zip(wishes, values, strict=True)]
        result = Quote(items, totals.total(values))
    if result.total.inc > Decimal(order.document["total_inc_tax"]) - refunded(order):
        raise ValueError("Refund amount exceeds the order's refundable amount")
    return result


def item(wish: Document, worth: Amount) -> Document:
    """An item as the refund shows it."""
    shown: Document = {
        "item_type": wish["item_type"], "item_id": wish["item_id"],
        "reason": wish.get("reason", ""),
    }  # fmt: skip
    if wish["item_type"] in ("PRODUCT", "GIFT_WRAPPING"):
        return shown | {
            "quantity": wish["quantity"], "adjustments": [],
        }  # fmt: skip
    return shown | {"requested_amount": number(worth.inc)}


def make(order: Order, quoted: Quote, payments: list[Document], reason: str = "") -> Document:
    """Make a quoted refund; one that was declined is recorded and changes nothing else.

    `payments`: [{"provider_id": "custom" | "storecredit" | …, "amount", "is_declined": False}],
    together the quoted amount.
    """
    shown = [payment(number_, given) for number_, given in enumerate(payments, start=1)]
    if sum((Decimal(str(p["amount"])) for p in shown), ZERO) != quoted.total.inc:
        raise ValueError("The payments do not match the refund amount")
    if any(p["provider_id"] == "storecredit" for p in shown) and not order.customer_id:
        raise ValueError("Unable to provide store credit for a guest customer.")
    refund = Refund.objects.create(
        order=order,
        document={
            "user_id": 1, "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "reason": reason, "total_amount": number(quoted.total.inc),
            "total_tax": number(quoted.total.tax), "uses_merchant_override_values": False,
            "items": quoted.items, "payments": shown,
        },
    )  # fmt: skip
    emit_order(order.id, order.channel_id, "refund/created", refund={"refund_id": refund.id})
    if paid_back(refund.document):
        follow(order, quoted, paid_back(refund.document))
    else:
        orders.changed(order)
    return as_v3(refund)


def payment(key: int, given: Document) -> Document:
    declined = bool(given.get("is_declined"))
    return {
        "id": key, "provider_id": given["provider_id"],
        "amount": number(Decimal(str(given["amount"]))),
        "offline": given["provider_id"] not in TO_THE_SHOPPER, "is_declined": declined,
        "declined_message": "The payment provider declined" if declined else "",
        "transaction_id": "",
    }  # fmt: skip


def follow(order: Order, quoted: Quote, payments: list[Document]) -> None:
    """What a refund changes: the lines' counts, the balance of the shopper, the status."""
    for wish in quoted.items:
        if wish["item_type"] == "PRODUCT":
            product = OrderProduct.objects.get(id=wish["item_id"])
            product.document["quantity_refunded"] += wish["quantity"]
            document = product.document
            document["is_refunded"] = document["quantity_refunded"] == document["quantity"]
            product.save()
    credit = [Decimal(str(p["amount"])) for p in payments if p["provider_id"] == "storecredit"]
    if credit:
        customer = Customer.objects.select_for_update().get(id=order.customer_id)
        customer.store_credit += sum(credit, ZERO)
        customer.save()
    full = refunded(order) >= Decimal(order.document["total_inc_tax"])
    orders.set_status(order, statuses.REFUNDED if full else statuses.PARTIALLY_REFUNDED)


def as_v3(refund: Refund) -> Document:
    return {"id": refund.id, "order_id": refund.order_id, **refund.document}


def quote_as_v3(order: Order, quoted: Quote) -> Document:
    """The answer to a quote: each inner list of refund_methods is one way to do it."""
    total = number(quoted.total.inc)
    methods = [[{
        "provider_id": "custom", "provider_description": "Offline", "amount": total,
        "offline": True, "offline_provider": True,
        "offline_reason": "Refund customer through third party provider",
    }]]  # fmt: skip
    if order.customer_id:
        methods.append([{
            "provider_id": "storecredit", "provider_description": "Store Credit", "amount": total,
            "offline": False, "offline_provider": False, "offline_reason": "",
        }])  # fmt: skip
    by_order = [i for i in quoted.items if i["item_type"] == "ORDER"]
    return {
        "order_id": order.id, "total_refund_amount": total,
        "total_refund_tax_amount": number(quoted.total.tax),
        "order_level_refund_amount": sum(i["requested_amount"] for i in by_order),
        "rounding": 0, "adjustment": 0,
        "tax_inclusive": order.document["is_tax_inclusive_pricing"], "refund_methods": methods,
    }  # fmt: skip
