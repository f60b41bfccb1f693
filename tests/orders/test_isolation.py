"""One bad row, one bad store: it costs its own store, and is reported; all others go on."""

import json
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import SimpleNamespace

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from cryptography.fernet import Fernet
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from bigcommerce.api import Quota
from bigcommerce.client import BigCommerce
from orders import topics
from orders.drift import checks, reconcile
from orders.models import DriftCheck, Gate, Order, ReportRun, WebhookEvent
from orders.queue import claim, throttle
from orders.reports import run as report_run
from orders.sync import results
from orders.sync import worker as draining
from orders.sync.sync import Kind, Result
from orders.sync.worker import drain
from orders.topics import UNINSTALLED
from stores import isolation, tasks
from stores.clients import bigcommerce_for
from stores.isolation import _STORE_FAILURES, isolated
from stores.models import Connection, Merchant, Store
from tests.orders.merchant import Merchant as People
from transaction_log import tasks as log_tasks
from transaction_log.models import Entry

SECRETS = ("access_token", "webhook_secret", "report_token", "alert_secrets")


@pytest.fixture
def broken(merchant: People) -> Store:
    """A store with a due order, older than everybody's, of which no secret can be decrypted."""
    longer_ago = timezone.now() - timedelta(hours=1)
    store = Store.objects.create(hash="broken1", name="Errors", installed_at=longer_ago)
    account = Connection.objects.create(
        store=store,
        deployment="sequra",
        environment="sandbox",
        username="x",
        password="secret",
        api_url="http://127.0.0.1:9/",
    )
    Order.objects.create(
        store=store,
        connection=account,
        merchant_ref="m",
        bigcommerce_id=1,
        reference=uuid.uuid4(),
        order_ref_1="1",
        status="approved",
        amount=100,
        changed=1,
        due_at=longer_ago,
    )
    token = Fernet(Fernet.generate_key()).encrypt(b"lost").decode()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE stores_connection SET password = %s WHERE id = %s", [token, account.pk]
        )
        for name in SECRETS:
            # The column is a parameter of this test.
            statement = f"UPDATE stores_store SET {name} = %s WHERE id = %s"  # noqa: S608
            cursor.execute(statement, [token, store.pk])
    return Store.objects.get(pk=store.pk)


def failures(loop: str) -> float:
    return float(_STORE_FAILURES.labels(loop)._value.get())


def test_changes_of_others_arrive_and_the_store_reads_why_its_own_do_not(
    merchant: People, broken: Store
) -> None:
    good = merchant.order()
    merchant.does("ship", good)

    assert merchant.at_sequra(good)["unshipped_cart"]["items"] == []
    entry = Entry.objects.get(store=broken)
    assert (entry.outcome, entry.reason, entry.bigcommerce_id) == (
        "delayed",
        "secret_unreadable",
        1,
    )
    order = Order.objects.get(store=broken)
    assert (order.unsure, order.lease, order.due_at > timezone.now()) == (False, "", True)


def test_with_the_key_back_the_change_goes_the_usual_way(
    merchant: People, settings: Settings
) -> None:
    order = merchant.order()
    merchant.acts("ship", order)
    keys, settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS, [Fernet.generate_key().decode()]
    merchant.notices(order)
    assert Entry.objects.get(closed_at=None).reason == "secret_unreadable"
    settings.ENCRYPTION_KEYS = keys
    Order.objects.update(due_at=timezone.now())
    drain()
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []
    assert not Entry.objects.filter(closed_at=None).exists()


Loop = tuple[str, Callable[[], object], str]
LOOPS: list[Loop] = [
    ("watch", reconcile.watch_due, "orders.drift.reconcile.bigcommerce_for"),
    ("reconcile", reconcile.reconcile_due, "orders.drift.reconcile.bigcommerce_for"),
    ("drift", checks.check_due, "orders.nightly._last_moment"),
    ("reports", report_run.send_due, "orders.reports.run.start"),
    ("maintenance", lambda: tasks._maintain_all(float("inf")), "stores.registration.is_due"),
    ("retention", log_tasks._delete_closed_entries, "transaction_log.tasks._forget"),
]


@pytest.mark.parametrize(("loop", "run", "place"), LOOPS, ids=[name for name, *_ in LOOPS])
def test_a_loop_names_the_store_that_failed_and_does_all_others(
    merchant: People,
    broken: Store,
    monkeypatch: pytest.MonkeyPatch,
    loop: str,
    run: Callable[[], object],
    place: str,
) -> None:
    """The first store fails in a way that nobody foresaw; the second is still reached."""
    account = Connection.objects.get(store=broken)
    Merchant.objects.create(store=broken, connection=account, country="ES", ref="m", selling=True)
    Store.objects.update(installed_at=timezone.now() - timedelta(days=3))
    reached: list[str] = []

    def fails(store: Store, *_: object) -> int:
        reached.append(store.hash)
        if store.pk == broken.pk:
            raise KeyError("nobody foresaw this")
        raise RuntimeError("reached")

    monkeypatch.setattr(place, fails)
    before = failures(loop)
    run()
    assert set(reached) == {broken.hash, merchant.store.hash}
    assert failures(loop) - before == 2


@pytest.mark.parametrize("name", ["watch", "reconcile"])
def test_stores_that_hang_leave_time_to_the_others(
    merchant: People, broken: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The time is up after the first one; in the next run another one may come first."""
    clock, reached = iter([0.0, 0.0, *[1000.0] * 9]), []

    def hangs(store: Store) -> None:
        reached.append(store.hash)

    monkeypatch.setattr(reconcile, "_watch" if name == "watch" else "reconcile", hangs)
    time = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr(isolation, "time", time)
    monkeypatch.setattr(reconcile, "time", time)
    with CaptureQueriesContext(connection) as asked:
        (reconcile.watch_due if name == "watch" else reconcile.reconcile_due)()

    assert len(reached) == 1
    assert any("ORDER BY RANDOM()" in query["sql"] for query in asked)


def test_the_end_of_a_task_s_time_is_no_store_s_failure(broken: Store) -> None:
    """Going on, the process would be killed a minute later, whatever it does then."""

    def work() -> None:
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        isolated("watch", broken, work)


def test_a_check_that_fails_every_time_is_over_and_keeps_no_other_waiting(
    merchant: People, broken: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for store in (broken, merchant.store):
        assert checks.start(store, DriftCheck.Cause.COMMAND)

    def fails(store: Store) -> BigCommerce:
        if store.pk == broken.pk:
            raise KeyError("nobody foresaw this")
        return bigcommerce_for(store)

    monkeypatch.setattr(checks, "bigcommerce_for", fails)
    checks.check_due()
    states = dict(DriftCheck.objects.values_list("store__hash", "state"))
    assert states == {broken.hash: "failed", merchant.store.hash: "done"}


def test_an_event_that_cannot_be_handled_comes_again_and_holds_up_no_other(
    merchant: People, broken: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = merchant.order()
    changed = good.changed
    for store, scope, number in (
        (broken, UNINSTALLED, None),
        (merchant.store, "store/order/updated", good.bigcommerce_id),
    ):
        WebhookEvent.objects.create(
            store=store,
            scope=scope,
            hash=scope[-8:],
            payload={"created_at": int(timezone.now().timestamp())},
            bigcommerce_order_id=number,
        )
    handled = topics.handle

    def fails(*_: object) -> None:
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr(draining, "handle", fails)
    draining.take_events()
    assert Order.objects.filter(pk=good.pk, changed=changed + 1).exists()
    event = WebhookEvent.objects.get(store=broken)
    assert event.outcome == "parked"

    monkeypatch.setattr(draining, "handle", handled)
    claim.unpark()
    draining.take_events()
    broken.refresh_from_db(fields=["state"])
    event.refresh_from_db()
    assert (broken.state, event.outcome) == ("uninstalled", "ignored")


def test_a_result_that_cannot_be_written_is_its_own_order_s_trouble(
    merchant: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together with the others' it takes all of them down, and then each is written alone."""
    first, second = merchant.order(), merchant.order()
    write = results.finish_together

    def fails(done: Sequence[tuple[Order, Result]], lease: str) -> None:
        if first.pk in [order.pk for order, _ in done]:
            raise LookupError("nobody foresaw this")
        write(done, lease)

    def fails_too(order: Order, *rest: object) -> None:
        raise LookupError("nor this")

    monkeypatch.setattr(results, "finish_together", fails)
    monkeypatch.setattr(draining, "finish_together", fails)
    monkeypatch.setitem(results.WRITE, Kind.LATER, fails_too)
    for order in (first, second):
        merchant.acts("ship", order)
        claim.mark_changed(pk=order.pk)
    drain()
    assert not Order.objects.filter(pk=second.pk, changed__gt=F("synced")).exists()
    assert Order.objects.get(pk=first.pk).lease != ""  # runs out, and leaves the order unsure


def test_a_quota_that_no_column_holds_is_cut(merchant: People) -> None:
    huge = 10**30
    throttle._record_quota(merchant.store.pk, Quota(huge, huge, huge, huge))
    assert Gate.objects.get(store=merchant.store).budget == throttle._MOST_BUDGET


def test_webhooks_of_a_store_with_an_unreadable_secret(broken: Store) -> None:
    """Unsigned it cannot be authentic, and BigCommerce judges our whole domain by refusals."""
    body = json.dumps(
        {"scope": "store/order/updated", "producer": "stores/broken1", "data": {"id": 1}}
    )
    answer = Client().post(
        f"/webhooks/bigcommerce/{broken.public_id}",
        body,
        content_type="application/json",
        headers={"X-Webhook-Secret": "guessed"},
    )
    assert (answer.status_code, WebhookEvent.objects.count()) == (204, 0)


def test_reports_of_others_are_sent(merchant: People, broken: Store) -> None:
    for store in (broken, merchant.store):
        ReportRun.objects.create(store=store, cause=ReportRun.Cause.CALL)
    report_run.send_due()
    assert ReportRun.objects.get(store=merchant.store).state == ReportRun.State.DONE
