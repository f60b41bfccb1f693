"""Check every open order of a store: each night, after an outage, and on request.

First the shop's own list is searched for orders that the database does not know, then those that it
knows are compared. A check is a run of `orders.nightly` with a cursor for each of the two.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from bigcommerce.api import PAGE, Rejected, Unavailable
from bigcommerce.client import BigCommerce
from orders.drift import adopt
from orders.drift.checks import Found, listed, look, open_orders, problems_of, strays
from orders.models import Drift, DriftCheck, Order, Reconciliation
from orders.nightly import NightlyJob
from orders.queue import throttle
from orders.queue.claim import mark_changed
from orders.queue.throttle import wait_for_quota
from orders.queue.wakeup import wake_worker
from stores.clients import bigcommerce_for
from stores.isolation import each
from stores.models import Store

log = structlog.get_logger(__name__)

_CHUNK = 100
_State, _Cause, _Kind = DriftCheck.State, DriftCheck.Cause, Drift.Kind
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
        for stray in strays(check.store, api):
            _keep(check, int(stray["id"]), Found(_Kind.STRAY, str(stray.get("payment_method"))))
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
    listing, entries = listed(api, orders), problems_of(check.store, orders)
    for order in orders:
        found = look(order, api, listing, entries[order.bigcommerce_id])
        _found(check, order, found)
        wait_for_quota(api, check.store_id)
        if time.monotonic() > until:
            break
    return True


@transaction.atomic
def _found(check: DriftCheck, order: Order, found: Sequence[Found]) -> None:
    """Store the problems, repair what is safe, and advance."""
    for one in found:
        repaired = one.kind == _Kind.MISSED and bool(mark_changed(pk=order.pk))
        _keep(check, order.bigcommerce_id, one, order=order, repaired=repaired)
    check.checked, check.after = check.checked + 1, order.bigcommerce_id
    check.save(update_fields=["checked", "after"])


def _keep(
    check: DriftCheck,
    number: int,
    found: Found,
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
