"""How much may go out on behalf of a store, to BigCommerce and to SeQura: breaker and rate.

BigCommerce gives a store so many calls per window, shared by all its apps, and says with every
answer how many are left. We use at most half of what was left when we first looked in a window.
https://docs.bigcommerce.com/docs/start/best-practices/api-rate-limits

A host that failed for several orders in a row is left alone for a while, then asked by one order.
When it answers again, the orders that waited for it are spread over the next seconds.
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

BIGCOMMERCE, SEQURA = "bigcommerce", "sequra"  # the systems that may fail
CALLS_PER_ORDER = 5  # what one synchronisation may need: usually fewer
FAILURES = 5  # of different orders, in a row: then the gate closes
PROBE_AFTER, _PROBE_AT_LEAST_EVERY = 10.0, 60.0
# BigCommerce always says what is left. Who does not say so is not known to count: a 429 will tell.
_GUESS = Quota(left=600, limit=600, window_ms=30_000, reset_ms=30_000)

# Whatever a header says, it fits into the columns and ends some time.
MOST_BUDGET, _LONGEST_WINDOW = 1_000_000, 3600.0

_SAW = """
INSERT INTO orders_gate (store_id, host, failures, budget, window_until)
VALUES (%(store)s, %(host)s, 0, %(budget)s, now() + %(seconds)s * interval '1 second')
ON CONFLICT (store_id, host) DO UPDATE SET
    budget = CASE WHEN orders_gate.window_until > now()
        THEN least(orders_gate.budget, excluded.budget) ELSE excluded.budget END,
    window_until = CASE WHEN orders_gate.window_until > now()
        THEN orders_gate.window_until ELSE excluded.window_until END
"""
_FAILED = """
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
    """The key of a gate: BigCommerce is one host, SeQura's deployments are several."""
    return BIGCOMMERCE if system == BIGCOMMERCE else order.connection.api_url


def admit(orders: Sequence[Order]) -> list[Order]:
    """Of these claimed orders, those that may go: one per host or account that is being probed."""
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
    _close_behind_probes([gate for gate in probed.values() if gate.pk in asked], admitted)
    return admitted


def _hosts(order: Order) -> tuple[str, str]:
    return BIGCOMMERCE, order.connection.api_url


def _account(order: Order) -> set[object]:
    """The account that SeQura refused and that is due for a probe."""
    return {f"account {order.connection_id}"} if order.connection.paused_until else set()


def _reserve(orders: Sequence[Order]) -> None:
    for order in orders:
        Gate.objects.filter(store=order.store_id, host=BIGCOMMERCE, window_until__gt=Now()).update(
            budget=F("budget") - CALLS_PER_ORDER
        )


def _close_behind_probes(gates: Sequence[Gate], orders: Sequence[Order]) -> None:
    for gate in gates:
        Gate.objects.filter(pk=gate.pk).update(open_until=Now() + _pause(gate.failures))
    for order in orders:
        if _account(order):
            order.connection.pause()


def _pause(failures: int) -> timedelta:
    doubled = PROBE_AFTER * 2 ** min(failures - FAILURES, 10)
    return timedelta(seconds=min(_PROBE_AT_LEAST_EVERY, doubled))


def saw(store: int, quota: Quota | None) -> None:
    """What BigCommerce said about the store's budget."""
    told = quota or _GUESS
    row: dict[str, str | int | float] = {
        "store": store,
        "host": BIGCOMMERCE,
        "budget": max(0, min(told.left // 2, MOST_BUDGET)),
        "seconds": max(0.1, min(told.reset_ms / 1000, _LONGEST_WINDOW)),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SAW, row)


def left(store: int) -> int:
    """How many calls are left to us in this window, as far as is known."""
    known = Gate.objects.filter(store=store, host=BIGCOMMERCE, window_until__gt=Now())
    return known.values_list("budget", flat=True).first() or 0


def is_short(store: int) -> bool:
    """Is less than one window's worth of re-reading left? Then only changes are worth a call."""
    gate = Gate.objects.filter(store=store, host=BIGCOMMERCE, window_until__gt=Now())
    return gate.filter(budget__lt=2 * CALLS_PER_ORDER).exists()


def spared(order: Order, system: str) -> None:
    """The probe of a closed gate did not have to ask: the next order may."""
    gate = Gate.objects.filter(store=order.store_id, host=_host_of(order, system))
    gate.filter(failures__gte=FAILURES).update(open_until=Now())


def failed(order: Order, system: str, retry_after: float | None) -> None:
    """The host gave no answer. An order that fails again and again counts once."""
    host = _host_of(order, system)
    with connection.cursor() as cursor:
        counts = int(order.attempts == 0 or _is_closed(order.store_id, host))
        cursor.execute(_FAILED, {"store": order.store_id, "host": host, "counts": counts})
        failures = cursor.fetchone()[0]
    pause = timedelta(seconds=min(retry_after, 900)) if retry_after else None
    if failures >= FAILURES:
        pause = max(pause or timedelta(), _pause(failures))
        after_outage(order.store)
    if pause:
        gate = Gate.objects.filter(store=order.store_id, host=host)
        gate.update(open_until=Now() + pause)


def after_outage(store: Store) -> None:
    """Something was away: once all is well every open order is looked at (`orders.drift`)."""
    Reconciliation.objects.update_or_create(store=store, defaults={"outage": True})


def is_well(store: Store) -> bool:
    """Does every host answer?"""
    return not Gate.objects.filter(store=store, failures__gt=0).exists()


def _is_closed(store: int, host: str) -> bool:
    return Gate.objects.filter(store=store, host=host, failures__gte=FAILURES).exists()


def passed(order: Order, system: str) -> None:
    """The host answers. If it did not before, those who waited may come, not all at once."""
    gate = Gate.objects.filter(store=order.store_id, host=_host_of(order, system), failures__gt=0)
    if gate.update(failures=0, open_until=None):
        with connection.cursor() as cursor:
            cursor.execute(_SPREAD, {"store": order.store_id})


# Long readings leave room: all apps of a store share its calls to BigCommerce.
_LONGEST_WAIT = 30.0
QUARTER = 4


def be_patient(api: BigCommerce, store_id: int) -> None:
    """Wait for the next window when no more than a quarter of this one's calls is left."""
    quota = api.quota
    saw(store_id, quota)
    if quota and quota.left <= quota.limit // QUARTER:
        pause(min(quota.reset_ms / 1000, _LONGEST_WAIT))
