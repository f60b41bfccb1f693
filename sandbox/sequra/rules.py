"""Whether SeQura takes an order: shape, sums, merchant, country, services. Raises Refused."""

from collections.abc import Iterator
from typing import Any

from sandbox.sequra import carts, documents
from sandbox.sequra.accounts import Merchant
from sandbox.sequra.answers import refuse
from sandbox.sequra.knobs import knobs
from sandbox.sequra.shapes import Shape

Document = dict[str, Any]
# Personal data a shopper is recognised by; the browser may change between two requests.
IDENTITY = ("given_names", "surnames", "email", "ref", "nin", "date_of_birth", "company")


def look(shape: Shape, found: Document, name: str) -> None:
    """409 with everything that is wrong with the document's shape."""
    wrong = [f"Invalid data: {sentence}" for sentence in shape(found, name)]
    if wrong:
        refuse(409, *wrong)


def add_up(found: Document, *names: str) -> None:
    """409 unless the items of each named cart add up to its total."""
    for name in names:
        wrong = carts.sum_error(found[name], "" if name == "cart" else name)
        if wrong:
            refuse(409, wrong)


def same_merchant(found: Document, merchant: Merchant, username: str) -> None:
    """403 when the document speaks for another merchant than the request's header."""
    part = found.get("merchant")
    ref = part.get("id") if isinstance(part, dict) else None
    if isinstance(ref, str) and ref != merchant.ref:
        refuse(403, f"Bad merchant id '{ref}' for {username}")


def contract(merchant: Merchant) -> list[str]:
    return knobs.contract_options.get(merchant.ref, list(merchant.contract_options))


def order(found: Document, merchant: Merchant, state: dict[str, Shape], known: bool) -> None:
    """409 unless this is a whole order that the merchant may sell."""
    shape = documents.order_shape(state, known, not addresses_may_be_missing(found))
    look(shape, found, "order")
    add_up(found, "cart")
    if found["cart"]["order_total_with_tax"] == 0:
        refuse(409, "Invalid data: order.cart.order_total_with_tax must be greater than 0")
    wrong = [*unserved(found, merchant), *uncontracted(found, merchant)]
    if wrong:
        refuse(409, *wrong)


def addresses_may_be_missing(found: Document) -> bool:
    merchant = found.get("merchant")
    options = merchant.get("options") if isinstance(merchant, dict) else None
    return isinstance(options, dict) and options.get("addresses_may_be_missing") is True


def unserved(found: Document, merchant: Merchant) -> Iterator[str]:
    country = found.get("delivery_address", {}).get("country_code", merchant.country)
    if country != merchant.country:
        yield (
            f"Invalid data: order.delivery_address.country_code '{country}' "
            f"is not served by merchant '{merchant.ref}'"
        )


def uncontracted(found: Document, merchant: Merchant) -> Iterator[str]:
    """Services, registration fees and delayed first charges need a contract."""
    kinds = {item.get("type", "product") for item in found["cart"]["items"]}
    options = found["merchant"].get("options", {})
    wants = {
        "services": "service" in kinds or addresses_may_be_missing(found),
        "with_registration": "registration" in kinds,
        "allow_first_instalment_delay": "desired_first_charge_on" in options,
    }
    for option, wanted in wants.items():
        if wanted and option not in contract(merchant):
            yield f"Invalid data: the contract of merchant '{merchant.ref}' has no '{option}'"


def changes(solicited: Document, found: Document) -> list[str]:
    """What differs between the solicited order and the one that the shop wants confirmed."""
    wrong = []
    if carts.sold(solicited["cart"]) != carts.sold(found["cart"]):
        wrong.append("cart")
    wrong += [
        part
        for part in ("delivery_address", "invoice_address", "merchant", "delivery_method")
        if solicited.get(part) != found.get(part)
    ]
    if identity(solicited["customer"]) != identity(found["customer"]):
        wrong.append("customer")
    return [f"Invalid data: {part} has changed since the solicitation" for part in wrong]


def identity(customer: Document) -> Document:
    return {key: customer.get(key) for key in IDENTITY}
