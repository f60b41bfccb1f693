"""SeQura is away for an hour, or refuses the account: nothing is lost, doubled or hammered.

The clock is the queue's own: a minute passes when every time it has written moves back by one.
"""

from datetime import timedelta

from django.db.models import F, Model

from orders.models import Gate, Order
from orders.sync.worker import drain
from sequra_bc.celery import FAST, PERIODIC
from stores.connect import probe_accounts
from stores.models import Connection
from tests.orders.merchant import Merchant
from transaction_log.models import Entry

UPDATE = r"/merchants/[^/]+/orders/.*"
TIMES: dict[type[Model], tuple[str, ...]] = {
    Order: ("due_at", "leased_until", "failing_since", "settle_at"),
    Gate: ("open_until", "window_until"),
    Connection: ("paused_until", "probed_at"),
}
# A pause is at most three minutes; the breaker lets one probe through in a minute.
MOST_CALLS_IN_AN_HOUR = 180  # for each of three orders one a minute


def pass_time(seconds: int) -> None:
    for model, names in TIMES.items():
        back = {name: F(name) - timedelta(seconds=seconds) for name in names}
        model._default_manager.update(**back)


def quiet() -> bool:
    return not Order.objects.filter(changed__gt=F("synced")).exists()


def test_an_hour_without_sequra(merchant: Merchant) -> None:
    orders = [merchant.order() for _ in range(3)]
    merchant.sandbox.fault(UPDATE, method="PUT", status=503, times=0)
    for order in orders:
        merchant.does("ship", order)
    for _ in range(240):
        pass_time(15)
        drain()
    refused = len(merchant.updates())
    assert len(orders) < refused < MOST_CALLS_IN_AN_HOUR
    waiting = Entry.objects.filter(outcome="delayed", closed_at__isnull=True)
    assert waiting.count() == len(orders)

    merchant.sandbox.clear_faults()
    for _ in range(16):  # four minutes, without anybody's help
        pass_time(15)
        drain()

    assert quiet()
    told = [call for call in merchant.updates()[refused:] if call["status"] == 200]
    assert sorted(call["path"].rpartition("/")[2] for call in told) == sorted(
        order.order_ref_1 for order in orders
    )
    assert all(merchant.at_sequra(order)["unshipped_cart"]["items"] == [] for order in orders)
    assert not waiting.exists()


def test_changes_of_a_refused_account_arrive_within_four_minutes_of_recovery(
    merchant: Merchant,
) -> None:
    """SeQura takes it again right after a probe, so that the whole pause is still to come."""
    orders = [merchant.order() for _ in range(3)]
    merchant.sandbox.fault(r"^/merchants/", status=401, times=0)
    for order in orders:
        merchant.does("ship", order)
    for _ in range(10):
        a_minute_of_the_fast_lane()
    assert Connection.objects.filter(refused_at__isnull=False).exists()
    # One question and one statement for a pause of three minutes, not one for each order.
    assert len(merchant.updates()) <= len(orders) + 10 // 3

    merchant.sandbox.clear_faults()
    for _ in range(4):
        a_minute_of_the_fast_lane()

    assert quiet()
    assert not Connection.objects.filter(refused_at__isnull=False).exists()
    assert all(merchant.at_sequra(order)["unshipped_cart"]["items"] == [] for order in orders)
    assert not Entry.objects.filter(outcome="delayed", closed_at__isnull=True).exists()


def a_minute_of_the_fast_lane() -> None:
    """The sweep every fifteen seconds, the probes every thirty."""
    lane, every = PERIODIC["stores.tasks.probe_accounts"]
    assert (lane, every) == (FAST, 30.0)
    for second in range(0, 60, 15):
        pass_time(15)
        drain()
        if second % 30 == 0:
            probe_accounts()
