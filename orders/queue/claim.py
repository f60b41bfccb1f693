"""The queue in PostgreSQL: fold events into orders, claim due orders.

Nothing here holds a lock on the whole queue. The limits per store are exact because claims of one
store take turns. Work begins with what is new or due, so its cost does not grow with the number of
stores. Every statement about several rows locks events before orders, each in the order of their
ids, or skips what is locked; so workers never wait for each other in a circle. No HTTP happens
while anything is locked.

One worker works on an order at a time, without an open transaction: it holds a lease. A lease lasts
a minute and is renewed while its holder lives, so the orders of a killed worker are free again a
minute later. A holder may also be suspended in the middle (a frozen machine, a very long pause).
Two rules keep it from leaving a wrong final state:

* Before every statement, its repetition and the staff note, the holder checks that its lease
  outlasts the call, and gives up if it does not.
* Results are written only while the lease is held. If it was lost, the holder's statement may have
  arrived after the next holder's, so it marks the order `unsure` and changed: the statement is sent
  once more. A worker that takes over an expired lease marks the order `unsure` too, because the
  former holder may have sent something before it died. An unsure order is sent again even when
  nothing seems to differ.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import F
from django.db.models.functions import Now

from orders.models import Order, WebhookEvent
from orders.queue.throttle import CALLS_PER_ORDER, FAILURES, PROBE_AFTER, admit
from orders.topics import INFORMATION, REFUNDS, SHIPMENTS, UNINSTALLED
from sequra.client import TIMEOUT
from stores.isolation import repeated_once
from stores.models import Connection
from transport.call import longest

_LEASE_SECONDS = 60.0
_RENEW_AFTER = 8.0
# The longest call to SeQura plus a margin. Calls to BigCommerce take no longer:
# `orders.sync.worker.TIMEOUT`.
_NEEDED = longest(TIMEOUT) + 5.0
_LOCK = 7_318_441  # of the queue, beside a store's number: any that no other lock uses
_FOLD_AT_ONCE = 2000
# Secrets that are not needed here and take time to decrypt.
_UNUSED = ("store__webhook_secret", "store__report_token", "store__alert_secrets")
_STORE_EVENTS = timedelta(days=2)
_LIMITS: dict[str, str | int | float] = {
    "at_once": 4,  # calls in flight per store
    "calls": CALLS_PER_ORDER,
    "failures": FAILURES,
    "fold": _FOLD_AT_ONCE,
    "lease_seconds": _LEASE_SECONDS,
    # A burst of events becomes one update: seconds from an order's first event until it is read.
    "burst": 1.0,
    # Events may arrive before the order's row exists. Orders not paid with SeQura never get a row.
    "parked_seconds": 3600.0,
    "forget": 10_000,
    # Events about a store itself are retried for as long as BigCommerce would repeat them.
    "store_event_seconds": _STORE_EVENTS.total_seconds(),
    "shipments": SHIPMENTS + "%",
    "refunds": REFUNDS + "%",
}

_TAKE = """
SELECT id FROM orders_webhookevent WHERE outcome = 'new'
ORDER BY id LIMIT %(fold)s FOR UPDATE SKIP LOCKED
"""
# A statement of its own, so that it sees every order whose row came before the events were locked.
# An order whose row comes later waits for the lock, in `unpark`.
_FOLD = """
WITH waiting AS (
    SELECT id, store_id, scope, bigcommerce_order_id, payload FROM orders_webhookevent
    WHERE id = ANY(%(events)s)
), news AS (
    SELECT w.store_id, w.bigcommerce_order_id, count(*) AS events,
        bool_or(w.scope LIKE %(shipments)s) AS shipments,
        bool_or(w.scope LIKE %(refunds)s) AS refunds,
        array_agg(w.payload #> '{data,status,new_status_id}') AS statuses,
        s.shipped_statuses, s.channel_settings
    FROM waiting w JOIN stores_store s ON s.id = w.store_id
    WHERE w.bigcommerce_order_id IS NOT NULL GROUP BY 1, 2, s.id
), locked AS (
    SELECT o.id FROM orders_order o JOIN news n
        ON o.store_id = n.store_id AND o.bigcommerce_id = n.bigcommerce_order_id
    ORDER BY o.id FOR NO KEY UPDATE OF o
), touched AS (
    UPDATE orders_order o SET
        changed = o.changed + n.events,
        due_at = CASE WHEN o.changed > o.synced THEN o.due_at
                 ELSE now() + make_interval(secs => %(burst)s) END,
        settle_step = 0,
        has_shipments = o.has_shipments OR n.shipments,
        has_refunds = o.has_refunds OR n.refunds,
        shipped_status_seen = o.shipped_status_seen OR EXISTS (
            SELECT FROM unnest(n.statuses) AS status WHERE coalesce(
                n.channel_settings #> ARRAY[o.channel_id::text, 'shipped_statuses'],
                n.shipped_statuses) @> status)
    FROM locked, news n
    WHERE o.id = locked.id
        AND o.store_id = n.store_id AND o.bigcommerce_id = n.bigcommerce_order_id
    RETURNING o.store_id, o.bigcommerce_id
)
UPDATE orders_webhookevent e SET outcome = CASE
        WHEN t.bigcommerce_id IS NOT NULL THEN 'folded'
        WHEN w.bigcommerce_order_id IS NOT NULL THEN 'parked'
        ELSE 'ignored' END
FROM waiting w LEFT JOIN touched t
    ON t.store_id = w.store_id AND t.bigcommerce_id = w.bigcommerce_order_id
WHERE e.id = w.id
RETURNING e.store_id, e.scope
"""
# A parked event becomes new again when its order's row exists, or when it is about a store and
# could not be handled. An event that waited too long belongs to an order not paid with SeQura.
# The newest first: an event waits an hour at most, and a flood of rebuilt orders needs many sweeps.
_NEW_ORDERS = """
SELECT id, store_id, bigcommerce_id FROM orders_order WHERE is_new
ORDER BY id DESC LIMIT %(fold)s
"""
_MATCH = """
WITH event AS (
    SELECT e.id FROM orders_webhookevent e
    JOIN unnest(%(stores)s::bigint[], %(numbers)s::bigint[]) AS o(store_id, bigcommerce_order_id)
        USING (store_id, bigcommerce_order_id)
    WHERE e.outcome IN ('new', 'parked') ORDER BY e.id FOR UPDATE OF e
)
UPDATE orders_webhookevent e SET outcome = 'new' FROM event WHERE e.id = event.id
"""
_MATCHED = """
WITH matched AS (
    SELECT id FROM orders_order WHERE id = ANY(%(orders)s) ORDER BY id FOR NO KEY UPDATE
)
UPDATE orders_order o SET is_new = false FROM matched WHERE o.id = matched.id
"""
_RETRY = """
WITH parked AS (
    SELECT id FROM orders_webhookevent WHERE outcome = 'parked' AND bigcommerce_order_id IS NULL
    ORDER BY id LIMIT %(fold)s FOR UPDATE SKIP LOCKED
)
UPDATE orders_webhookevent e SET outcome = CASE
    WHEN e.received_at >= now() - make_interval(secs => %(store_event_seconds)s) THEN 'new'
    ELSE 'ignored' END
FROM parked WHERE e.id = parked.id
"""
_FORGET = """
WITH parked AS (
    SELECT id FROM orders_webhookevent
    WHERE outcome = 'parked' AND bigcommerce_order_id IS NOT NULL
        AND received_at < now() - make_interval(secs => %(parked_seconds)s)
    ORDER BY received_at LIMIT %(forget)s FOR UPDATE SKIP LOCKED
)
UPDATE orders_webhookevent e SET outcome = 'ignored' FROM parked WHERE e.id = parked.id
"""
# What was folded loses its status, as in a repeated delivery: the order may have left it since.
_REPLAY = """
WITH known AS (
    SELECT id FROM orders_webhookevent WHERE id = ANY(%s) AND outcome <> 'new'
    ORDER BY id FOR UPDATE
)
UPDATE orders_webhookevent e SET outcome = 'new', payload = CASE
    WHEN outcome = 'folded' AND jsonb_typeof(payload -> 'data') = 'object'
    THEN payload #- '{data,status}' ELSE payload END
FROM known WHERE e.id = known.id
"""
_SETTLE = """
WITH settling AS (
    SELECT id FROM orders_order WHERE settle_at <= now()
    ORDER BY settle_at LIMIT %(fold)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE orders_order o SET changed = changed + 1, due_at = now(), settle_at = NULL
FROM settling WHERE o.id = settling.id
"""
# Due orders that may be sent now: not leased, neither host closed, the account not paused.
_CLAIMABLE = """
    orders_order o JOIN stores_store s ON s.id = o.store_id
    JOIN stores_connection c ON c.id = o.connection_id
    WHERE o.changed > o.synced AND o.due_at <= now()
        AND (o.leased_until IS NULL OR o.leased_until <= now()) AND s.state = 'installed'
        AND (c.paused_until IS NULL OR c.paused_until <= now()) AND c.stopped_at IS NULL
        AND NOT EXISTS (SELECT FROM orders_gate g WHERE g.store_id = o.store_id
            AND g.host IN ('bigcommerce', c.api_url) AND g.open_until > now())
"""
# How many more orders of a store may be in flight.
_CAPACITY = """
    greatest(0, CASE
        WHEN coalesce(b.failures, 0) >= %(failures)s OR b.window_until IS NULL
            OR b.window_until <= now() THEN 1 - busy.orders
        ELSE least(%(at_once)s - busy.orders, b.budget / %(calls)s) END)
"""
_BUSY = """
    LEFT JOIN orders_gate b ON b.store_id = s.id AND b.host = 'bigcommerce'
    CROSS JOIN LATERAL (SELECT count(*) AS orders FROM orders_order held
        WHERE held.store_id = s.id AND held.leased_until > now()) busy
"""
# The stores of the orders that have waited longest, and, so that a flood of one store hides no
# other, some more: from store to store by the index, from the first one and from any one.
_CANDIDATES = f"""
WITH RECURSIVE oldest AS (
    SELECT o.store_id FROM {_CLAIMABLE} ORDER BY o.due_at LIMIT %(room)s
), walk AS (
    SELECT (SELECT o.store_id FROM orders_order o
        WHERE o.changed > o.synced AND o.store_id >= first.id
        ORDER BY o.store_id, o.due_at LIMIT 1)
    FROM (SELECT 0 AS id UNION ALL
          SELECT (random() * max(id))::bigint FROM stores_store) AS first
    UNION
    SELECT (SELECT o.store_id FROM orders_order o
        WHERE o.changed > o.synced AND o.store_id > walk.store_id
        ORDER BY o.store_id, o.due_at LIMIT 1)
    FROM walk WHERE walk.store_id IS NOT NULL
), further AS (
    SELECT s.id AS store_id FROM walk JOIN stores_store s ON s.id = walk.store_id {_BUSY}
    WHERE {_CAPACITY} > 0
        AND EXISTS (SELECT FROM {_CLAIMABLE} AND o.store_id = walk.store_id)
    LIMIT 1 + %(room)s / %(at_once)s
), candidate AS MATERIALIZED (
    SELECT store_id FROM oldest UNION SELECT store_id FROM further
)
SELECT store_id, pg_try_advisory_xact_lock(%(lock)s, (store_id %% 2147483647)::int) FROM candidate
"""  # noqa: S608 (parts of ours)
_WAIT = """
SELECT pg_advisory_xact_lock(%(lock)s, store)
FROM (SELECT DISTINCT (id %% 2147483647)::int AS store FROM unnest(%(stores)s::bigint[]) AS id
      ORDER BY store) AS ordered
"""
# The holder of an expired lease may have sent an update before it died: the order is in doubt.
_CLAIM = f"""
WITH picked AS (
    SELECT p.id FROM (SELECT s.id, {_CAPACITY} AS capacity FROM stores_store s {_BUSY}
                      WHERE s.id = ANY(%(stores)s)) AS store
    CROSS JOIN LATERAL (
        SELECT o.id, o.due_at FROM {_CLAIMABLE} AND o.store_id = store.id
        ORDER BY o.due_at LIMIT store.capacity FOR NO KEY UPDATE OF o SKIP LOCKED
    ) p ORDER BY p.due_at LIMIT %(room)s
)
UPDATE orders_order o SET
    lease = %(lease)s,
    leased_until = now() + make_interval(secs => %(lease_seconds)s),
    unsure = o.unsure OR o.leased_until IS NOT NULL
FROM picked WHERE o.id = picked.id
RETURNING o.id
"""  # noqa: S608 (parts of ours)


@dataclass
class Lease:
    """The lease of one worker on all orders that it works on."""

    id: str = field(default_factory=lambda: uuid4().hex)
    until: float = field(default_factory=lambda: time.monotonic() + _LEASE_SECONDS)

    def renewed(self, asked: float) -> None:
        """Record that the database extended the lease, as of the monotonic time of the request."""
        self.until = asked + _LEASE_SECONDS

    @property
    def is_safe(self) -> bool:
        """Return whether the lease outlasts one more call."""
        return self.until - time.monotonic() > _NEEDED

    @property
    def wants_renewal(self) -> bool:
        """Return whether the lease is old enough to be renewed."""
        return self.until - time.monotonic() < _LEASE_SECONDS - _RENEW_AFTER


@repeated_once
def settle() -> None:
    """Make orders due whose settle time has come."""
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, _LIMITS)


@transaction.atomic
def fold() -> list[tuple[int, str]]:
    """Count new events on their orders.

    Return the events about a store itself, as (store, scope). The caller handles them, in the same
    transaction if it opened one.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, _LIMITS)
        if not (taken := [pk for (pk,) in cursor.fetchall()]):
            return []
        cursor.execute(_FOLD, {**_LIMITS, "events": taken})
        events: list[tuple[int, str]] = cursor.fetchall()
    return [(store, scope) for store, scope in events if scope in (UNINSTALLED, INFORMATION)]


def park(store: int, scope: str) -> None:
    """Keep a store's own events of this kind for the next sweep: they could not be handled."""
    events = WebhookEvent.objects.filter(store=store, scope=scope, bigcommerce_order_id=None)
    events.filter(
        outcome=WebhookEvent.Outcome.IGNORED, received_at__gte=Now() - _STORE_EVENTS
    ).update(outcome=WebhookEvent.Outcome.PARKED)


@repeated_once
@transaction.atomic
def unpark() -> None:
    """Make parked events new again whose order exists now; ignore those that waited too long."""
    with connection.cursor() as cursor:
        cursor.execute(_NEW_ORDERS, _LIMITS)
        if rows := cursor.fetchall():
            orders, stores, numbers = (list(column) for column in zip(*rows, strict=True))
            cursor.execute(_MATCH, {"stores": stores, "numbers": numbers})
            cursor.execute(_MATCHED, {"orders": orders})
    with connection.cursor() as cursor:
        cursor.execute(_RETRY, _LIMITS)
        cursor.execute(_FORGET, _LIMITS)


def replay(events: Sequence[int]) -> int:
    """Make these events new again. Return how many of them were not new."""
    with connection.cursor() as cursor:
        cursor.execute(_REPLAY, [list(events)])
        return int(cursor.rowcount)


@repeated_once
def renew(lease: Lease, orders: Iterable[int]) -> None:
    """Extend the lease on these orders."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH held AS (SELECT id FROM orders_order WHERE id = ANY(%s) AND lease = %s"
            " ORDER BY id FOR NO KEY UPDATE)"
            " UPDATE orders_order o SET leased_until = now() + %s * interval '1 second'"
            " FROM held WHERE o.id = held.id",
            [list(orders), lease.id, _LEASE_SECONDS],
        )


def due_within(seconds: float, *, looked: float) -> bool:
    """Return whether there is new work, or an order becomes due or settles within so many seconds.

    What became due since `looked`, the monotonic time of the last look for work, counts too. What
    was due before is left to others: that look has not claimed it, for its host, store or holder.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM orders_order WHERE changed > synced"
            " AND due_at > now() - make_interval(secs => %(since)s)"
            " AND due_at <= now() + make_interval(secs => %(seconds)s))"
            " OR EXISTS (SELECT 1 FROM orders_order"
            " WHERE settle_at <= now() + make_interval(secs => %(seconds)s))"
            " OR EXISTS (SELECT 1 FROM orders_webhookevent WHERE outcome = 'new')",
            {"seconds": seconds, "since": time.monotonic() - looked},
        )
        return bool(cursor.fetchone()[0])


@repeated_once
@transaction.atomic
def mark_changed(**which: Any) -> int:
    """Make these orders due at once. Return how many there are."""
    rows = Order.objects.filter(**which).order_by("pk").select_for_update(no_key=True)
    return Order.objects.filter(pk__in=rows.values("pk")).update(
        changed=F("changed") + 1, due_at=Now(), settle_step=0
    )


def take_along(account: Connection, earlier: list[int], refs: list[str]) -> int:
    """Move the orders of earlier accounts with these merchant ids to this account."""
    numbers = Order.objects.filter(connection=account).values("order_ref_1")
    orders = Order.objects.filter(
        store=account.store, connection__in=earlier, merchant_ref__in=refs
    ).exclude(order_ref_1__in=numbers)
    rows = orders.order_by("pk").select_for_update(no_key=True)
    return Order.objects.filter(pk__in=rows.values("pk")).update(connection=account)


@repeated_once
@transaction.atomic
def claim(lease: Lease, room: int) -> list[Order]:
    """Claim up to `room` due orders: oldest first, few per store, none whose host is closed."""
    values = {**_LIMITS, "lock": _LOCK, "lease": lease.id, "room": room}
    with connection.cursor() as cursor:
        if not (stores := _stores_in_turn(cursor, values)):
            return []
        cursor.execute(_CLAIM, values | {"stores": stores})
        picked = [pk for (pk,) in cursor.fetchall()]
    if not picked:
        return []
    orders = Order.objects.select_related("store", "connection").defer(*_UNUSED)
    claimed = list(orders.filter(pk__in=picked).order_by("due_at"))
    admitted = admit(claimed)
    _give_back(set(picked) - {order.pk for order in admitted})
    return admitted


def _stores_in_turn(cursor: CursorWrapper, values: dict[str, Any]) -> list[int]:
    """Return stores that have something to claim, each locked until the transaction ends.

    Stores that others claim from at this moment are left to them, unless there is nothing else.
    """
    cursor.execute(_CANDIDATES, values)
    found: dict[int, bool] = dict(cursor.fetchall())
    if free := [store for store, is_locked in found.items() if is_locked]:
        return free
    if found:
        cursor.execute(_WAIT, values | {"stores": list(found)})
    return list(found)


def _give_back(orders: Iterable[int]) -> None:
    """Release orders that were claimed while another order probes their closed host."""
    Order.objects.filter(pk__in=orders).update(
        lease="", leased_until=None, due_at=Now() + timedelta(seconds=PROBE_AFTER)
    )
