"""The shopper's minutes at SeQura: the identification form and what becomes of it.

https://docs.sequra.com/docs/fetch-identification-form
"""

import uuid
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from sandbox.sequra import offers
from sandbox.sequra.accounts import DEPLOYMENT_OF, Account, Merchant, browser_url
from sandbox.sequra.answers import Refused, as_merchant, parsed, refuse
from sandbox.sequra.assets import form_script_name
from sandbox.sequra.messages import dispatch, notify
from sandbox.sequra.models import Message, Order
from sandbox.sequra.personas import Application, mistakes, outcome
from sandbox.sequra.solicitations import own_order
from sandbox.sequra.texts import language_of, texts

STATE = Order.State
OPEN = (STATE.SOLICITED, STATE.REJECTED)


@as_merchant
def form(
    request: HttpRequest, account: Account, merchant: Merchant, reference: str
) -> HttpResponse:
    """GET /orders/{uuid}/form_v2: HTML to put into the shop's page."""
    if "text/html" not in request.headers.get("Accept", ""):
        refuse(406, "Accept must be text/html")
    try:
        order = own_order(account, merchant, reference, unknown=404)
        method = offered(order, request.GET.get("product", "i1"), request.GET.get("campaign", ""))
    except Refused as refusal:
        if refusal.status != 404:
            raise
        return render(request, "sandbox_sequra/404.html", status=404)
    if order.state not in OPEN:
        refuse(409, f"The order can't be identified: it is {order.state}")
    order.note(f"Form of {method.product} opened")
    return render(request, "sandbox_sequra/form_v2.html", embedded(order, method))


def offered(order: Order, product: str, campaign: str) -> offers.Method:
    """The method chosen, if this order can be paid with it; 404 otherwise."""
    method = offers.find(order.country, order.approved_amount, product, campaign)
    if method is None:
        refuse(404, f"Product '{product}' is not available for this order")
    return method


def embedded(order: Order, method: offers.Method) -> dict[str, Any]:
    base = browser_url(DEPLOYMENT_OF[order.merchant])
    query = {"product": method.product, "secret": order.secret, "uuid": str(order.uuid)}
    if method.campaign:
        query["campaign"] = method.campaign
    return {
        "element": f"sq-identification-{method.product}",
        "address": f"{base}orders/{order.uuid}/pumbaa_form?{urlencode(query)}",
        "script": f"{base}assets/{form_script_name()}",
    }


def shoppers_order(reference: uuid.UUID, secret: Any, lock: bool = False) -> Order:
    """The order that the form's address opens; 404 without the right secret."""
    orders = Order.objects.select_for_update() if lock else Order.objects
    order = orders.filter(uuid=reference).first()
    if order is None or not compare_digest(order.secret, str(secret)):
        refuse(404, "Order not found")
    return order


def form_page(request: HttpRequest, reference: uuid.UUID) -> HttpResponse:
    """GET /orders/{uuid}/pumbaa_form: the page inside the iframe."""
    order = shoppers_order(reference, request.GET.get("secret", ""))
    chosen = request.GET.get("product", "i1"), request.GET.get("campaign", "")
    method = offered(order, *chosen)
    language = language_of(order.solicited["customer"]["language_code"])
    context = {
        "order": order,
        "method": method.row(order.approved_amount),
        "lines": order.solicited["cart"]["items"],
        "total": offers.euros(order.approved_amount),
        "person": person(order),
        "locked": order.solicited["merchant"].get("options", {}).get("immutable_customer_data"),
        "language": language,
        "texts": texts(language),
        "data": {
            "uuid": str(order.uuid),
            "secret": order.secret,
            "product": method.product,
            "campaign": method.campaign or "",
            "texts": texts(language),
        },
    }
    return render(request, "sandbox_sequra/form.html", context)


def person(order: Order) -> dict[str, str]:
    """What the shop already knows of the shopper: it is not asked again."""
    customer, address = order.solicited["customer"], order.solicited.get("delivery_address", {})
    born = customer.get("date_of_birth", "")
    return {
        "given_names": customer.get("given_names") or address.get("given_names", ""),
        "surnames": customer.get("surnames") or address.get("surnames", ""),
        "mobile_phone": address.get("mobile_phone") or address.get("phone", ""),
        "date_of_birth": "/".join(reversed(born.split("-"))) if born else "",
        "nin": customer.get("nin", ""),
        "email": customer["email"],
    }


def sent(request: HttpRequest) -> dict[str, Any]:
    found = parsed(request.body)
    if not isinstance(found, dict):
        refuse(400, "The request body is not an object")
    return found


def identify(request: HttpRequest, reference: uuid.UUID) -> HttpResponse:
    """POST /api/v1/checkout/{uuid}/identification: who the shopper is."""
    found = sent(request)
    order = shoppers_order(reference, found.get("secret"), lock=True)
    if order.state not in OPEN:
        return JsonResponse(progress(order))
    method = offered(order, str(found.get("product")), str(found.get("campaign", "")))
    application = Application.read(found, order.country)
    wrong = mistakes(application)
    if wrong:
        return JsonResponse({"action": "require_identification", "errors": wrong})
    order.product, order.campaign = method.product, method.campaign or ""
    order.shopper = {"application": application.kept()}
    if outcome(application) != "reject":
        order.save()
        return JsonResponse({"action": "require_validate_otp"})
    order.state, order.shopper = STATE.REJECTED, {}
    order.save()
    order.note("Shopper rejected")
    return JsonResponse({"action": "reject", "callback": rejected_callback(order)})


def rejected_callback(order: Order) -> str:
    return str(order.solicited["merchant"].get("rejected_callback", ""))


def validate_otp(request: HttpRequest, reference: uuid.UUID) -> HttpResponse:
    """POST /api/v1/checkout/{uuid}/validate_otp: the code that was sent to the phone."""
    found = sent(request)
    order = shoppers_order(reference, found.get("secret"), lock=True)
    if order.state not in OPEN:
        return JsonResponse(progress(order))
    if not order.shopper:
        return JsonResponse({"action": "require_identification", "errors": {}})
    application = Application(**order.shopper["application"])
    if found.get("otp") != application.mobile_phone[-5:]:
        return JsonResponse({"action": "require_validate_otp", "error": True})
    conclude(order, outcome(application))
    return JsonResponse({"action": "wait_for_confirmation"})


def conclude(order: Order, verdict: str) -> None:
    """Approve the order, or send it into review, and tell the shop while the shopper waits."""
    review = verdict.removeprefix("review_") if verdict.startswith("review_") else ""
    order.state = STATE.NEEDS_REVIEW if review else STATE.APPROVED
    order.shopper["review"] = review
    order.save()
    order.note("Needs review" if review else "Approved")
    dispatch(notify(order, order.state))


def wait(request: HttpRequest, reference: uuid.UUID) -> HttpResponse:
    """POST /api/v1/checkout/{uuid}/wait: what the shop has answered so far."""
    return JsonResponse(progress(shoppers_order(reference, sent(request).get("secret"))))


def progress(order: Order) -> dict[str, Any]:
    """The next thing that the form shows."""
    message = order.messages.filter(kind=Message.Kind.NOTIFICATION).first()
    status = message.status if message else Message.Status.WAITING
    if order.cancelled_by == "conflict" or status == Message.Status.CONFLICT:
        return {"action": "show_conflict"}
    if status == Message.Status.FAILED:
        return {"action": "show_error"}
    if status != Message.Status.ACCEPTED or message is None:
        return {"action": "wait_for_confirmation"}
    action = "show_on_hold" if message.name == "needs_review" else "finish"
    return {"action": action, **destination(order)}


def destination(order: Order) -> dict[str, str]:
    """Where the browser goes next, or the shop's own function that is called instead."""
    merchant = order.solicited["merchant"]
    url = merchant["return_url"].replace("SQ_PRODUCT_CODE", order.product)
    return {"url": url, "callback": merchant.get("approved_callback", "")}
