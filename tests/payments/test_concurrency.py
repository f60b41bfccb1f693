"""Two WSGI processes, and everybody at once: one order, one answer that is true for each."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from django.db import connection
from django.utils import timezone

from payments.models import Solicitation
from tests.payments.shop import Shop
from tests.payments.web import Web
from tests.payments.world import violations


def all_at_once(*calls: Callable[[], requests.Response]) -> list[requests.Response]:
    """Released together by a barrier."""
    barrier = threading.Barrier(len(calls))

    def wait_and(call: Callable[[], requests.Response]) -> requests.Response:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(wait_and, calls))


def one_paid_order(shop: Shop) -> None:
    world = shop.sandbox.world()
    assert violations(world) == []
    assert [one["order"]["status_id"] for one in world["bigcommerce_orders"]] == [11]


def test_ten_notifications_at_once_make_one_order(web: Web, shop: Shop) -> None:
    solicitation = shop.solicited()
    shop.approve(solicitation)

    answers = all_at_once(*[lambda: web.notify(solicitation)] * 10)

    assert [answer.status_code for answer in answers] == [200] * 10
    one_paid_order(shop)


def test_notification_return_sweep_and_second_notification(web: Web, shop: Shop) -> None:
    solicitation = shop.solicited()
    shop.approve(solicitation)
    Solicitation.objects.filter(pk=solicitation.pk).update(
        state="approved", product="pp3", next_at=timezone.now()
    )

    answers = all_at_once(
        lambda: web.notify(solicitation),
        lambda: web.status(solicitation),
        lambda: web.notify(solicitation),
        lambda: web.status(solicitation),
    )

    assert {answer.status_code for answer in answers} == {200}
    one_paid_order(shop)


def test_two_tabs_pay_once(web: Web, shop: Shop) -> None:
    """Both shoppers' forms are approved: one is confirmed, the other refused for good."""
    first = shop.solicited()
    Solicitation.objects.filter(pk=first.pk).update(
        created_at=timezone.now() - timedelta(minutes=16)
    )
    second = shop.offer(first.checkout_id).solicitation
    assert second is not None
    assert second.pk != first.pk
    shop.approve(first)
    shop.approve(second, "i1")

    answers = Counter(
        answer.status_code
        for answer in all_at_once(lambda: web.notify(first), lambda: web.notify(second))
    )

    assert answers[200] == 1
    assert answers[410] + answers[503] == 1
    repeated = {web.notify(first).status_code, web.notify(second).status_code}
    assert repeated == {200, 410}
    refused = Solicitation.objects.get(phase="refused")
    assert refused.refusal in ("already_paid", "already_ordered", "checkout_gone")
    world = shop.sandbox.world()
    assert [one["order"]["status_id"] for one in world["bigcommerce_orders"]] == [11]


def test_double_click_is_one_solicitation(web: Web, shop: Shop) -> None:
    checkout_id = shop.sandbox.checkout()["checkout_id"]

    answers = all_at_once(*[lambda: web.post("payment-methods", checkout_id=checkout_id)] * 5)

    # What is more than a store's share at once is refused; the script asks again.
    assert {answer.status_code for answer in answers} <= {200, 429, 503}
    made = {answer.json()["solicitation"] for answer in answers if answer.status_code == 200}
    assert len(made) == 1
    assert len(shop.sandbox.held("sequra_orders")) == 1


def idle_in_transaction() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            # Between two statements of a transaction there may be a moment.
            " AND clock_timestamp() - state_change > interval '1 second'"
        )
        return int(cursor.fetchone()[0])


def test_no_transaction_is_open_while_a_remote_holds_its_answer(web: Web, shop: Shop) -> None:
    solicitation = shop.solicited()
    shop.approve(solicitation)
    for path in (r"^/orders/", r"/v3/checkouts/.*/orders$"):
        shop.sandbox.fault(path, delay=2.0)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(web.notify, solicitation)
        seen = []
        while not answer.done():
            seen.append(idle_in_transaction())
            time.sleep(0.05)

    assert (answer.result().status_code, max(seen)) == (200, 0)
    assert len(seen) > 5


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        (r"^/orders/", "PUT", 503),  # SeQura has not accepted: no promise
        (r"/v3/checkouts/.*/orders$", "POST", 200),  # it has: the rest is our business
    ],
)
def test_notification_is_answered_in_time_whatever_hangs(
    web: Web, shop: Shop, path: str, method: str, status: int
) -> None:
    solicitation = shop.solicited()
    shop.approve(solicitation)
    shop.sandbox.fault(path, method=method, delay=9.5)

    answer = web.notify(solicitation)

    # Answered while the call still hangs: the shopper's page goes on waiting for the order.
    assert (answer.status_code, web.status(solicitation).json()["status"]) == (status, "waiting")
    deadline = time.monotonic() + 60
    while web.status(solicitation).json()["status"] == "waiting":
        assert time.monotonic() < deadline
        time.sleep(0.3)
    one_paid_order(shop)


def test_changed_cart_is_gone_with_a_stored_reason(web: Web, shop: Shop) -> None:
    solicitation = shop.solicited()
    shop.approve(solicitation)
    shop.change_cart(solicitation)

    answers = [web.notify(solicitation).status_code for _ in range(3)]

    solicitation.refresh_from_db()
    assert (answers, solicitation.refusal) == ([410] * 3, "cart_changed")
    assert shop.sandbox.held("bigcommerce_orders") == []


def test_unknown_checkouts_are_404_and_asked_for_once(web: Web, shop: Shop) -> None:
    guess = str(uuid.uuid4())
    before = len(shop.sandbox.calls("bigcommerce"))

    answers = [web.post("payment-methods", checkout_id=guess) for _ in range(5)]

    assert {(answer.status_code, answer.text) for answer in answers} == {
        (404, '{"detail":"Not found."}')
    }
    assert len(shop.sandbox.calls("bigcommerce")) - before == 1
