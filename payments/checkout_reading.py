"""What BigCommerce says about a checkout, its customer and its goods, read server to server."""

from typing import Any

from bigcommerce.client import BigCommerce
from bigcommerce.documents import Checkout
from bigcommerce.errors import Rejected
from payments.availability import Rules
from payments.parts import items

NOT_FOUND = 404
GOODS = ("physical_items", "digital_items")
# SeQura hears of ten; Incomplete ones do not count and are among these.
ORDERS_READ = 20


class UnknownCheckout(Exception):
    """This store has no such checkout; nobody learns more."""


def read_checkout(api: BigCommerce, checkout_id: str) -> Checkout:
    try:
        return api.checkout(checkout_id)
    except Rejected as error:
        if error.status == NOT_FOUND:
            raise UnknownCheckout(checkout_id) from error
        raise


def customer_of(api: BigCommerce, checkout: Checkout) -> Any:
    """The registered customer with the store credit; None for a guest."""
    customer_id = checkout["cart"].get("customer_id")
    return api.customer(customer_id) if customer_id else None


def orders_of_customer(api: BigCommerce, checkout: Checkout) -> list[Any]:
    """A registered customer's latest orders; guests have none that we could know."""
    customer_id = checkout["cart"].get("customer_id")
    if not customer_id:
        return []
    newest = "date_created:desc"
    return list(api.orders(customer_id=customer_id, sort=newest, limit=ORDERS_READ, page=1))


def products_of(api: BigCommerce, rules: Rules, checkout: Checkout) -> list[Any]:
    """The catalogue's documents, needed only when something is excluded."""
    if not (rules.excluded_categories or rules.excluded_products):
        return []
    ids = {item["product_id"] for item in items(checkout, *GOODS) if item.get("product_id")}
    return list(api.products(sorted(ids))) if ids else []
