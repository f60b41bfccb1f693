"""Kill `confirm` between any two side effects: always exactly one paid order, and no strays."""

import os
from collections.abc import Iterator
from itertools import product

import pytest
from pytest_django.fixtures import Settings

from payments.models import Solicitation
from payments.notifications import record_state
from tests.payments.crashes import CrashRunner, labels_in_the_code
from tests.payments.shop import Shop
from tests.payments.world import violations

# Every place of an approved purchase, and some more, so that the last ones are certainly hit.
POINTS = range(1, 18)
# The fourth place: SeQura has accepted, and BigCommerce has been asked nothing yet.
CONFIRMED = 4
State = Solicitation.State
pytestmark = pytest.mark.xdist_group("crashes")


@pytest.fixture(scope="module")
def runner() -> Iterator[CrashRunner]:
    runner = CrashRunner()
    yield runner
    print(f"\n{runner.table()}")


def check(shop: Shop, runner: CrashRunner) -> None:
    found = violations(shop.sandbox.world())
    runner.violations += len(found)
    assert found == []


def test_one_crash_at_every_place(shop: Shop, runner: CrashRunner, settings: Settings) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.2

    happened = [runner.pay(shop.approved().pk, [point]) for point in POINTS]

    # The runner really kills: a run of ones, then the places behind the end.
    assert happened == sorted(happened, reverse=True)
    assert sum(happened) >= 14
    check(shop, runner)


def test_two_crashes_at_every_pair_of_places(
    shop: Shop, runner: CrashRunner, settings: Settings
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.1
    for first, second in product(range(1, 16), range(1, 12)):
        runner.pay(shop.approved().pk, [first, second])
    check(shop, runner)


@pytest.mark.parametrize("actors", [2, 3])
def test_crashes_beside_other_actors(
    shop: Shop, runner: CrashRunner, settings: Settings, actors: int
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.2
    for point in POINTS:
        runner.pay(shop.approved().pk, [point], actors=actors)
    check(shop, runner)


@pytest.mark.parametrize(("lag", "points"), [(0.3, POINTS), (5.0, (7, 8))])
def test_crashes_while_bigcommerce_hides_new_orders(
    shop: Shop, runner: CrashRunner, settings: Settings, lag: float, points: range
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = lag * 1.3 + 0.2
    shop.sandbox.knobs(lookup_lag=lag)
    for point in points:
        runner.pay(shop.approved().pk, [point])
    check(shop, runner)


def test_strays_that_showed_too_late_are_voided(
    shop: Shop, runner: CrashRunner, settings: Settings
) -> None:
    """The look-up lags longer than we wait: a second order is made, and the stray is cancelled."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.3
    shop.sandbox.knobs(lookup_lag=1.0)
    for crashes in ([7], [7, 7]):
        solicitation = shop.approved()
        runner.pay(solicitation.pk, crashes)
        orders = [one["order"] for one in shop.sandbox.world()["bigcommerce_orders"]]
        statuses = sorted(order["status_id"] for order in orders)
        assert statuses.count(5) >= 1
    check(shop, runner)


@pytest.mark.parametrize("ends", [State.APPROVED, State.CANCELLED])
def test_crashes_of_a_review_and_of_its_end(
    shop: Shop, runner: CrashRunner, settings: Settings, ends: Solicitation.State
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.2
    for point in POINTS:
        solicitation = shop.solicited()
        shop.review(solicitation)
        record_state(solicitation, State.NEEDS_REVIEW, "pp3")
        runner.pay(solicitation.pk, [point])
        shop.end_review(solicitation, ends)
        record_state(solicitation, ends)
        runner.pay(solicitation.pk, [1 + point % 5])
    check(shop, runner)


@pytest.mark.parametrize("carried", [False, True])
def test_crashes_with_store_credit(
    shop: Shop, runner: CrashRunner, settings: Settings, carried: bool
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.2
    shop.sandbox.knobs(store_credit_carried=carried)
    for point in POINTS:
        solicitation = shop.approved_with_credit("20.00")
        runner.pay(solicitation.pk, [point])
        assert shop.credit_left(solicitation) == 0
    check(shop, runner)


@pytest.mark.parametrize("point", range(1, 9))
def test_crashes_while_a_changed_order_is_undone(
    shop: Shop, runner: CrashRunner, settings: Settings, point: int
) -> None:
    """The cart changes after SeQura accepted: both sides end cancelled, nothing is paid."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.2
    solicitation = shop.approved()
    assert runner.together(solicitation.pk, CONFIRMED, 1) == 1
    shop.change_cart(solicitation)
    runner.pay(solicitation.pk, [point])
    solicitation.refresh_from_db()
    assert (solicitation.phase, solicitation.refusal) == ("refused", "amount_changed")
    check(shop, runner)


# With a database like the others, because pytest-django sorts tests by that.
@pytest.mark.django_db(transaction=True)
def test_every_place_was_reached_and_enough_crashes_happened(runner: CrashRunner) -> None:
    """Runs last: the labels in the code and those the runner saw are the same."""
    assert runner.labels == labels_in_the_code()
    assert runner.crashes >= int(os.environ.get("CRASHES", "300"))
