"""What the buttons of an order do: a form's fields become one call of `merchant`."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.views.decorators.http import require_POST

from sandbox.bigcommerce import geography, merchant
from sandbox.bigcommerce.models import Document, OrderProduct
from sandbox.panel import frame
from sandbox.shop.money import amount

ADDRESS = (
    "first_name", "last_name", "company", "street_1", "street_2", "zip", "city", "country_iso2",
    "phone", "email",
)  # fmt: skip


def said(post: QueryDict, name: str) -> str:
    """A field's text, "" when it is not there."""
    return str(post.get(name, "")).strip()


def quantities(post: QueryDict, prefix: str) -> list[Document]:
    """`{prefix}-{line id}` fields above zero."""
    found = []
    for name, value in post.items():
        kind, _, line = name.partition("-")
        if kind == prefix and line.isdigit() and str(value).isdigit() and int(str(value)):
            found.append({"order_product_id": int(line), "quantity": int(str(value))})
    return found


def edited_lines(order_id: int, post: QueryDict) -> list[Document]:
    """Lines whose quantity or price differs from the order's, and what was added."""
    lines: list[Document] = []
    for product in OrderProduct.objects.filter(order_id=order_id):
        line: Document = {"id": product.id}
        quantity = said(post, f"quantity-{product.id}")
        price = said(post, f"price-{product.id}")
        if quantity.isdigit() and int(quantity) != product.document["quantity"]:
            line["quantity"] = int(quantity)
        if price and price != f"{float(product.document['price_inc_tax']):.2f}":
            line["price"] = price
        if len(line) > 1:
            lines.append(line)
    if post.get("add"):
        quantity = said(post, "add_quantity")
        lines.append({"product_id": int(said(post, "add")), "quantity": int(quantity or 1)})
    if post.get("custom_name") and post.get("custom_price"):
        lines.append({"name": post["custom_name"], "price": post["custom_price"], "quantity": 1})
    return lines


def edit(order_id: int, post: QueryDict) -> str:
    cost, cost_before = said(post, "shipping_cost"), said(post, "shipping_cost_before")
    discount = said(post, "discount")
    merchant.edit_order(
        order_id,
        edited_lines(order_id, post) or None,
        shipping_cost=cost if cost and cost != cost_before else None,
        discount=discount if discount and discount != said(post, "discount_before") else None,
    )
    return f"Order {order_id} has been updated."


def ship(order_id: int, post: QueryDict) -> str:
    merchant.ship(
        order_id,
        quantities(post, "ship"),
        tracking_number=said(post, "tracking_number"),
        carrier=said(post, "carrier"),
        link=said(post, "link"),
        comments=said(post, "comments"),
    )
    return f"A shipment of order {order_id} has been created."


def change_shipment(order_id: int, post: QueryDict) -> str:
    fields = {name: said(post, name) for name in ("tracking_number", "tracking_link")}
    carrier = {"tracking_carrier": said(post, "carrier")}
    merchant.edit_shipment(order_id, int(said(post, "shipment")), **fields, **carrier)
    return "The shipment has been updated."


def unship(order_id: int, post: QueryDict) -> str:
    merchant.unship(order_id, int(said(post, "shipment")))
    return "The shipment has been deleted. The order's status stays as it is."


def refund(order_id: int, post: QueryDict) -> str:
    done = merchant.refund(
        order_id,
        quantities(post, "refund") or None,
        shipping=post.get("shipping") == "on",
        amount=post.get("amount") or None,
        provider=post.get("provider", "custom"),
        reason=said(post, "reason"),
    )
    return f"{amount(done['total_amount'])} of order {order_id} have been refunded."


def cancel(order_id: int, _post: QueryDict) -> str:
    merchant.cancel(order_id)
    return f"Order {order_id} has been cancelled."


def change_status(order_id: int, post: QueryDict) -> str:
    done = merchant.set_status(order_id, int(said(post, "status_id")))
    return f"Order {order_id} is now “{done['custom_status']}”."


def address_fields(post: QueryDict) -> dict[str, Any]:
    fields = {name: said(post, name) for name in ADDRESS if name in post}
    return fields | {"country": geography.country_name(fields.get("country_iso2", ""))}


def change_billing(order_id: int, post: QueryDict) -> str:
    merchant.edit_billing_address(order_id, **address_fields(post))
    return "The billing address has been updated."


def change_delivery(order_id: int, post: QueryDict) -> str:
    merchant.edit_shipping_address(order_id, **address_fields(post))
    return "The shipping address has been updated."


def note(order_id: int, post: QueryDict) -> str:
    merchant.add_note(order_id, said(post, "text"))
    return "Your note has been added."


def archive(order_id: int, _post: QueryDict) -> str:
    merchant.archive(order_id)
    return f"Order {order_id} has been archived."


ACTIONS: dict[str, Callable[[int, QueryDict], str]] = {
    "edit": edit, "ship": ship, "shipment": change_shipment, "unship": unship, "refund": refund,
    "cancel": cancel, "status": change_status, "billing": change_billing,
    "delivery": change_delivery, "note": note, "archive": archive,
}  # fmt: skip


@require_POST
def act(request: HttpRequest, order_id: int, action: str) -> HttpResponse:
    """Do it, and say how it went on the page the merchant came from."""
    if action not in ACTIONS:
        raise Http404
    list_page = request.POST.get("from") == "list" or action == "archive"
    back = "/manage/orders" if list_page else f"/manage/orders/{order_id}"
    try:
        with transaction.atomic():
            words = ACTIONS[action](order_id, request.POST)
    except (ValueError, ArithmeticError) as error:
        words = str(error) or "That is not a number."
        return frame.back_to(back, "error", words[:1].upper() + words[1:])
    return frame.back_to(back, "success", words)
