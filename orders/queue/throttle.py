"""Throttle outgoing calls per store and host: a circuit breaker and a rate limit.

BigCommerce grants each store a number of calls per window, shared by all its apps, and reports the
remaining calls with every response. This project uses at most half of what was left at its first
call in a window. https://docs.bigcommerce.com/docs/start/best-practices/api-rate-limits

A host that failed for several orders in a row is closed for a while, then probed by one order. When
the host answers again, the orders that waited for it are spread over the next seconds.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from bigcommerce.api import Quota
from bigcommerce.client import BigCommerce
from orders.models import Gate, Order, Reconciliation
from stores.isolation import repeated_once
from stores.models import Store
from transport.stopping import pause

BIGCOMMERCE, SEQURA = "bigcommerce", "sequra"  # the systems that calls go to
CALLS_PER_ORDER = 5  # the most that one synchronisation usually needs
FAILURES = 5  # of different orders, in a row, close a host
PROBE_AFTER, _PROBE_AT_LEAST_EVERY = 10.0, 60.0
# BigCommerce always reports its quota. A host that does not may still answer 429.
_GUESS = Quota(left=600, limit=600, window_ms=30_000, reset_ms=30_000)

# Bounds for header values, so that each fits into its column and each window ends.
_MOST_BUDGET, _LONGEST_WINDOW = 1_000_000, 3600.0

# Statements about several rows lock them in the order of store and host, and commit by themselves:
# so workers never wait for each other in a circle.
RECORD_QUOTAS = """
INSERT INTO orders_gate (store_id, host, failures, budget, window_until)
SELECT s.id, 'bigcommerce', 0, seen.budget, now() + make_interval(secs => seen.seconds)
FROM unnest(%(stores)s::bigint[], %(budgets)s::int[], %(seconds)s::float[])
    AS seen(store_id, budget, seconds)
JOIN stores_store s ON s.id = seen.store_id ORDER BY s.id  -- a store may be deleted meanwhile
ON CONFLICT (store_id, host) DO UPDATE SET
    budget = CASE WHEN orders_gate.window_until > now()
        THEN least(orders_gate.budget, excluded.budget) ELSE excluded.budget END,
    window_until = CASE WHEN orders_gate.window_until > now()
        THEN orders_gate.window_until ELSE excluded.window_until END
"""
_RESERVE = """
WITH gate AS (
    SELECT g.id, w.orders FROM orders_gate g
    JOIN unnest(%s::bigint[], %s::int[]) AS w(store_id, orders) USING (store_id)
    WHERE g.host = 'bigcommerce' AND g.window_until > now()
    ORDER BY store_id FOR NO KEY UPDATE OF g
)
UPDATE orders_gate g SET budget = budget - %s * gate.orders FROM gate WHERE g.id = gate.id
"""
_CALLS_LEFT = """
SELECT budget FROM orders_gate
WHERE store_id = stores_store.id AND host = 'bigcommerce' AND window_until > statement_timestamp()
"""
_RECORD_FAILURE = """
INSERT INTO orders_gate (store_id, host, failures, budget) VALUES (%(store)s, %(host)s, 1, 0)
ON CONFLICT (store_id, host) DO UPDATE SET failures = orders_gate.failures + %(counts)s
RETURNING failures
"""
_RECORD_ANSWERS = """
WITH answer AS (
    SELECT store_id, host, bool_or(asked) AS asked
    FROM unnest(%(stores)s::bigint[], %(hosts)s::text[], %(asked)s::boolean[])
        AS one(store_id, host, asked) GROUP BY store_id, host
), gate AS (
    SELECT g.id, a.asked FROM orders_gate g JOIN answer a USING (store_id, host)
    WHERE g.failures > 0 AND (a.asked OR g.failures >= %(failures)s)
    ORDER BY store_id, host FOR NO KEY UPDATE OF g
)
UPDATE orders_gate g SET failures = CASE WHEN gate.asked THEN 0 ELSE g.failures END,
    open_until = CASE WHEN gate.asked THEN NULL ELSE now() END
FROM gate WHERE g.id = gate.id
RETURNING CASE WHEN gate.asked THEN g.store_id END
"""
_SPREAD = """
WITH waiting AS (
    SELECT id, due_at, count(*) OVER () / 4.0 AS seconds FROM orders_order
    WHERE store_id = %(store)s AND changed > synced AND attempts > 0
), later AS (
    SELECT o.id, w.seconds FROM orders_order o JOIN waiting w USING (id)
    WHERE o.due_at > now() ORDER BY o.id FOR NO KEY UPDATE OF o
)
UPDATE orders_order o SET due_at = now() + random() * least(60, later.seconds) * interval '1 s'
FROM later WHERE o.id = later.id
"""


def _host_of(order: Order, system: str) -> str:
    """Return the host that a throttle is kept for: BigCommerce, or one of SeQura's deployments."""
    return BIGCOMMERCE if system == BIGCOMMERCE else order.connection.api_url


def admit(orders: Sequence[Order]) -> list[Order]:
    """Return the claimed orders that may proceed: one per host or account that is being probed."""
    stores = {order.store_id for order in orders}
    # All of them are locked at once: those that are written below stand in another order.
    gates_of_all = Gate.objects.filter(store__in=stores).order_by("store_id", "host")
    probed = {
        (gate.store_id, gate.host): gate
        for gate in gates_of_all.select_for_update(no_key=True)
        if gate.failures >= FAILURES
    }
    asked: set[object] = set()
    admitted = []
    for order in orders:
        gates = [probed.get((order.store_id, host)) for host in _hosts(order)]
        keys = {gate.pk for gate in gates if gate} | _account(order)
        if not keys & asked:
            admitted.append(order)
            asked |= keys
    _reserve(admitted)
    _block_until_probed([gate for gate in probed.values() if gate.pk in asked], admitted)
    return admitted


def _hosts(order: Order) -> tuple[str, str]:
    return BIGCOMMERCE, order.connection.api_url


def _account(order: Order) -> set[object]:
    """Return the account's key if SeQura refused the account and a probe is due, else nothing."""
    return {f"account {order.connection_id}"} if order.connection.paused_until else set()


def _reserve(orders: Sequence[Order]) -> None:
    """Subtract the calls that these orders may need from their stores' budgets."""
    wanted = Counter(order.store_id for order in orders)
    with connection.cursor() as cursor:
        cursor.execute(_RESERVE, [list(wanted), list(wanted.values()), CALLS_PER_ORDER])


def _block_until_probed(gates: Sequence[Gate], orders: Sequence[Order]) -> None:
    """Keep further orders from hosts and accounts that these orders probe."""
    for gate in gates:
        Gate.objects.filter(pk=gate.pk).update(open_until=Now() + _pause_after(gate.failures))
    for order in orders:
        if _account(order):
            order.connection.pause()


def _pause_after(failures: int) -> timedelta:
    doubled = PROBE_AFTER * 2 ** min(failures - FAILURES, 10)
    return timedelta(seconds=min(_PROBE_AT_LEAST_EVERY, doubled))


def _record_quota(store: int, quota: Quota | None) -> None:
    """Store the quota that BigCommerce reported for this store."""
    record_quotas({store: quota})


@repeated_once
def record_quotas(quotas: Mapping[int, Quota | None]) -> None:
    """Store the quotas that BigCommerce reported, by store."""
    with connection.cursor() as cursor:
        cursor.execute(RECORD_QUOTAS, quota_rows(quotas))


def quota_rows(quotas: Mapping[int, Quota | None]) -> dict[str, Any]:
    """Return the parameters of RECORD_QUOTAS, which may be a part of a larger statement."""
    reported = [quota or _GUESS for quota in quotas.values()]
    return {
        "stores": list(quotas),
        "budgets": [max(0, min(one.left // 2, _MOST_BUDGET)) for one in reported],
        "seconds": [max(0.1, min(one.reset_ms / 1000, _LONGEST_WINDOW)) for one in reported],
    }


def with_calls_left() -> dict[str, RawSQL]:
    """Return `calls_left` for a query of stores: how many calls each may still make in the current
    window, None when unknown.
    """
    return {"calls_left": RawSQL(_CALLS_LEFT, [])}  # noqa: S611 (a constant of ours)


def record_failure(order: Order, system: str, retry_after: float | None) -> None:
    """Count that the host gave no answer. An order that fails repeatedly counts once."""
    host = _host_of(order, system)
    with connection.cursor() as cursor:
        counts = int(order.attempts == 0 or _is_closed(order.store_id, host))
        cursor.execute(_RECORD_FAILURE, {"store": order.store_id, "host": host, "counts": counts})
        failures = cursor.fetchone()[0]
    pause = timedelta(seconds=min(retry_after, 900)) if retry_after else None
    if failures >= FAILURES:
        pause = max(pause or timedelta(), _pause_after(failures))
        after_outage(order.store)
    if pause:
        gate = Gate.objects.filter(store=order.store_id, host=host)
        gate.update(open_until=Now() + pause)


def after_outage(store: Store) -> None:
    """Mark that a host was away: all open orders are checked afterwards (`orders.drift`)."""
    Reconciliation.objects.update_or_create(store=store, defaults={"outage": True})


def is_well(store: Store) -> bool:
    """Return whether every host of this store answers."""
    return not Gate.objects.filter(store=store, failures__gt=0).exists()


def _is_closed(store: int, host: str) -> bool:
    return Gate.objects.filter(store=store, host=host, failures__gte=FAILURES).exists()


class Answer(NamedTuple):
    """What one order found out about a system: it answered, or it did not need to be asked."""

    order: Order
    system: str
    asked: bool


@repeated_once
def record_answers(answers: Sequence[Answer]) -> None:
    """Reopen the hosts that answered, and spread the orders that waited over the next seconds.

    The probe of a closed host that did not need to ask it leaves the next order to probe.
    """
    rows: dict[str, Any] = {
        "stores": [answer.order.store_id for answer in answers],
        "hosts": [_host_of(answer.order, answer.system) for answer in answers],
        "asked": [answer.asked for answer in answers],
        "failures": FAILURES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD_ANSWERS, rows)
        for store in sorted({store for (store,) in cursor.fetchall() if store}):
            cursor.execute(_SPREAD, {"store": store})


# Jobs that read many pages wait, because all apps of a store share its calls to BigCommerce.
_LONGEST_WAIT = 30.0
_QUARTER = 4


def wait_for_quota(api: BigCommerce, store_id: int) -> None:
    """Wait for the next window when at most a quarter of the calls of this one is left."""
    quota = api.quota
    _record_quota(store_id, quota)
    if quota and quota.left <= quota.limit // _QUARTER:
        pause(min(quota.reset_ms / 1000, _LONGEST_WAIT))
