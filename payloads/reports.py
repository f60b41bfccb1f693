"""Translate orders into the delivery report, and into the statistics that go with it. Pure.

A report states what shipped and what remains, for whom and in which parcels. An inconsistent order
is reported separately (`broken_orders`), so that it does not block the others. The statistics are
seven days of all the store's orders, of every payment method: without names and addresses, and
without the parts that the merchant leaves out.
https://docs.sequra.com/docs/delivery-report-and-statistics
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from payloads.codes import INCOMPLETE, device_code, payment_code, status_code
from payloads.money import to_cents

_Document = Mapping[str, Any]
Report = dict[str, Any]

PAGE = 5000  # orders in one report at most
# "delivered" would mean that the shopper has the goods, which BigCommerce does not know.
_STATE = "shipped"
_CARTS = {"cart": "shipped_cart", "remaining_cart": "unshipped_cart"}
_PEOPLE = ("delivery_address", "invoice_address", "customer")
_ADDRESS = ("address_line_1", "postal_code", "city", "country_code")
_BELOW_ZERO = ("discount", "other_payment")


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """An order of which something shipped: the update that SeQura last accepted."""

    update: _Document
    sent_at: str = ""  # ISO 8601, when it is known


@dataclass
class _Sorted:
    """Orders as they appear in a report; problems of the broken ones by their place."""

    orders: list[Report] = field(default_factory=list)
    broken: dict[int, list[str]] = field(default_factory=dict)
    broken_orders: list[Report] = field(default_factory=list)


def sort_out(shipped: Iterable[Shipped]) -> _Sorted:
    """Separate orders that can be reported from inconsistent ones."""
    found = _Sorted()
    for place, one in enumerate(shipped):
        problems = _inconsistencies(one.update)
        if problems:
            found.broken[place] = problems
            found.broken_orders.append(_reported_order(one))
        else:
            found.orders.append(_reported_order(one))
    return found


def _reported_order(shipped: Shipped) -> Report:
    """One order of the report."""
    update = shipped.update
    order: Report = {"state": _STATE}
    if shipped.sent_at:
        order["sent_at"] = shipped.sent_at
    order["merchant_reference"] = update.get("merchant_reference")
    order |= {name: update.get(key) for name, key in _CARTS.items()}
    optional = ("trackings", "delivery_method", *_PEOPLE)
    return order | {name: update[name] for name in optional if update.get(name)}


def _inconsistencies(update: _Document) -> list[str]:
    """Return why SeQura could not accept this order; empty when it is consistent."""
    try:
        return [*_references(update), *_carts(update), *_people(update)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"unreadable: {type(error).__name__}"]


def _references(update: _Document) -> Iterator[str]:
    if not (update.get("merchant_reference") or {}).get("order_ref_1"):
        yield "merchant_reference: no order_ref_1"


def _carts(update: _Document) -> Iterator[str]:
    for key in _CARTS.values():
        cart = update[key]
        if not cart.get("currency"):
            yield f"{key}: no currency"
        items, total = cart["items"], int(cart["order_total_with_tax"])
        lines = sum(int(item["total_with_tax"]) for item in items)
        if lines != total:
            yield f"{key}: the items add up to {lines}, order_total_with_tax is {total}"
        for item in items:
            if item.get("type") in _BELOW_ZERO and int(item["total_with_tax"]) >= 0:
                yield f"{key}: {item['type']} {item.get('reference')} is not below zero"


def _people(update: _Document) -> Iterator[str]:
    for name in _PEOPLE[:2]:
        address = update.get(name) or {}
        yield from (f"{name}: no {key}" for key in _ADDRESS if not _filled(address, key))
        if not any(_filled(address, key) for key in ("given_names", "surnames", "company")):
            yield f"{name}: nobody's name"
    if not _filled(update.get("customer") or {}, "email"):
        yield "customer: no email"
    if not update.get("delivery_method"):
        yield "delivery_method: missing"


def _filled(document: _Document, key: str) -> str:
    return str(document.get(key) or "").strip()


def delivery_report(
    merchant_ref: str,
    orders: Sequence[Report],
    *,
    platform: _Document,
    broken_orders: Sequence[Report] = (),
    statistics: Sequence[Report] | None = None,
) -> Report:
    """Return the report of one merchant id; without orders it is a sign of life."""
    report: Report = {"merchant": {"id": merchant_ref}, "orders": list(orders)}
    if broken_orders:
        report["broken_orders"] = list(broken_orders)
    if statistics is not None:
        report["statistics"] = {"orders": list(statistics)}
    return report | {"platform": dict(platform)}


DAYS = timedelta(days=7)
Row = dict[str, Any]

# What a merchant may leave out, and the fields that go with it.
_FIELDS = {
    "amount": ("amount",),
    "payment_method": ("payment_method", "sequra_offered"),
    "country": ("country",),
    "status": ("status", "raw_status"),
    "device": ("device",),
}


@dataclass(frozen=True)
class Ours:
    """What the database knows of an order that was paid with SeQura."""

    order_ref_1: str
    reference: str
    user_agent: str = ""


def row_of(order: Mapping[str, Any]) -> Row | None:
    """Return the statistics of an order of `GET /v2/orders`; None if Incomplete or deleted."""
    created = order.get("date_created")
    if not created or order.get("status_id") == INCOMPLETE or order.get("is_deleted"):
        return None
    method = _text(order.get("payment_method"))
    country = _text((order.get("billing_address") or {}).get("country_iso2")).upper()
    given = {
        "completed_at": _moment(created).isoformat(),
        "currency": _text(order.get("default_currency_code") or order.get("currency_code")),
        "amount": to_cents(order.get("total_inc_tax") or 0),
        "payment_method": payment_code(method) if method else "",
        "country": country if len(country) == 2 else "",
        "status": status_code(order.get("status_id")),
        "raw_status": _text(order.get("status")),
    }
    return {name: value for name, value in given.items() if value != ""}


def statistic(number: str, row: Row, ours: Ours | None, without: Collection[str] = ()) -> Row:
    """Return one row: an order with its number, without the parts that the merchant leaves out."""
    reference = {"order_ref_1": ours.order_ref_1 if ours else number}
    given = {**row, "merchant_reference": reference}
    if ours:
        reference["order_ref_2"] = ours.reference
        given |= {"payment_method": "SQ", "sequra_offered": True}
        given["device"] = device_code(ours.user_agent)
    hidden = {field for part in without for field in _FIELDS.get(part, ())}
    return {name: value for name, value in given.items() if name not in hidden}


def is_recent(row: Row, now: datetime) -> bool:
    """Return whether the order is of the last seven days."""
    return datetime.fromisoformat(row["completed_at"]) > now - DAYS


def _moment(text: str) -> datetime:
    """V2 writes RFC 2822 dates; its filters and newer endpoints know ISO 8601."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: object) -> str:
    """Return one line of untrusted text, cut short."""
    whole = str("" if value is None else value).encode("utf-8", "ignore").decode()
    return " ".join(whole.replace("\0", "").split())[:100]
