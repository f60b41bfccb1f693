"""Read BigCommerce's documents of one order with as few calls as possible.

Two or three calls: the order with its products, addresses and fees, its refunds, and its shipments
when there are signs of any. Nothing in an order shows that an amount was refunded
(`refunded_amount` is always 0), so refunds are always read. A part that is not in the order's
document, or not whole there, is read with a call of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from payloads.order import lines
from payloads.order.lines import Document
from payloads.order.order_update import PARTLY_REFUNDED, REFUNDED, Snapshot
from transport.reading import number_of, section, sections

_PARTLY_SHIPPED, _SHIPPED = 3, 2
_TRIES = 3


class PartMissing(Unavailable):
    """The order exists and a part of it does not: BigCommerce answers, so it is not down."""


class StoodStill(Exception):
    """The order's document is the known one."""


# Exceptions raised by documents that are hostile, broken or of an unknown shape.
UNREADABLE = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError)


class Unreadable(ValueError):
    """A document makes no sense; `kind` names the exception behind it."""

    def __init__(self, error: Exception) -> None:
        self.kind = type(error).__name__
        super().__init__(f"{self.kind} {error}")


@contextmanager
def reading_documents() -> Iterator[None]:
    """Raise Unreadable for what the code inside cannot read: it does nothing else."""
    try:
        yield
    except UNREADABLE as error:
        raise Unreadable(error) from error


def read_snapshot(
    api: BigCommerce, order_id: int, *, has_shipments: bool, known: str = ""
) -> Snapshot:
    """Return the order as it is now. Raise Rejected (404), Unavailable and Unreadable.

    Raise StoodStill when the order still has the digest `known`, after one call.

    An order that is edited meanwhile may contradict itself or its other parts: then it is read
    again until it did not change.
    """
    order, digest = api.whole_order(order_id)
    if known and digest == known:
        raise StoodStill
    for _ in range(_TRIES):
        snapshot, seen = _read(api, order_id, order, has_shipments), digest
        if "fees" in snapshot and _is_all(snapshot):
            snapshot["digest"] = digest
        if not _is_torn(snapshot):
            break
        if "fees" not in snapshot:
            snapshot["fees"] = api.fees(order_id)
        order, digest = api.whole_order(order_id)
        if digest == seen:
            break
    return snapshot


def _read(api: BigCommerce, order_id: int, order: Document, has_shipments: bool) -> Snapshot:
    """Return the order with its parts. A missing part raises PartMissing."""
    try:
        return _parts(api, order_id, order, has_shipments)
    except Rejected as refusal:
        if refusal.status != 404:
            raise
        raise PartMissing(f"BigCommerce shows a part only: {refusal.call}") from refusal


def _parts(api: BigCommerce, order_id: int, order: Document, has_shipments: bool) -> Snapshot:
    products, addresses, fees = _products(order), _addresses(order), _fees(order)
    snapshot: Snapshot = {
        "order": order,
        "products": api.order_products(order_id) if products is None else products,
        "refunds": api.refunds(order_id),
    }
    if has_shipments or _shows_shipments(snapshot):
        snapshot["shipments"] = api.shipments(order_id)
    if _is_delivered(order):
        snapshot["shipping_addresses"] = (
            api.shipping_addresses(order_id) if addresses is None else addresses
        )
    if products is not None and addresses is not None and fees is not None:
        snapshot["fees"] = fees
    return snapshot


@reading_documents()
def _is_torn(snapshot: Snapshot) -> bool:
    """Return whether the total is not that of the lines, or a part names a line added since."""
    snapshot["goods"] = goods = lines.goods(snapshot["products"])
    if lines.unexplained(snapshot["order"], goods, snapshot.get("fees") or ()):
        return True
    named = max(_lines_named(snapshot), default=0)
    return named > 0 and all(int(product["id"]) < named for product in snapshot["products"])


def _lines_named(snapshot: Snapshot) -> Iterator[int]:
    """Yield the order products that refunds and shipments are about."""
    for refund in snapshot["refunds"]:
        for item in sections(refund.get("items")):
            if item.get("item_type") == "PRODUCT":
                yield number_of(item.get("item_id")) or 0
    for shipment in snapshot.get("shipments") or ():
        for item in sections(shipment.get("items")):
            yield number_of(item.get("order_product_id")) or 0


@reading_documents()
def _products(order: Document) -> list[Document] | None:
    """Return the products of all consignments; None unless they are all that the order has."""
    found: list[Document] = []
    for consignment in _consignments(order):
        rows = consignment.get("line_items")
        if not isinstance(rows, list) or not all(map(_is_product, rows)):
            return None
        found += rows
    known = {row["id"] for row in found}
    units = sum(int(row["quantity"]) for row in found)
    is_whole = len(known) == len(found) and units == order.get("items_total")
    return found if is_whole else None


def _is_product(row: object) -> bool:
    return isinstance(row, dict) and "id" in row and str(row.get("quantity")).isdecimal()


def _consignments(order: Document) -> Iterator[Mapping[str, Any]]:
    """Yield the ways by which goods reach the shopper."""
    by_way = section(order.get("consignments"))
    for way in ("pickups", "shipping", "downloads"):
        yield from sections(by_way.get(way))
    yield from sections(section(by_way.get("email")).get("gift_certificates"))


@reading_documents()
def _addresses(order: Document) -> list[Mapping[str, Any]] | None:
    """Return the addresses that something is sent to; None unless there are as many as counted.

    They are in the order of a list of addresses, of which SeQura receives the first.
    """
    by_way = section(order.get("consignments"))
    found = sorted(sections(by_way.get("shipping")), key=lambda one: int(one["id"]))
    return found if len(found) == order.get("shipping_address_count") else None


def _fees(order: Document) -> Sequence[Document] | None:
    """Return the fees: as a list, or in `fees`, like an answer about fees alone."""
    fees = order.get("fees")
    fees = fees.get("fees") if isinstance(fees, Mapping) else fees
    return fees if isinstance(fees, list) else None


@reading_documents()
def _is_all(snapshot: Snapshot) -> bool:
    """Return whether the order's document shows everything that the statement depends on."""
    shows_refunds = snapshot["order"]["status_id"] in (REFUNDED, PARTLY_REFUNDED) or any(
        product.get("quantity_refunded") for product in snapshot["products"]
    )
    return not (shows_refunds or snapshot["refunds"] or "shipments" in snapshot)


@reading_documents()
def _shows_shipments(snapshot: Snapshot) -> bool:
    order, products = snapshot["order"], snapshot["products"]
    return (
        order["status_id"] in (_SHIPPED, _PARTLY_SHIPPED)
        or bool(order.get("items_shipped"))
        or any(product.get("quantity_shipped") for product in products)
    )


def _is_delivered(order: Document) -> bool:
    return not order.get("order_is_digital") and order.get("shipping_address_count") != 0
