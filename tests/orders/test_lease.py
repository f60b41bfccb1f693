"""A lease outlasts the longest call, and clocks of worker hosts may be wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db.models.functions import Now

from orders.drift import reconcile
from orders.models import Order, Reconciliation, ReportRun
from orders.queue import claim
from orders.reports import run as report_run
from orders.sync.sync import Kind, sync_order
from orders.sync.worker import TIMEOUT, drain
from payments import progress
from payments.confirm import confirm
from payments.steps import create_order
from sequra import client
from sequra.documents import Addresses
from stores import connect
from stores.clients import bigcommerce_for, sequra_for
from stores.connect import Account, Login
from stores.models import Connection, Merchant, database_now
from tests.orders.merchant import Merchant as People
from tests.orders.merchant import is_paused
from transport.call import longest

UPDATE = r"/merchants/[^/]+/orders/.*"
WRONG = pytest.mark.parametrize("wrong", [timedelta(minutes=-10), timedelta(minutes=10)])


@contextmanager
def host(wrong: timedelta) -> Iterator[None]:
    """A host whose clock is wrong by this much."""
    with time_machine.travel(datetime.now(UTC) + wrong, tick=True):
        yield


@pytest.mark.parametrize("timeout", [client.TIMEOUT, TIMEOUT])
def test_the_lease_outlasts_a_call_of_either_client(timeout: tuple[float, float]) -> None:
    assert longest(timeout) < claim._NEEDED < claim._LEASE_SECONDS - claim._RENEW_AFTER


def test_the_second_statement_needs_a_lease_as_well(
    merchant: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SeQura refused, the order became another one meanwhile, and so much time went by."""
    order = merchant.order()
    merchant.acts("ship", order)
    merchant.sandbox.fault(UPDATE, method="PUT", status=409, times=9)
    order.refresh_from_db()
    mine = claim.Lease()
    safe = iter([True, False])
    monkeypatch.setattr(claim.Lease, "is_safe", property(lambda _: next(safe)))
    provider, update = sequra_for(order.connection), client.Sequra.update_order

    def refuses_late(*arguments: object) -> None:
        merchant.acts("edit_billing_address", order, city="Girona")
        # It passes on whatever it is given.
        update(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(client.Sequra, "update_order", refuses_late)
    result = sync_order(order, bigcommerce_for(order.store), provider, mine)
    assert (result.kind, result.may_be_known) == (Kind.LEASE_LOST, False)
    assert len(merchant.updates()) == 1


@WRONG
def test_a_host_whose_clock_is_wrong_writes_due_times_by_the_database_s(
    merchant: People, wrong: timedelta
) -> None:
    order = merchant.order()
    merchant.acts("ship", order)
    merchant.sandbox.fault(UPDATE, method="PUT", status=503, times=1, effect="before")
    with host(wrong):
        claim.mark_changed(pk=order.pk)
        drain()
    found = Order.objects.get(pk=order.pk)
    assert abs(found.due_at - datetime.now(UTC)) < timedelta(minutes=4)
    with host(wrong):
        claim.mark_changed(pk=order.pk)
        drain()
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []


def is_near(moment: datetime | None) -> bool:
    """Within the longest pause of the database's time: its clock is this machine's own."""
    return moment is not None and abs(moment - datetime.now(UTC)) < timedelta(minutes=4)


@WRONG
def test_an_order_in_doubt_is_looked_for_by_the_database_s_clock(
    merchant: People, wrong: timedelta
) -> None:
    """The attempt was one host's, the look-up is another's."""
    solicitation = merchant.shop.approved()
    with host(wrong):
        solicitation.note(create_intent_at=database_now())
    assert 0 < create_order._unsettled_seconds(solicitation) <= 60
    with host(wrong):
        assert 0 < create_order._unsettled_seconds(solicitation) <= 60
        confirm(solicitation.pk)
    assert is_near(Order.objects.get().due_at)


@WRONG
def test_a_payment_that_is_due_is_helped_along_and_no_other(
    merchant: People, wrong: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    helped: list[int] = []
    monkeypatch.setattr(progress, "help_along", helped.append)
    solicitation = merchant.shop.approved()
    for seconds, expected in ((120, []), (-1, [solicitation.pk])):
        solicitation.note(next_at=Now() + timedelta(seconds=seconds))
        solicitation.refresh_from_db()
        with host(wrong):
            progress.progress_of(solicitation)
        assert helped == expected


@WRONG
def test_pauses_reports_and_looks_go_by_the_database_s_clock(
    merchant: People, wrong: timedelta
) -> None:
    account, store = Connection.objects.get(), merchant.store
    merchant.sandbox.fault("delivery_reports", method="POST", status=503, times=0)
    with host(wrong):
        account.pause()
        assert is_paused(account)
        report_run.start(store, ReportRun.Cause.CALL)
        report_run._REPORTS.continue_run(ReportRun.objects.get().pk)
        reconcile.reconcile(store)
        asked = len(merchant.sandbox.calls())
        connect.probe_accounts()
        report_run.send_due()
        reconcile.reconcile_due()
        assert len(merchant.sandbox.calls()) == asked  # nothing is due
    assert is_near(account.paused_until)
    assert is_near(Reconciliation.objects.get().until)
    run = ReportRun.objects.get()
    assert run.next_at
    assert timedelta(0) < run.next_at - datetime.now(UTC) < timedelta(minutes=6)


def test_a_new_user_name_takes_orders_and_payments_along(merchant: People) -> None:
    order = merchant.order()
    old = Connection.objects.get()
    rows = [
        {"ref": one.ref, "country": one.country, "contract_options": []}
        for one in Merchant.objects.filter(connection=old)
    ]
    addresses, login = Addresses(old.api_url, old.assets_url), Login("renamed", old.password)
    # Fewer fields than SeQura sends.
    account = Account(old.deployment, old.environment, addresses, login, rows)  # type: ignore[arg-type]
    connect.save(merchant.store, old.environment, [account])

    new = Connection.objects.get(username="renamed")
    old.refresh_from_db()
    order.refresh_from_db()
    assert (old.state, order.connection_id) == ("archived", new.pk)
    assert set(merchant.store.solicitations.values_list("connection", flat=True)) == {new.pk}
