"""A lease outlasts the longest call, and clocks of worker hosts may be wrong."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from orders import lease, queue
from orders.drain import TIMEOUT, drain
from orders.models import Order
from orders.sync import Kind, sync_order
from sequra import client
from sequra.documents import Addresses
from stores import connect
from stores.clients import bigcommerce_for, sequra_for
from stores.connect import Account, Login
from stores.models import Connection, Merchant
from tests.orders.merchant import Merchant as People
from wire.call import longest

UPDATE = r"/merchants/[^/]+/orders/.*"


@pytest.mark.parametrize("timeout", [client.TIMEOUT, TIMEOUT])
def test_the_lease_outlasts_a_call_of_either_client(timeout: tuple[float, float]) -> None:
    assert longest(timeout) < lease.NEEDED < lease.SECONDS - lease.RENEW_AFTER


def test_the_second_statement_needs_a_lease_as_well(
    merchant: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SeQura refused, the order became another one meanwhile, and so much time went by."""
    order = merchant.order()
    merchant.acts("ship", order)
    merchant.sandbox.fault(UPDATE, method="PUT", status=409, times=9)
    order.refresh_from_db()
    mine = lease.Lease()
    safe = iter([True, False])
    monkeypatch.setattr(lease.Lease, "is_safe", property(lambda _: next(safe)))
    provider, update = sequra_for(order.connection), client.Sequra.update_order

    def refuses_late(*arguments: object) -> None:
        merchant.acts("edit_billing_address", order, city="Girona")
        update(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(client.Sequra, "update_order", refuses_late)
    result = sync_order(order, bigcommerce_for(order.store), provider, mine)
    assert (result.kind, result.sent) == (Kind.LOST, False)
    assert len(merchant.updates()) == 1


@pytest.mark.parametrize("wrong", [timedelta(minutes=-10), timedelta(minutes=10)])
def test_a_host_whose_clock_is_wrong_writes_due_times_by_the_database_s(
    merchant: People, wrong: timedelta
) -> None:
    order = merchant.order()
    merchant.acts("ship", order)
    merchant.sandbox.fault(UPDATE, method="PUT", status=503, times=1, effect="before")
    with time_machine.travel(datetime.now(UTC) + wrong, tick=True):
        queue.mark_changed(pk=order.pk)
        drain()
    found = Order.objects.get(pk=order.pk)
    assert abs(found.due_at - datetime.now(UTC)) < timedelta(minutes=4)
    with time_machine.travel(datetime.now(UTC) + wrong, tick=True):
        queue.mark_changed(pk=order.pk)
        drain()
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []


def test_a_new_user_name_takes_orders_and_payments_along(merchant: People) -> None:
    order = merchant.order()
    old = Connection.objects.get()
    rows = [
        {"ref": one.ref, "country": one.country, "contract_options": []}
        for one in Merchant.objects.filter(connection=old)
    ]
    addresses, login = Addresses(old.api_url, old.assets_url), Login("renamed", old.password)
    account = Account(old.deployment, old.environment, addresses, login, rows)  # type: ignore[arg-type]
    connect.save(merchant.store, old.environment, [account])

    new = Connection.objects.get(username="renamed")
    old.refresh_from_db()
    order.refresh_from_db()
    assert (old.state, order.connection_id) == ("archived", new.pk)
    assert set(merchant.store.solicitations.values_list("connection", flat=True)) == {new.pk}
