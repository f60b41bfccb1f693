"""Delivery reports of a store with two countries, page by page."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.utils import timezone

from orders.models import Order, ReportRun
from orders.reports import pages
from orders.reports import run as report_run
from orders.reports.run import _REPORTS, send_due, start
from payloads.reports import PAGE
from stores import connect
from stores.connect import Login
from stores.isolation import only_one
from stores.models import Connection
from tests.orders.merchant import is_paused
from tests.reports.shipments import EMPTY, SENT_AT, Shipments, goods, numbers, sizes
from transaction_log.models import Entry

DONE, FAILED = ReportRun.State.DONE, ReportRun.State.FAILED


def test_pages_of_two_countries(shipments: Shipments, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pages for one of them, one inconsistent order, and a failure in the middle."""
    assert PAGE == 5000  # what SeQura takes; the sandbox's tests send as many in one go
    for module in (pages, report_run):
        monkeypatch.setattr(module, "PAGE", 500)
    spanish = shipments.ship("ES", range(1, 1103))
    shipments.ship("FR", range(20_001, 20_100))
    shipments.break_one(spanish[100])
    shipments.sandbox.fault("delivery_reports", method="POST", status=200, body="", effect="before")
    shipments.sandbox.fault("delivery_reports", method="POST", status=503, body="", times=1)

    run = shipments.run()

    assert run.state == FAILED
    assert run.next_at is not None
    assert run.next_at > timezone.now()
    accepted = shipments.reports()
    assert sizes(accepted, "demo_es") == [499]
    assert sizes(accepted, "demo_fr") == [99]
    assert shipments.marked() == 499 + 99
    assert shipments.entries()[-1] == (None, "delayed", "sequra_unavailable")

    shipments.sandbox.clear_faults()
    ReportRun.objects.update(next_at=timezone.now())
    send_due()

    ended = ReportRun.objects.get()
    assert (ended.state, ended.next_at) == (DONE, None)
    accepted = shipments.reports()
    assert sizes(accepted, "demo_es") == [499, 500, 102]
    assert sizes(accepted, "demo_fr") == [99]
    assert shipments.marked() == 1200
    spain = run.reports.get(merchant_ref="demo_es")
    progress = (spain.orders, spain.told, spain.broken, spain.pages)
    assert progress == (1102, 1101, 1, 3)
    assert len(numbers(accepted)) == len(set(numbers(accepted))) == 1200
    first = next(one for one in accepted if one["merchant"]["id"] == "demo_es")
    assert [one["merchant_reference"]["order_ref_1"] for one in first["broken_orders"]] == ["101"]
    broken = Entry.objects.get(reason="report_inconsistent")
    assert (broken.bigcommerce_id, broken.outcome, broken.closed_at) == (101, "rejected", None)
    assert broken.words == "shipped_cart: the items add up to 4590, order_total_with_tax is 4591"
    assert not Entry.objects.filter(reason="sequra_unavailable", closed_at=None).exists()


def test_an_empty_report_is_a_sign_of_life(shipments: Shipments) -> None:
    shipments.store.send_statistics = False
    shipments.store.save()

    assert shipments.run().state == DONE

    assert {one["merchant"]["id"] for one in shipments.reports()} == {"demo_es", "demo_fr"}
    assert all(one["orders"] == [] and "statistics" not in one for one in shipments.reports())
    assert shipments.entries() == [(None, "accepted", "report_sent")] * 2


def test_an_order_is_told_once_and_again_when_more_of_it_ships(shipments: Shipments) -> None:
    (order,) = shipments.ship("ES", range(7, 8))
    shipments.run()
    shipments.run()

    assert shipments.told("demo_es") == [1, 0]
    (told,) = shipments.reports("demo_es")[0]["orders"]
    assert told["state"] == "shipped"
    assert told["sent_at"] == SENT_AT.isoformat()
    assert told["cart"]["order_total_with_tax"] == 4590
    assert told["remaining_cart"]["items"] == []

    shipments.accepted(order, shipped_cart=goods(3000))
    shipments.run()
    assert shipments.told("demo_es") == [1, 0, 1]


def test_what_changed_while_it_was_told_is_told_again(shipments: Shipments) -> None:
    """Only the shipment that was sent is marked, not the one that came meanwhile."""
    (order,) = shipments.ship("ES", range(7, 8))
    shipments.sandbox.fault("delivery_reports", method="POST", status=503, effect="before", times=1)

    assert shipments.run().state == FAILED  # SeQura has it, we do not know

    assert shipments.told("demo_es") == [1]
    assert shipments.marked() == 0
    shipments.accepted(order, shipped_cart=goods(3000))
    ReportRun.objects.update(next_at=timezone.now())
    send_due()
    last = shipments.reports("demo_es")[-1]["orders"][0]
    assert last["cart"]["order_total_with_tax"] == 3000
    assert shipments.marked() == 1


def test_orders_that_sequra_refuses_are_told_apart(shipments: Shipments) -> None:
    """It refuses whole reports: the others go out, the culprit is the merchant's to-do."""
    orders = shipments.ship("ES", range(1, 10))
    customer = (orders[3].accepted_update or {})["customer"]
    shipments.accepted(orders[3], customer={**customer, "email": "nobody"})

    assert shipments.run().state == DONE

    assert sorted(numbers(shipments.reports())) == ["1", "2", "3", "5", "6", "7", "8", "9"]
    entry = Entry.objects.get(reason="report_inconsistent")
    assert entry.bigcommerce_id == 4
    assert "email" in entry.words
    (apart,) = [one for r in shipments.reports() for one in r.get("broken_orders", [])]
    assert apart["merchant_reference"]["order_ref_1"] == "4"


def test_a_broken_order_stays_on_the_list_until_it_is_right(shipments: Shipments) -> None:
    (order,) = shipments.ship("ES", range(7, 8))
    shipments.break_one(order)
    shipments.run()
    shipments.run()

    entry = Entry.objects.get(reason="report_inconsistent")
    assert (entry.attempts, entry.closed_at) == (2, None)

    shipments.accepted(order, shipped_cart=goods(4590))
    shipments.run()

    entry.refresh_from_db()
    assert entry.closed_at is not None
    assert shipments.told("demo_es") == [0, 0, 1]


def test_a_refused_password_pauses_the_account(shipments: Shipments) -> None:
    shipments.connection.password = "wrong"
    shipments.connection.save()

    run = shipments.run()

    shipments.connection.refresh_from_db()
    assert run.state == FAILED
    assert is_paused(shipments.connection)
    assert len(shipments.posts()) == 1  # the second merchant id has the same account
    assert run.next_at is not None
    assert shipments.connection.paused_until is not None
    assert run.next_at >= shipments.connection.paused_until


def test_one_run_at_a_time_and_one_worker_on_it(shipments: Shipments) -> None:
    assert start(shipments.store, ReportRun.Cause.CALL)
    assert not start(shipments.store, ReportRun.Cause.PERSON)
    with held_elsewhere(f"reports of {shipments.store.pk}"):
        assert shipments.go_on().state == ReportRun.State.RUNNING
    assert shipments.posts() == []

    assert shipments.go_on().state == DONE
    assert start(shipments.store, ReportRun.Cause.PERSON)


@contextmanager
def held_elsewhere(name: str) -> Iterator[None]:
    """Another process works on it."""
    locked, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with only_one(name):
            locked.set()
            enough.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(30)
    yield
    enough.set()
    thread.join()


def test_a_run_stops_when_its_time_is_up_and_goes_on_later(
    shipments: Shipments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    shipments.ship("ES", range(1, 6))
    assert start(shipments.store, ReportRun.Cause.CALL)
    run = ReportRun.objects.get()

    _REPORTS.continue_run(run.pk, until=0.0)
    assert ReportRun.objects.get().state == ReportRun.State.RUNNING
    assert shipments.told("demo_es") == [2]

    send_due()
    assert ReportRun.objects.get().state == DONE
    assert shipments.told("demo_es") == [2, 2, 1]


@pytest.mark.parametrize("state", ["cancelled", "unshipped"])
def test_what_has_not_shipped_is_not_told(shipments: Shipments, state: str) -> None:
    (order,) = shipments.ship("ES", range(7, 8))
    if state == "cancelled":
        Order.objects.update(status=Order.Status.CANCELLED)
    else:
        shipments.accepted(order, unshipped_cart=goods(4590), shipped_cart=EMPTY)

    shipments.run()

    assert shipments.told("demo_es") == [0]


def test_one_merchant_id_s_report_settles_nothing_of_another_s(shipments: Shipments) -> None:
    (order,) = shipments.ship("FR", range(7, 8))
    shipments.break_one(order)
    for _ in range(3):
        shipments.run()

    entry = Entry.objects.get(reason="report_inconsistent")
    assert (entry.attempts, entry.closed_at) == (3, None)


def test_a_run_that_fails_unforeseen_keeps_no_other_from_going_on(
    shipments: Shipments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_run, "statistics_of", lambda *_: 1 / 0)
    start(shipments.store, ReportRun.Cause.CALL)

    report_run.send_due()

    assert ReportRun.objects.get().state == ReportRun.State.RUNNING


def test_a_run_under_way_goes_on_through_the_account_that_replaces_another(
    shipments: Shipments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a report SeQura gives the merchant another user name, same merchant ids."""
    monkeypatch.setattr(pages, "PAGE", 2)
    shipments.ship("ES", range(1, 6))
    assert start(shipments.store, ReportRun.Cause.CALL)
    run = ReportRun.objects.get()
    _REPORTS.continue_run(run.pk, until=0.0)
    old = shipments.connection
    Connection.objects.update(username="former")
    send_due()
    assert ReportRun.objects.get().state == FAILED

    connect._connect(
        shipments.store, old.environment, {old.deployment: Login("demo", old.password)}
    )

    new = Connection.objects.get(username="demo")
    waiting = run.reports.exclude(state="sent")
    assert set(waiting.values_list("connection", flat=True)) == {new.pk}
    send_due()  # at once: the pause was that of the account before
    assert ReportRun.objects.get().state == DONE
    accepted = shipments.reports()
    assert sizes(accepted, "demo_es") == [2, 2, 1]
    assert len(numbers(accepted)) == len(set(numbers(accepted))) == 5


def test_a_merchant_id_has_one_report_in_a_run_whatever_its_accounts(shipments: Shipments) -> None:
    """Both accounts had orders to tell: what the earlier one was to tell comes along."""
    shipments.ship("ES", range(1, 4))
    assert start(shipments.store, ReportRun.Cause.CALL)
    run, new = ReportRun.objects.get(), shipments.connection
    former = Connection.objects.get(pk=new.pk)
    former.pk, former.username, former.state = None, "former", Connection.State.ARCHIVED
    former.save()
    for account in (former, new):
        run.reports.create(connection=account, merchant_ref="demo_es", after=9_000_000)
    Order.objects.filter(bigcommerce_id=1).update(connection=former)

    connect._connect(
        shipments.store, new.environment, {new.deployment: Login("demo", new.password)}
    )

    assert [report.connection for report in run.reports.all()] == [new]
    shipments.go_on()
    assert sorted(numbers(shipments.reports())) == ["1", "2", "3"]
