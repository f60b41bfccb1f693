"""Is every open order what SeQura believes? What differs is classified and, where safe, repaired.

Compared are the order in BigCommerce now, the update SeQura last accepted, and the update we would
send. SeQura shows no order to a shop, so an edit in its portal can only be suspected, where it
refuses an order that it knew.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

import bigcommerce.api
from bigcommerce.api import PAGE, Rejected, Unavailable
from bigcommerce.client import BigCommerce
from orders.drift import adopt
from orders.drift.adopt import names_sequra
from orders.models import Drift, DriftCheck, Order, Reconciliation
from orders.nightly import NightlyJob
from orders.queue import throttle
from orders.queue.claim import mark_changed
from orders.queue.throttle import wait_for_quota
from orders.queue.wakeup import wake_worker
from orders.sync.snapshot import Unreadable, read_snapshot
from orders.sync.sync import Reading, reading_of
from payloads.codes import INCOMPLETE
from payloads.order.order_update import Held
from stores.clients import bigcommerce_for
from stores.isolation import each
from stores.models import Store
from transaction_log.explanations import UPDATES
from transaction_log.models import Entry
from transaction_log.record import statement_digest

log = structlog.get_logger(__name__)
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
class _Found:
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


def _problems_of(store: Store, orders: Sequence[Order]) -> dict[int, list[Entry]]:
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


def _listed(api: BigCommerce, orders: Sequence[Order]) -> dict[int, _Listed] | None:
    """Return BigCommerce's list of these orders; None where single calls are cheaper."""
    first, last = orders[0].bigcommerce_id, orders[-1].bigcommerce_id
    if (last - first) / PAGE > _CALLS_PER_READING * len(orders):
        return None
    return {int(one["id"]): one for one in api.orders(min_id=first, max_id=last, sort="id:asc")}


def _look(
    order: Order, api: BigCommerce, listing: Mapping[int, _Listed] | None, entries: Sequence[Entry]
) -> list[_Found]:
    """Return all problems of an order.

    Raise Unavailable and Rejected when they cannot be determined.
    """
    found = [*_by_status(order), *_by_refusal(order, entries)]
    known = (listing or {}).get(order.bigcommerce_id)
    if known and _is_stray(order, known.get("status_id")):
        found.append(_Found(_Kind.STRAY))
    if not entries and _may_differ(order, known):
        found += _by_reading(order, api)
    return found


def _by_status(order: Order) -> Iterator[_Found]:
    age = timezone.now() - order.placed_at
    if order.status == Order.Status.WITHOUT_REFERENCE and age > _ON_ITS_WAY:
        yield _Found(_Kind.WITHOUT_REFERENCE)
    if order.status == Order.Status.IN_REVIEW and age > _REVIEW_TAKES:
        yield _Found(_Kind.REVIEW)


def _by_refusal(order: Order, entries: Sequence[Entry]) -> Iterator[_Found]:
    for entry in entries[:1]:
        portal = entry.reason == _UNKNOWN_AT_SEQURA and order.accepted_update is not None
        yield _Found(_Kind.PORTAL if portal else _Kind.REJECTED, entry.words or entry.reason)
    if order.corrected:
        yield _Found(_Kind.CORRECTED, ", ".join(sorted(order.corrected)))


def _may_differ(order: Order, known: _Listed | None) -> bool:
    """Return whether to read the order: not if it waits, or if BigCommerce shows no change."""
    if order.changed > order.synced or order.status != Order.Status.APPROVED:
        return False
    return known is None or order.unsure or str(known.get("date_modified")) != order.seen_modified


def _by_reading(order: Order, api: BigCommerce) -> Iterator[_Found]:
    try:
        reading = _read(order, api)
    except Held as error:
        yield _Found(_Kind.UNREADABLE, error.reason)
    except Unreadable as error:
        yield _Found(_Kind.UNREADABLE, error.kind)
    else:
        if reading:
            yield from _compared(order, reading)


def _compared(order: Order, reading: Reading) -> Iterator[_Found]:
    if _is_stray(order, reading.status_id):
        yield _Found(_Kind.STRAY)
    stands = order.refused != "" and order.refused == statement_digest(reading.update)
    if order.unsure or (reading.update != order.accepted_update and not stands):
        yield _Found(_Kind.MISSED)
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


def _strays(store: Store, api: BigCommerce) -> Iterator[_Listed]:
    """Return Incomplete orders that name SeQura and have no row: remains of a broken purchase."""
    since = (timezone.now() - _STRAYS_OF).isoformat(timespec="seconds")
    found = api.orders(status_id=INCOMPLETE, min_date_created=since, sort="id:asc")
    named = {int(one["id"]): one for one in found if names_sequra(one)}
    known = Order.objects.filter(store=store, bigcommerce_id__in=named)
    ours = set(known.values_list("bigcommerce_id", flat=True))
    yield from (order for number, order in named.items() if number not in ours)


def _is_stray(order: Order, status_id: object) -> bool:
    """Return whether the order is paid and still Incomplete, against the merchant's mapping."""
    wanted = order.settings.status_approved not in (None, INCOMPLETE)
    old = timezone.now() - order.placed_at > _ON_ITS_WAY
    return wanted and old and status_id == INCOMPLETE


_CHUNK = 100
_State, _Cause = DriftCheck.State, DriftCheck.Cause
# How far back unknown orders are searched, 250 a call; the command has no limit.
_SEARCHED: dict[str, timedelta | None] = {
    _Cause.NIGHT: timedelta(days=30),
    _Cause.OUTAGE: timedelta(days=30),
    _Cause.PERSON: timedelta(days=90),
    _Cause.COMMAND: None,
}


def check_due() -> None:
    """Start the checks that are due, and continue running ones."""
    installed = Store.objects.filter(state=Store.State.INSTALLED)
    CHECKS.start_due(installed, partial(start, cause=_Cause.NIGHT))
    each("drift", installed.filter(reconciliation__outage=True), _start_after_outage)
    CHECKS.continue_running()


def _start_after_outage(store: Store) -> None:
    if throttle.is_well(store):
        start(store, _Cause.OUTAGE)


def start(store: Store, cause: str) -> bool:
    """Start a check unless one is running. Return whether it was started."""
    back = _SEARCHED[cause]
    since = timezone.now() - back if back else None
    if not CHECKS.start(store, cause=cause, since=since, total=open_orders(store).count()):
        return False
    Reconciliation.objects.filter(store=store, outage=True).update(outage=False)
    return True


def _work(check: DriftCheck, until: float) -> None:
    try:
        api = bigcommerce_for(check.store)
        while _search(check, api, until) or _chunk(check, api, until):
            if time.monotonic() > until:
                return
        for stray in _strays(check.store, api):
            _keep(check, int(stray["id"]), _Found(_Kind.STRAY, str(stray.get("payment_method"))))
    except (Rejected, Unavailable) as error:
        _end(check, _State.FAILED, str(error))
    else:
        _end(check, _State.DONE, "")
    wake_worker()


def _search(check: DriftCheck, api: BigCommerce, until: float) -> bool:
    """Adopt unknown orders of the next page of the shop's list. Return False at its end."""
    if check.is_searched:
        return False
    filters: dict[str, Any] = {"min_id": check.searched_to + 1, "sort": "id:asc"}
    if check.since:
        filters["min_date_created"] = check.since.isoformat(timespec="seconds")
    page = api.orders(**filters, page=1, limit=PAGE)
    wait_for_quota(api, check.store_id)
    for order in adopt.unknown(check.store, page):
        found = adopt.adopt(check.store, api, order)
        if found:
            _keep_unknown(check, found)
        _searched(check, int(order["id"]), 0)
        wait_for_quota(api, check.store_id)
        if time.monotonic() > until:
            break
    else:
        check.is_searched = len(page) < PAGE
        _searched(check, max((int(one["id"]) for one in page), default=0), len(page))
    return True


def _searched(check: DriftCheck, number: int, count: int) -> None:
    """Commit the progress of the search; at its end, how many orders there are to compare."""
    check.searched_to = max(check.searched_to, number)
    check.searched += count
    if check.is_searched:
        check.total = open_orders(check.store).count()
    check.save(update_fields=["searched_to", "searched", "is_searched", "total"])


def _keep_unknown(check: DriftCheck, found: adopt.Finding) -> None:
    known = {
        "reference": found.reference,
        "environment": found.environment or check.store.environment,
        "detail": found.detail,
        "repaired": found.kind == _Kind.ADOPTED,
    }
    Drift.objects.update_or_create(
        check_run=check, bigcommerce_id=found.number, kind=found.kind, defaults=known
    )


def _chunk(check: DriftCheck, api: BigCommerce, until: float) -> bool:
    """Check the next orders while there is time. Return False when there are none."""
    rows = open_orders(check.store).filter(bigcommerce_id__gt=check.after)
    orders = list(rows.select_related("connection")[:_CHUNK])
    if not orders:
        return False
    for order in orders:
        order.store = check.store
    listing, entries = _listed(api, orders), _problems_of(check.store, orders)
    for order in orders:
        found = _look(order, api, listing, entries[order.bigcommerce_id])
        _found(check, order, found)
        wait_for_quota(api, check.store_id)
        if time.monotonic() > until:
            break
    return True


@transaction.atomic
def _found(check: DriftCheck, order: Order, found: Sequence[_Found]) -> None:
    """Store the problems, repair what is safe, and advance."""
    for one in found:
        repaired = one.kind == _Kind.MISSED and bool(mark_changed(pk=order.pk))
        _keep(check, order.bigcommerce_id, one, order=order, repaired=repaired)
    check.checked, check.after = check.checked + 1, order.bigcommerce_id
    check.save(update_fields=["checked", "after"])


def _keep(
    check: DriftCheck,
    number: int,
    found: _Found,
    *,
    order: Order | None = None,
    repaired: bool = False,
) -> None:
    known = {"detail": found.detail, "repaired": repaired}
    if order:
        known |= {"reference": order.reference, "environment": order.connection.environment}
    Drift.objects.update_or_create(
        check_run=check, bigcommerce_id=number, kind=found.kind, defaults=known
    )


def _end(check: DriftCheck, state: str = _State.FAILED, words: str = "internal") -> None:
    check.state, check.words, check.ended_at = state, words, timezone.now()
    check.save(update_fields=["state", "words", "ended_at"])
    log.info("drift_checked", store=check.store.hash, state=state, count=check.checked)


CHECKS = NightlyJob(
    "drift", DriftCheck, "check_due_at", seconds=120.0, keep=30, work=_work, give_up=_end
)
