"""Before the sale: accounts, payment methods, and the order's first steps up to confirmation.

https://docs.sequra.com/docs/start-solicitation
https://docs.sequra.com/docs/put-the-order-on-hold-and-confirm-it
"""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox.sequra import accounts, carts, documents, offers, rules
from sandbox.sequra.accounts import Account, Merchant
from sandbox.sequra.answers import account_of, as_merchant, document, owned, refuse
from sandbox.sequra.knobs import knobs
from sandbox.sequra.messages import review_later
from sandbox.sequra.models import Order
from sandbox.sequra.references import take_reference

STATE = Order.State


def deployments(_request: HttpRequest) -> HttpResponse:
    """GET /deployments: no authentication."""
    return JsonResponse(accounts.deployments(), safe=False)


def credentials(request: HttpRequest) -> HttpResponse:
    """GET /merchants/credentials: Basic authentication alone, no merchant header."""
    account = account_of(request)
    rows = [merchant.row(account.deployment) for merchant in account.merchants.values()]
    for row in rows:
        row["contract_options"] = rules.contract(account.merchants[row["ref"]])
    return JsonResponse(rows, safe=False)


def merchant_credentials(request: HttpRequest, ref: str) -> HttpResponse:
    """GET /merchants/{m}/credentials: any 2xx says that the pair is right."""
    account = account_of(request)
    return JsonResponse(owned(account, ref).row(account.deployment))


@as_merchant
def merchant_payment_methods(
    _request: HttpRequest, account: Account, merchant: Merchant, ref: str
) -> HttpResponse:
    """GET /merchants/{m}/payment_methods."""
    same_path(account, merchant, ref)
    return JsonResponse(offers.of_merchant(merchant.country))


def same_path(account: Account, merchant: Merchant, ref: str) -> None:
    """403 unless the merchant in the path is the account's and the header's."""
    if ref not in account.merchants:
        refuse(403, f"Bad merchant id '{ref}' for {account.username}")
    if ref != merchant.ref:
        refuse(403, "You do not have access to this URL")


@as_merchant
def solicit(request: HttpRequest, account: Account, merchant: Merchant) -> HttpResponse:
    """POST /orders: 204, with the new order's address in Location."""
    found = document(request, "order")
    rules.same_merchant(found, merchant, account.username)
    rules.order(found, merchant, documents.BEFORE_SALE, known=False)
    order = Order.objects.create(
        account=account.username,
        merchant=merchant.ref,
        solicited=found,
        approved_amount=found["cart"]["order_total_with_tax"],
        unshipped_cart=found["cart"],
        shipped_cart=carts.empty(),
        current=parties(found),
    )
    order.note("Solicited")
    answer = HttpResponse(status=204)
    answer["Location"] = f"{accounts.api_url(account.deployment)}orders/{order.uuid}"
    return answer


def parties(found: dict[str, Any]) -> dict[str, Any]:
    """The parts of an order that are neither a cart nor a reference."""
    names = (
        "delivery_address",
        "invoice_address",
        "customer",
        "delivery_method",
        "trackings",
        "platform",
    )
    return {name: found[name] for name in names if name in found}


def own_order(account: Account, merchant: Merchant, reference: str, unknown: int) -> Order:
    """The account's order, locked; 403 for a bad or foreign id, `unknown` for one nobody has."""
    try:
        key = uuid.UUID(reference)
    except ValueError:
        refuse(403, f"Bad order id '{reference}' for {account.username}")
    order = Order.objects.select_for_update().filter(uuid=key).first()
    if order is None:
        refuse(unknown, f"Bad order id '{reference}' for {account.username}")
    if order.account != account.username:
        refuse(403, f"Bad order id '{reference}' for {account.username}")
    if order.merchant != merchant.ref:
        refuse(403, "You do not have access to this URL")
    return order


@as_merchant
def order_payment_methods(
    _request: HttpRequest, account: Account, merchant: Merchant, reference: str
) -> HttpResponse:
    """GET /orders/{uuid}/payment_methods: what this order can be paid with, with its costs."""
    order = own_order(account, merchant, reference, unknown=403)
    return JsonResponse(offers.of_order(merchant.country, order.approved_amount))


@as_merchant
def confirm(
    request: HttpRequest, account: Account, merchant: Merchant, reference: str
) -> HttpResponse:
    """PUT /orders/{uuid}: confirm or hold the order as solicited, and learn its reference."""
    order = own_order(account, merchant, reference, unknown=404)
    found = document(request, "order")
    rules.same_merchant(found, merchant, account.username)
    rules.order(found, merchant, documents.CONFIRMING, known=True)
    wrong = rules.changes(order.solicited, found)
    if wrong:
        refuse(409, *wrong)
    if knobs.confirm_again == "refused" and says_nothing_new(order, found):
        refuse(409, f"The order can't be confirmed: it is {order.state} already")
    (hold if found["state"] == "on_hold" else settle)(order)
    take_reference(order, found.get("merchant_reference"))
    order.save()
    return JsonResponse({})


def says_nothing_new(order: Order, found: dict[str, Any]) -> bool:
    """Whether the order is confirmed or on hold already, under the reference that is told."""
    known = {"confirmed": (STATE.CONFIRMED, STATE.SHIPPED), "on_hold": (STATE.ON_HOLD,)}
    reference = str((found.get("merchant_reference") or {}).get("order_ref_1", ""))
    return order.state in known[found["state"]] and reference in ("", order.order_ref_1)


def settle(order: Order) -> None:
    """From approved to confirmed; again is no harm, anything else is refused."""
    if order.state in (STATE.CONFIRMED, STATE.SHIPPED):
        return
    if order.state != STATE.APPROVED:
        refuse(409, f"The order can't be confirmed: it is {order.state}")
    order.state = STATE.CONFIRMED
    order.note("Confirmed by the shop")


def hold(order: Order) -> None:
    """From needs_review to on_hold. Too late, after the review, it changes nothing."""
    if order.state == STATE.ON_HOLD or (order.state == STATE.APPROVED and order.reviewed):
        return
    if order.state != STATE.NEEDS_REVIEW:
        refuse(409, f"The order can't be put on hold: it is {order.state}")
    order.state = STATE.ON_HOLD
    order.note("Put on hold by the shop")
    review_later(order)


@as_merchant
def register(
    request: HttpRequest, account: Account, merchant: Merchant, reference: str
) -> HttpResponse:
    """PATCH /orders/{uuid}: the shop's reference, and nothing else."""
    order = own_order(account, merchant, reference, unknown=404)
    found = document(request, "order")
    rules.same_merchant(found, merchant, account.username)
    rules.look(documents.PATCH, found, "order")
    if order.state not in (STATE.CONFIRMED, STATE.SHIPPED, STATE.ON_HOLD):
        refuse(409, f"The order can't take a reference: it is {order.state}")
    take_reference(order, found["merchant_reference"])
    order.save()
    return HttpResponse(status=204)
