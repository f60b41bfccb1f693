"""All documents of one order."""

from sandbox.bigcommerce import merchant, orders, refunds
from sandbox.bigcommerce.models import (
    Document,
    Metafield,
    Order,
    OrderCoupon,
    OrderFee,
    OrderTax,
    Refund,
    Shipment,
    Transaction,
)


def snapshot(order: Order) -> Document:
    """What each of the order's GETs answers, by the name of its path."""
    return {
        "order": orders.as_v2(order),
        "products": orders.products(order),
        "shipping_addresses": orders.shipping_addresses(order),
        "shipments": [
            merchant.shipment_as_v2(shipment, order)
            for shipment in Shipment.objects.filter(order=order)
        ],
        "coupons": [orders.part(row) for row in OrderCoupon.objects.filter(order=order)],
        "taxes": [orders.part(row) for row in OrderTax.objects.filter(order=order)],
        "fees": [{"id": row.id, **row.document} for row in OrderFee.objects.filter(order=order)],
        "refunds": [refunds.as_v3(row) for row in Refund.objects.filter(order=order)],
        "transactions": [
            {"id": row.id, "order_id": str(order.id), **row.document}
            for row in Transaction.objects.filter(order=order)
        ],
        "metafields": [row.document for row in Metafield.objects.filter(order=order)],
    }
