"""Folding events, claiming orders, leases, limits per store: the queue without any HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connections, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bigcommerce.api import Quota
from orders.models import Gate, Order, WebhookEvent
from orders.queue import claim, throttle
from orders.queue.claim import Lease
from orders.sync import results
from orders.sync.results import finish
from orders.sync.sync import Kind, Result
from orders.topics import UNINSTALLED, handle
from payloads.order.order_update import OrderUpdate
from stores.models import Connection, Store
from transaction_log.models import Entry

Make = Callable[..., Order]


@pytest.fixture
def connection(transactional_db: None) -> Connection:
    store = Store.objects.create(hash="abc123", access_token="token")
    return Connection.objects.create(
        store=store,
        deployment="sequra",
        environment="sandbox",
        username="demo",
        password="demo-secret",
        api_url="http://127.0.0.1:9",
    )


@pytest.fixture
def make(connection: Connection) -> Make:
    """An order that nothing has to be told about; keyword arguments override its fields."""

    def order(**fields: Any) -> Order:
        number = Order.objects.count() + 1
        given = {
            "store": connection.store,
            "connection": connection,
            "merchant_ref": "demo_es",
            "bigcommerce_id": number,
            "order_ref_1": f"{connection.store.hash}-{number}",
            "reference": uuid4(),
            "status": "approved",
            "amount": 100,
        }
        return Order.objects.create(**given | fields)

    return order


def event(order: Order, scope: str = "store/order/updated", **data: Any) -> WebhookEvent:
    return WebhookEvent.objects.create(
        store=order.store,
        scope=scope,
        hash=uuid4().hex,
        bigcommerce_order_id=order.bigcommerce_id,
        payload={"scope": scope, "data": {"id": order.bigcommerce_id, **data}},
    )


def due(*orders: Order) -> None:
    """Changed, and not to be waited for."""
    for order in orders:
        Order.objects.filter(pk=order.pk).update(
            changed=order.synced + 1, due_at=timezone.now() - timedelta(seconds=1)
        )


def open_window(store: Store, left: int = 150) -> None:
    throttle._record_quota(store.pk, Quota(left=left, limit=150, window_ms=30_000, reset_ms=30_000))


def claimed(room: int = 64, lease: Lease | None = None) -> list[int]:
    return [order.bigcommerce_id for order in claim.claim(lease or Lease(), room)]


def test_burst_of_events_makes_an_order_due_once_a_moment_later(make: Make) -> None:
    order = make()
    for _ in range(5):
        event(order)
    with transaction.atomic(), connections["default"].cursor() as cursor:
        claim.fold()
        cursor.execute("SELECT now()")  # when the transaction began, as for the statement before
        (folded,) = cursor.fetchone()
    order.refresh_from_db()
    assert (order.changed, order.synced) == (5, 0)
    assert order.due_at == folded + timedelta(seconds=1)
    assert set(WebhookEvent.objects.values_list("outcome", flat=True)) == {"folded"}
    first = order.due_at
    event(order)
    claim.fold()
    order.refresh_from_db()
    assert (order.changed, order.due_at) == (6, first)


def test_event_of_an_unknown_order_waits_for_the_order(make: Make, connection: Connection) -> None:
    known = make()
    stray = event(known)
    WebhookEvent.objects.filter(pk=stray.pk).update(bigcommerce_order_id=77)
    claim.fold()
    claim.unpark()
    assert WebhookEvent.objects.get().outcome == "parked"
    late = make(bigcommerce_id=77)
    claim.unpark()
    claim.fold()
    late.refresh_from_db()
    assert (late.changed, WebhookEvent.objects.get().outcome) == (1, "folded")


def test_events_of_the_newest_orders_come_first(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of rebuilt orders takes many sweeps, and an event waits for an hour at most."""
    monkeypatch.setitem(claim._LIMITS, "fold", 1)
    orders = [make() for _ in range(3)]
    Order.objects.filter(pk=orders[0].pk).update(amount=1)  # moves the row to the table's end
    for order in orders:
        event(order)
    WebhookEvent.objects.update(outcome="parked")
    for left in (2, 1, 0):
        claim.unpark()
        is_new = Order.objects.filter(is_new=True).order_by("pk").values_list("pk", flat=True)
        assert list(is_new) == [order.pk for order in orders[:left]]
    assert set(WebhookEvent.objects.values_list("outcome", flat=True)) == {"new"}


def test_event_of_a_foreign_order_is_forgotten_in_the_end(make: Make) -> None:
    stray = event(make())
    WebhookEvent.objects.filter(pk=stray.pk).update(
        bigcommerce_order_id=77, received_at=timezone.now() - timedelta(hours=2)
    )
    claim.fold()
    claim.unpark()
    assert WebhookEvent.objects.get().outcome == "ignored"


def test_event_of_another_store_with_the_same_number_changes_nothing(make: Make) -> None:
    order = make()
    other = Store.objects.create(hash="other")
    WebhookEvent.objects.filter(pk=event(order).pk).update(store=other)
    claim.fold()
    order.refresh_from_db()
    assert order.changed == 0


@pytest.mark.parametrize(
    ("status", "seen"),
    [(2, True), (10, True), (3, False), ("2", False), (None, False), ({}, False)],
)
def test_status_that_says_shipped_is_seen_even_if_it_moves_on(
    make: Make, status: Any, seen: bool
) -> None:
    order = make()
    event(order, "store/order/statusUpdated", status={"new_status_id": status})
    claim.fold()
    order.refresh_from_db()
    assert order.shipped_status_seen is seen


def test_a_status_says_shipped_as_the_order_s_storefront_has_it(make: Make) -> None:
    here, there = make(bigcommerce_id=301), make(bigcommerce_id=302, channel_id=3)
    Store.objects.update(channel_settings={"3": {"shipped_statuses": [9]}})
    for order in (here, there):
        event(order, "store/order/statusUpdated", status={"new_status_id": 2})
        event(order, "store/order/statusUpdated", status={"new_status_id": 8})
    claim.fold()
    assert [Order.objects.get(pk=one.pk).shipped_status_seen for one in (here, there)] == [
        True,
        False,
    ]

    event(there, "store/order/statusUpdated", status={"new_status_id": 9})
    claim.fold()
    there.refresh_from_db()
    assert there.shipped_status_seen


def test_shipment_event_says_that_there_are_shipments(make: Make) -> None:
    order = make()
    event(order, "store/shipment/created")
    claim.fold()
    order.refresh_from_db()
    assert order.has_shipments


def test_uninstalled_store_is_forgotten(make: Make) -> None:
    order = make()
    later = int(order.store.installed_at.timestamp()) + 60
    payload = {"scope": UNINSTALLED, "created_at": later}
    WebhookEvent.objects.create(store=order.store, scope=UNINSTALLED, hash="h", payload=payload)
    assert claim.fold() == [(order.store_id, UNINSTALLED)]
    handle(order.store_id, UNINSTALLED)
    store = Store.objects.get()
    assert (store.state, store.access_token) == ("uninstalled", "")
    due(order)
    assert claimed() == []


def test_late_event_of_an_earlier_installation_forgets_nothing(make: Make) -> None:
    store = make().store
    earlier = int(store.installed_at.timestamp()) - 60
    payload = {"scope": UNINSTALLED, "created_at": earlier}
    WebhookEvent.objects.create(store=store, scope=UNINSTALLED, hash="h", payload=payload)
    handle(store.pk, UNINSTALLED)
    assert Store.objects.get().state == "installed"


def test_due_orders_are_claimed_once(make: Make) -> None:
    order, waiting = make(), make()
    open_window(order.store)
    due(order)
    Order.objects.filter(pk=waiting.pk).update(
        changed=1, due_at=timezone.now() + timedelta(minutes=1)
    )
    assert claimed() == [order.bigcommerce_id]
    assert claimed() == []


def test_few_orders_of_a_store_are_in_flight_however_many_are_due(make: Make) -> None:
    orders = [make() for _ in range(9)]
    open_window(orders[0].store)
    due(*orders)
    assert len(claimed()) == 4
    assert claimed() == []


def test_stores_do_not_wait_for_each_other(make: Make) -> None:
    busy = [make() for _ in range(9)]
    quiet = Store.objects.create(hash="quiet", access_token="token")
    theirs = make(store=quiet)
    open_window(busy[0].store)
    open_window(quiet)
    due(*busy, theirs)
    assert theirs.bigcommerce_id in claimed()


def test_first_order_of_a_window_goes_alone_and_finds_out_what_is_left(make: Make) -> None:
    orders = [make() for _ in range(9)]
    due(*orders)
    assert len(claimed()) == 1


@pytest.mark.parametrize(("left", "may"), [(150, 4), (30, 3), (20, 2), (10, 1), (9, 0), (0, 0)])
def test_half_of_what_is_left_is_left_to_others(make: Make, left: int, may: int) -> None:
    orders = [make() for _ in range(9)]
    open_window(orders[0].store, left)
    due(*orders)
    assert len(claimed()) == may


def test_the_quota_of_a_window_is_never_raised_within_it(make: Make) -> None:
    store = make().store
    open_window(store, 40)
    open_window(store, 150)
    assert Gate.objects.get().budget == 20
    Gate.objects.update(window_until=timezone.now())
    open_window(store, 150)
    assert Gate.objects.get().budget == 75


def test_closed_gates_and_paused_accounts_let_nothing_pass(
    make: Make, connection: Connection
) -> None:
    order = make()
    open_window(order.store)
    due(order)
    soon = timezone.now() + timedelta(minutes=1)
    for host in ("bigcommerce", connection.api_url):
        gate, _ = Gate.objects.update_or_create(
            store=order.store, host=host, defaults={"open_until": soon}
        )
        assert claimed() == []
        Gate.objects.filter(pk=gate.pk).update(open_until=None)
    Connection.objects.update(paused_until=soon)
    assert claimed() == []
    Connection.objects.update(paused_until=None, stopped_at=timezone.now())
    assert claimed() == []
    Connection.objects.update(stopped_at=None)
    assert claimed() == [order.bigcommerce_id]


def test_lease_that_ran_out_is_taken_over_and_leaves_a_doubt(make: Make) -> None:
    order = make()
    open_window(order.store)
    due(order)
    claim.claim(Lease(), 64)
    Order.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    (again,) = claim.claim(Lease(), 64)
    assert again.unsure


def test_renewed_lease_is_not_taken_over(make: Make) -> None:
    order, lease = make(), Lease()
    open_window(order.store)
    due(order)
    claim.claim(lease, 64)
    Order.objects.update(leased_until=timezone.now() + timedelta(seconds=1))
    claim.renew(lease, [order.pk])
    order.refresh_from_db()
    assert order.leased_until
    assert (order.leased_until - timezone.now()).total_seconds() > 25


UPDATE: OrderUpdate = {"unshipped_cart": {"items": []}, "shipped_cart": {"items": []}}
SENT = Result(kind=Kind.SENT, event="ship", update=UPDATE)


def test_a_result_written_without_the_lease_makes_the_order_due_again(make: Make) -> None:
    order, lease = make(), Lease()
    open_window(order.store)
    due(order)
    (stale,) = claim.claim(lease, 64)
    Order.objects.update(lease="somebody else")
    finish(stale, SENT, lease.id)
    order.refresh_from_db()
    assert (order.unsure, order.accepted_update, order.lease) == (True, None, "somebody else")
    assert order.changed == 2
    assert not Entry.objects.exists()


@pytest.mark.parametrize("kind", results.TOGETHER)
def test_results_of_a_batch_cost_as_many_statements_as_one(make: Make, kind: Kind) -> None:
    open_window(make().store)

    def statements(orders: int) -> int:
        due(*(make() for _ in range(orders)))
        rows, lease = Order.objects.filter(changed__gt=F("synced")), Lease()
        rows.update(lease=lease.id)
        working = [*rows.select_related("store", "connection")]
        with CaptureQueriesContext(connections["default"]) as queries:
            results.finish_together([(one, replace(SENT, kind=kind)) for one in working], lease.id)
        assert not rows.exists()
        return len(queries)

    assert statements(1) == statements(5)
    told = Entry.objects.filter(event="ship", outcome="accepted").count()
    assert told == (6 if kind is Kind.SENT else 0)


def test_the_end_of_an_outage_is_written_with_the_results(make: Make) -> None:
    """One order reaches SeQura again: those that waited for it are spread, the gate is open."""
    order, waiting = make(), make()
    open_window(order.store)
    gates = Gate.objects.filter(store=order.store)
    gates.create(store=order.store, host=order.connection.api_url, failures=7)
    gates.update(failures=7, open_until=timezone.now())
    later = timezone.now() + timedelta(minutes=3)
    Order.objects.filter(pk=waiting.pk).update(changed=1, attempts=2, due_at=later)
    due(order)
    (working,) = claim.claim(lease := Lease(), 64)
    finish(working, SENT, lease.id)
    assert list(gates.values_list("failures", "open_until")) == [(0, None)] * 2
    waiting.refresh_from_db()
    assert waiting.due_at < later


def test_an_order_that_did_not_need_sequra_lets_the_next_one_probe(make: Make) -> None:
    order = make()
    open_window(order.store)
    gate = Gate.objects.create(store=order.store, host=order.connection.api_url, failures=7)
    Connection.objects.update(paused_until=timezone.now(), refused_at=timezone.now())
    due(order)
    (working,) = claim.claim(lease := Lease(), 64)
    finish(working, replace(SENT, kind=Kind.ALREADY_KNOWN), lease.id)
    gate.refresh_from_db()
    assert gate.failures == 7
    assert gate.open_until
    assert gate.open_until <= timezone.now()
    assert Connection.objects.get().refused_at  # only an answer of SeQura ends it


@pytest.mark.parametrize("kind", Kind)
def test_a_reading_is_known_again_only_if_sequra_holds_its_statement(
    make: Make, kind: Kind
) -> None:
    order = make(seen_digest="of an earlier reading", seen_modified="yesterday")
    open_window(order.store)
    due(order)
    (working,) = claim.claim(lease := Lease(), 64)
    read = replace(SENT, kind=kind, reason="sequra_409", digest="digest", modified="now")
    finish(working, read, lease.id)
    order.refresh_from_db()
    is_held = kind in (Kind.SENT, Kind.ALREADY_KNOWN, Kind.UNCHANGED)
    assert order.lease == ""
    assert (order.seen_digest, order.seen_modified) == (("digest", "now") if is_held else ("", ""))


ROLLED_BACK = """
CREATE SEQUENCE released;
CREATE FUNCTION end_transaction() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('released') <= {times} THEN
        RAISE EXCEPTION 'another transaction was in the way' USING ERRCODE = '{state}';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER end_transaction BEFORE UPDATE ON orders_order FOR EACH ROW
    WHEN (OLD.lease <> '' AND NEW.lease = '') EXECUTE FUNCTION end_transaction();
"""
DEADLOCK, CONFLICT = "40P01", "40001"


@contextmanager
def rolled_back(times: int, state: str = DEADLOCK) -> Iterator[None]:
    """PostgreSQL ends the first transactions that write results, as one of two in a deadlock."""
    with connections["default"].cursor() as cursor:
        cursor.execute(ROLLED_BACK.format(times=times, state=state))
    try:
        yield
    finally:
        with connections["default"].cursor() as cursor:
            cursor.execute("DROP FUNCTION end_transaction CASCADE; DROP SEQUENCE released")


@pytest.mark.parametrize("state", [DEADLOCK, CONFLICT])
def test_results_of_a_batch_are_written_once_more_after_a_deadlock(make: Make, state: str) -> None:
    open_window(make().store)
    orders, lease = [make(), make()], Lease()
    due(*orders)
    done = [(order, SENT) for order in claim.claim(lease, 64)]
    with rolled_back(1, state):
        results.finish_together(done, lease.id)
    found = Order.objects.filter(pk__in=[order.pk for order in orders])
    assert list(found.values_list("accepted_update", "lease", "unsure", "changed")) == [
        (UPDATE, "", False, 1)
    ] * len(orders)
    assert Entry.objects.count() == len(orders)


def test_a_failure_is_counted_once_when_its_result_is_written_once_more(make: Make) -> None:
    order = make()
    open_window(order.store)
    due(order)
    (working,) = claim.claim(lease := Lease(), 64)
    late = Result(kind=Kind.LATER, reason="sequra_unavailable", host="sequra")
    with rolled_back(1):
        finish(working, late, lease.id)
    order.refresh_from_db()
    assert (order.attempts, order.lease) == (1, "")
    assert Gate.objects.get(host=order.connection.api_url).failures == 1
    assert Entry.objects.get().attempts == 1


def test_a_deadlock_within_a_larger_transaction_is_not_repeated(make: Make) -> None:
    order = make()
    open_window(order.store)
    due(order)
    (working,) = claim.claim(lease := Lease(), 64)
    with rolled_back(1), pytest.raises(OperationalError), transaction.atomic():
        finish(working, SENT, lease.id)
    order.refresh_from_db()
    assert (order.lease, order.accepted_update) == (lease.id, None)


def test_change_during_the_call_keeps_the_order_due(make: Make) -> None:
    order, lease = make(), Lease()
    open_window(order.store)
    due(order)
    (working,) = claim.claim(lease, 64)
    event(order)
    claim.fold()
    finish(working, SENT, lease.id)
    order.refresh_from_db()
    assert (order.changed, order.synced, order.lease) == (2, 1, "")
    assert order.due_at <= timezone.now()


def test_claim_reads_a_large_queue_by_its_index(make: Make) -> None:
    first = make(changed=1)
    own = {
        "bigcommerce_id": "1000 + number",
        "reference": "gen_random_uuid()",
        "order_ref_1": "number::text",
    }
    fields = [one for one in Order._meta.concrete_fields if not one.primary_key]
    names = [str(one.column) for one in fields if not one.generated]
    values = ", ".join(own.get(name, name) for name in names)
    with connections["default"].cursor() as cursor:
        cursor.execute(
            f"INSERT INTO orders_order ({', '.join(names)})"  # noqa: S608 (names of ours)
            f" SELECT {values} FROM orders_order, generate_series(1, 20000) AS number"
        )
    open_window(first.store)
    with connections["default"].cursor() as cursor:
        cursor.execute("ANALYZE orders_order")
        given = {**claim._LIMITS, "lease": "x", "room": 64, "lock": 1, "stores": [first.store_id]}
        plan = ""
        for statement in (claim._CANDIDATES, claim._CLAIM):
            cursor.execute(f"EXPLAIN {statement}", given)
            plan += "\n".join(line for (line,) in cursor.fetchall())
    assert "order_due" in plan
    assert "Seq Scan on orders_order" not in plan
    assert len(claimed()) == 4
