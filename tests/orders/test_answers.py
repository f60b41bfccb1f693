"""What comes of SeQura's and BigCommerce's answers when they are not a yes."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db.models import F
from django.utils import timezone
from pytest_django.fixtures import Settings

from orders.models import Gate, Order
from orders.queue import claim, throttle
from orders.queue.claim import Lease
from orders.sync import results
from orders.sync import retry as retrying
from orders.sync.retry import retry
from orders.sync.worker import drain
from stores.models import Connection, Store
from tests.orders.merchant import Merchant, is_paused
from transaction_log import record
from transaction_log.models import Entry

UPDATE = r"/merchants/[^/]+/orders/.*"


@pytest.fixture
def order(merchant: Merchant) -> Order:
    return merchant.order()


def again_due(order: Order) -> Order:
    """As if the pause before the next attempt were over."""
    Order.objects.filter(pk=order.pk).update(due_at=timezone.now())
    Gate.objects.update(open_until=None)
    return Order.objects.get(pk=order.pk)


def open_entries(order: Order) -> list[tuple[str, str, int]]:
    rows = Entry.objects.filter(
        bigcommerce_id=order.bigcommerce_id,
        closed_at__isnull=True,
        outcome__in=("rejected", "delayed"),
    )
    return list(rows.order_by("pk").values_list("outcome", "reason", "attempts"))


def test_refusal_is_one_entry_that_counts_up_and_the_next_change_heals(
    merchant: Merchant, order: Order
) -> None:
    merchant.sandbox.fault(UPDATE, method="PUT", status=409, times=2, body='{"errors": ["No"]}')
    merchant.does("ship", order)
    assert open_entries(order) == [("rejected", "sequra_409", 1)]
    for _ in range(3):  # webhooks, the comparison at night: nobody asks SeQura the same again
        merchant.notices(order)
    assert len(merchant.updates()) == 1
    assert open_entries(order) == [("rejected", "sequra_409", 1)]
    assert retry(order, patience=0) == "queued"  # but a merchant may
    drain()
    assert open_entries(order) == [("rejected", "sequra_409", 2)]
    assert Entry.objects.get(outcome="rejected").words == "No"
    merchant.does("edit_billing_address", order, city="Girona")
    assert open_entries(order) == []
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []


@pytest.mark.parametrize("status", [400, 422])
def test_refused_statement_is_computed_again_once(
    merchant: Merchant, order: Order, status: int
) -> None:
    merchant.sandbox.fault(UPDATE, method="PUT", status=status, times=9)
    merchant.does("ship", order)
    assert open_entries(order) == [("rejected", f"sequra_{status}", 1)]
    assert len(merchant.updates()) == 1
    order.refresh_from_db()
    assert order.changed == order.synced


@pytest.mark.parametrize("status", [429, 500, 503])
def test_outage_is_an_entry_from_its_first_failure_and_success_closes_it(
    merchant: Merchant, order: Order, status: int
) -> None:
    merchant.sandbox.fault(UPDATE, method="PUT", status=status, times=2)
    merchant.does("ship", order)
    for _ in range(2):
        assert open_entries(order)[0][:2] == ("delayed", "sequra_unavailable")
        order = again_due(order)
        drain()
    assert open_entries(order) == []
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []


def test_lost_answer_is_told_again_even_when_the_change_was_taken_back(
    merchant: Merchant, order: Order
) -> None:
    merchant.sandbox.fault(UPDATE, method="PUT", status=503, times=1, effect="before")
    lamp, _ = merchant.lines(order)
    some = [{"order_product_id": lamp["id"], "quantity": 1}]
    shipment = merchant.does("ship", order, items=some)
    assert merchant.at_sequra(order)["shipped_cart"]["items"] != []
    merchant.acts("unship", order, shipment_id=shipment["id"])
    assert again_due(order).unsure
    drain()
    assert merchant.at_sequra(order)["shipped_cart"]["items"] == []


def test_what_sequra_accepted_is_sent_again_in_doubt_and_logged_once(
    merchant: Merchant, order: Order
) -> None:
    """A worker dies while it makes sure, after another one has sent the shipment."""
    merchant.does("ship", order)
    before = merchant.entries(order)
    claim.mark_changed(pk=order.pk)
    assert claim.claim(Lease(), 1) == [order]
    Order.objects.filter(pk=order.pk).update(leased_until=timezone.now())
    drain()
    assert [call["body"] for call in merchant.updates()] == [merchant.updates()[0]["body"]] * 2
    assert not Order.objects.get(pk=order.pk).unsure
    assert merchant.entries(order) == before


def test_a_result_whose_commit_was_not_confirmed_is_logged_once(
    merchant: Merchant, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost after the commit: the result is written once more, without a lease."""
    write, is_repeated = results._write_together, iter([True])

    def loses_its_connection(*arguments: Any) -> set[int]:
        if next(is_repeated, False):
            write(*arguments)
        return write(*arguments)

    monkeypatch.setattr(results, "_write_together", loses_its_connection)
    merchant.does("ship", order)
    assert len(merchant.updates()) == 2
    assert merchant.entries(order)[1:] == [("ship", "accepted", "")]


def test_a_delayed_statement_that_was_taken_back_is_logged_as_sent(
    merchant: Merchant, order: Order
) -> None:
    """It closes what the log shows as delayed, although SeQura accepted the same before."""
    merchant.does("edit_billing_address", order, city="Girona")
    merchant.sandbox.fault(UPDATE, method="PUT", status=503, times=1, effect="before")
    shipment = merchant.does("ship", order)
    merchant.acts("unship", order, shipment_id=shipment["id"])
    again_due(order)
    drain()
    assert open_entries(order) == []
    assert [entry[1] for entry in merchant.entries(order)][2:] == ["delayed", "accepted"]


def test_refused_credentials_pause_the_account_and_one_order_asks_again(
    merchant: Merchant, order: Order
) -> None:
    second = merchant.order()
    merchant.sandbox.fault(UPDATE, method="PUT", status=401, times=99)
    for one in (order, second):
        merchant.does("ship", one)
    assert len(merchant.updates()) == 1
    assert open_entries(order) == [("delayed", "sequra_unauthorised", 1)]
    Connection.objects.update(paused_until=timezone.now())
    drain()
    assert len(merchant.updates()) == 2
    merchant.sandbox.clear_faults()
    Connection.objects.update(paused_until=timezone.now())
    drain()
    drain()
    assert Connection.objects.get().paused_until is None
    assert open_entries(order) == open_entries(second) == []


def test_order_in_review_waits_and_is_told_after_the_approval(merchant: Merchant) -> None:
    order = merchant.order()
    Order.objects.filter(pk=order.pk).update(status="in_review")
    merchant.does("ship", order)
    assert merchant.updates() == []
    assert open_entries(order) == [("delayed", "in_review", 1)]
    Order.objects.filter(pk=order.pk).update(status="approved")
    merchant.notices(order)
    assert len(merchant.updates()) == 1
    assert open_entries(order) == []


def test_order_that_sequra_cancelled_is_told_nothing(merchant: Merchant, order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(status="cancelled")
    merchant.does("cancel", order)
    assert merchant.updates() == []


def test_refused_token_stops_the_store_until_it_is_authorised_again(
    merchant: Merchant, order: Order
) -> None:
    merchant.sandbox.fault(r"/stores/.*", status=401, times=1)
    merchant.does("ship", order)
    assert Store.objects.get().state == "needs_reauthorisation"
    drain()
    assert merchant.updates() == []
    Store.objects.update(state="installed")
    drain()
    assert len(merchant.updates()) == 1


def test_bigcommerce_that_says_slow_down_is_left_alone_for_so_long(
    merchant: Merchant, order: Order
) -> None:
    slow = {"X-Rate-Limit-Time-Reset-Ms": "7000"}
    merchant.sandbox.fault(r"/stores/.*", status=429, headers=slow, times=1)
    merchant.does("ship", order)
    gate = Gate.objects.get(host="bigcommerce")
    assert gate.open_until
    pause = (gate.open_until - timezone.now()).total_seconds()
    assert 6 < pause < 7.1
    calls = len(merchant.sandbox.calls("bigcommerce"))
    Order.objects.update(due_at=timezone.now())
    drain()
    assert len(merchant.sandbox.calls("bigcommerce")) == calls


def test_host_that_fails_for_several_orders_is_probed_by_one(merchant: Merchant) -> None:
    orders = [merchant.order() for _ in range(throttle.FAILURES + 2)]
    merchant.sandbox.fault(UPDATE, method="PUT", status=503, times=999)
    for order in orders:
        merchant.does("ship", order)
    assert len(merchant.updates()) == throttle.FAILURES
    Gate.objects.update(open_until=timezone.now())
    Order.objects.update(due_at=timezone.now())
    drain()
    assert len(merchant.updates()) == throttle.FAILURES + 1
    merchant.sandbox.clear_faults()
    Gate.objects.update(open_until=timezone.now())
    Order.objects.update(due_at=timezone.now())
    while drain():
        Order.objects.update(due_at=timezone.now())
    assert all(merchant.at_sequra(o)["unshipped_cart"]["items"] == [] for o in orders)


def test_nothing_is_retried_for_ever(merchant: Merchant, order: Order) -> None:
    merchant.sandbox.fault(UPDATE, method="PUT", status=503, times=99)
    merchant.does("ship", order)
    order = again_due(order)
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        drain()
    assert open_entries(order)[-1][:2] == ("rejected", "gave_up")
    order.refresh_from_db()
    assert order.changed == order.synced


@pytest.mark.parametrize(
    "body", ["[]", '{"id": 1}', "<html>", '{"status_id": "x", "total_inc_tax": {}}']
)
def test_documents_that_make_no_sense_harm_only_their_order(
    merchant: Merchant, order: Order, body: str
) -> None:
    healthy = merchant.order()
    path = rf"/stores/[^/]+/v2/orders/{order.bigcommerce_id}$"
    merchant.sandbox.fault(path, method="GET", status=200, body=body, times=1)
    merchant.acts("ship", healthy)
    merchant.notices(order)
    merchant.notices(healthy)
    assert merchant.at_sequra(healthy)["unshipped_cart"]["items"] == []
    told = order.store.entries.filter(bigcommerce_id=order.bigcommerce_id)
    assert told.filter(outcome__in=("rejected", "delayed")).count() == 1


def test_late_reads_are_read_again(
    merchant: Merchant, order: Order, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SETTLE_SECONDS = [0.4, 0.4]
    monkeypatch.setattr("orders.sync.worker.LINGER", 1.0)
    merchant.sandbox.knobs(read_lag=0.5)
    merchant.does("ship", order)
    merchant.sandbox.knobs(read_lag=0.0)
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []
    order.refresh_from_db()
    assert order.settle_at is None


def test_what_has_settled_rests_while_calls_are_short(
    merchant: Merchant, order: Order, settings: Settings
) -> None:
    now, settled = timezone.now(), len(settings.SETTLE_SECONDS)
    Gate.objects.update_or_create(
        store=merchant.store,
        host=throttle.BIGCOMMERCE,
        defaults={"budget": 9, "window_until": now + timedelta(minutes=1)},
    )
    Order.objects.filter(pk=order.pk).update(
        changed=F("changed") + 1, due_at=now, settle_at=None, settle_step=settled
    )

    drain()

    order.refresh_from_db()
    assert (order.settle_at, order.settle_step, order.changed) == (None, settled, order.synced)


def test_403_about_one_order_is_its_refusal(merchant: Merchant, order: Order) -> None:
    other = merchant.order()
    path = rf"/merchants/[^/]+/orders/{order.bigcommerce_id}$"
    words = '{"errors": ["You do not have access to this URL"]}'
    merchant.sandbox.fault(path, method="PUT", status=403, times=9, body=words)
    merchant.does("ship", order)
    merchant.does("ship", other)
    assert open_entries(order) == [("rejected", "sequra_403", 1)]
    assert merchant.at_sequra(other)["unshipped_cart"]["items"] == []
    assert not Connection.objects.exclude(paused_until=None).exists()


def test_403_of_the_account_pauses_it(merchant: Merchant, order: Order) -> None:
    merchant.sandbox.fault(r"^/merchants/", status=403, times=9)
    merchant.does("ship", order)
    assert open_entries(order) == [("delayed", "sequra_unauthorised", 1)]
    assert is_paused(Connection.objects.get())


def test_missing_part_of_an_order_is_no_missing_order(merchant: Merchant, order: Order) -> None:
    merchant.sandbox.fault(r"/v3/orders/\d+/payment_actions/refunds", status=404)
    merchant.does("ship", order)
    assert open_entries(order) == [("delayed", "bigcommerce_unavailable", 1)]
    again_due(order)
    drain()
    assert open_entries(order) == []
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []


def test_deleted_order_leaves_nothing_open_and_retry_says_so(
    merchant: Merchant, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    merchant.sandbox.fault(UPDATE, method="PUT", status=503)
    merchant.does("ship", order)
    assert open_entries(order) == [("delayed", "sequra_unavailable", 1)]
    merchant.sandbox.fault(r"/v2/orders/\d+$", method="GET", status=404, times=9)
    again_due(order)
    drain()
    assert open_entries(order) == []
    monkeypatch.setattr(retrying, "wake_worker", drain)
    order.refresh_from_db()
    assert retry(order) == "archived"
    (archived,) = Entry.objects.filter(event="archived")
    assert (archived.outcome, archived.reason, archived.attempts) == ("ignored", "archived", 2)


def test_order_in_the_bin_is_told_and_said(merchant: Merchant, order: Order) -> None:
    merchant.does("archive", order)
    merchant.does("ship", order)
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []
    archived = Entry.objects.filter(event="archived")
    assert list(archived.values_list("outcome", "reason")) == [("ignored", "put_away")]


def test_goods_that_leave_after_sequra_cancelled_are_the_merchant_s_to_stop(
    merchant: Merchant, order: Order
) -> None:
    Order.objects.filter(pk=order.pk).update(status="cancelled")
    merchant.notices(order)
    assert open_entries(order) == []
    for _ in range(2):
        merchant.does("ship", order) if not open_entries(order) else merchant.notices(order)
    assert open_entries(order) == [("rejected", "shipped_after_cancellation", 2)]
    assert merchant.updates() == []


def test_a_warning_about_some_goods_hides_no_later_ones(merchant: Merchant, order: Order) -> None:
    """Goods had left when SeQura cancelled, as the merchant read; then more of them leave."""
    first, *_ = merchant.lines(order)
    merchant.does("ship", order, items=[{"order_product_id": first["id"], "quantity": 1}])
    record.rejected(order.subject, "cancelled_by_sequra", "cancelled_after_shipping")
    Order.objects.filter(pk=order.pk).update(status="cancelled")
    merchant.notices(order)
    warning = Entry.objects.get(reason="cancelled_after_shipping")
    assert (warning.is_open, warning.statement != "", bool(warning.shipped)) == (True, True, True)
    assert record.ignore(warning, "ana@example.com", "We ask for them back")

    merchant.notices(order)
    assert open_entries(order) == []
    merchant.does("ship", order)
    assert open_entries(order) == [("rejected", "shipped_after_cancellation", 1)]


def test_retry_of_what_waits_for_its_number_says_that_it_waits(
    merchant: Merchant, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "wake_worker", drain)
    for status, word in (("without_reference", "delayed"), ("cancelled", "closed")):
        Order.objects.filter(pk=order.pk).update(status=status)
        order.refresh_from_db()
        assert retry(order) == word


def test_refused_edit_that_was_taken_back_and_made_again_is_told_again(
    merchant: Merchant, order: Order
) -> None:
    lamp, _ = merchant.lines(order)
    merchant.sandbox.fault(UPDATE, method="PUT", status=409, times=2)
    for price in ("60.00", lamp["price_inc_tax"], "60.00"):
        merchant.does("edit_order", order, lines=[{"id": lamp["id"], "price": price}])
    assert open_entries(order) == [("rejected", "sequra_409", 1)]
    assert len(merchant.updates()) == 2


def test_delay_of_a_refused_order_ends_with_the_outage(merchant: Merchant, order: Order) -> None:
    merchant.sandbox.fault(UPDATE, method="PUT", status=409)
    merchant.does("ship", order)
    merchant.sandbox.fault(r"/v2/orders/\d+$", method="GET", status=503)
    merchant.notices(order)
    assert [outcome for outcome, *_ in open_entries(order)] == ["rejected", "delayed"]
    again_due(order)
    drain()
    assert open_entries(order) == [("rejected", "sequra_409", 1)]


def test_a_probe_that_needed_nothing_lets_the_next_one_ask(
    merchant: Merchant, order: Order
) -> None:
    host = order.connection.api_url
    later = timezone.now() + timedelta(minutes=5)
    gate, _ = Gate.objects.update_or_create(
        store=merchant.store, host=host, defaults={"failures": 7, "open_until": None}
    )
    Connection.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    merchant.notices(order)  # nothing has changed: SeQura is not asked
    gate.refresh_from_db()
    assert gate.open_until
    assert gate.open_until <= timezone.now() < later
    assert not is_paused(Connection.objects.get())


def test_merchant_id_that_is_no_longer_ours_pauses_the_account(
    merchant: Merchant, order: Order
) -> None:
    Order.objects.filter(pk=order.pk).update(merchant_ref="somebody_else_s")
    merchant.does("ship", order)
    assert open_entries(order) == [("delayed", "sequra_unauthorised", 1)]
    assert is_paused(Connection.objects.get())
