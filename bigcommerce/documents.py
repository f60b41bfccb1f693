"""The parts we read of what BigCommerce answers. More is there; none of it is promised.

Money: V2 gives strings of major units ("69.8400"), V3 gives numbers of major units. Nothing in
here is cents yet: `payloads.money.to_cents` reads both.
https://developer.bigcommerce.com/docs/rest-management
"""

from dataclasses import dataclass, field
from typing import Any, TypedDict


class User(TypedDict, total=False):
    id: int
    username: str
    email: str


@dataclass(frozen=True)
class TokenGrant:
    """The answer to a code: what the merchant granted, and to which store."""

    access_token: str = field(repr=False)
    scope: str
    context: str
    user: User
    owner: User
    account_uuid: str

    @property
    def store_hash(self) -> str:
        return self.context.removeprefix("stores/")

    @property
    def scopes(self) -> set[str]:
        return set(self.scope.split())


# Store ------------------------------------------------------------------------------------------


class _Timezone(TypedDict, total=False):
    name: str


class StoreInformation(TypedDict, total=False):
    id: str  # the store hash
    name: str
    secure_url: str
    control_panel_base_url: str
    country: str
    country_code: str
    phone: str
    admin_email: str
    timezone: _Timezone
    language: str
    currency: str


class Channel(TypedDict, total=False):
    id: int
    name: str
    type: str  # storefront, pos, marketplace, marketing
    platform: str
    status: str


class _SiteUrl(TypedDict, total=False):
    url: str
    type: str  # primary, canonical, checkout


class Site(TypedDict, total=False):
    id: int
    url: str
    channel_id: int
    urls: list[_SiteUrl]


class OrderStatus(TypedDict, total=False):
    id: int
    name: str
    custom_label: str  # the merchant's own word: show it, never compare it
    order: int


class CheckoutSettings(TypedDict, total=False):
    checkout_type: str
    is_order_terms_and_conditions_enabled: bool
    custom_checkout_script_url: str


# What we register -------------------------------------------------------------------------------


class Hook(TypedDict, total=False):
    id: int
    client_id: str
    scope: str
    destination: str
    headers: dict[str, str] | None
    is_active: bool
    created_at: int
    updated_at: int


class _BlockedDomain(TypedDict, total=False):
    destination: str
    reasons: list[dict[str, Any]]


class HooksAdmin(TypedDict, total=False):
    blocked_domains: list[_BlockedDomain]


class Script(TypedDict, total=False):
    uuid: str
    name: str
    description: str
    kind: str
    src: str
    html: str
    location: str
    load_method: str
    visibility: str
    consent_category: str
    auto_uninstall: bool
    enabled: bool
    channel_id: int
    integrity_hashes: list[Any]
    api_client_id: str


class _LabelLocale(TypedDict):
    value: str
    localeCode: str


class Label(TypedDict):
    defaultValue: str
    locales: list[_LabelLocale]


class AppExtension(TypedDict, total=False):
    id: str  # "bc/store/appExtension/2"
    context: str  # PANEL, LINK
    model: str  # ORDERS, PRODUCTS, CUSTOMERS
    url: str
    label: Label


# Checkout ---------------------------------------------------------------------------------------


class _CheckoutAddress(TypedDict, total=False):
    id: str
    first_name: str
    last_name: str
    email: str
    company: str
    address1: str
    address2: str
    city: str
    state_or_province: str
    country: str
    country_code: str
    postal_code: str
    phone: str


class _GiftWrapping(TypedDict, total=False):
    name: str
    message: str
    amount: float


class _AppliedDiscount(TypedDict, total=False):
    id: str | int
    name: str
    discounted_amount: float


class _LineItem(TypedDict, total=False):
    id: str
    parent_id: str | None
    product_id: int
    sku: str
    name: str
    url: str
    quantity: int
    is_taxable: bool
    is_require_shipping: bool
    discounts: list[_AppliedDiscount]
    discount_amount: float
    coupon_amount: float
    list_price: float
    sale_price: float
    extended_list_price: float
    extended_sale_price: float
    gift_wrapping: _GiftWrapping | None
    options: list[dict[str, Any]]


class _GiftCertificateItem(TypedDict, total=False):
    id: str
    name: str
    amount: float


class _LineItems(TypedDict, total=False):
    physical_items: list[_LineItem]
    digital_items: list[_LineItem]
    gift_certificates: list[_GiftCertificateItem]
    custom_items: list[_LineItem]


class _CartCurrency(TypedDict, total=False):
    code: str


class _Cart(TypedDict, total=False):
    id: str
    customer_id: int
    channel_id: int
    email: str
    currency: _CartCurrency
    tax_included: bool
    discount_amount: float
    coupons: list[dict[str, Any]]
    discounts: list[_AppliedDiscount]
    line_items: _LineItems
    locale: str


class _ShippingOption(TypedDict, total=False):
    id: str
    type: str
    description: str
    cost: float


class _Consignment(TypedDict, total=False):
    id: str
    address: _CheckoutAddress
    shipping_address: _CheckoutAddress
    selected_shipping_option: _ShippingOption | None
    selected_pickup_option: dict[str, Any] | None
    shipping_cost_inc_tax: float
    shipping_cost_ex_tax: float
    handling_cost_inc_tax: float
    handling_cost_ex_tax: float
    coupon_discounts: list[dict[str, Any]]
    discounts: list[dict[str, Any]]
    line_item_ids: list[str]


class _CheckoutFee(TypedDict, total=False):
    id: str
    type: str
    name: str
    display_name: str
    cost_inc_tax: float
    cost_ex_tax: float


class _Coupon(TypedDict, total=False):
    id: str | int
    code: str
    display_name: str
    discounted_amount: float


class Checkout(TypedDict, total=False):
    id: str
    version: int
    cart: _Cart
    billing_address: _CheckoutAddress
    consignments: list[_Consignment]
    taxes: list[dict[str, Any]]
    coupons: list[_Coupon]
    fees: list[_CheckoutFee]
    order_id: str | int | None
    shipping_cost_total_inc_tax: float
    shipping_cost_total_ex_tax: float
    tax_total: float
    grand_total: float


# Orders (V2: money is a string) -------------------------------------------------------------------


class _OrderAddress(TypedDict, total=False):
    """A billing address; a shipping address is an `OrderShippingAddress`."""

    first_name: str
    last_name: str
    company: str
    street_1: str
    street_2: str
    city: str
    state: str
    zip: str
    country: str
    country_iso2: str
    phone: str
    email: str


class OrderShippingAddress(_OrderAddress, total=False):
    id: int
    order_id: int
    items_total: int
    items_shipped: int
    shipping_method: str
    cost_inc_tax: str
    cost_ex_tax: str
    handling_cost_inc_tax: str


class Order(TypedDict, total=False):
    id: int
    cart_id: str
    customer_id: int
    channel_id: int
    status_id: int
    status: str
    date_created: str  # RFC 2822
    date_modified: str
    date_shipped: str
    shipping_cost_inc_tax: str
    shipping_cost_ex_tax: str
    handling_cost_inc_tax: str
    handling_cost_ex_tax: str
    wrapping_cost_inc_tax: str
    wrapping_cost_ex_tax: str
    total_inc_tax: str
    discount_amount: str
    store_credit_amount: str
    gift_certificate_amount: str
    items_shipped: int
    order_is_digital: bool
    is_deleted: bool
    payment_method: str
    payment_provider_id: str | int | None
    default_currency_code: str  # the currency the shopper pays in
    currency_code: str  # the currency shown
    external_source: str | None
    external_order_id: str
    staff_notes: str
    customer_locale: str
    ip_address: str
    ip_address_v6: str
    shipping_address_count: int
    billing_address: _OrderAddress


class _OrderDiscount(TypedDict, total=False):
    id: str
    amount: str
    name: str
    code: str | None
    target: str  # order, product


class OrderProduct(TypedDict, total=False):
    id: int
    order_id: int
    product_id: int
    name: str
    sku: str
    type: str  # physical, digital, giftcertificate
    total_inc_tax: str
    discounted_total_inc_tax: str
    quantity: int
    quantity_shipped: int
    quantity_refunded: int
    wrapping_cost_inc_tax: str
    wrapping_cost_ex_tax: str
    applied_discounts: list[_OrderDiscount]
    product_options: list[dict[str, Any]]


class _ShipmentItem(TypedDict, total=False):
    order_product_id: int
    product_id: int
    quantity: int


class Shipment(TypedDict, total=False):
    id: int
    order_id: int
    date_created: str
    tracking_number: str
    tracking_link: str
    tracking_carrier: str
    shipping_provider: str
    shipping_method: str
    items: list[_ShipmentItem]


class OrderFee(TypedDict, total=False):
    id: int
    type: str
    name: str
    display_name_merchant: str
    display_name_customer: str
    cost_inc_tax: str
    cost_ex_tax: str


class _RefundItem(TypedDict, total=False):
    item_id: int  # with item_type PRODUCT: the order product's id
    item_type: str  # PRODUCT, SHIPPING, HANDLING, ORDER, GIFT_WRAPPING, TAX, FEE …
    quantity: int
    requested_amount: float | str | None
    reason: str


class _RefundPayment(TypedDict, total=False):
    provider_id: str
    amount: float | str
    is_declined: bool


class Refund(TypedDict, total=False):
    id: int
    order_id: int
    created: str
    reason: str
    total_amount: float | str
    items: list[_RefundItem]
    payments: list[_RefundPayment]


class RefundQuote(TypedDict, total=False):
    order_id: int
    total_refund_amount: float | str
    refund_methods: list[list[dict[str, Any]]]  # each inner list is one way to pay all of it


class Transaction(TypedDict, total=False):
    id: int
    order_id: str | int
    event: str
    method: str
    amount: float
    currency: str
    status: str
    date_created: str
    gift_certificate: dict[str, Any]


# Customers, catalogue, payments -------------------------------------------------------------------


class _StoreCreditAmount(TypedDict, total=False):
    amount: float


class Customer(TypedDict, total=False):
    id: int
    email: str
    first_name: str
    last_name: str
    company: str
    phone: str
    date_created: str
    customer_group_id: int  # 0: in no group
    store_credit_amounts: list[_StoreCreditAmount]


class CustomerGroup(TypedDict, total=False):
    id: int
    name: str


class CustomerAddress(TypedDict, total=False):
    id: int
    customer_id: int
    first_name: str
    last_name: str
    company: str
    phone: str
    address1: str
    address2: str
    city: str
    state_or_province: str
    postal_code: str
    country_code: str


class Product(TypedDict, total=False):
    id: int
    name: str
    sku: str
    type: str
    categories: list[int]
    custom_fields: list[dict[str, Any]]


class Category(TypedDict, total=False):
    category_id: int
    parent_id: int
    name: str


class Payment(TypedDict, total=False):
    id: str
    status: str
