"""Delivery reports and store integrations.

https://docs.sequra.com/docs/delivery-report
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox.sequra import carts, documents, rules
from sandbox.sequra.accounts import Account, Merchant, api_url
from sandbox.sequra.answers import as_merchant, document, refuse
from sandbox.sequra.models import DeliveryReport, HistoryLine, Order, StoreIntegration
from sandbox.sequra.solicitations import parties
from sandbox.sequra.updates import UPDATABLE, new_state

PAGE = 5000


@as_merchant
def receive_report(request: HttpRequest, account: Account, merchant: Merchant) -> HttpResponse:
    """POST /orders/delivery_reports: what was shipped, or nothing: a sign of life either way."""
    found = document(request, "delivery_report")
    rules.same_merchant(found, merchant, account.username)
    if isinstance(found.get("orders"), list) and len(found["orders"]) > PAGE:
        refuse(413, f"A delivery report holds at most {PAGE} orders")
    rules.look(documents.DELIVERY_REPORT, found, "delivery_report")
    for position, reported in enumerate(found["orders"]):
        refuse_broken(position, reported)
    take_over(merchant, found["orders"])
    DeliveryReport.objects.create(account=account.username, merchant=merchant.ref, body=found)
    return HttpResponse(status=204)


def refuse_broken(position: int, reported: dict[str, Any]) -> None:
    """One order that does not add up refuses the whole report: it belongs to broken_orders."""
    for name in ("cart", "remaining_cart"):
        wrong = carts.sum_error(reported[name], f"orders[{position}].{name}")
        if wrong:
            refuse(409, wrong)


def take_over(merchant: Merchant, reported: list[dict[str, Any]]) -> None:
    """Believe the report about the orders that are known; a few statements for any number."""
    by_reference = {str(row["merchant_reference"]["order_ref_1"]): row for row in reported}
    if len(by_reference) < len(reported):
        refuse(409, "Invalid data: an order is reported twice")
    orders = list(
        Order.objects.select_for_update().filter(
            merchant=merchant.ref, order_ref_1__in=by_reference, state__in=UPDATABLE
        )
    )
    for order in orders:
        believe(order, by_reference[order.order_ref_1])
    fields = ["unshipped_cart", "shipped_cart", "current", "state", "cancelled_by"]
    # Far faster for thousands of rows than bulk_update, which writes a CASE for each of them.
    Order.objects.bulk_create(
        orders, update_conflicts=True, unique_fields=["uuid"], update_fields=fields, batch_size=500
    )
    HistoryLine.objects.bulk_create(
        HistoryLine(order=order, what="Reported as shipped", state=order.state, total=order.total)
        for order in orders
    )


def believe(order: Order, reported: dict[str, Any]) -> None:
    order.shipped_cart, order.unshipped_cart = reported["cart"], reported["remaining_cart"]
    order.current = {**order.current, **parties(reported)}
    order.state, order.cancelled_by = new_state(order)


@as_merchant
def create_integration(request: HttpRequest, account: Account, _merchant: Merchant) -> HttpResponse:
    """POST /store_integrations: where SeQura may ask for the shop's configuration."""
    found = document(request, "store_integration")
    rules.look(documents.STORE_INTEGRATION, found, "store_integration")
    if not found["capabilities"]:
        refuse(409, "Invalid data: capabilities can't be empty")
    integration, _ = StoreIntegration.objects.update_or_create(
        account=account.username,
        webhook_url=found["webhook_url"],
        defaults={"capabilities": found["capabilities"]},
    )
    answer = JsonResponse({}, status=201)
    answer["Location"] = f"{api_url(account.deployment)}store_integrations/{integration.pk}"
    return answer


@as_merchant
def delete_integration(
    _request: HttpRequest, account: Account, _merchant: Merchant, webhook_url: str
) -> HttpResponse:
    """DELETE /store_integrations/{escaped webhook URL}."""
    mine = StoreIntegration.objects.filter(account=account.username, webhook_url=webhook_url)
    if not mine.delete()[0]:
        refuse(404, "Store integration not found")
    return HttpResponse(status=204)
