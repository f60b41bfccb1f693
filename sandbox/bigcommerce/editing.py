"""`PUT /v2/orders/{id}`: what can be written, and what writing does.

Amounts are written as pairs with and without tax; the lines that are touched lose their discounts;
fees are replaced as a whole; read-only fields are refused.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.bigcommerce import orders, statuses, totals
from sandbox.bigcommerce.answers import v2
from sandbox.bigcommerce.models import (
    Channel,
    Document,
    Order,
    OrderAddress,
    OrderFee,
    OrderProduct,
    Product,
)
from sandbox.bigcommerce.orders import money
from sandbox.bigcommerce.totals import Amount
from sandbox.bigcommerce.webhooks import emit_order

PAIRS = ("subtotal", "total", "shipping_cost", "handling_cost", "wrapping_cost")
PAIR_FIELDS = {f"{name}_{tax}_tax" for name in PAIRS for tax in ("ex", "inc")}
TEXTS = {
    "payment_method": 100, "payment_provider_id": 255, "staff_notes": 65_535,
    "customer_message": 65_535, "external_source": 255, "external_order_id": 255,
    "external_merchant_id": 255, "ip_address": 30, "ip_address_v6": 39, "geoip_country": 50,
    "geoip_country_iso2": 2, "tax_provider_id": 60, "customer_locale": 30, "order_source": 50,
    "ebay_order_id": 60, "default_currency_code": 3,
}  # fmt: skip
NULLABLE = {"external_source", "external_order_id", "external_merchant_id"}
ADDRESS = {
    "first_name", "last_name", "company", "street_1", "street_2", "city", "state", "zip",
    "country", "country_iso2", "phone", "email", "form_fields",
}  # fmt: skip
COSTS = {"base_handling_cost", "base_shipping_cost", "base_wrapping_cost", "discount_amount"}
FIELDS = (
    PAIR_FIELDS | set(TEXTS) | COSTS
    | {"billing_address", "channel_id", "customer_id", "products", "shipping_addresses",
       "status_id", "fees", "is_deleted", "date_created", "items_total", "items_shipped",
       "order_is_digital", "refunded_amount", "consignments"}
)  # fmt: skip


def check_fields(given: Document, known: set[str]) -> None:
    """400 for a field that cannot be written."""
    for name in given:
        if name not in known:
            raise v2(400, f"The field '{name}' is not supported.", invalid_field=name)


def decimal(given: Document, name: str) -> Decimal:
    try:
        value = Decimal(str(given[name]))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise v2(400, f"The field '{name}' is invalid.", invalid_reason="Please provide a number")
    return value


def update(order: Order, given: Document) -> None:
    """Apply a PUT's body to the order; a Refused leaves nothing of it behind."""
    if "external_id" in given:
        raise v2(400, "The field 'external_id' cannot be written to.", invalid_field="external_id")
    check_fields(given, FIELDS)
    if not given:
        raise v2(400, "You must specify at least one field.")
    write_texts(order, given)
    write_people(order, given)
    if given.keys() & (PAIR_FIELDS | {"products", "fees", "discount_amount"}):
        write_amounts(order, given)
        orders.recompute(order)
    status_id = given.get("status_id", order.status_id)
    if not isinstance(status_id, int) or not 0 <= status_id < len(statuses.NAMES):
        raise v2(400, "The field 'status_id' is invalid.", invalid_field="status_id")
    if given.get("is_deleted"):
        order.is_deleted = True
        emit_order(order.id, order.channel_id, "archived")
    orders.set_status(order, status_id)


def write_texts(order: Order, given: Document) -> None:
    for name in TEXTS.keys() & given.keys():
        value = given[name]
        if value is None and name in NULLABLE:
            order.document[name] = None
            continue
        if isinstance(value, dict) and name == "payment_provider_id":
            value = str(value)
        if not isinstance(value, (str, int)) or len(str(value)) > TEXTS[name]:
            raise v2(400, f"The field '{name}' is invalid.", invalid_field=name)
        if name == "external_merchant_id" and order.document[name] is not None:
            raise v2(400, f"The field '{name}' cannot be written to. Please remove it.")
        order.document[name] = str(value)


def write_people(order: Order, given: Document) -> None:
    """Addresses, customer and channel."""
    if "billing_address" in given:
        address = given["billing_address"]
        check_fields(address, ADDRESS)
        order.document["billing_address"] |= address
    if "customer_id" in given:
        order.customer_id = int(given["customer_id"])
    if "channel_id" in given:
        if not Channel.objects.filter(id=given["channel_id"]).exists():
            raise v2(400, "The field 'channel_id' is invalid.", invalid_field="channel_id")
        order.channel_id = given["channel_id"]
    for address in given.get("shipping_addresses", []):
        row = OrderAddress.objects.filter(order=order, id=address.get("id")).first()
        if row is None:
            raise v2(400, "The shipping address does not exist.")
        check_fields(address, ADDRESS | {"id", "shipping_method"})
        row.document |= {name: value for name, value in address.items() if name != "id"}
        row.save()


def write_amounts(order: Order, given: Document) -> None:
    if "products" in given:
        order.document.pop("_total", None)
        for product in given["products"]:
            write_product(order, product)
    if "fees" in given:
        write_fees(order, given["fees"])
    for name in PAIRS:
        pair = given.keys() & {f"{name}_ex_tax", f"{name}_inc_tax"}
        if len(pair) == 1:
            raise v2(400, f"{name}_ex_tax and {name}_inc_tax must be given together.")
        if pair:
            write_pair(order, name, given)


def write_pair(order: Order, name: str, given: Document) -> None:
    inc, ex = decimal(given, f"{name}_inc_tax"), decimal(given, f"{name}_ex_tax")
    if ex > inc:
        raise v2(400, f"The {name} excluding tax is more than the one including tax.")
    if name == "total":
        order.document["_total"] = [str(inc), str(ex)]
    order.document |= orders.pair(name, Amount(inc, ex))


def write_product(order: Order, given: Document) -> None:
    """Without id: added; with id: changed (0 removes); a changed line loses its discounts."""
    known = {
        "id", "product_id", "quantity", "name", "name_customer", "name_merchant", "sku", "upc",
        "price_ex_tax", "price_inc_tax", "product_options", "variant_id", "weight", "type",
        "order_address_id", "brand", "external_id", "cost_price_ex_tax", "cost_price_inc_tax",
        "cost_price_tax", "price_tax",
    }  # fmt: skip
    check_fields(given, known)
    prices = given.keys() & {"price_ex_tax", "price_inc_tax"}
    if len(prices) == 1:
        raise v2(400, "price_ex_tax and price_inc_tax must be given together.")
    if "id" not in given:
        new_product(order, given)
        return
    row = OrderProduct.objects.filter(order=order, id=given["id"]).first()
    if row is None:
        raise v2(400, f"The order has no product {given['id']}.")
    if given.get("quantity") == 0:
        row.delete()
        return
    if "quantity" in given:
        row.document["quantity"] = int(decimal(given, "quantity"))
    if prices:
        set_price(row.document, given)
    row.document |= {name: given[name] for name in ("name", "sku", "upc") if name in given}
    row.document["applied_discounts"] = []
    orders.add_up_product(row.document)
    row.save()


def set_price(document: Document, given: Document) -> None:
    """A price as entered, with the rate that lies between the two."""
    inc, ex = decimal(given, "price_inc_tax"), decimal(given, "price_ex_tax")
    rate = (inc / ex - 1) * 100 if ex else Decimal(0)
    document["_tax_rate"] = str(totals.fine(rate))
    document["_price"] = str(inc if document["_included"] else ex)


def new_product(order: Order, given: Document) -> None:
    included = order.document["is_tax_inclusive_pricing"]
    address = OrderAddress.objects.filter(order=order).first()
    source: dict[str, Any] = {
        "product_id": 0, "sku": given.get("sku", ""), "type": "physical", "tax_rate": "21",
        "name": given.get("name", given.get("name_merchant")), "price": "0",
    }  # fmt: skip
    catalogue = Product.objects.filter(id=given.get("product_id", 0)).first()
    if catalogue:
        rate = {"_included": included, "_tax_rate": str(catalogue.tax_rate)}
        price = catalogue.price
        if not included:
            price = totals.fine(price / (1 + Decimal(rate["_tax_rate"]) / 100))
        source |= {
            "product_id": catalogue.id, "sku": catalogue.sku, "name": catalogue.name,
            "type": catalogue.type, "price": price, "tax_rate": catalogue.tax_rate,
        }  # fmt: skip
    elif not source["name"] or "price_inc_tax" not in given:
        raise v2(400, "A custom product needs name, quantity, price_ex_tax and price_inc_tax.")
    row = orders.new_product(
        order, source, quantity=int(decimal(given, "quantity")), included=included,
        address_id=address.id if address else 0, discounts=[],
    )  # fmt: skip
    if "price_inc_tax" in given:
        set_price(row.document, given)
        orders.add_up_product(row.document)
        row.save()


def write_fees(order: Order, given: list[Document]) -> None:
    """The fees of the body are the order's fees from now on."""
    kept = {fee["id"] for fee in given if "id" in fee}
    OrderFee.objects.filter(order=order).exclude(id__in=kept).delete()
    for fee in given:
        cost = Amount(decimal(fee, "cost_inc_tax"), decimal(fee, "cost_ex_tax"))
        if "id" not in fee:
            name = str(fee.get("display_name_merchant") or fee.get("name") or "Fee")
            orders.add_fee(order, name, str(fee.get("display_name_customer") or name), cost)
            continue
        row = OrderFee.objects.filter(order=order, id=fee["id"]).first()
        if row is None:
            raise v2(400, f"The order has no fee {fee['id']}.")
        row.document |= orders.pair("cost", cost) | {"base_cost": money(cost.ex)}
        row.save()
