"""What a shopper does up to the payment step. Used by the shop's pages and the control API.

    make_checkout(lines=None, country="ES", customer_id=0, email="", currency="EUR", channel_id=1,
                  coupon="", store_credit=False, shipping="standard", address=None,
                  billing=None, discount=0, fees=None, message="", locale="es",
                  payable=True, second_address=None, pickup=False)             -> Checkout
        lines: [{"product_id": 101, "quantity": 2}, {"sku": "LAMP-01"},
                {"name": "Anything", "price": "33.333", "quantity": 3, "sku": "", "tax_rate": 21,
                 "type": "physical"}]; None is two products of the catalogue
        payable=False leaves out addresses and shipping; address and billing override fields;
        second_address sends the last line to another address; pickup fetches all in the shop
    add_line(checkout, product_id, quantity=1)
    change_quantity(checkout, line_id, quantity)          0 removes the line
    set_customer(checkout, customer_id=0, email="")
    set_address(checkout, address, billing=True, shipping=True)
        address: {"first_name", "last_name", "email", "company", "address1", "address2", "city",
                  "state_or_province", "postal_code", "country_code", "phone"}
    shipping_options(checkout)                            -> [{"id", "description", "cost", …}]
    choose_shipping(checkout, option_id)
    apply_coupon(checkout, code), remove_coupon(checkout, code)
    apply_gift_certificate(checkout, code)
    toggle_store_credit(checkout, applied)
    set_message(checkout, text)
    place_order(checkout, method="Cash on Delivery")      -> Order; paid another way than SeQura

The functions without an arrow return the changed checkout, already stored. `totals.of(checkout)`
(sandbox/bigcommerce/totals.py) has what the pages show. ValueError says what the shop would say.
"""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.bigcommerce import conversion, geography, orders, totals
from sandbox.bigcommerce.models import (
    Checkout,
    Coupon,
    Customer,
    Document,
    GiftCertificate,
    Order,
    Product,
)
from sandbox.knobs import knobs

# Cost to the shopper, tax included, by where it goes.
SHIPPING = {
    "standard": ("Standard delivery", {"ES": "4.95", "FR": "9.95", "IT": "9.95", "PT": "7.95"}),
    "express": ("Express delivery, 24 h", {"ES": "9.95", "FR": "19.95", "IT": "19.95"}),
    "pickup": ("Pick up in our shop", {"ES": "0.00"}),
}
ELSEWHERE = "29.95"
USUAL_LINES: list[Document] = [{"product_id": 102, "quantity": 1}, {"product_id": 104}]


# One parameter for each thing that a shopper chooses.
def make_checkout(  # noqa: PLR0917
    lines: list[Document] | None = None,
    country: str = "ES",
    customer_id: int = 0,
    email: str = "",
    currency: str = "EUR",
    channel_id: int = 1,
    coupon: str = "",
    store_credit: bool = False,
    shipping: str = "standard",
    address: Document | None = None,
    billing: Document | None = None,
    discount: str | float = 0,
    fees: list[Document] | None = None,
    message: str = "",
    locale: str = "es",
    payable: bool = True,
    second_address: Document | None = None,
    pickup: bool = False,
) -> Checkout:
    """A cart that has come as far as the payment step (see the top of this module)."""
    checkout = Checkout(
        currency=currency, channel_id=channel_id, customer_message=message, locale=locale,
        tax_included=knobs.tax_inclusive, discount=Decimal(str(discount)), fees=fees or [],
    )  # fmt: skip
    checkout.fees = [{"id": str(uuid.uuid4()), **fee} for fee in checkout.fees]
    checkout.lines = [make_line(line) for line in (USUAL_LINES if lines is None else lines)]
    set_customer(checkout, customer_id, email)
    if payable:
        place = geography.address(country, checkout.email)
        set_address(checkout, place | (address or {}))
        set_address(checkout, place | (address or {}) | (billing or {}), shipping=False)
        if second_address:
            send_last_line_to(checkout, place | second_address)
        if pickup:
            pick_up(checkout)
        elif checkout.consignments:
            choose_shipping(checkout, shipping)
    if coupon:
        apply_coupon(checkout, coupon)
    if store_credit:
        toggle_store_credit(checkout, applied=True)
    return checkout


def make_line(wish: Document) -> Document:
    """A cart line for a product of the catalogue, or for anything described by name and price."""
    if "name" in wish:
        line = {"product_id": 0, "sku": "", "tax_rate": 21, "type": "physical", "image": "", **wish}
    else:
        key: Document = {name: wish[name] for name in ("product_id", "sku") if name in wish}
        line = from_catalogue(key) | wish
    line |= {"id": str(uuid.uuid4()), "quantity": int(wish.get("quantity", 1))}
    return line | {"price": str(line["price"]), "tax_rate": str(line["tax_rate"])}


def from_catalogue(key: Document) -> Document:
    product = Product.objects.filter(
        **{"id" if name == "product_id" else name: value for name, value in key.items()}
    ).first()
    if product is None:
        raise ValueError(f"the catalogue has no product {key}")
    price = product.price
    if not knobs.tax_inclusive:
        price = totals.fine(price / (1 + product.tax_rate / 100))
    return {
        "product_id": product.id, "sku": product.sku, "name": product.name, "type": product.type,
        "price": price, "tax_rate": product.tax_rate, "image": product.image,
        "brand": product.brand,
    }  # fmt: skip


def ships(line: Document) -> bool:
    """Whether a line needs delivery: physical goods do, and what a merchant typed in."""
    return line["type"] in ("physical", "custom")


def changed(checkout: Checkout) -> Checkout:
    """Store a change: the version goes up; what no longer needs shipping is no longer shipped."""
    left = [line["id"] for line in checkout.lines if ships(line)]
    for consignment in reversed(checkout.consignments):
        last = consignment is checkout.consignments[0]
        consignment["line_item_ids"] = left if last else left[-1:]
        left = [] if last else left[:-1]
    checkout.consignments = [c for c in checkout.consignments if c["line_item_ids"]]
    checkout.version += 1
    checkout.updated = datetime.now(UTC)
    checkout.save()
    return checkout


def add_line(checkout: Checkout, product_id: int, quantity: int = 1) -> Checkout:
    for line in checkout.lines:
        if line["product_id"] == product_id:
            return change_quantity(checkout, line["id"], line["quantity"] + quantity)
    checkout.lines.append(make_line({"product_id": product_id, "quantity": quantity}))
    return changed(checkout)


def change_quantity(checkout: Checkout, line_id: str, quantity: int) -> Checkout:
    """Another quantity; 0 removes the line."""
    found = [line for line in checkout.lines if line["id"] == line_id]
    if not found:
        raise ValueError(f"the cart has no line {line_id}")
    found[0]["quantity"] = int(quantity)
    checkout.lines = [line for line in checkout.lines if line["quantity"] > 0]
    return changed(checkout)


def set_customer(checkout: Checkout, customer_id: int = 0, email: str = "") -> Checkout:
    customer = Customer.objects.get(id=customer_id) if customer_id else None
    checkout.customer_id = customer_id
    checkout.email = email or (customer.email if customer else "shopper@example.com")
    return changed(checkout)


def set_address(
    checkout: Checkout, address: Document, *, billing: bool = True, shipping: bool = True
) -> Checkout:
    """Billing and/or shipping address; a new shipping address asks for shipping to be chosen."""
    iso2 = address.get("country_code", "")
    state = address.get("state_or_province", "")
    address = {
        **dict.fromkeys(geography.address("ES"), ""), "email": checkout.email, **address,
        "country": geography.country_name(iso2),
        "state_or_province_code": geography.state_code(iso2, state),
    }  # fmt: skip
    if billing:
        checkout.billing = {"id": uuid.uuid4().hex[:13], **address}
    if shipping and any(ships(line) for line in checkout.lines):
        checkout.consignments = [
            {"id": uuid.uuid4().hex[:13], "address": address, "option": None, "pickup": False}
        ]
    return changed(checkout)


def send_last_line_to(checkout: Checkout, address: Document) -> Checkout:
    """A second consignment, with the last line that ships."""
    first = checkout.consignments[0]
    second = {"id": uuid.uuid4().hex[:13], "address": {**first["address"], **address}}
    checkout.consignments.append({**first, **second})
    return changed(checkout)


def pick_up(checkout: Checkout) -> Checkout:
    """Nothing is sent: the shopper comes to the shop."""
    for consignment in checkout.consignments:
        consignment["pickup"], consignment["option"] = True, None
    return changed(checkout)


def shipping_options(checkout: Checkout) -> list[Document]:
    """What the shop offers for the shipping address; costs as entered."""
    if not checkout.consignments:
        return []
    country = checkout.consignments[0]["address"]["country_code"]
    found = []
    for name, (description, costs) in SHIPPING.items():
        if name == "pickup" and country not in costs:
            continue
        cost = Decimal(costs.get(country, ELSEWHERE))
        if not checkout.tax_included:
            cost = totals.cents(cost / (1 + totals.SHIPPING_TAX / 100))
        found.append({
            "id": name, "type": f"shipping_{name}", "description": description, "image_url": "",
            "cost": str(cost), "transit_time": "", "additional_description": "",
        })  # fmt: skip
    return found


def choose_shipping(checkout: Checkout, option_id: str) -> Checkout:
    for option in shipping_options(checkout):
        if option["id"] == option_id:
            for consignment in checkout.consignments:
                consignment["option"] = option
            return changed(checkout)
    raise ValueError(f"there is no shipping option {option_id} for this address")


def apply_coupon(checkout: Checkout, code: str) -> Checkout:
    if not Coupon.objects.filter(code=code).exists():
        raise ValueError(f"The coupon code {code} isn't valid")
    checkout.coupons = [code]
    return changed(checkout)


def remove_coupon(checkout: Checkout, code: str) -> Checkout:
    checkout.coupons = [other for other in checkout.coupons if other != code]
    return changed(checkout)


def apply_gift_certificate(checkout: Checkout, code: str) -> Checkout:
    if not GiftCertificate.objects.filter(code=code).exists():
        raise ValueError(f"The gift certificate {code} isn't valid")
    if code not in checkout.gift_certificates:
        checkout.gift_certificates = [*checkout.gift_certificates, code]
    return changed(checkout)


def toggle_store_credit(checkout: Checkout, *, applied: bool) -> Checkout:
    """All available store credit is used, up to the value of the order."""
    if applied and not checkout.customer_id:
        raise ValueError("a guest has no store credit")
    checkout.store_credit_applied = applied
    return changed(checkout)


def set_message(checkout: Checkout, text: str) -> Checkout:
    checkout.customer_message = text
    return changed(checkout)


def place_order(checkout: Checkout, method: str = "Cash on Delivery") -> Order:
    """Pay another way: BigCommerce makes the order itself, and its cart is gone."""
    order = conversion.from_checkout(checkout, carried=True)
    order.document["payment_method"] = method
    orders.set_status(order, 11)
    checkout.cart_deleted = True
    checkout.save()
    return order


def as_json(result: Any) -> Any:
    """A function's result for the control API."""
    if isinstance(result, Checkout):
        return {"checkout_id": str(result.id), "grand_total": str(totals.of(result).grand.inc)}
    if isinstance(result, Order):
        return {"order_id": result.id}
    return result
