"""The store's orders of the last seven days for the statistics, with as few calls as possible.

The first time all of them are listed, 250 a call; afterwards only what changed since. What was
read a quarter of an hour ago is good enough: the trigger address may be called often.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog

from bigcommerce.api import PAGE, Rejected, Unavailable
from bigcommerce.client import BigCommerce
from bigcommerce.documents import Order as Listed
from orders.models import Order, RecentOrders
from orders.queue.throttle import wait_for_quota
from orders.sync.snapshot import UNREADABLE
from payloads.reports import DAYS, Ours, Row, is_recent, row_of, statistic
from stores.clients import bigcommerce_for
from stores.models import Store, database_now

log = structlog.get_logger(__name__)

_FRESH = timedelta(minutes=15)
_OVERLAP = timedelta(minutes=5)  # clocks differ
# Enough for tens of thousands of orders. A busier store's other orders follow in the next nights.
_MOST_SECONDS = 60.0


def statistics_of(store: Store) -> list[Row] | None:
    """The lines of the report; None when the merchant sends none.

    When BigCommerce does not answer the report goes out with what we know: the next night's seven
    days hold what is missing.
    """
    if not store.send_statistics:
        return None
    now = database_now()
    memory, _ = RecentOrders.objects.get_or_create(store=store)
    if store.is_installed and (memory.until is None or memory.until < now - _FRESH):
        try:
            _refresh(bigcommerce_for(store), memory, now)
        except (Rejected, Unavailable) as error:
            log.warning("statistics_outdated", store=store.hash, reason=str(error))
    return _lines(store, {key: row for key, row in memory.rows.items() if is_recent(row, now)})


def _refresh(api: BigCommerce, memory: RecentOrders, now: datetime) -> None:
    """Read new or changed orders, and drop those older than seven days."""
    filters = {"min_date_created": _written(now - DAYS)}
    rows = {}
    if memory.until and memory.until > now - DAYS:
        filters["min_date_modified"] = _written(memory.until - _OVERLAP)
        rows = {key: row for key, row in memory.rows.items() if is_recent(row, now)}
    for order in _listed(api, memory.store_id, filters):
        row = _readable(order)
        if row:
            rows[str(order["id"])] = row
        else:
            rows.pop(str(order["id"]), None)
    memory.rows, memory.until = rows, now
    memory.save(update_fields=["rows", "until"])


def _readable(order: Listed) -> Row | None:
    """Return the order's row; None if it makes no sense, so that the others are still reported."""
    try:
        return row_of(order)
    except UNREADABLE:
        log.warning("statistics_row_skipped", order=order.get("id"))
        return None


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _listed(api: BigCommerce, store_id: int, filters: dict[str, str]) -> Iterator[Listed]:
    """Read all pages, and leave half of the store's calls to its other apps."""
    until, page = time.monotonic() + _MOST_SECONDS, 0
    while time.monotonic() < until:
        page += 1
        found = api.orders(**filters, sort="id:asc", page=page, limit=PAGE)
        yield from found
        if len(found) < PAGE:
            return
        wait_for_quota(api, store_id)


def _lines(store: Store, rows: dict[str, Row]) -> list[Row]:
    ours = _ours(store, list(map(int, rows)))
    without = store.statistics_without
    return [statistic(key, row, ours.get(int(key)), without) for key, row in rows.items()]


def _ours(store: Store, numbers: Sequence[int]) -> dict[int, Ours]:
    orders = Order.objects.filter(store=store, bigcommerce_id__in=numbers).values_list(
        "bigcommerce_id", "order_ref_1", "reference", "solicited__customer__user_agent"
    )
    return {number: Ours(ref, str(uuid), agent or "") for number, ref, uuid, agent in orders}
