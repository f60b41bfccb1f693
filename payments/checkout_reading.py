"""What BigCommerce says about a checkout, its customer and its goods, read server to server."""

from typing import Any

import structlog

from bigcommerce.client import BigCommerce
from bigcommerce.documents import Checkout
from bigcommerce.errors import Rejected, Unavailable
from payloads.checkout.eligibility import Rules
from payloads.checkout.parts import customer_number, items
from wire.reading import number_of

log = structlog.get_logger()

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


def customer_of(api: BigCommerce, checkout: Checkout, *, needed: bool) -> Any:
    """The registered customer with the store credit; None for a guest.

    Also None when BigCommerce does not show the customer and nothing depends on it: a purchase
    without store credit needs no more than the checkout.
    """
    customer_id = customer_number(checkout)
    if not customer_id:
        return None
    try:
        return api.customer(customer_id)
    except (Rejected, Unavailable) as error:
        if needed:
            raise
        log.warning("customer_left_out", checkout=checkout.get("id"), reason=str(error))
        return None


def orders_of_customer(api: BigCommerce, checkout: Checkout) -> list[Any]:
    """A registered customer's latest orders; guests have none that we could know.

    SeQura is glad of them and asks for nothing: without an answer the purchase goes on.
    """
    customer_id = customer_number(checkout)
    if not customer_id:
        return []
    newest = "date_created:desc"
    try:
        return list(api.orders(customer_id=customer_id, sort=newest, limit=ORDERS_READ, page=1))
    except (Rejected, Unavailable) as error:
        log.warning("history_left_out", checkout=checkout.get("id"), reason=str(error))
        return []


def products_of(api: BigCommerce, rules: Rules, checkout: Checkout) -> list[Any]:
    """The catalogue's documents, needed only when something is excluded."""
    if not (rules.excluded_categories or rules.excluded_products):
        return []
    told = (number_of(item.get("product_id")) for item in items(checkout, *GOODS))
    ids = {product_id for product_id in told if product_id}
    return list(api.products(ids)) if ids else []
