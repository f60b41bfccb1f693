"""Is every open order what SeQura believes? What differs is classified and, where safe, repaired.

Compared are the order in BigCommerce now, the update SeQura last accepted, and the update we would
send. SeQura shows no order to a shop, so an edit in its portal can only be suspected, where it
refuses an order that it knew.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

import bigcommerce.api
from bigcommerce.api import PAGE
from bigcommerce.client import BigCommerce
from orders.drift.adopt import names_sequra
from orders.models import Drift, Order
from orders.sync.snapshot import Unreadable, read_snapshot
from orders.sync.sync import NotNow, Reading, reading_of
from payloads.codes import INCOMPLETE
from stores.models import Store
from transaction_log.explanations import UPDATES
from transaction_log.models import Entry
from transaction_log.record import statement_digest

_Kind = Drift.Kind
_Listed = Mapping[str, Any]

# After this only the merchant changes a shipped order, and a webhook reports it.
_SETTLED_AFTER = timedelta(days=30)
_REVIEW_TAKES = timedelta(hours=48)
# So long an order may be on its way: making it, and telling its number.
_ON_ITS_WAY = timedelta(minutes=15)
_STRAYS_OF = timedelta(days=7)
_CALLS_PER_READING = 4
_UNKNOWN_AT_SEQURA = "sequra_404"


@dataclass(frozen=True)
class Found:
    """One problem of an order."""

    kind: _Kind
    detail: str = ""


def open_orders(store: Store) -> QuerySet[Order]:
    """Return the orders that may still change: not cancelled, and not shipped long ago."""
    shipped = Q(accepted_update__unshipped_cart__items=[])
    recent = Q(accepted_at__gt=Now() - _SETTLED_AFTER)
    orders = Order.objects.filter(store=store).exclude(status=Order.Status.CANCELLED)
    orders = orders.filter(connection__stopped_at=None)
    # Adopted when they had been over for long: SeQura receives nothing until they change.
    orders = orders.exclude(left_alone=True, accepted_update=None, changed=F("synced"))
    may_change = Q(accepted_update=None) | recent | ~shipped | Q(changed__gt=F("synced"))
    return orders.filter(may_change).order_by("bigcommerce_id")


def problems_of(store: Store, orders: Sequence[Order]) -> dict[int, list[Entry]]:
    """Return unsettled rejections of SeQura, by order."""
    found: dict[int, list[Entry]] = defaultdict(list)
    entries = Entry.objects.filter(
        store=store,
        bigcommerce_id__in=[order.bigcommerce_id for order in orders],
        closed_at__isnull=True,
        outcome=Entry.Outcome.REJECTED,
    )
    for entry in entries.filter(event__in=UPDATES):
        found[entry.bigcommerce_id or 0].append(entry)
    return found


def listed(api: BigCommerce, orders: Sequence[Order]) -> dict[int, _Listed] | None:
    """Return BigCommerce's list of these orders; None where single calls are cheaper."""
    first, last = orders[0].bigcommerce_id, orders[-1].bigcommerce_id
    if (last - first) / PAGE > _CALLS_PER_READING * len(orders):
        return None
    return {int(one["id"]): one for one in api.orders(min_id=first, max_id=last, sort="id:asc")}


def look(
    order: Order, api: BigCommerce, listing: Mapping[int, _Listed] | None, entries: Sequence[Entry]
) -> list[Found]:
    """Return all problems of an order.

    Raise Unavailable and Rejected when they cannot be determined.
    """
    found = [*_by_status(order), *_by_refusal(order, entries)]
    known = (listing or {}).get(order.bigcommerce_id)
    if known and _is_stray(order, known.get("status_id")):
        found.append(Found(_Kind.STRAY))
    if not entries and _may_differ(order, known):
        found += _by_reading(order, api)
    return found


def _by_status(order: Order) -> Iterator[Found]:
    age = timezone.now() - order.placed_at
    if order.status == Order.Status.WITHOUT_REFERENCE and age > _ON_ITS_WAY:
        yield Found(_Kind.WITHOUT_REFERENCE)
    if order.status == Order.Status.IN_REVIEW and age > _REVIEW_TAKES:
        yield Found(_Kind.REVIEW)


def _by_refusal(order: Order, entries: Sequence[Entry]) -> Iterator[Found]:
    for entry in entries[:1]:
        portal = entry.reason == _UNKNOWN_AT_SEQURA and order.accepted_update is not None
        yield Found(_Kind.PORTAL if portal else _Kind.REJECTED, entry.words or entry.reason)
    if order.corrected:
        yield Found(_Kind.CORRECTED, ", ".join(sorted(order.corrected)))


def _may_differ(order: Order, known: _Listed | None) -> bool:
    """Return whether to read the order: not if it waits, or if BigCommerce shows no change."""
    if order.changed > order.synced or order.status != Order.Status.APPROVED:
        return False
    return known is None or order.unsure or str(known.get("date_modified")) != order.seen_modified


def _by_reading(order: Order, api: BigCommerce) -> Iterator[Found]:
    try:
        reading = _read(order, api)
    except NotNow as error:
        yield Found(_Kind.UNREADABLE, error.held.reason)
    except Unreadable as error:
        yield Found(_Kind.UNREADABLE, error.kind)
    else:
        if reading:
            yield from _compared(order, reading)


def _compared(order: Order, reading: Reading) -> Iterator[Found]:
    if _is_stray(order, reading.status_id):
        yield Found(_Kind.STRAY)
    stands = order.refused != "" and order.refused == statement_digest(reading.update)
    if order.unsure or (reading.update != order.accepted_update and not stands):
        yield Found(_Kind.MISSED)
    elif reading.modified:
        Order.objects.filter(pk=order.pk).update(seen_modified=reading.modified)


def _read(order: Order, api: BigCommerce) -> Reading | None:
    """Return the order as it is now; None when it is deleted, which is no drift."""
    try:
        snapshot = read_snapshot(api, order.bigcommerce_id, has_shipments=True)
    except bigcommerce.api.Rejected as refusal:
        if refusal.status == 404:
            return None
        raise
    return reading_of(order, snapshot)


def strays(store: Store, api: BigCommerce) -> Iterator[_Listed]:
    """Return Incomplete orders that name SeQura and have no row: remains of a broken purchase."""
    since = (timezone.now() - _STRAYS_OF).isoformat(timespec="seconds")
    found = api.orders(status_id=INCOMPLETE, min_date_created=since, sort="id:asc")
    named = {int(one["id"]): one for one in found if names_sequra(one)}
    known = Order.objects.filter(store=store, bigcommerce_id__in=named)
    ours = set(known.values_list("bigcommerce_id", flat=True))
    yield from (order for number, order in named.items() if number not in ours)


def _is_stray(order: Order, status_id: object) -> bool:
    """Return whether the order is paid and still Incomplete, against the merchant's mapping."""
    wanted = order.store.status_approved not in (None, INCOMPLETE)
    old = timezone.now() - order.placed_at > _ON_ITS_WAY
    return wanted and old and status_id == INCOMPLETE
