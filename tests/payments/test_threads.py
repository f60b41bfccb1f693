"""A store whose calls hang keeps some threads; those of the others are free."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import pytest
from django.test import Client
from django.utils import timezone

from payments import confirm, tasks, views
from payments.models import Solicitation
from payments.threads import Bulkhead, Turns
from stores.models import Store
from stores.rate_limit import Concurrency
from tests.payments.conftest import MakeSolicitation

SLOW, QUICK = 1, 2


class Hang:
    """Work that goes on until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.begun = threading.Semaphore(0)

    def __call__(self) -> None:
        self.begun.release()
        assert self.released.wait(60)


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hang]:
    """Threads of this test's own."""
    most, each = confirm.MOST_WAITERS, confirm._WAITERS_OF_A_STORE
    monkeypatch.setattr(confirm, "_threads", Bulkhead(most, each))
    monkeypatch.setattr(confirm, "_waiting", Concurrency(confirm._WAITING_OF_A_STORE))
    hang = Hang()
    yield hang
    hang.released.set()


def test_work_that_outlasted_its_waiter_leaves_room(hang: Hang) -> None:
    for _ in range(confirm._WAITERS):
        assert not confirm.within(0.01, hang)
    begun = threading.Event()
    assert confirm.within(30, begun.set)
    assert begun.is_set()


def test_a_store_has_its_share_and_no_more(hang: Hang) -> None:
    for _ in range(confirm._WAITERS_OF_A_STORE):
        assert not confirm.within(0.01, hang, SLOW)
    begun = threading.Event()
    assert not confirm.within(0.01, begun.set, SLOW)
    assert not begun.is_set()
    assert confirm.within(30, begun.set, QUICK)
    hang.released.set()
    assert confirm.within(30, begun.set, SLOW)


def test_several_stores_may_hang_at_once(hang: Hang) -> None:
    stores = confirm.MOST_WAITERS // confirm._WAITERS_OF_A_STORE - 1
    for store in range(stores):
        for _ in range(confirm._WAITERS_OF_A_STORE):
            confirm.within(0.001, hang, store)
    assert confirm.within(30, lambda: None, stores)


def test_only_some_of_a_slow_store_s_requests_wait(
    hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is begun, and answered at once: the web server's threads are shared, too."""
    monkeypatch.setattr(confirm, "_SLOW_AFTER", 0.0)
    waiting = confirm._WAITING_OF_A_STORE
    with ThreadPoolExecutor(waiting) as requests:
        answers = [requests.submit(confirm.within, 60, hang, SLOW) for _ in range(waiting)]
        for _ in answers:
            assert hang.begun.acquire(timeout=60)
        assert not confirm.within(60, hang, SLOW)
        assert hang.begun.acquire(timeout=60)
        assert not any(answer.done() for answer in answers)
        assert confirm.within(30, lambda: None, QUICK)
        hang.released.set()
        assert all(answer.result() for answer in answers)


def test_what_fails_in_time_is_raised_and_frees_its_place(hang: Hang) -> None:
    def fails() -> None:
        raise LookupError

    for _ in range(confirm._WAITERS_OF_A_STORE + 1):
        with pytest.raises(LookupError):
            confirm.within(30, fails, SLOW)
    assert confirm.within(30, lambda: None, SLOW)


def test_helpers_of_a_store_take_turns(hang: Hang) -> None:
    done = threading.Semaphore(0)

    def slow() -> None:
        hang()
        done.release()

    with ThreadPoolExecutor(confirm.HELPERS) as helpers:
        turns = Turns(confirm._HELPERS_OF_A_STORE, helpers.submit)
        for _ in range(9):
            helpers.submit(turns.take, SLOW, slow)
        quick: list[Callable[[], None]] = [threading.Event().set for _ in range(3)]
        for work in [helpers.submit(turns.take, QUICK, one) for one in quick]:
            work.result(timeout=60)
        assert not done.acquire(blocking=False)
        hang.released.set()
        assert all(done.acquire(timeout=60) for _ in range(9))


def test_stores_that_hang_leave_turns_to_the_others() -> None:
    """All helpers are busy with two stores that have more: the first to be free helps a third."""
    order: list[str] = []
    ends = {name: threading.Semaphore(0) for name in "ab"}
    begun, over = threading.Semaphore(0), threading.Semaphore(0)

    def slow(name: str) -> None:
        begun.release()
        assert ends[name].acquire(timeout=60)
        order.append(name)
        over.release()

    with ThreadPoolExecutor(confirm.HELPERS) as helpers:
        turns = Turns(confirm.HELPERS // 2, helpers.submit)
        for name in "aabb":
            helpers.submit(turns.take, name, partial(slow, name))
            assert begun.acquire(timeout=60)
        for name in "ab":  # their turns come later
            turns.take(name, partial(slow, name))
        other = helpers.submit(turns.take, "c", lambda: order.append("c"))
        ends["a"].release()
        other.result(timeout=60)
        assert order == ["a", "c"]
        for name, end in ends.items():
            end.release(2 if name == "a" else 3)
        assert all(over.acquire(timeout=60) for _ in range(6))
    assert sorted(order) == ["a", "a", "a", "b", "b", "b", "c"]


@pytest.mark.django_db
def test_a_sweep_reaches_the_store_behind_one_with_many(
    make_solicitation: MakeSolicitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_BATCH", 5)
    monkeypatch.setattr(tasks, "_BATCH_OF_A_STORE", 3)
    helped: list[int] = []
    monkeypatch.setattr(tasks, "help_along", helped.append)
    longer = timezone.now() - timedelta(hours=1)
    many = [make_solicitation(next_at=longer).pk for _ in range(7)]
    late = make_solicitation(next_at=timezone.now())
    other = Store.objects.create(hash="other1")
    Solicitation.objects.filter(pk=late.pk).update(store=other)
    tasks.resume_solicitations()
    assert late.pk in helped
    assert len(set(helped) & set(many)) == 3


@pytest.mark.django_db
def test_a_storefront_call_without_a_place_is_asked_to_come_again(
    make_solicitation: MakeSolicitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "methods_for", lambda *_: {"methods": []})
    store = make_solicitation().store
    other = Store.objects.create(hash="other1")
    claim = {"checkout_id": "a" * 36}

    def asks(whose: Store) -> int:
        address = f"/storefront/{whose.public_id}/payment-methods"
        return Client().post(address, claim, content_type="application/json").status_code

    with ExitStack() as places:
        for _ in range(views._CALLS_OF_A_STORE):
            places.enter_context(views._place_of(store))
        assert (asks(store), asks(other)) == (429, 200)
    assert asks(store) == 200
