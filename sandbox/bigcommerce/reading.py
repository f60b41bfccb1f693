"""All documents of one order."""

from collections.abc import Callable, Iterable
from typing import Any

from sandbox.bigcommerce import orders, refunds
from sandbox.bigcommerce.models import (
    Document,
    Metafield,
    Order,
    OrderAddress,
    OrderCoupon,
    OrderFee,
    OrderPart,
    OrderTax,
    Refund,
    Shipment,
    Transaction,
)


def shipment_as_v2(shipment: Shipment, order: Order) -> Document:
    """A shipment with the addresses it went by."""
    address = OrderAddress.objects.filter(id=shipment.document["order_address_id"]).first()
    wanted = (
        "first_name", "last_name", "company", "street_1", "street_2", "city", "state", "zip",
        "country", "country_iso2", "phone", "email",
    )  # fmt: skip
    billing = order.document["billing_address"]
    return orders.part(shipment) | {
        "billing_address": {name: billing[name] for name in wanted},
        "shipping_address": {name: address.document[name] for name in wanted} if address else {},
    }


def shipments(order: Order) -> list[Document]:
    rows = Shipment.objects.filter(order=order)
    return [shipment_as_v2(shipment, order) for shipment in rows]


def parts(rows: Iterable[OrderPart]) -> list[Document]:
    return [orders.part(row) for row in rows]


def fees(order: Order) -> list[Document]:
    return [{"id": row.id, **row.document} for row in OrderFee.objects.filter(order=order)]


def transactions(order: Order) -> list[Document]:
    rows = Transaction.objects.filter(order=order)
    return [{"id": row.id, "order_id": str(order.id), **row.document} for row in rows]


# What each of the order's GETs answers, by the name of its path.
READERS: dict[str, Callable[[Order], Any]] = {
    "order": orders.as_v2,
    "products": orders.products,
    "shipping_addresses": orders.shipping_addresses,
    "shipments": shipments,
    "coupons": lambda order: parts(OrderCoupon.objects.filter(order=order)),
    "taxes": lambda order: parts(OrderTax.objects.filter(order=order)),
    "fees": fees,
    "refunds": lambda order: [refunds.as_v3(row) for row in Refund.objects.filter(order=order)],
    "transactions": transactions,
    "metafields": lambda order: [row.document for row in Metafield.objects.filter(order=order)],
}


def snapshot(order: Order) -> Document:
    """All of an order's documents."""
    return {name: read(order) for name, read in READERS.items()}
