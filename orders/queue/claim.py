"""The queue in PostgreSQL: fold events into orders, claim due orders.

Folding and claiming are short and run under one advisory lock, so the limits per store are exact.
Results are written without it (`orders.sync.results`). Every statement about several orders locks
them in the order of their ids or skips those that are locked, so workers never wait for each other
in a circle. No HTTP happens while anything is locked.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import F
from django.db.models.functions import Now

from orders.models import Order, WebhookEvent
from orders.queue.lease import SECONDS, Lease
from orders.queue.throttle import CALLS_PER_ORDER, FAILURES, PROBE_AFTER, admit
from orders.topics import INFORMATION, REFUNDS, SHIPMENTS, UNINSTALLED
from stores.models import Connection

_LOCK = 7_318_441_023  # of the queue: any number that no other lock uses
_FOLD_AT_ONCE = 2000
# Secrets that are not needed here and take time to decrypt.
_UNUSED = ("store__webhook_secret", "store__report_token")
_STORE_EVENTS = timedelta(days=2)
LIMITS: dict[str, str | int | float] = {
    "at_once": 4,  # calls in flight per store
    "calls": CALLS_PER_ORDER,
    "failures": FAILURES,
    "fold": _FOLD_AT_ONCE,
    "lease_seconds": SECONDS,
    # A burst of events becomes one update: seconds from an order's first event until it is read.
    "burst": 1.0,
    # Events may arrive before the order's row exists. Orders not paid with SeQura never get a row.
    "parked_seconds": 3600.0,
    # Events about a store itself are retried for as long as BigCommerce would repeat them.
    "store_event_seconds": _STORE_EVENTS.total_seconds(),
    "shipments": SHIPMENTS + "%",
    "refunds": REFUNDS + "%",
}

_FOLD = """
WITH waiting AS (
    SELECT id, store_id, scope, bigcommerce_order_id, payload FROM orders_webhookevent
    WHERE outcome = 'new' ORDER BY id LIMIT %(fold)s FOR UPDATE
), news AS (
    SELECT w.store_id, w.bigcommerce_order_id, count(*) AS events,
        bool_or(w.scope LIKE %(shipments)s) AS shipments,
        bool_or(w.scope LIKE %(refunds)s) AS refunds,
        bool_or(coalesce(
            s.shipped_statuses @> (w.payload #> '{data,status,new_status_id}'), false)) AS shipped
    FROM waiting w JOIN stores_store s ON s.id = w.store_id
    WHERE w.bigcommerce_order_id IS NOT NULL GROUP BY 1, 2
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
        shipped_status_seen = o.shipped_status_seen OR n.shipped
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
_UNPARK = """
UPDATE orders_webhookevent e SET outcome = CASE
    WHEN o.id IS NOT NULL OR (p.bigcommerce_order_id IS NULL
        AND p.received_at >= now() - make_interval(secs => %(store_event_seconds)s)) THEN 'new'
    ELSE 'ignored' END
FROM orders_webhookevent p LEFT JOIN orders_order o
    ON o.store_id = p.store_id AND o.bigcommerce_id = p.bigcommerce_order_id
WHERE e.id = p.id AND p.outcome = 'parked'
    AND (o.id IS NOT NULL OR p.bigcommerce_order_id IS NULL
         OR p.received_at < now() - make_interval(secs => %(parked_seconds)s))
"""
# What was folded loses its status, as in a repeated delivery: the order may have left it since.
_REPLAY = """
UPDATE orders_webhookevent SET outcome = 'new', payload = CASE
    WHEN outcome = 'folded' AND jsonb_typeof(payload -> 'data') = 'object'
    THEN payload #- '{data,status}' ELSE payload END
WHERE id = ANY(%s) AND outcome <> 'new'
"""
_SETTLE = """
WITH settling AS (
    SELECT id FROM orders_order WHERE settle_at <= now() ORDER BY id FOR NO KEY UPDATE
)
UPDATE orders_order o SET changed = changed + 1, due_at = now(), settle_at = NULL
FROM settling WHERE o.id = settling.id
"""
# The holder of an expired lease may have sent an update before it died: the order is in doubt.
CLAIM = """
WITH store AS (
    SELECT s.id, (SELECT count(*) FROM orders_order b
                  WHERE b.store_id = s.id AND b.leased_until > now()) AS busy,
        coalesce(g.failures, 0) AS failures, g.budget, g.window_until
    FROM stores_store s LEFT JOIN orders_gate g ON g.store_id = s.id AND g.host = 'bigcommerce'
    WHERE s.state = 'installed' AND (g.open_until IS NULL OR g.open_until <= now())
), picked AS (
    SELECT p.id FROM store CROSS JOIN LATERAL (
        SELECT o.id, o.due_at FROM orders_order o
        JOIN stores_connection c ON c.id = o.connection_id
        LEFT JOIN orders_gate g ON g.store_id = o.store_id AND g.host = c.api_url
        WHERE o.store_id = store.id AND o.changed > o.synced AND o.due_at <= now()
            AND (o.leased_until IS NULL OR o.leased_until <= now())
            AND (c.paused_until IS NULL OR c.paused_until <= now()) AND c.stopped_at IS NULL
            AND (g.open_until IS NULL OR g.open_until <= now())
        ORDER BY o.due_at
        LIMIT greatest(0, CASE
            WHEN store.failures >= %(failures)s OR store.window_until IS NULL
                OR store.window_until <= now() THEN 1 - store.busy
            ELSE least(%(at_once)s - store.busy, store.budget / %(calls)s) END)
        FOR NO KEY UPDATE OF o SKIP LOCKED
    ) p ORDER BY p.due_at LIMIT %(room)s
)
UPDATE orders_order o SET
    lease = %(lease)s,
    leased_until = now() + make_interval(secs => %(lease_seconds)s),
    unsure = o.unsure OR o.leased_until IS NOT NULL
FROM picked WHERE o.id = picked.id
RETURNING o.id
"""


@contextmanager
def alone() -> Iterator[CursorWrapper]:
    """Open a transaction in which no other worker touches the queue."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield cursor


def fold() -> list[tuple[int, str]]:
    """Count new events on their orders, and make orders due whose settle time has come.

    Return the events about a store itself, as (store, scope). The caller handles them, in the same
    transaction if it opened one.
    """
    with alone() as cursor:
        cursor.execute(_SETTLE)
        cursor.execute(_FOLD, LIMITS)
        events: list[tuple[int, str]] = cursor.fetchall()
    return [(store, scope) for store, scope in events if scope in (UNINSTALLED, INFORMATION)]


def park(store: int, scope: str) -> None:
    """Keep a store's own events of this kind for the next sweep: they could not be handled."""
    events = WebhookEvent.objects.filter(store=store, scope=scope, bigcommerce_order_id=None)
    events.filter(
        outcome=WebhookEvent.Outcome.IGNORED, received_at__gte=Now() - _STORE_EVENTS
    ).update(outcome=WebhookEvent.Outcome.PARKED)


def unpark() -> None:
    """Make parked events new again whose order exists now; ignore those that waited too long."""
    with alone() as cursor:
        cursor.execute(_UNPARK, LIMITS)


def replay(events: Sequence[int]) -> int:
    """Make these events new again. Return how many of them were not new."""
    with alone() as cursor:
        cursor.execute(_REPLAY, [list(events)])
        return int(cursor.rowcount)


def renew(lease: Lease, orders: Iterable[int]) -> None:
    """Extend the lease on these orders."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH held AS (SELECT id FROM orders_order WHERE id = ANY(%s) AND lease = %s"
            " ORDER BY id FOR NO KEY UPDATE)"
            " UPDATE orders_order o SET leased_until = now() + %s * interval '1 second'"
            " FROM held WHERE o.id = held.id",
            [list(orders), lease.id, SECONDS],
        )


def due_within(seconds: float) -> bool:
    """Return whether any order becomes due or reaches its settle time within so many seconds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM orders_order WHERE changed > synced"
            " AND due_at > now() AND due_at <= now() + %(s)s * interval '1 second')"
            " OR EXISTS (SELECT 1 FROM orders_order WHERE settle_at <= now()"
            " + %(s)s * interval '1 second')"
            " OR EXISTS (SELECT 1 FROM orders_webhookevent WHERE outcome = 'new')",
            {"s": seconds},
        )
        return bool(cursor.fetchone()[0])


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
    )
    return orders.exclude(order_ref_1__in=numbers).update(connection=account)


def claim(lease: Lease, room: int) -> list[Order]:
    """Claim up to `room` due orders: oldest first, few per store, none whose host is closed."""
    with alone() as cursor:
        cursor.execute(CLAIM, {**LIMITS, "lease": lease.id, "room": room})
        picked = [pk for (pk,) in cursor.fetchall()]
        if not picked:
            return []
        orders = Order.objects.select_related("store", "connection").defer(*_UNUSED)
        claimed = list(orders.filter(pk__in=picked).order_by("due_at"))
        admitted = admit(claimed)
        _give_back(set(picked) - {order.pk for order in admitted})
    return admitted


def _give_back(orders: Iterable[int]) -> None:
    """Release orders that were claimed while another order probes their closed host."""
    Order.objects.filter(pk__in=orders).update(
        lease="", leased_until=None, due_at=Now() + timedelta(seconds=PROBE_AFTER)
    )
