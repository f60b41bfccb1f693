"""The management API's checkouts and carts: read, token, convert, delete.

https://developer.bigcommerce.com/docs/rest-management/checkouts
"""

import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox import settings
from sandbox.bigcommerce import conversion, shopper, totals
from sandbox.bigcommerce.answers import body, data, v3
from sandbox.bigcommerce.models import Checkout, CheckoutToken, Document
from sandbox.bigcommerce.totals import COUPON_TYPES, Line, Totals, number
from sandbox.bigcommerce.webhooks import emit
from sandbox.knobs import knobs

LONGEST_TTL = 2_592_000


def opened(checkout_id: UUID, *, lock: bool = False) -> Checkout:
    """The checkout; 404 when its cart is gone."""
    rows = Checkout.objects.select_for_update() if lock else Checkout.objects.all()
    checkout = rows.filter(id=checkout_id, cart_deleted=False).first()
    if checkout is None:
        raise v3(404, "The requested resource was not found.")
    return checkout


def lines_of(sums: Totals) -> Document:
    """The lines by their kind."""
    kinds: dict[str, list[Document]] = {
        "physical_items": [], "digital_items": [], "gift_certificates": [], "custom_items": [],
    }  # fmt: skip
    for line in sums.lines:
        if line.line["type"] == "giftcertificate":
            kinds["gift_certificates"].append(gift_certificate(line))
        elif line.line["type"] == "custom":
            kinds["custom_items"].append(custom_item(line))
        else:
            kinds[f"{line.line['type']}_items"].append(item(line))
    return kinds


def gift_certificate(line: Line) -> Document:
    person = {"name": "Lucía Fernández", "email": "lucia@example.com"}
    return {
        "id": line.line["id"], "name": line.line["name"], "theme": "Celebration", "taxable": False,
        "amount": number(line.extended), "sender": person, "recipient": person, "message": "",
    }  # fmt: skip


def custom_item(line: Line) -> Document:
    source = line.line
    return {
        "id": source["id"], "name": source["name"], "sku": source["sku"], "image_url": "",
        "quantity": line.quantity, "list_price": number(Decimal(source["price"])),
        "extended_list_price": number(line.extended),
    }  # fmt: skip


def item(line: Line) -> Document:
    """A physical or digital item; prices are as entered."""
    source, price = line.line, Decimal(line.line["price"])
    discounts = [{"id": "coupon", "discounted_amount": number(line.coupon)}] if line.coupon else []
    if line.discount:
        discounts.append({"id": "manual-discount", "discounted_amount": number(line.discount)})
    shown: Document = {
        "id": source["id"], "parent_id": None, "variant_id": source["product_id"] + 1000,
        "product_id": source["product_id"], "sku": source["sku"], "name": source["name"],
        "url": f"{settings.SHOP_URL}/products/{source['product_id']}", "quantity": line.quantity,
        "is_taxable": True, "image_url": source.get("image", ""), "discounts": discounts,
        "coupons": number(line.coupon) if line.coupon else [],
        "discount_amount": number(line.extended - line.promoted + line.discount),
        "coupon_amount": number(line.coupon), "original_price": number(price),
        "list_price": number(price), "sale_price": number(line.promoted / line.quantity),
        "extended_list_price": number(line.extended),
        "extended_sale_price": number(line.promoted), "comparison_price": number(price),
        "extended_comparison_price": number(line.extended), "added_by_promotion": False,
        "is_require_shipping": source["type"] == "physical", "is_mutable": True,
    }  # fmt: skip
    if source["type"] == "physical":
        shown["gift_wrapping"] = wrapping(source.get("wrapping"))
    return shown


def wrapping(chosen: Document | None) -> Document | None:
    if not chosen:
        return None
    amount = Decimal(str(chosen["amount"]))
    return {
        "name": chosen.get("name", ""), "message": chosen.get("message", ""),
        "amount": number(amount), "amount_as_integer": int(amount * 100),
    }  # fmt: skip


def coupons_of(sums: Totals) -> list[Document]:
    return [
        {
            "id": coupon.id, "code": coupon.code, "coupon_type": COUPON_TYPES[coupon.type],
            "display_name": coupon.name, "discounted_amount": number(amount),
        }
        for coupon, amount in sums.coupons
    ]  # fmt: skip


def cart_of(checkout: Checkout, sums: Totals) -> Document:
    return {
        "id": str(checkout.id), "customer_id": checkout.customer_id, "email": checkout.email,
        "channel_id": checkout.channel_id, "currency": {"code": checkout.currency},
        "tax_included": checkout.tax_included,
        "base_amount": number(sum((line.extended for line in sums.lines), Decimal(0))),
        "discount_amount": number(sums.discount), "cart_amount_inc_tax": number(sums.goods.inc),
        "cart_amount_ex_tax": number(sums.goods.ex), "coupons": coupons_of(sums),
        "discounts": [
            {"id": line.line["id"], "discounted_amount": number(line.coupon + line.discount)}
            for line in sums.lines
        ],
        "line_items": lines_of(sums),
        "created_time": checkout.created.isoformat(timespec="seconds"),
        "updated_time": checkout.updated.isoformat(timespec="seconds"),
    }  # fmt: skip


def address_as_v3(address: Document) -> Document:
    return {**address, "custom_fields": []}


def consignment_of(
    checkout: Checkout, row: Document, cost: totals.Amount, *, options: bool
) -> Document:
    """A consignment; without a chosen option its key is absent, as in the real answers."""
    chosen = row.get("option")
    shown: Document = {
        "id": row["id"], "address": address_as_v3(row["address"]),
        "shipping_cost_inc_tax": number(cost.inc), "shipping_cost_ex_tax": number(cost.ex),
        "handling_cost_inc_tax": 0, "handling_cost_ex_tax": 0, "coupon_discounts": [],
        "discounts": [], "line_item_ids": row["line_item_ids"],
    }  # fmt: skip
    if chosen:
        shown["selected_shipping_option"] = option_as_v3(chosen)
    if row.get("pickup"):
        shown["selected_pickup_option"] = {"pickup_method_id": 1}
    if options:
        shown["available_shipping_options"] = [
            option_as_v3(option) for option in shopper.shipping_options(checkout)
        ]
    return shown


def option_as_v3(option: Document) -> Document:
    return {**option, "cost": number(Decimal(option["cost"]))}


def as_v3(checkout: Checkout, include: str = "") -> Document:
    """`GET /v3/checkouts/{id}`. No outstanding balance, no store credit, no gift certificates."""
    sums = totals.of(checkout)
    options = "consignments.available_shipping_options" in include
    shown: Document = {
        "id": str(checkout.id), "cart": cart_of(checkout, sums),
        "billing_address": address_as_v3(checkout.billing) if checkout.billing else {},
        "consignments": [
            consignment_of(checkout, row, cost, options=options)
            for row, cost in zip(checkout.consignments, sums.deliveries, strict=True)
        ],
        "taxes": [
            {"name": name, "amount": number(amount)} for name, amount in totals.taxes(sums).items()
        ],
        "coupons": coupons_of(sums), "fees": [fee_as_v3(fee, cost) for fee, cost in sums.fees],
        "order_id": str(checkout.order_id) if checkout.order_id else None,
        "shipping_cost_total_inc_tax": number(sums.shipping.inc),
        "shipping_cost_total_ex_tax": number(sums.shipping.ex),
        "handling_cost_total_inc_tax": 0, "handling_cost_total_ex_tax": 0,
        "tax_total": number(sums.grand.tax), "subtotal_inc_tax": number(sums.subtotal.inc),
        "subtotal_ex_tax": number(sums.subtotal.ex), "grand_total": number(sums.grand.inc),
        "created_time": checkout.created.isoformat(timespec="seconds"),
        "updated_time": checkout.updated.isoformat(timespec="seconds"),
        "customer_message": checkout.customer_message, "version": checkout.version,
    }  # fmt: skip
    if "promotions.banners" in include:
        shown["promotions"] = []
    return shown


def fee_as_v3(fee: Document, cost: totals.Amount) -> Document:
    return {
        "id": fee["id"], "type": "custom_fee", "name": fee["name"],
        "display_name": fee.get("display_name", fee["name"]), "cost_inc_tax": number(cost.inc),
        "cost_ex_tax": number(cost.ex), "source": "AA", "tax_class_id": None,
    }  # fmt: skip


# --- Views ---------------------------------------------------------------------------------------


def read(request: HttpRequest, checkout_id: UUID, **_parts: Any) -> JsonResponse:
    return data(as_v3(opened(checkout_id), request.GET.get("include", "")))


def token(request: HttpRequest, checkout_id: UUID, **_parts: Any) -> JsonResponse:
    """`POST /v3/checkouts/{id}/token`: impossible once an order of it is finalised."""
    checkout = opened(checkout_id)
    fields = body(request) if request.body else {}
    uses, ttl = fields.get("maxUses", 1), fields.get("ttl", 86_400)
    if set(fields) - {"maxUses", "ttl"}:
        raise v3(422, "JSON data is missing or invalid", {"": "error.unknown.field"})
    if not isinstance(uses, int) or uses < 1:
        raise v3(422, "JSON data is missing or invalid", {"maxUses": "error.min"})
    if not isinstance(ttl, int) or not 1 <= ttl <= LONGEST_TTL:
        raise v3(422, "JSON data is missing or invalid", {"ttl": "error.range"})
    if checkout.finalised:
        raise v3(422, "A token cannot be created after the order was finalized", {})
    row = CheckoutToken.objects.create(
        token=secrets.token_hex(32), checkout=checkout, uses_left=uses,
        expires=datetime.now(UTC) + timedelta(seconds=ttl),
    )  # fmt: skip
    return data({"checkoutToken": row.token})


def missing_for_order(checkout: Checkout) -> str:
    """What a conversion would miss, "" when nothing."""
    if not checkout.lines:
        return "The cart is empty"
    if not checkout.billing or not checkout.billing.get("email"):
        return "Missing billing address"
    if any(shopper.ships(line) for line in checkout.lines) and not checkout.consignments:
        return "Missing shipping address"
    if not all(row.get("option") or row.get("pickup") for row in checkout.consignments):
        return "Missing shipping option"
    return ""


def convert(_request: HttpRequest, checkout_id: UUID, **_parts: Any) -> JsonResponse:
    """`POST /v3/checkouts/{id}/orders`: an Incomplete order, another one each time."""
    checkout = opened(checkout_id, lock=True)
    if knobs.conversion_fails > 0:
        knobs.conversion_fails -= 1
        raise v3(409, "The checkout was changed, try again")
    missing = missing_for_order(checkout)
    if missing:
        raise v3(422, missing, {})
    order = conversion.from_checkout(checkout, carried=knobs.store_credit_carried)
    emit("store/cart/converted", {"type": "cart", "id": str(checkout.id), "orderId": order.id})
    return data({"id": order.id})


def read_cart(_request: HttpRequest, checkout_id: UUID, **_parts: Any) -> JsonResponse:
    """`GET /v3/carts/{id}`."""
    checkout = opened(checkout_id)
    cart = cart_of(checkout, totals.of(checkout))
    for line in [*cart["line_items"]["physical_items"], *cart["line_items"]["digital_items"]]:
        for name in ("parent_id", "gift_wrapping"):  # absent in carts, null in checkouts
            if line.get(name) is None:
                line.pop(name, None)
    base = {"cart_amount": cart["cart_amount_inc_tax"], "locale": checkout.locale}
    return data(cart | base | {"version": checkout.version})


def delete_cart(_request: HttpRequest, checkout_id: UUID, **_parts: Any) -> HttpResponse:
    """`DELETE /v3/carts/{id}`: the checkout goes with it."""
    checkout = opened(checkout_id, lock=True)
    checkout.cart_deleted = True
    checkout.save()
    emit("store/cart/deleted", {"type": "cart", "id": str(checkout.id)})
    return HttpResponse(status=204)
