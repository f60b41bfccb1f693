"""Orders: added up again after every change, shown as V2 documents.

Keys of documents that begin with "_" are ours: what a line's price was entered as, its tax rate,
and so on; they never leave.
"""

from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from sandbox import settings
from sandbox.bigcommerce import statuses, totals
from sandbox.bigcommerce.models import (
    Checkout,
    Customer,
    Document,
    GiftCertificate,
    Order,
    OrderAddress,
    OrderFee,
    OrderProduct,
    OrderTax,
    Transaction,
)
from sandbox.bigcommerce.totals import Amount
from sandbox.bigcommerce.webhooks import emit_order

ZERO = Decimal(0)


def money(amount: Decimal | int | str) -> str:
    """An amount as V2 writes it: a string with four decimals."""
    return f"{Decimal(str(amount)):.4f}"


def pair(name: str, amount: Amount) -> Document:
    """`name`_ex_tax, `name`_inc_tax and `name`_tax."""
    return {
        f"{name}_ex_tax": money(amount.ex),
        f"{name}_inc_tax": money(amount.inc),
        f"{name}_tax": money(amount.tax),
    }


def amount(document: Document, name: str) -> Amount:
    """The pair `name` of a document."""
    return Amount(Decimal(document[f"{name}_inc_tax"]), Decimal(document[f"{name}_ex_tax"]))


def rfc_2822(moment: datetime | None) -> str:
    return format_datetime(moment.astimezone(UTC)) if moment else ""


def v2_address(address: Document) -> Document:
    """A checkout's address in V2's words."""
    return {
        "first_name": address.get("first_name", ""), "last_name": address.get("last_name", ""),
        "company": address.get("company", ""), "street_1": address.get("address1", ""),
        "street_2": address.get("address2", ""), "city": address.get("city", ""),
        "state": address.get("state_or_province", ""), "zip": address.get("postal_code", ""),
        "country": address.get("country", ""), "country_iso2": address.get("country_code", ""),
        "phone": address.get("phone", ""), "email": address.get("email", ""), "form_fields": [],
    }  # fmt: skip


# --- Parts ---------------------------------------------------------------------------------------


def discount(key: str, value: Decimal, name: str, code: str | None) -> Document:
    target = "product" if key == "promotion" else "order"
    return {"id": key, "amount": money(value), "name": name, "code": code, "target": target}


def new_product(
    order: Order, source: Document, *, quantity: int, included: bool, address_id: int,
    discounts: list[Document],
) -> OrderProduct:  # fmt: skip
    """An order product; `source` has product_id, name, sku, type, price as entered, tax_rate."""
    wrapping = source.get("wrapping") or {}
    document: Document = {
        "product_id": source["product_id"], "variant_id": source["product_id"] + 1000,
        "order_pickup_method_id": 0, "order_address_id": address_id,
        "name": source["name"], "name_customer": source["name"], "name_merchant": source["name"],
        "sku": source["sku"], "upc": "", "type": source["type"], "quantity": quantity,
        "weight": "1.0000", "width": "0.0000", "height": "0.0000", "depth": "0.0000",
        "base_cost_price": money(0), "cost_price_inc_tax": money(0), "cost_price_ex_tax": money(0),
        "cost_price_tax": money(0), "is_refunded": False, "quantity_refunded": 0,
        "refund_amount": money(0), "return_id": 0,
        "wrapping_id": 1 if wrapping else 0, "wrapping_name": wrapping.get("name", ""),
        "wrapping_message": wrapping.get("message", ""),
        "quantity_shipped": 0, "fixed_shipping_cost": money(0), "ebay_item_id": "",
        "ebay_transaction_id": "", "option_set_id": None, "parent_order_product_id": None,
        "is_bundled_product": False, "bin_picking_number": "", "external_id": None,
        "brand": source.get("brand", ""), "applied_discounts": discounts, "product_options": [],
        "configurable_fields": [],
        "gift_certificate_id": 1 if source["type"] == "giftcertificate" else None,
        "_price": str(source["price"]), "_tax_rate": str(source["tax_rate"]),
        "_included": included, "_wrapping": str(wrapping.get("amount", "0")),
        "_image": source.get("image", ""),
    }  # fmt: skip
    add_up_product(document)
    return OrderProduct.objects.create(order=order, document=document)


def add_fee(order: Order, name: str, shown: str, cost: Amount) -> None:
    OrderFee.objects.create(
        order=order,
        document={
            "type": "custom_fee", "display_name_customer": shown, "display_name_merchant": name,
            "source": "AA", "base_cost": money(cost.ex), **pair("cost", cost), "tax_class_id": None,
        },
    )  # fmt: skip


def use_store_credit(order: Order, credit: Decimal) -> Transaction:
    """Pay part of the order from the customer's balance. ValueError when it is not there."""
    customer = Customer.objects.select_for_update().get(id=order.customer_id)
    if customer.store_credit < credit:
        raise ValueError("the customer has less store credit")
    customer.store_credit -= credit
    customer.save()
    order.document["store_credit_amount"] = money(credit)
    return Transaction.objects.create(
        order=order,
        document={
            "event": "purchase", "method": "store_credit", "amount": float(credit),
            "currency": order.document["default_currency_code"], "gateway": "storecredit",
            "gateway_transaction_id": "", "payment_method_id": "bigcommerce.store_credit",
            "date_created": datetime.now(UTC).isoformat(), "test": False, "status": "ok",
            "fraud_review": False,
            "store_credit": {"remaining_balance": float(customer.store_credit)},
        },
    )  # fmt: skip


def use_certificate(order: Order, code: str, amount: Decimal) -> Transaction:
    """Pay part of the order from a gift certificate."""
    found = GiftCertificate.objects.select_for_update().get(code=code)
    before, found.balance = found.balance, found.balance - amount
    found.save()
    paid = Decimal(order.document["gift_certificate_amount"]) + amount
    order.document["gift_certificate_amount"] = money(paid)
    return Transaction.objects.create(
        order=order,
        document={
            "event": "purchase", "method": "gift_certificate", "amount": float(amount),
            "currency": order.document["default_currency_code"], "gateway": "giftcertificate",
            "gateway_transaction_id": "", "payment_method_id": "bigcommerce.gift_certificate",
            "date_created": datetime.now(UTC).isoformat(), "test": False, "status": "ok",
            "fraud_review": False,
            "gift_certificate": {
                "code": code, "original_balance": float(before), "starting_balance": float(before),
                "remaining_balance": float(found.balance), "status": "active",
            },
        },
    )  # fmt: skip


# --- Adding up -----------------------------------------------------------------------------------


def line_amount(document: Document, entered: Decimal, places: int = 2) -> Amount:
    rate = Decimal(document["_tax_rate"])
    return totals.taxed(entered, rate, included=document["_included"], places=places)


def add_up_product(document: Document) -> None:
    """The prices and totals of a line from its price, quantity and discounts."""
    price, quantity = Decimal(document["_price"]), document["quantity"]
    full = line_amount(document, price * quantity)
    final = discounted(document)
    wrapping = line_amount(document, Decimal(document["_wrapping"]) * quantity)
    document |= {
        "base_price": money(price), **pair("price", line_amount(document, price, 4)),
        "base_total": money(price * quantity), **pair("total", full),
        "discounted_total_inc_tax": money(final.inc),
        "base_wrapping_cost": money(Decimal(document["_wrapping"]) * quantity),
        **pair("wrapping_cost", wrapping),
    }  # fmt: skip


def discounted(document: Document) -> Amount:
    """What is paid for a line."""
    off = sum((Decimal(d["amount"]) for d in document["applied_discounts"]), ZERO)
    return line_amount(document, Decimal(document["_price"]) * document["quantity"] - off)


def recompute(order: Order) -> None:
    """Add the order up again from its parts, and store it."""
    lines = [product.document for product in OrderProduct.objects.filter(order=order)]
    fees = [fee.document for fee in OrderFee.objects.filter(order=order)]
    document = order.document
    wrapping = totals.total([amount(line, "wrapping_cost") for line in lines])
    document |= pair("wrapping_cost", wrapping) | {"base_wrapping_cost": money(wrapping.ex)}
    document |= pair("subtotal", totals.total([amount(line, "total") for line in lines]))
    parts = [discounted(line) for line in lines]
    parts += [amount(document, f"{name}_cost") for name in ("shipping", "handling", "wrapping")]
    parts += [amount(fee, "cost") for fee in fees]
    override = document.get("_total")
    total = Amount(Decimal(override[0]), Decimal(override[1])) if override else totals.total(parts)
    document |= pair("total", total)
    coupon, other = ZERO, ZERO
    for line in lines:
        for entry in line["applied_discounts"]:
            value = Decimal(entry["amount"])
            coupon, other = (
                (coupon + value, other) if entry["id"] == "coupon" else (coupon, other + value)
            )
    document |= {"coupon_discount": money(coupon), "discount_amount": money(other)}
    count(order, lines)
    write_taxes(order)
    order.save()


def count(order: Order, lines: list[Document]) -> None:
    order.document |= {
        "items_total": sum(line["quantity"] for line in lines),
        "items_shipped": sum(line["quantity_shipped"] for line in lines),
        "order_is_digital": bool(lines) and all(line["type"] != "physical" for line in lines),
    }
    for address in OrderAddress.objects.filter(order=order):
        own = [line for line in lines if line["order_address_id"] == address.id]
        address.document["items_total"] = sum(line["quantity"] for line in own)
        address.document["items_shipped"] = sum(line["quantity_shipped"] for line in own)
        address.save()


def write_taxes(order: Order) -> None:
    """One row per taxed line and one for the shipping."""
    OrderTax.objects.filter(order=order).delete()
    address = OrderAddress.objects.filter(order=order).first()
    address_id = address.id if address else 0
    rows = [
        (Decimal(p.document["_tax_rate"]), discounted(p.document).tax, str(p.id), "item")
        for p in OrderProduct.objects.filter(order=order)
    ]
    rows.append((totals.SHIPPING_TAX, amount(order.document, "shipping_cost").tax, "", "shipping"))
    OrderTax.objects.bulk_create(
        OrderTax(
            order=order,
            document={
                "order_address_id": address_id, "tax_rate_id": 1, "tax_class_id": 0,
                "name": "IVA", "class": "Default Tax Class", "rate": money(rate), "priority": 0,
                "priority_amount": money(tax), "line_amount": money(tax),
                "order_product_id": product_id, "line_item_type": kind,
            },
        )
        for rate, tax, product_id, kind in rows
    )  # fmt: skip


# --- Changing ------------------------------------------------------------------------------------


def locked(order_id: int) -> Order | None:
    """The order for changing; nobody else changes it meanwhile."""
    return Order.objects.select_for_update().filter(id=order_id).first()


def changed(order: Order) -> None:
    """Note the time of a change, and tell."""
    order.modified = datetime.now(UTC)
    order.save()
    emit_order(order.id, order.channel_id, "updated")


def set_status(order: Order, status_id: int) -> None:
    """Another status with its side effects and webhooks; the same status is only an update."""
    previous = order.status_id
    order.status_id = status_id
    if status_id == statuses.SHIPPED and order.shipped is None:
        order.shipped = datetime.now(UTC)
    changed(order)
    if previous == status_id:
        return
    if previous == statuses.INCOMPLETE and order.cart_id:
        Checkout.objects.filter(id=order.cart_id).update(finalised=True, order_id=order.id)
    emit_order(
        order.id, order.channel_id, "statusUpdated",
        status={"previous_status_id": previous, "new_status_id": status_id},
    )  # fmt: skip


# --- Documents -----------------------------------------------------------------------------------


def public(document: Document) -> Document:
    """A document without our own keys."""
    return {name: value for name, value in document.items() if not name.startswith("_")}


def link(order_id: int, resource: str) -> Document:
    path = f"/orders/{order_id}/{resource}"
    url = f"{settings.API_URL}/stores/{settings.STORE_HASH}/v2{path}"
    return {"url": url, "resource": path}


def as_v2(order: Order) -> Document:
    """The order as `GET /v2/orders/{id}` shows it."""
    own: Document = {
        "id": order.id, "customer_id": order.customer_id,
        "date_created": rfc_2822(order.created), "date_modified": rfc_2822(order.modified),
        "date_shipped": rfc_2822(order.shipped), "status_id": order.status_id,
        "status": statuses.NAMES[order.status_id], "custom_status": statuses.label(order.status_id),
        "cart_id": str(order.cart_id) if order.cart_id else None, "channel_id": order.channel_id,
        "is_deleted": order.is_deleted,
        "shipping_address_count": OrderAddress.objects.filter(order=order).count(),
    }  # fmt: skip
    links = {
        "products": link(order.id, "products"), "coupons": link(order.id, "coupons"),
        "shipping_addresses": link(order.id, "shipping_addresses"),
        "fees": link(order.id, "fees"), "consignments": link(order.id, "consignments"),
    }  # fmt: skip
    return own | public(order.document) | links


def part(row: Any) -> Document:
    """One of an order's parts as V2 shows it."""
    return {"id": row.id, "order_id": row.order_id, **public(row.document)}


def products(order: Order) -> list[Document]:
    return [part(row) for row in OrderProduct.objects.filter(order=order)]


def shipping_addresses(order: Order) -> list[Document]:
    return [
        part(row)
        | {"shipping_quotes": link(order.id, f"shipping_addresses/{row.id}/shipping_quotes")}
        for row in OrderAddress.objects.filter(order=order)
    ]


def financed(order: Order) -> Decimal:
    """What is left to pay when store credit and gift certificates are taken off."""
    document = order.document
    return (
        Decimal(document["total_inc_tax"])
        - Decimal(document["store_credit_amount"])
        - Decimal(document["gift_certificate_amount"])
    )
