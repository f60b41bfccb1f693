"""What runs all day costs the same for 100 and for 10,000 stores: counted are the rows it reads."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from orders.drift.checks import check_due
from orders.models import DriftCheck, Gate, Order, Reconciliation, ReportRun, WebhookEvent
from orders.reports.run import send_due
from payments import tasks as payment_tasks
from payments.models import Offer, Solicitation
from sequra_bc import metrics
from stores import registration
from stores import tasks as store_tasks
from stores.models import Connection, Merchant, PanelSession, PanelUser, Store
from stores.registration import checkout_script
from transaction_log.models import Entry
from transaction_log.tasks import _delete_closed_entries

pytestmark = pytest.mark.slow

FEW, MANY = 100, 10_000
Tick = Callable[[], object]
TICKS: dict[str, Tick] = {
    "check_drift": check_due,
    "send_reports": send_due,
    "maintain_stores": store_tasks.maintain_stores,
    "probe_accounts": store_tasks.probe_accounts,
    "forget_closed_entries": _delete_closed_entries,
    "forget_abandoned_payments": payment_tasks.forget_abandoned_payments,
    "resume_solicitations": payment_tasks.resume_solicitations,
    "metrics": lambda: list(metrics.queues()),
}


def one_store() -> list[Model]:
    """A store in which nothing is due, with rows of every kind. Copies differ in their ids."""
    now, later = timezone.now(), timezone.now() + timedelta(hours=6)
    part = {"ok": True, "at": now.isoformat(), "problems": []}
    store = Store.objects.create(
        hash="growth",
        access_token="token",
        registration_due=False,
        registration=dict.fromkeys((*registration.PARTS, "page"), part),
        script_file=checkout_script.file_name(),
    )
    turns = dict.fromkeys(Store._TURNS, later)
    Store.objects.update(erased_at=now, **turns)
    account = Connection.objects.create(
        store=store, deployment="sequra", environment="sandbox", username="u", password="p",
        api_url="https://sequra.example", probed_at=now,
    )  # fmt: skip
    merchant = Merchant.objects.create(store=store, connection=account, country="ES", ref="es")
    order = Order.objects.create(
        store=store, connection=account, merchant_ref="es", bigcommerce_id=1, amount=100,
        reference=uuid.uuid4(), order_ref_1="1", status="approved",
    )  # fmt: skip
    about = {"store": store, "connection": account, "merchant_ref": "es", "checkout_id": "c"}
    amounts = {"amount": 100, "currency": "EUR", "country": "ES", "order": {}}
    done = Solicitation.objects.create(
        phase="done", state="approved", token_digest="1", **about, **amounts
    )
    cart = Solicitation.objects.create(phase="solicited", token_digest="2", **about, **amounts)
    user = PanelUser.objects.create(store=store, bigcommerce_id=1)
    return [
        store, account, merchant, order, done, cart, user,
        PanelSession.objects.create(user=user, digest="d"),
        Offer.objects.create(store=store, checkout_id="c"),
        Entry.objects.create(store=store, event="edit", outcome="accepted", closed_at=now),
        Gate.objects.create(store=store, host="bigcommerce"),
        Reconciliation.objects.create(store=store, until=now, webhooks_at=now),
        DriftCheck.objects.create(store=store, state="done"),
        ReportRun.objects.create(store=store, state="done"),
    ]  # fmt: skip


DIGEST = "md5((id + 100000 * n)::text)"
UNIQUE = dict.fromkeys(("hash", "token", "token_digest", "digest"), DIGEST)
UNIQUE |= dict.fromkeys(("public_id", "reference"), "gen_random_uuid()")


def copy(row: Model, first: int, last: int) -> None:
    """Copy a row for the stores with these numbers; ids and references follow the number."""
    names, values = [], []
    for field in row._meta.concrete_fields:
        if getattr(field, "generated", False):
            continue
        names.append(f'"{field.column}"')
        if field.primary_key or field.is_relation:
            values.append(f'"{field.column}" + 100000 * n')
        else:
            values.append(UNIQUE.get(str(field.column), f'"{field.column}"'))
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}"  # noqa: S608 (names of ours)
            f" FROM {table}, generate_series(%s, %s) AS n WHERE id = %s",
            [first, last, row.pk],
        )


def rows_read(tick: Tick) -> int:
    def total() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))"
                " FROM pg_stat_xact_user_tables WHERE relname NOT LIKE 'django%%'"
            )
            return int(cursor.fetchone()[0])

    before = total()
    tick()
    return total() - before


def test_an_idle_run_reads_no_more_rows_for_a_hundred_times_the_stores(db: None) -> None:
    rows = one_store()
    read: dict[int, dict[str, int]] = {}
    for first, last in ((1, FEW - 1), (FEW, MANY - 1)):
        for row in rows:
            copy(row, first, last)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        assert Store.objects.count() == last + 1
        read[last + 1] = {name: rows_read(tick) for name, tick in TICKS.items()}
    assert max(read[MANY].values()) < FEW
    grown = {name: (few, read[MANY][name]) for name, few in read[FEW].items()}
    assert {name: pair for name, pair in grown.items() if pair[1] > 1.5 * pair[0] + 5} == {}


def test_a_scrape_stops_counting_what_waits(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = one_store()
    Order.objects.update(changed=5, synced=4, due_at=timezone.now())
    Entry.objects.update(outcome="rejected", closed_at=None)
    event = WebhookEvent(store_id=rows[0].pk, scope="store/order/updated", payload={})
    event.save()
    for row in [*rows, event]:
        copy(row, 1, MANY - 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    monkeypatch.setattr(metrics, "_MOST", FEW)
    found = {
        (one.name, *one.labels.values()): one.value
        for family in metrics.queues()
        for one in family.samples
    }

    assert found["sequra_bc_orders_waiting", "due"] == FEW
    assert found["sequra_bc_webhook_events_waiting", "new"] == FEW
    assert found["sequra_bc_entries_open", "rejected"] == FEW
    assert rows_read(TICKS["metrics"]) < 10 * FEW


def test_a_run_reads_the_stores_that_are_due_and_no_others(db: None) -> None:
    for row in one_store():
        copy(row, 1, MANY - 1)
    Store.objects.filter(pk__in=Store.objects.values("pk")[:5]).update(
        report_due_at=timezone.now(), forget_due_at=timezone.now()
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert 5 <= rows_read(_delete_closed_entries) < 100
    assert 5 <= rows_read(send_due) < 200
