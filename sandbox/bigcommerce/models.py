# ruff: noqa: DJ008 - nobody prints these rows
"""What the pretend BigCommerce remembers.

Parts of an order are kept as the documents the V2 API answers with; amounts in them are the API's
strings. Elsewhere amounts are decimals in major units.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.utils import timezone

Document = dict[str, Any]


class Store(models.Model):
    """The merchant's store; `details` overrides fields of `GET /v2/store`."""

    hash = models.CharField(max_length=32, primary_key=True)
    access_token = models.CharField(max_length=64, blank=True)
    scopes = models.TextField(blank=True)
    details: models.JSONField[Document, Document] = models.JSONField(default=dict)


class Code(models.Model):
    """A one-time authorization code of an installation or a re-consent."""

    code = models.CharField(max_length=64, primary_key=True)
    store_hash = models.CharField(max_length=32)
    scope = models.TextField()
    user: models.JSONField[Document, Document] = models.JSONField()
    used = models.BooleanField(default=False)


class Channel(models.Model):
    """A storefront (or another sales channel) with its site's addresses."""

    id = models.IntegerField(primary_key=True)
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=32, default="storefront")
    platform = models.CharField(max_length=32, default="bigcommerce")
    status = models.CharField(max_length=32, default="active")
    url = models.CharField(max_length=255, blank=True)
    checkout_url = models.CharField(max_length=255, blank=True)
    settings: models.JSONField[Document, Document] = models.JSONField(default=dict)
    created = models.DateTimeField(default=timezone.now)


class Category(models.Model):
    id = models.IntegerField(primary_key=True)
    parent_id = models.IntegerField(default=0)
    name = models.CharField(max_length=50)


class Product(models.Model):
    """`price` is as the merchant entered it; `tax_rate` is in percent."""

    id = models.IntegerField(primary_key=True)
    name = models.CharField(max_length=250)
    sku = models.CharField(max_length=255, blank=True)
    type = models.CharField(max_length=16, default="physical")
    price = models.DecimalField(max_digits=20, decimal_places=4)
    tax_rate = models.DecimalField(max_digits=6, decimal_places=4, default=21)
    brand = models.CharField(max_length=255, blank=True)
    weight = models.DecimalField(max_digits=10, decimal_places=4, default=1)
    categories: models.JSONField[list[int], list[int]] = models.JSONField(default=list)
    description = models.TextField(blank=True)
    image = models.TextField(blank=True)
    custom_fields: models.JSONField[list[Document], list[Document]] = models.JSONField(default=list)


class Customer(models.Model):
    id = models.BigAutoField(primary_key=True)
    email = models.CharField(max_length=250)
    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100)
    phone = models.CharField(max_length=50, blank=True)
    company = models.CharField(max_length=140, blank=True)
    store_credit = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    group_id = models.IntegerField(default=0)  # 0: in no group
    created = models.DateTimeField(default=timezone.now)


class CustomerGroup(models.Model):
    id = models.IntegerField(primary_key=True)
    name = models.CharField(max_length=50)


class CustomerAddress(models.Model):
    """An entry of a customer's address book."""

    id = models.BigAutoField(primary_key=True)
    customer = models.ForeignKey(Customer, models.CASCADE)
    first_name = models.CharField(max_length=255)
    last_name = models.CharField(max_length=255)
    company = models.CharField(max_length=255, blank=True)
    phone = models.CharField(max_length=50, blank=True)
    address1 = models.CharField(max_length=255)
    address2 = models.CharField(max_length=255, blank=True)
    city = models.CharField(max_length=100)
    state_or_province = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=30, blank=True)
    country_code = models.CharField(max_length=2)
    address_type = models.CharField(max_length=16, default="residential")


class Coupon(models.Model):
    """`type` is BigCommerce's number: 0 per item, 1 percentage, 2 per total, 3 shipping, 4 free."""

    id = models.BigAutoField(primary_key=True)
    code = models.CharField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    type = models.IntegerField()
    amount = models.DecimalField(max_digits=20, decimal_places=4)


class GiftCertificate(models.Model):
    code = models.CharField(max_length=20, primary_key=True)
    balance = models.DecimalField(max_digits=20, decimal_places=4)


class Checkout(models.Model):
    """A cart and its checkout, which share their id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    channel_id = models.IntegerField(default=1)
    customer_id = models.BigIntegerField(default=0)
    email = models.CharField(max_length=250, blank=True)
    currency = models.CharField(max_length=3, default="EUR")
    tax_included = models.BooleanField(default=True)
    lines: models.JSONField[list[Document], list[Document]] = models.JSONField(default=list)
    billing: models.JSONField[Document, Document] = models.JSONField(default=dict)
    consignments: models.JSONField[list[Document], list[Document]] = models.JSONField(default=list)
    coupons: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    gift_certificates: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    discount = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    fees: models.JSONField[list[Document], list[Document]] = models.JSONField(default=list)
    store_credit_applied = models.BooleanField(default=False)
    customer_message = models.TextField(blank=True)
    locale = models.CharField(max_length=16, default="es")
    version = models.IntegerField(default=1)
    order_id = models.BigIntegerField(null=True)
    finalised = models.BooleanField(default=False)
    cart_deleted = models.BooleanField(default=False)
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(default=timezone.now)


class CheckoutToken(models.Model):
    """Lets a guest see the confirmation of the order made from a checkout."""

    token = models.CharField(max_length=64, primary_key=True)
    checkout = models.ForeignKey(Checkout, models.CASCADE)
    uses_left = models.IntegerField()
    expires = models.DateTimeField()


class Visit(models.Model):
    """A shopper's session in the shop: cart, customer, and the orders placed in it."""

    key = models.CharField(max_length=64, primary_key=True)
    xsrf_token = models.CharField(max_length=64)
    checkout_id = models.UUIDField(null=True)
    customer_id = models.BigIntegerField(default=0)
    orders: models.JSONField[list[int], list[int]] = models.JSONField(default=list)


class Order(models.Model):
    """`document` holds the V2 fields without id, status, dates and links."""

    id = models.BigAutoField(primary_key=True)
    status_id = models.IntegerField(default=0)
    cart_id = models.UUIDField(null=True, db_index=True)
    customer_id = models.BigIntegerField(default=0)
    channel_id = models.IntegerField(default=1)
    is_deleted = models.BooleanField(default=False)
    created = models.DateTimeField(default=timezone.now)
    modified = models.DateTimeField(default=timezone.now)
    shipped = models.DateTimeField(null=True)
    document: models.JSONField[Document, Document] = models.JSONField(default=dict)


class OrderPart(models.Model):
    """Something an order has several of, as the document the API answers with."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, models.CASCADE)
    document: models.JSONField[Document, Document] = models.JSONField(default=dict)

    class Meta:
        abstract = True
        ordering = ["id"]


class OrderProduct(OrderPart):
    pass


class OrderAddress(OrderPart):
    pass


class OrderCoupon(OrderPart):
    pass


class OrderTax(OrderPart):
    pass


class OrderFee(OrderPart):
    pass


class Shipment(OrderPart):
    pass


class Refund(OrderPart):
    pass


class Transaction(OrderPart):
    pass


class Metafield(OrderPart):
    pass


class PaymentToken(models.Model):
    """A payment access token (PAT): one hour to pay for one Incomplete order."""

    token = models.CharField(max_length=64, primary_key=True)
    order = models.ForeignKey(Order, models.CASCADE)
    expires = models.DateTimeField()


class Hook(models.Model):
    id = models.BigAutoField(primary_key=True)
    client_id = models.CharField(max_length=64)
    scope = models.CharField(max_length=128)
    destination = models.CharField(max_length=1024)
    headers: models.JSONField[Document | None, Document | None] = models.JSONField(null=True)
    is_active = models.BooleanField(default=True)
    deactivated = models.BooleanField(default=False)
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(default=timezone.now)


class Script(models.Model):
    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4)
    channel_id = models.IntegerField(default=1)
    document: models.JSONField[Document, Document] = models.JSONField()
    created = models.DateTimeField(default=timezone.now)
    modified = models.DateTimeField(default=timezone.now)


class AppExtension(models.Model):
    id = models.BigAutoField(primary_key=True)
    context = models.CharField(max_length=16)
    model = models.CharField(max_length=32)
    url = models.CharField(max_length=255)
    label: models.JSONField[Document, Document] = models.JSONField()
