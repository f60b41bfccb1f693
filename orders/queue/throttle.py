"""Throttle outgoing calls per store and host: a circuit breaker and a rate limit.

BigCommerce grants each store a number of calls per window, shared by all its apps, and reports the
remaining calls with every response. This project uses at most half of what was left at its first
call in a window. https://docs.bigcommerce.com/docs/start/best-practices/api-rate-limits

A host that failed for several orders in a row is closed for a while, then probed by one order. When
the host answers again, the orders that waited for it are spread over the next seconds.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from bigcommerce.api import Quota
from bigcommerce.client import BigCommerce
from orders.models import Gate, Order, Reconciliation
from stores.models import Store
from transport.stopping import pause

BIGCOMMERCE, SEQURA = "bigcommerce", "sequra"  # the systems that calls go to
CALLS_PER_ORDER = 5  # the most that one synchronisation usually needs
FAILURES = 5  # of different orders, in a row, close a host
PROBE_AFTER, _PROBE_AT_LEAST_EVERY = 10.0, 60.0
# BigCommerce always reports its quota. A host that does not may still answer 429.
_GUESS = Quota(left=600, limit=600, window_ms=30_000, reset_ms=30_000)

# Bounds for header values, so that each fits into its column and each window ends.
MOST_BUDGET, _LONGEST_WINDOW = 1_000_000, 3600.0

_RECORD_QUOTA = """
INSERT INTO orders_gate (store_id, host, failures, budget, window_until)
VALUES (%(store)s, %(host)s, 0, %(budget)s, now() + %(seconds)s * interval '1 second')
ON CONFLICT (store_id, host) DO UPDATE SET
    budget = CASE WHEN orders_gate.window_until > now()
        THEN least(orders_gate.budget, excluded.budget) ELSE excluded.budget END,
    window_until = CASE WHEN orders_gate.window_until > now()
        THEN orders_gate.window_until ELSE excluded.window_until END
"""
_RECORD_FAILURE = """
INSERT INTO orders_gate (store_id, host, failures, budget) VALUES (%(store)s, %(host)s, 1, 0)
ON CONFLICT (store_id, host) DO UPDATE SET failures = orders_gate.failures + %(counts)s
RETURNING failures
"""
_SPREAD = """
UPDATE orders_order o SET due_at = now() + random() * least(60, w.waiting / 4.0) * interval '1 s'
FROM (SELECT count(*) AS waiting FROM orders_order
      WHERE store_id = %(store)s AND changed > synced AND attempts > 0) w
WHERE o.store_id = %(store)s AND o.changed > o.synced AND o.attempts > 0 AND o.due_at > now()
"""


def _host_of(order: Order, system: str) -> str:
    """Return the host that a throttle is kept for: BigCommerce, or one of SeQura's deployments."""
    return BIGCOMMERCE if system == BIGCOMMERCE else order.connection.api_url


def admit(orders: Sequence[Order]) -> list[Order]:
    """Return the claimed orders that may proceed: one per host or account that is being probed."""
    stores = {order.store_id for order in orders}
    probed = {
        (gate.store_id, gate.host): gate
        for gate in Gate.objects.filter(store__in=stores, failures__gte=FAILURES)
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
    for order in orders:
        Gate.objects.filter(store=order.store_id, host=BIGCOMMERCE, window_until__gt=Now()).update(
            budget=F("budget") - CALLS_PER_ORDER
        )


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


def record_quota(store: int, quota: Quota | None) -> None:
    """Store the quota that BigCommerce reported for this store."""
    reported = quota or _GUESS
    row: dict[str, str | int | float] = {
        "store": store,
        "host": BIGCOMMERCE,
        "budget": max(0, min(reported.left // 2, MOST_BUDGET)),
        "seconds": max(0.1, min(reported.reset_ms / 1000, _LONGEST_WINDOW)),
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD_QUOTA, row)


def calls_left(store: int) -> int:
    """Return how many calls this store may still make in the current window, 0 when unknown."""
    known = Gate.objects.filter(store=store, host=BIGCOMMERCE, window_until__gt=Now())
    return known.values_list("budget", flat=True).first() or 0


def is_short(store: int) -> bool:
    """Return whether the quota allows changes only: fewer calls are left than two orders need."""
    gate = Gate.objects.filter(store=store, host=BIGCOMMERCE, window_until__gt=Now())
    return gate.filter(budget__lt=2 * CALLS_PER_ORDER).exists()


def release_probe(order: Order, system: str) -> None:
    """Let the next order probe a closed host: this order's probe did not need to call it."""
    gate = Gate.objects.filter(store=order.store_id, host=_host_of(order, system))
    gate.filter(failures__gte=FAILURES).update(open_until=Now())


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


def record_success(order: Order, system: str) -> None:
    """Reopen the host. Spread the orders that waited for it over the next seconds."""
    gate = Gate.objects.filter(store=order.store_id, host=_host_of(order, system), failures__gt=0)
    if gate.update(failures=0, open_until=None):
        with connection.cursor() as cursor:
            cursor.execute(_SPREAD, {"store": order.store_id})


# Jobs that read many pages wait, because all apps of a store share its calls to BigCommerce.
_LONGEST_WAIT = 30.0
QUARTER = 4


def wait_for_quota(api: BigCommerce, store_id: int) -> None:
    """Wait for the next window when at most a quarter of the calls of this one is left."""
    quota = api.quota
    record_quota(store_id, quota)
    if quota and quota.left <= quota.limit // QUARTER:
        pause(min(quota.reset_ms / 1000, _LONGEST_WAIT))
