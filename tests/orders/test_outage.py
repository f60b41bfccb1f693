"""SeQura is away for an hour: nothing is lost, nothing is told twice, nobody hammers.

The clock is the queue's own: a minute passes when every time it has written moves back by one.
"""

from datetime import timedelta

from django.db.models import F, Model

from orders.drain import drain
from orders.models import Gate, Order
from tests.orders.merchant import Merchant
from transaction_log.models import Entry

UPDATE = r"/merchants/[^/]+/orders/.*"
TIMES: dict[type[Model], tuple[str, ...]] = {
    Order: ("due_at", "leased_until", "failing_since", "settle_at"),
    Gate: ("open_until", "window_until"),
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
