"""Products, categories and customers as V3 lists them."""

from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox.bigcommerce.answers import body, data, listing, v2_listing, v3
from sandbox.bigcommerce.models import (
    Category,
    Customer,
    CustomerAddress,
    CustomerGroup,
    Document,
    Product,
)
from sandbox.bigcommerce.totals import number


def ids(text: str, name: str) -> list[int]:
    """`1,2,3` as numbers."""
    try:
        return [int(part) for part in text.split(",") if part]
    except ValueError:
        raise v3(422, f"The filter {name} is invalid", {name: "error.expected.int"}) from None


def product_as_v3(product: Product, include: str = "") -> Document:
    shown: Document = {
        "id": product.id, "name": product.name, "type": product.type, "sku": product.sku,
        "description": product.description, "weight": number(product.weight),
        "price": number(product.price), "calculated_price": number(product.price),
        "categories": product.categories, "brand_id": 0, "tax_class_id": 0, "is_visible": True,
        "availability": "available", "inventory_tracking": "none", "inventory_level": 0,
        "custom_url": {"url": f"/products/{product.id}", "is_customized": False},
    }  # fmt: skip
    if "custom_fields" in include:
        shown["custom_fields"] = product.custom_fields
    if "images" in include:
        shown["images"] = [{"id": product.id, "url_standard": product.image, "is_thumbnail": True}]
    return shown


def products(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v3/catalog/products?id:in&sku:in&sku&name&keyword&categories:in`."""
    rows = Product.objects.order_by("id")
    query = request.GET
    if "id:in" in query:
        rows = rows.filter(id__in=ids(query["id:in"], "id:in"))
    if "categories:in" in query:
        wanted = ids(query["categories:in"], "categories:in")
        some = Q()
        for number_ in wanted:
            some |= Q(categories__contains=number_)
        rows = rows.filter(some)
    rows = by_text(rows, query)
    shown = [product_as_v3(product, query.get("include", "")) for product in rows]
    if "include_fields" in query:
        kept = {"id", *query["include_fields"].split(",")}
        shown = [{k: v for k, v in product.items() if k in kept} for product in shown]
    return listing(request, shown)


def by_text(rows: QuerySet[Product], query: Any) -> QuerySet[Product]:
    """The filters on name and SKU."""
    if "sku:in" in query:
        rows = rows.filter(sku__in=query["sku:in"].split(","))
    if "sku" in query:
        rows = rows.filter(sku=query["sku"])
    if "name:like" in query:
        rows = rows.filter(name__icontains=query["name:like"])
    if "keyword" in query:
        word = query["keyword"]
        rows = rows.filter(Q(name__icontains=word) | Q(sku__icontains=word))
    return rows


def product(request: HttpRequest, product_id: int, **_parts: Any) -> JsonResponse:
    found = Product.objects.filter(id=product_id).first()
    if found is None:
        raise v3(404, f"A product was not found with an id of {product_id}")
    return data(product_as_v3(found, request.GET.get("include", "")))


def category_as_v3(category: Category, *, tree: bool) -> Document:
    key = "category_id" if tree else "id"
    return {
        key: category.id, "parent_id": category.parent_id, "name": category.name,
        "is_visible": True, **({"tree_id": 1} if tree else {"description": "", "sort_order": 0}),
    }  # fmt: skip


def categories(request: HttpRequest, *, tree: bool = False, **_parts: Any) -> JsonResponse:
    """`GET /v3/catalog/categories` and `GET /v3/catalog/trees/categories`."""
    rows = Category.objects.order_by("id")
    key = "category_id:in" if tree else "id:in"
    if key in request.GET:
        rows = rows.filter(id__in=ids(request.GET[key], key))
    for name in ("name:like", "keyword"):
        if name in request.GET:
            rows = rows.filter(name__icontains=request.GET[name])
    return listing(request, [category_as_v3(row, tree=tree) for row in rows])


def tree_categories(request: HttpRequest, **parts: Any) -> JsonResponse:
    return categories(request, tree=True, **parts)


# --- Customers -----------------------------------------------------------------------------------


MOST_CUSTOMERS = 10  # of one request that changes them


def customer_as_v3(customer: Customer, include: str) -> Document:
    moment = customer.created.isoformat()
    shown: Document = {
        "id": customer.id, "email": customer.email, "first_name": customer.first_name,
        "last_name": customer.last_name, "company": customer.company, "phone": customer.phone,
        "notes": "", "tax_exempt_category": "", "customer_group_id": customer.group_id,
        "accepts_product_review_abandoned_cart_emails": True, "channel_ids": [1],
        "origin_channel_id": 1, "registration_ip_address": "",
        "address_count": CustomerAddress.objects.filter(customer=customer).count(),
        "authentication": {"force_password_reset": False},
        "date_created": moment, "date_modified": moment,
    }  # fmt: skip
    if "storecredit" in include:
        shown["store_credit_amounts"] = [{"amount": number(customer.store_credit)}]
    return shown


def customers(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v3/customers?id:in&email:in&include=storecredit`."""
    rows = Customer.objects.order_by("id")
    if "id:in" in request.GET:
        rows = rows.filter(id__in=ids(request.GET["id:in"], "id:in"))
    if "email:in" in request.GET:
        rows = rows.filter(email__in=request.GET["email:in"].split(","))
    include = request.GET.get("include", "")
    return listing(request, [customer_as_v3(row, include) for row in rows])


def customer_groups(request: HttpRequest, **_parts: Any) -> HttpResponse:
    """`GET /v2/customer_groups`."""
    rows = [
        {
            "id": group.id, "name": group.name, "is_default": False,
            "category_access": {"type": "all"}, "discount_rules": [],
            "is_group_for_guests": False,
        }
        for group in CustomerGroup.objects.order_by("id")
    ]  # fmt: skip
    return v2_listing(request, rows)


def update_customers(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`PUT /v3/customers`: at most ten; an e-mail address belongs to one customer."""
    shown, given = [], body(request, list)
    if len(given) > MOST_CUSTOMERS:
        raise v3(413, "The request payload is too large.")
    for fields in given:
        customer = Customer.objects.select_for_update().filter(id=fields.get("id")).first()
        if customer is None:
            raise v3(422, "The customer does not exist", {"id": "error.invalid"})
        for credit in fields.get("store_credit_amounts", []):
            customer.store_credit = Decimal(str(credit["amount"]))
        email = fields.get("email", customer.email)
        if Customer.objects.filter(email__iexact=email).exclude(id=customer.id).exists():
            raise v3(422, "email address is already in use", {"0.email": "error.duplicate"})
        for name in ("email", "first_name", "last_name", "company", "phone"):
            setattr(customer, name, fields.get(name, getattr(customer, name)))
        customer.save()
        shown.append(customer_as_v3(customer, "storecredit"))
    return data(shown)


# What makes an address another one: an address book holds no two that are the same in these.
UNIQUE = (
    "first_name", "last_name", "company", "phone", "address_type", "address1", "address2", "city",
    "country_code", "state_or_province", "postal_code",
)  # fmt: skip


def address_as_v3(address: CustomerAddress) -> Document:
    return {
        "id": address.id, "customer_id": address.customer_id, "country": "",
        **{name: getattr(address, name) for name in UNIQUE},
    }  # fmt: skip


def addresses(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v3/customers/addresses?customer_id:in`."""
    rows = CustomerAddress.objects.order_by("id")
    if "customer_id:in" in request.GET:
        wanted = ids(request.GET["customer_id:in"], "customer_id:in")
        rows = rows.filter(customer__in=wanted)
    return listing(request, [address_as_v3(row) for row in rows])


def update_addresses(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`PUT /v3/customers/addresses`: what would become a copy stays, and is not in the answer."""
    shown = []
    for fields in body(request, list):
        address = CustomerAddress.objects.filter(id=fields.get("id")).first()
        if address is None:
            raise v3(422, "The address does not exist", {"0.id": "error.invalid"})
        wanted = {name: fields.get(name, getattr(address, name)) for name in UNIQUE}
        if not CustomerAddress.objects.filter(customer=address.customer_id, **wanted).exists():
            for name, value in wanted.items():
                setattr(address, name, value)
            address.save()
            shown.append(address_as_v3(address))
    return data(shown)
