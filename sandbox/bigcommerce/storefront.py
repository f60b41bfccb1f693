"""The storefront API of shop.localhost: what a script on the checkout page can ask.

https://developer.bigcommerce.com/docs/storefront/cart-checkout
"""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from sandbox.bigcommerce import checkouts, orders, shopper, totals
from sandbox.bigcommerce.geography import CURRENCIES
from sandbox.bigcommerce.models import Checkout, Customer, Document, Order, Visit
from sandbox.bigcommerce.totals import Totals, number

ADDRESS = {
    "first_name": "firstName", "last_name": "lastName", "email": "email", "company": "company",
    "address1": "address1", "address2": "address2", "city": "city",
    "state_or_province": "stateOrProvince", "state_or_province_code": "stateOrProvinceCode",
    "country": "country", "country_code": "countryCode", "postal_code": "postalCode",
    "phone": "phone",
}  # fmt: skip
RENAMED = {"is_require_shipping": "isShippingRequired", "parent_id": "parentId"}
COOKIE = "SHOP_SESSION_TOKEN"


def camel(name: str) -> str:
    head, *tail = RENAMED.get(name, name).split("_")
    return head + "".join(part.capitalize() for part in tail)


def in_camel(value: Any) -> Any:
    """A V3 document with the storefront's names."""
    if isinstance(value, dict):
        return {camel(name): in_camel(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [in_camel(inner) for inner in value]
    return value


def address(source: Document) -> Document:
    return {to: source.get(name, "") for name, to in ADDRESS.items()} | {"customFields": []}


def cart_of(checkout: Checkout, sums: Totals) -> Document:
    """A cart as the storefront shows it: one amount instead of two."""
    cart = checkouts.cart_of(checkout, sums)
    _, name, symbol, places, _ = CURRENCIES.get(checkout.currency, CURRENCIES["EUR"])
    amount = sums.goods.inc if checkout.tax_included else sums.goods.ex
    for gone in ("cart_amount_inc_tax", "cart_amount_ex_tax", "tax_included", "channel_id"):
        del cart[gone]
    shown: Document = in_camel(cart)
    return shown | {
        "cartAmount": number(amount), "isTaxIncluded": checkout.tax_included,
        "locale": checkout.locale, "version": checkout.version,
        "currency": {
            "code": checkout.currency, "name": name, "symbol": symbol, "decimalPlaces": places,
        },
    }  # fmt: skip


def customer_of(checkout: Checkout) -> Document:
    customer = Customer.objects.filter(id=checkout.customer_id).first()
    if customer is None:
        return {
            "id": 0, "isGuest": True, "email": checkout.email, "firstName": "", "lastName": "",
            "fullName": "", "addresses": [], "storeCredit": 0, "shouldEncourageSignIn": False,
        }  # fmt: skip
    return {
        "id": customer.id, "isGuest": False, "email": customer.email,
        "firstName": customer.first_name, "lastName": customer.last_name,
        "fullName": f"{customer.first_name} {customer.last_name}", "addresses": [],
        "customerGroup": {"id": 0, "name": ""}, "storeCredit": number(customer.store_credit),
        "shouldEncourageSignIn": False,
    }  # fmt: skip


def consignment_of(
    checkout: Checkout, row: Document, cost: totals.Amount, sums: Totals
) -> Document:
    shipping = cost.inc if checkout.tax_included else cost.ex
    shown: Document = in_camel(checkouts.consignment_of(checkout, row, cost, options=True))
    for gone in ("shippingCostIncTax", "shippingCostExTax", "handlingCostIncTax",
                 "handlingCostExTax"):  # fmt: skip
        del shown[gone]
    return shown | {
        "address": address(row["address"]), "shippingCost": number(shipping), "handlingCost": 0,
        "shippingCostBeforeDiscount": number(shipping + sums.shipping_discount),
    }  # fmt: skip


def checkout_as_storefront(checkout: Checkout) -> Document:
    """`GET /checkouts/{id}` with everything included."""
    sums = totals.of(checkout)
    inc = checkout.tax_included
    billing = (
        {"id": checkout.billing["id"], **address(checkout.billing)} if checkout.billing else {}
    )
    return {
        "id": str(checkout.id), "version": checkout.version, "channelId": checkout.channel_id,
        "orderId": checkout.order_id, "cart": cart_of(checkout, sums), "billingAddress": billing,
        "consignments": [
            consignment_of(checkout, row, cost, sums)
            for row, cost in zip(checkout.consignments, sums.deliveries, strict=True)
        ],
        "customer": customer_of(checkout), "customerMessage": checkout.customer_message,
        "coupons": in_camel(checkouts.coupons_of(sums)),
        "fees": [
            in_camel(checkouts.fee_as_v3(fee, cost))
            | {"cost": number(cost.inc if inc else cost.ex)}
            for fee, cost in sums.fees
        ],
        "giftCertificates": [
            {
                "code": certificate.code, "balance": number(certificate.balance),
                "purchaseDate": "", "remaining": number(certificate.balance - used),
                "used": number(used),
            }
            for certificate, used in sums.gift_certificates
        ],
        "grandTotal": number(sums.grand.inc), "outstandingBalance": number(sums.outstanding),
        # True for guests, who have none: so it is on the platform.
        "isStoreCreditApplied": checkout.store_credit_applied or not checkout.customer_id,
        "subtotal": number(sums.subtotal.inc if inc else sums.subtotal.ex),
        "taxes": [{"name": n, "amount": number(a)} for n, a in totals.taxes(sums).items()],
        "taxTotal": number(sums.grand.tax),
        "shippingCostTotal": number(sums.shipping.inc if inc else sums.shipping.ex),
        "shippingCostBeforeDiscount": number(sums.shipping.inc + sums.shipping_discount),
        "handlingCostTotal": 0, "giftWrappingCostTotal": number(sums.wrapping.inc),
        "shouldExecuteSpamCheck": False, "payments": [], "promotions": [],
        "createdTime": checkout.created.isoformat(timespec="seconds"),
        "updatedTime": checkout.updated.isoformat(timespec="seconds"),
    }  # fmt: skip


def refuse(status: int, title: str) -> JsonResponse:
    error = {"status": status, "title": title, "type": "about:blank", "detail": title}
    return JsonResponse(error, status=status)


def visit_of(request: HttpRequest) -> Visit | None:
    """The shop's session of this browser."""
    return Visit.objects.filter(key=request.COOKIES.get(COOKIE, "")).first()


def cart_in(visit: Visit | None) -> Checkout | None:
    """The visitor's cart while it is still there."""
    if visit is None or visit.checkout_id is None:
        return None
    return Checkout.objects.filter(id=visit.checkout_id, cart_deleted=False).first()


def opened(request: HttpRequest, checkout_id: UUID) -> Checkout | None:
    """The checkout, for the visitor whose it is."""
    checkout = cart_in(visit_of(request))
    return checkout if checkout and checkout.id == checkout_id else None


def carts(request: HttpRequest) -> JsonResponse:
    """`GET /carts`: the visitor's cart in a list."""
    checkout = cart_in(visit_of(request))
    rows = [cart_of(checkout, totals.of(checkout))] if checkout else []
    return JsonResponse(rows, safe=False)


def checkout(request: HttpRequest, checkout_id: UUID) -> JsonResponse:
    found = opened(request, checkout_id)
    if found is None:
        return refuse(404, "Checkout not found")
    return JsonResponse(checkout_as_storefront(found))


def store_credit(request: HttpRequest, checkout_id: UUID) -> JsonResponse:
    """`POST|DELETE /checkouts/{id}/store-credit`, with the page's XSRF token."""
    visit = visit_of(request)
    if visit is None or request.headers.get("X-XSRF-TOKEN") != visit.xsrf_token:
        return refuse(403, "Forbidden")
    found = opened(request, checkout_id)
    if found is None:
        return refuse(404, "Checkout not found")
    try:
        shopper.toggle_store_credit(found, applied=request.method == "POST")
    except ValueError as error:
        return refuse(400, str(error))
    return JsonResponse(checkout_as_storefront(found))


def order(request: HttpRequest, order_id: int) -> JsonResponse:
    """`GET /orders/{id}`, for the visitor whose it is."""
    visit, found = visit_of(request), Order.objects.filter(id=order_id).first()
    if visit is None or found is None or not is_own(found, visit):
        return refuse(404, "Order not found")
    return JsonResponse(order_as_storefront(found))


def is_own(found: Order, visit: Visit) -> bool:
    own = found.customer_id and found.customer_id == visit.customer_id
    return bool(own) or found.id in visit.orders or found.cart_id == visit.checkout_id


def order_as_storefront(found: Order) -> Document:
    document = found.document
    amounts = {
        "orderAmount": "total_inc_tax", "taxTotal": "total_tax", "baseAmount": "subtotal_inc_tax",
        "shippingCostTotal": "shipping_cost_inc_tax", "discountAmount": "discount_amount",
        "handlingCostTotal": "handling_cost_inc_tax",
    }  # fmt: skip
    lines: list[Document] = [
        {
            "id": line["id"], "productId": line["product_id"], "name": line["name"],
            "sku": line["sku"], "quantity": line["quantity"], "type": line["type"],
            "extendedSalePrice": number(Decimal(line["discounted_total_inc_tax"])),
        }
        for line in orders.products(found)
    ]  # fmt: skip
    return {
        "orderId": found.id, "cartId": str(found.cart_id), "customerId": found.customer_id,
        "status": orders.as_v2(found)["status"], "isComplete": found.status_id != 0,
        "currency": {"code": document["default_currency_code"]},
        "billingAddress": document["billing_address"],
        "lineItems": {
            "physicalItems": [line for line in lines if line["type"] == "physical"],
            "digitalItems": [line for line in lines if line["type"] == "digital"],
        },
        **{name: number(Decimal(document[field])) for name, field in amounts.items()},
    }  # fmt: skip


def only(*methods: str, view: Any) -> Any:
    def checked(request: HttpRequest, **parts: Any) -> HttpResponse:
        if request.method not in methods:
            return refuse(405, "Method Not Allowed")
        answer: HttpResponse = view(request, **parts)
        return answer

    return checked


API = "api/storefront/"
urlpatterns = [
    path(f"{API}carts", only("GET", view=carts)),
    path(f"{API}checkouts/<uuid:checkout_id>", only("GET", view=checkout)),
    path(
        f"{API}checkouts/<uuid:checkout_id>/store-credit",
        only("POST", "DELETE", view=store_credit),
    ),
    path(f"{API}orders/<int:order_id>", only("GET", view=order)),
]
