"""What the merchant does in the control panel. Used by its pages and `POST /_control/merchant/…`.

Every function takes the order's id and keyword arguments that JSON can say, does the whole thing as
BigCommerce does it (totals, status, webhooks), and returns the document that changed:

    edit_order(order_id, lines=None, shipping_cost=None, discount=None)        -> order
        lines: [{"id": 8, "quantity": 2, "price": "19.90"},    change a line (quantity 0 removes it)
                {"product_id": 101, "quantity": 1},            add one from the catalogue
                {"name": "Engraving", "price": "5.00", "quantity": 1}]         add one by hand
        price is what the shopper pays for one, tax included
    edit_billing_address(order_id, **fields)                                   -> order
    edit_shipping_address(order_id, address_id=None, **fields)                 -> shipping address
    set_status(order_id, status_id)                                            -> order
    cancel(order_id)                                                           -> order
    ship(order_id, items=None, tracking_number="", carrier="", link="", comments="",
         address_id=None)                                                      -> shipment
        items: [{"order_product_id": 8, "quantity": 1}]; None is all that is left
    edit_shipment(order_id, shipment_id, **fields)                             -> shipment
    unship(order_id, shipment_id)                                              -> {}
    refund(order_id, items=None, shipping=None, amount=None, fees=None, tax_adjustment=None,
           provider="custom", declined=False, payments=None, reason="")        -> refund
        items: [{"order_product_id": 8, "quantity": 1}]; shipping: True (all of it) or an amount;
        amount: an arbitrary amount of the order; nothing of these given: all that is left;
        payments: [{"provider_id", "amount", "is_declined"}] in place of provider and declined
    add_note(order_id, text)                                                   -> order
    message(order_id, text)                                                    -> {}
    archive(order_id)                                                          -> {}

ValueError says why the control panel would not do it.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.bigcommerce import orders, refunds, statuses, totals
from sandbox.bigcommerce.models import (
    Document,
    Order,
    OrderAddress,
    OrderProduct,
    Product,
    Shipment,
)
from sandbox.bigcommerce.orders import money, pair
from sandbox.bigcommerce.reading import shipment_as_v2
from sandbox.bigcommerce.stale import remember
from sandbox.bigcommerce.webhooks import emit, emit_order
from sandbox.knobs import knobs

CARRIERS = {"correos": "Correos", "seur": "SEUR", "ups": "UPS", "fedex": "FedEx", "dhl": "DHL"}


def opened(order_id: int) -> Order:
    """The order for changing; what it was is kept for late readers."""
    order = orders.locked(order_id)
    if order is None:
        raise ValueError(f"there is no order {order_id}")
    remember(order)
    return order


# --- Editing -------------------------------------------------------------------------------------


def edit_order(
    order_id: int,
    lines: list[Document] | None = None,
    shipping_cost: str | float | None = None,
    discount: str | float | None = None,
) -> Document:
    """Edit lines, shipping cost or the manual discount of an order. Amounts include tax."""
    order = opened(order_id)
    order.document.pop("_total", None)
    for line in lines or []:
        edit_line(order, line)
    if shipping_cost is not None:
        change_shipping_cost(order, Decimal(str(shipping_cost)))
    if discount is not None:
        spread_discount(order, Decimal(str(discount)))
    if lines and knobs.edit_renumbers_lines:
        renumber(order)
    orders.recompute(order)
    orders.changed(order)
    if lines:  # the control panel saves the lines and then the totals
        orders.changed(order)
    return orders.as_v2(order)


def edit_line(order: Order, wish: Document) -> None:
    """Change, remove or add one line."""
    if "id" not in wish:
        add_line(order, wish)
        return
    product = OrderProduct.objects.filter(order=order, id=wish["id"]).first()
    if product is None:
        raise ValueError(f"order {order.id} has no line {wish['id']}")
    document = product.document
    quantity = int(wish["quantity"]) if "quantity" in wish else document["quantity"]
    if quantity < max(document["quantity_shipped"], document["quantity_refunded"]):
        raise ValueError("what is shipped or refunded cannot be removed")
    if quantity == 0:
        product.delete()
        return
    keep_discounts(document, quantity)
    document["quantity"] = quantity
    if "price" in wish:
        document["_price"] = str(entered(document, Decimal(str(wish["price"]))))
    orders.add_up_product(document)
    product.save()


def keep_discounts(document: Document, quantity: int) -> None:
    """The line's discounts for another quantity, in proportion."""
    for discount in document["applied_discounts"]:
        each = Decimal(discount["amount"]) / document["quantity"]
        discount["amount"] = money(totals.cents(each * quantity))


def entered(document: Document, price: Decimal) -> Decimal:
    """A price with tax as this order's prices are entered."""
    if document["_included"]:
        return price
    return totals.fine(price / (1 + Decimal(document["_tax_rate"]) / 100))


def add_line(order: Order, wish: Document) -> None:
    """A product of the catalogue, or one described by name and price."""
    source: Document = {"product_id": 0, "sku": "", "type": "physical", "tax_rate": 21, **wish}
    if wish.get("product_id"):
        product = Product.objects.get(id=wish["product_id"])
        source = {
            "product_id": product.id, "sku": product.sku, "name": product.name,
            "type": product.type, "price": product.price, "tax_rate": product.tax_rate,
            "brand": product.brand, "image": product.image, **wish,
        }  # fmt: skip
    included = order.document["is_tax_inclusive_pricing"]
    rate = {"_included": included, "_tax_rate": str(source["tax_rate"])}
    source["price"] = entered(rate, Decimal(str(source["price"])))
    address = OrderAddress.objects.filter(order=order).first()
    orders.new_product(
        order, source, quantity=int(wish.get("quantity", 1)), included=included,
        address_id=address.id if address else 0, discounts=[],
    )  # fmt: skip


def change_shipping_cost(order: Order, cost: Decimal) -> None:
    amount = totals.taxed(cost, totals.SHIPPING_TAX, included=True)
    order.document |= pair("shipping_cost", amount) | {"base_shipping_cost": money(amount.ex)}
    address = OrderAddress.objects.filter(order=order).first()
    if address:
        address.document |= pair("cost", amount) | {"base_cost": money(amount.ex)}
        address.save()


def spread_discount(order: Order, discount: Decimal) -> None:
    """One manual discount for the order, spread over its lines; it replaces an earlier one."""
    products = list(OrderProduct.objects.filter(order=order))
    for product in products:
        product.document["applied_discounts"] = [
            d for d in product.document["applied_discounts"] if d["id"] != "manual-discount"
        ]
    weights = [Decimal(p.document["total_inc_tax"]) for p in products]
    for product, share in zip(products, totals.spread(discount, weights), strict=True):
        own = entered(product.document, share)
        if own:
            product.document["applied_discounts"].append(
                orders.discount("manual-discount", own, "Manual Discount", None)
            )
        orders.add_up_product(product.document)
        product.save()


def renumber(order: Order) -> None:
    """Give unshipped lines new ids, as an editor does that deletes and adds again."""
    for product in list(OrderProduct.objects.filter(order=order)):
        if not product.document["quantity_shipped"] and not product.document["quantity_refunded"]:
            product.delete()
            OrderProduct.objects.create(order=order, document=product.document)


def edit_billing_address(order_id: int, **fields: Any) -> Document:
    order = opened(order_id)
    order.document["billing_address"] |= fields
    orders.changed(order)
    return orders.as_v2(order)


def edit_shipping_address(order_id: int, address_id: int | None = None, **fields: Any) -> Document:
    """Change one shipping address (the first, unless named); nothing is recalculated."""
    order = opened(order_id)
    addresses = OrderAddress.objects.filter(order=order)
    address = addresses.filter(id=address_id).first() if address_id else addresses.first()
    if address is None:
        raise ValueError(f"order {order_id} has no such shipping address")
    address.document |= fields
    address.save()
    orders.changed(order)
    return orders.part(address)


def add_note(order_id: int, text: str) -> Document:
    """A staff note below what is there."""
    order = opened(order_id)
    notes = order.document["staff_notes"]
    order.document["staff_notes"] = f"{notes}\n{text}" if notes else text
    orders.changed(order)
    return orders.as_v2(order)


def message(order_id: int, text: str) -> Document:
    """A message to the shopper."""
    order = opened(order_id)
    emit_order(
        order.id, order.channel_id, "message/created", message={"order_message_id": len(text)}
    )
    orders.changed(order)
    return {}


def archive(order_id: int) -> Document:
    order = opened(order_id)
    order.is_deleted = True
    emit_order(order.id, order.channel_id, "archived")
    orders.changed(order)
    return {}


# --- Status --------------------------------------------------------------------------------------


def set_status(order_id: int, status_id: int) -> Document:
    """Choose another status by hand; whatever it promises (shipping, refund) is not done by it."""
    order = opened(order_id)
    if not 0 <= status_id < len(statuses.NAMES):
        raise ValueError(f"there is no status {status_id}")
    orders.set_status(order, status_id)
    return orders.as_v2(order)


def cancel(order_id: int) -> Document:
    return set_status(order_id, statuses.CANCELLED)


# --- Shipping ------------------------------------------------------------------------------------


def left_to_ship(order: Order) -> dict[int, int]:
    """Quantities not shipped yet, by order product id; digital goods never ship."""
    found = {}
    for product in OrderProduct.objects.filter(order=order):
        document = product.document
        gone = max(document["quantity_shipped"], 0) + document["quantity_refunded"]
        if document["type"] == "physical" and document["quantity"] > gone:
            found[product.id] = document["quantity"] - gone
    return found


# One parameter for each field of the control panel's form.
def ship(  # noqa: PLR0917
    order_id: int,
    items: list[Document] | None = None,
    tracking_number: str = "",
    carrier: str = "",
    link: str = "",
    comments: str = "",
    address_id: int | None = None,
) -> Document:
    """A parcel leaves: all that is left, or `items`. The status follows by itself."""
    order = opened(order_id)
    left = left_to_ship(order)
    if items is None:
        items = [{"order_product_id": key, "quantity": number} for key, number in left.items()]
    if not items:
        raise ValueError(f"order {order_id} has nothing left to ship")
    for item in items:
        if not 0 < int(item["quantity"]) <= left.get(item["order_product_id"], 0):
            raise ValueError(f"line {item['order_product_id']} has not that much left to ship")
        add_shipped(order, item["order_product_id"], int(item["quantity"]))
    shipment = new_shipment(order, items, address_id)
    shipment.document |= {
        "tracking_number": tracking_number, "tracking_carrier": carrier, "tracking_link": link,
        "shipping_provider": carrier, "comments": comments,
        "shipping_provider_display_name": CARRIERS.get(carrier, carrier),
    }  # fmt: skip
    shipment.save()
    emit("store/shipment/created", {"type": "shipment", "id": shipment.id, "orderId": order.id})
    orders.recompute(order)
    done = not left_to_ship(order)
    orders.set_status(order, statuses.SHIPPED if done else statuses.PARTIALLY_SHIPPED)
    return shipment_as_v2(shipment, order)


def add_shipped(order: Order, order_product_id: int, quantity: int) -> None:
    product = OrderProduct.objects.get(order=order, id=order_product_id)
    product.document["quantity_shipped"] += quantity
    product.save()


def new_shipment(order: Order, items: list[Document], address_id: int | None) -> Shipment:
    addresses = OrderAddress.objects.filter(order=order)
    address = addresses.filter(id=address_id).first() if address_id else addresses.first()
    names = dict(OrderProduct.objects.filter(order=order).values_list("id", "document__product_id"))
    return Shipment.objects.create(
        order=order,
        document={
            "customer_id": order.customer_id, "order_address_id": address.id if address else 0,
            "date_created": orders.rfc_2822(datetime.now(UTC)), "merchant_shipping_cost": "0.0000",
            "shipping_method": address.document["shipping_method"] if address else "",
            "generated_tracking_link": "",
            "items": [
                {
                    "order_product_id": item["order_product_id"],
                    "product_id": names[item["order_product_id"]],
                    "quantity": int(item["quantity"]),
                }
                for item in items
            ],
        },
    )  # fmt: skip


def edit_shipment(order_id: int, shipment_id: int, **fields: Any) -> Document:
    """Another tracking number, carrier, link or comment; a shipment's items cannot be changed."""
    order = opened(order_id)
    shipment = Shipment.objects.filter(order=order, id=shipment_id).first()
    if shipment is None or "items" in fields:
        raise ValueError("there is no such shipment, or its items were to change")
    shipment.document |= fields
    shipment.save()
    emit("store/shipment/updated", {"type": "shipment", "id": shipment.id, "orderId": order.id})
    orders.changed(order)
    return shipment_as_v2(shipment, order)


def unship(order_id: int, shipment_id: int) -> Document:
    """Delete a shipment; the order's status stays what it was."""
    order = opened(order_id)
    shipment = Shipment.objects.filter(order=order, id=shipment_id).first()
    if shipment is None:
        raise ValueError(f"order {order_id} has no shipment {shipment_id}")
    for item in shipment.document["items"]:
        add_shipped(order, item["order_product_id"], -item["quantity"])
    shipment.delete()
    emit("store/shipment/deleted", {"type": "shipment", "id": shipment_id, "orderId": order.id})
    orders.recompute(order)
    orders.changed(order)
    return {}


# --- Refunds -------------------------------------------------------------------------------------


# One parameter for each field of the control panel's form.
def refund(  # noqa: PLR0917
    order_id: int,
    items: list[Document] | None = None,
    shipping: bool | str | float | None = None,
    amount: str | float | None = None,
    fees: list[Document] | None = None,
    tax_adjustment: str | float | None = None,
    provider: str = "custom",
    declined: bool = False,
    payments: list[Document] | None = None,
    reason: str = "",
) -> Document:
    """Give money back through the order's Refund action."""
    order = opened(order_id)
    wishes = [
        {"item_type": "PRODUCT", "item_id": i["order_product_id"], "quantity": int(i["quantity"])}
        for i in items or []
    ]
    if shipping:
        cost = refunds.shipping_left(order) if shipping is True else Decimal(str(shipping))
        address = OrderAddress.objects.filter(order=order).first()
        key = address.id if address else order.id
        wishes.append({"item_type": "SHIPPING", "item_id": key, "amount": cost})
    if amount is not None:
        wishes.append({"item_type": "ORDER", "item_id": order.id, "amount": Decimal(str(amount))})
    wishes += [{"item_type": "FEE", "item_id": f["id"], "amount": f["amount"]} for f in fees or []]
    if not wishes and tax_adjustment is None:
        wishes = refunds.everything(order)
    quote = refunds.quote(order, wishes, tax_adjustment)
    single = {"provider_id": provider, "amount": quote.total.inc, "is_declined": declined}
    return refunds.make(order, quote, payments or [single], reason)
