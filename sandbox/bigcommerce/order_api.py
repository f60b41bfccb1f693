"""V2 orders as the API reads and changes them.

https://developer.bigcommerce.com/docs/rest-management/orders
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox.bigcommerce import editing, merchant, orders
from sandbox.bigcommerce.answers import body, listing, v2, v2_listing, v3
from sandbox.bigcommerce.models import Document, Metafield, Order, OrderAddress, Refund, Shipment
from sandbox.bigcommerce.reading import READERS
from sandbox.bigcommerce.stale import old, remember
from sandbox.knobs import knobs

FILTERS = {
    "min_id": "id__gte", "max_id": "id__lte", "customer_id": "customer_id",
    "status_id": "status_id", "channel_id": "channel_id",
    "email": "document__billing_address__email", "payment_method": "document__payment_method",
    "external_order_id": "document__external_order_id",
}  # fmt: skip
DATES = {
    "min_date_created": "created__gte", "max_date_created": "created__lte",
    "min_date_modified": "modified__gte", "max_date_modified": "modified__lte",
}  # fmt: skip
SORTS = {
    "id": "id", "customer_id": "customer_id", "date_created": "created",
    "date_modified": "modified", "status_id": "status_id", "channel_id": "channel_id",
}  # fmt: skip
OTHERS = ("page", "limit", "sort", "cart_id", "is_deleted", "include", "consignment_structure")


def opened(order_id: int) -> Order:
    order = Order.objects.filter(id=order_id).first()
    if order is None:
        raise v2(404, "The requested resource was not found.")
    return order


def seen(order_id: int, name: str) -> Any:
    """One of the order's documents, as late readers may still see it."""
    order = opened(order_id)
    late = old(order_id)
    return late[name] if late else READERS[name](order)


def moment(text: str) -> datetime:
    """A date of a filter: RFC 2822 or ISO 8601, also seconds since 1970."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = parse(text)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    raise v2(400, f"The date {text!r} is not valid.")


def filtered(request: HttpRequest) -> QuerySet[Order]:
    """The orders a list asks for; 400 for a filter that does not exist."""
    rows = Order.objects.filter(is_deleted=request.GET.get("is_deleted") == "true")
    for name, value in request.GET.dict().items():
        if name in FILTERS:
            rows = rows.filter(**{FILTERS[name]: value})
        elif name in DATES:
            rows = rows.filter(**{DATES[name]: moment(value)})
        elif name not in OTHERS:
            raise v2(400, f"The filter {name} is not supported.", invalid_field=name)
    if "cart_id" in request.GET:
        late = datetime.now(UTC) - timedelta(seconds=knobs.lookup_lag)
        rows = rows.filter(cart_id=request.GET["cart_id"], created__lte=late)
    field, _, direction = request.GET.get("sort", "id:asc").partition(":")
    if field not in SORTS:
        raise v2(400, f"Cannot sort by {field}.")
    return rows.order_by(("-" if direction == "desc" else "") + SORTS[field], "id")


def collection(request: HttpRequest, **_parts: Any) -> HttpResponse:
    """`GET /v2/orders`."""
    return v2_listing(request, [orders.as_v2(order) for order in filtered(request)])


def count(_request: HttpRequest, **_parts: Any) -> JsonResponse:
    return JsonResponse({"count": Order.objects.filter(is_deleted=False).count()})


def read(request: HttpRequest, order_id: int, **_parts: Any) -> JsonResponse:
    """`GET /v2/orders/{id}?include=fees,consignments…`."""
    order = dict(seen(order_id, "order"))
    include = set() if knobs.include_ignored else asked_for(request)
    if "fees" in include:
        order["fees"] = seen(order_id, "fees")
    is_object = request.GET.get("consignment_structure") == "object"
    if is_object and include & {CONSIGNMENTS, CONSIGNMENT_LINES}:
        order["consignments"] = consignments(order_id, whole=CONSIGNMENT_LINES in include)
    return JsonResponse(order)


CONSIGNMENTS, CONSIGNMENT_LINES = "consignments", "consignments.line_items"
# What a shipping consignment has of an address: numbers where the address has text.
COSTS = (
    "base_cost", "cost_ex_tax", "cost_inc_tax", "cost_tax", "base_handling_cost",
    "handling_cost_ex_tax", "handling_cost_inc_tax", "handling_cost_tax",
)  # fmt: skip


def asked_for(request: HttpRequest) -> set[str]:
    """The parts to include; 400 for one that does not exist."""
    names = set(filter(None, request.GET.get("include", "").split(",")))
    if unknown := names - {CONSIGNMENTS, CONSIGNMENT_LINES, "fees"}:
        raise v2(400, f"Cannot include {', '.join(sorted(unknown))}.", invalid_field="include")
    return names


def consignments(order_id: int, *, whole: bool) -> Document:
    """The order's lines by the way they reach the shopper: whole, or as links."""
    products, addresses = seen(order_id, "products"), seen(order_id, "shipping_addresses")
    first = addresses[0]["id"] if addresses else 0
    by_way: dict[object, list[Document]] = {}
    for line in products:
        is_sent = line["type"] == "physical"
        way = (line["order_address_id"] or first) if is_sent else line["type"]
        shown = line if whole else orders.link(order_id, f"products/{line['id']}")
        by_way.setdefault(way, []).append(shown)
    recipient = seen(order_id, "order")["billing_address"]["email"]

    def by_email(kind: str) -> list[Document]:
        lines = by_way.get(kind)
        return [{"recipient_email": recipient, "line_items": lines}] if lines else []

    return {
        "pickups": [],
        "shipping": [shipping(one, by_way.get(one["id"], [])) for one in addresses],
        "downloads": by_email("digital"),
        "email": {"gift_certificates": by_email("giftcertificate")},
    }


def shipping(address: Document, lines: list[Document]) -> Document:
    """A shipping consignment: its address, its lines and what it costs."""
    own = {name: value for name, value in address.items() if name != "order_id"}
    costs = {name: float(address[name]) for name in COSTS if name in address}
    return own | costs | {"line_items": lines}


def read_consignments(request: HttpRequest, order_id: int, **_parts: Any) -> JsonResponse:
    return JsonResponse(consignments(order_id, whole=CONSIGNMENT_LINES in asked_for(request)))


def sublist(name: str) -> Any:
    """A view of one of the order's lists."""

    def view(request: HttpRequest, order_id: int, **_parts: Any) -> HttpResponse:
        rows = seen(order_id, name)
        if name == "fees" and knobs.fees_wrapped:
            return JsonResponse({"fees": rows})
        return v2_listing(request, rows)

    return view


def one_of(name: str) -> Any:
    """A view of one row of one of the order's lists."""

    def view(_request: HttpRequest, order_id: int, row_id: int, **_parts: Any) -> JsonResponse:
        for row in seen(order_id, name):
            if row["id"] == row_id:
                return JsonResponse(row)
        raise v2(404, "The requested resource was not found.")

    return view


def update(request: HttpRequest, order_id: int, **_parts: Any) -> JsonResponse:
    """`PUT /v2/orders/{id}`."""
    opened(order_id)
    order = Order.objects.select_for_update().get(id=order_id)
    remember(order)
    editing.update(order, body(request))
    return JsonResponse(orders.as_v2(order))


def delete(_request: HttpRequest, order_id: int, **_parts: Any) -> HttpResponse:
    """`DELETE /v2/orders/{id}` archives."""
    opened(order_id)
    merchant.archive(order_id)
    return HttpResponse(status=204)


def update_shipping_address(
    request: HttpRequest, order_id: int, row_id: int, **_parts: Any
) -> JsonResponse:
    """`PUT /v2/orders/{id}/shipping_addresses/{id}`: nothing is recalculated."""
    opened(order_id)
    if not OrderAddress.objects.filter(order_id=order_id, id=row_id).exists():
        raise v2(404, "The requested resource was not found.")
    fields = body(request)
    editing.check_fields(fields, {*editing.ADDRESS, "shipping_method"})
    return JsonResponse(merchant.edit_shipping_address(order_id, row_id, **fields))


# --- Shipments -----------------------------------------------------------------------------------

SHIPMENT_FIELDS = {
    "order_address_id", "tracking_number", "tracking_carrier", "shipping_provider",
    "shipping_method", "tracking_link", "comments", "merchant_shipping_cost", "items",
}  # fmt: skip


def create_shipment(request: HttpRequest, order_id: int, **_parts: Any) -> JsonResponse:
    """`POST /v2/orders/{id}/shipments`."""
    opened(order_id)
    fields = body(request)
    editing.check_fields(fields, SHIPMENT_FIELDS)
    if not fields.get("items") or "order_address_id" not in fields:
        raise v2(400, "The fields order_address_id and items are required.")
    try:
        shipment = merchant.ship(
            order_id, fields["items"], fields.get("tracking_number", ""),
            fields.get("tracking_carrier") or fields.get("shipping_provider", ""),
            fields.get("tracking_link", ""), fields.get("comments", ""), fields["order_address_id"],
        )  # fmt: skip
    except ValueError as error:
        raise v2(400, str(error)) from error
    return JsonResponse(shipment, status=201)


def update_shipment(
    request: HttpRequest, order_id: int, row_id: int, **_parts: Any
) -> JsonResponse:
    fields = body(request)
    editing.check_fields(fields, SHIPMENT_FIELDS - {"items"})
    try:
        return JsonResponse(merchant.edit_shipment(order_id, row_id, **fields))
    except ValueError as error:
        raise v2(404, str(error)) from error


def delete_shipment(
    _request: HttpRequest, order_id: int, row_id: int, **_parts: Any
) -> HttpResponse:
    if not Shipment.objects.filter(order_id=order_id, id=row_id).exists():
        raise v2(404, "The requested resource was not found.")
    merchant.unship(order_id, row_id)
    return HttpResponse(status=204)


def count_shipments(_request: HttpRequest, order_id: int, **_parts: Any) -> JsonResponse:
    return JsonResponse({"count": len(seen(order_id, "shipments"))})


# --- V3: transactions and metafields -------------------------------------------------------------


def seen_v3(order_id: int, name: str) -> Any:
    """The same, with V3's 404."""
    if not Order.objects.filter(id=order_id).exists():
        raise v3(404, "Order not found")
    return seen(order_id, name)


def transactions(request: HttpRequest, order_id: int, **_parts: Any) -> HttpResponse:
    """`GET /v3/orders/{id}/transactions`: 204 when there are none."""
    rows = seen_v3(order_id, "transactions")
    return listing(request, rows) if rows else HttpResponse(status=204)


def metafields(request: HttpRequest, order_id: int, **_parts: Any) -> JsonResponse:
    return listing(request, seen_v3(order_id, "metafields"))


def create_metafield(request: HttpRequest, order_id: int, **_parts: Any) -> JsonResponse:
    """`POST /v3/orders/{id}/metafields`: 409 for a second of the same namespace and key."""
    seen_v3(order_id, "metafields")
    fields = body(request)
    missing = [n for n in ("permission_set", "namespace", "key", "value") if not fields.get(n)]
    if missing:
        raise v3(
            422, "JSON data is missing or invalid", dict.fromkeys(missing, "error.path.missing.")
        )
    same = {f"document__{name}": fields[name] for name in ("namespace", "key")}
    if Metafield.objects.filter(order_id=order_id, **same).exists():
        raise v3(409, "A metafield with this namespace and key exists")
    row = Metafield.objects.create(order_id=order_id, document=fields)
    row.document |= {"id": row.id, "resource_type": "order", "resource_id": order_id}
    row.save()
    return JsonResponse({"data": row.document, "meta": {}})


def refunds_of_store(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v3/orders/payment_actions/refunds` over all orders."""
    from sandbox.bigcommerce.refunds import as_v3

    rows = Refund.objects.order_by("id")
    for name, field in (("order_id:in", "order_id__in"), ("id:in", "id__in")):
        if name in request.GET:
            rows = rows.filter(**{field: [int(n) for n in request.GET[name].split(",")]})
    for name, field in (("created:min", "gte"), ("created:max", "lte")):
        if name in request.GET:
            rows = rows.filter(**{f"document__created__{field}": request.GET[name]})
    return listing(request, [as_v3(row) for row in rows])
