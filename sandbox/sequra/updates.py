"""After the sale: order updates, delivery reports, store integrations.

https://docs.sequra.com/docs/order-update-api
"""

from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox.sequra import carts, documents, rules
from sandbox.sequra.accounts import Account, Merchant
from sandbox.sequra.answers import as_merchant, document, refuse
from sandbox.sequra.knobs import knobs
from sandbox.sequra.models import Order
from sandbox.sequra.solicitations import parties

STATE = Order.State
UPDATABLE = (STATE.CONFIRMED, STATE.SHIPPED)


@as_merchant
def update_order(
    request: HttpRequest, account: Account, merchant: Merchant, ref: str, order_ref: str
) -> HttpResponse:
    """PUT /merchants/{m}/orders/{order_ref_1}: the whole order as it is now, in two carts."""
    if ref != merchant.ref:
        refuse(403, "You do not have access to this URL")
    found = document(request, "order")
    rules.same_merchant(found, merchant, account.username)
    rules.look(documents.ORDER_UPDATE, found, "order")
    rules.add_up(found, "unshipped_cart", "shipped_cart")
    if str(found["merchant_reference"]["order_ref_1"]) != order_ref:
        refuse(409, f"Invalid data: order_ref_1 is not '{order_ref}', the reference in the URL")
    order = known_order(merchant, path_reference(request), found)
    apply_update(order, found)
    return JsonResponse({})


def path_reference(request: HttpRequest) -> str:
    """The reference as one segment of the path: a slash in it must have been escaped."""
    return unquote(request.META["RAW_PATH"].rstrip("/").rsplit("/", 1)[1])


def known_order(merchant: Merchant, reference: str, found: dict[str, Any]) -> Order:
    """The confirmed order, locked; 404 for an unknown one, one on hold and one SeQura cancelled."""
    orders = Order.objects.select_for_update()
    order = orders.filter(merchant=merchant.ref, order_ref_1=reference).first()
    if order is None or not (order.state in UPDATABLE or said_again(order, found)):
        refuse(404, f"Order '{reference}' not found")
    return order


def said_again(order: Order, found: dict[str, Any]) -> bool:
    """Whether the shop repeats the empty carts with which it has cancelled the order itself."""
    if knobs.cancel_again == "refused":
        return False
    empty = carts.is_empty(found["unshipped_cart"]) and carts.is_empty(found["shipped_cart"])
    return order.state == STATE.CANCELLED and order.cancelled_by == "shop" and empty


def apply_update(order: Order, found: dict[str, Any], what: str = "Updated by the shop") -> None:
    """Take the new carts and people over, or refuse with 409."""
    refuse_update(order, found)
    order.unshipped_cart, order.shipped_cart = found["unshipped_cart"], found["shipped_cart"]
    order.current = {**order.current, **parties(found)}
    order.order_ref_2 = str(found["merchant_reference"].get("order_ref_2", order.order_ref_2))
    order.state, order.cancelled_by = new_state(order)
    order.save()
    order.note(what, unshipped_cart=order.unshipped_cart, shipped_cart=order.shipped_cart)


def new_state(order: Order) -> tuple[str, str]:
    """The state that the carts tell, and who cancelled it."""
    if not carts.is_empty(order.unshipped_cart):
        return STATE.CONFIRMED, ""
    if carts.is_empty(order.shipped_cart):
        return STATE.CANCELLED, "shop"
    return STATE.SHIPPED, ""


def refuse_update(order: Order, found: dict[str, Any]) -> None:
    wanted = sum(found[name]["order_total_with_tax"] for name in ("unshipped_cart", "shipped_cart"))
    if knobs.increase == "refused" and wanted > order.approved_amount:
        refuse(
            409,
            f"Invalid data: unshipped_cart and shipped_cart add up to {wanted} "
            f"but the approved amount is {order.approved_amount}.",
        )
    if knobs.unship == "refused" and takes_back(order, found):
        refuse(409, "Invalid data: shipped items can't be moved back to unshipped_cart.")
    if knobs.address_after_shipping == "refused" and moves(order, found):
        refuse(409, "Invalid data: delivery_address can't be changed after shipping.")


def takes_back(order: Order, found: dict[str, Any]) -> bool:
    return carts.takes_back(
        order.shipped_cart, found["shipped_cart"], order.unshipped_cart, found["unshipped_cart"]
    )


def moves(order: Order, found: dict[str, Any]) -> bool:
    before = order.current.get("delivery_address")
    return order.state == STATE.SHIPPED and found.get("delivery_address", before) != before
