"""Kill `confirm` between any two side effects: always exactly one paid order, and no strays."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from random import Random

import pytest
from pytest_django.fixtures import Settings

from conftest import LONGEST_TEST
from payments.models import Solicitation
from payments.notifications import record_state
from stores.connect import Login, _connect, disconnect
from stores.install import uninstall
from stores.models import Store
from tests.payments.crashes import Backup, CrashRunner, labels_in_the_code
from tests.payments.shop import Shop
from tests.payments.world import violations
from transaction_log.models import Entry

# Every place of an approved purchase, and some more, so that the last ones are certainly hit.
POINTS = range(1, 18)
FIRST, SECOND = range(1, 16), range(1, 12)
ALL_PAIRS = os.environ.get("PAIRS") == "all"
ODD, EVEN = POINTS[::2], POINTS[1::2]
# The fourth place: SeQura has accepted, and BigCommerce has been asked nothing yet.
CONFIRMED = 4
State = Solicitation.State
pytestmark = pytest.mark.xdist_group("crashes")


@pytest.fixture(scope="session")
def runner() -> Iterator[CrashRunner]:
    """One for the session: what judges it runs after tests of other modules, too."""
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


def some_pairs(chance: Random) -> list[tuple[int, int]]:
    """Every first and every second place at least once, combined anew by `chance`."""
    firsts, seconds = list(FIRST), [*SECOND, *chance.sample(SECOND, len(FIRST) - len(SECOND))]
    chance.shuffle(seconds)
    return list(zip(firsts, seconds, strict=True))


def test_two_crashes_at_every_pair_of_places(
    shop: Shop, runner: CrashRunner, settings: Settings
) -> None:
    """`PAIRS=all` is the long run: of the 165 pairs the suite takes fifteen others every time, so
    that each first and each second place is among them.
    """
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.1
    pairs = list(product(FIRST, SECOND))
    if not ALL_PAIRS:
        seed = int(os.environ.get("SEED", str(time.time_ns() % 1_000_000)))
        print(f"\nseed {seed}")
        pairs = some_pairs(Random(seed))
    for first, second in pairs:
        runner.pay(shop.approved().pk, [first, second])
    check(shop, runner)


@pytest.mark.parametrize(("actors", "points"), [(2, ODD), (3, EVEN)])
def test_crashes_beside_other_actors(
    shop: Shop, runner: CrashRunner, settings: Settings, actors: int, points: range
) -> None:
    """`PAIRS=all`: each crowd at every place."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.2
    for point in POINTS if ALL_PAIRS else points:
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
        orders = [one["order"] for one in shop.sandbox.held("bigcommerce_orders")]
        statuses = sorted(order["status_id"] for order in orders)
        assert statuses.count(5) >= 1
    check(shop, runner)


@pytest.mark.parametrize(("ends", "points"), [(State.APPROVED, ODD), (State.CANCELLED, EVEN)])
def test_crashes_of_a_review_and_of_its_end(
    shop: Shop,
    runner: CrashRunner,
    settings: Settings,
    ends: Solicitation.State,
    points: range,
) -> None:
    """Each end meets each of its own five places; `PAIRS=all`: and each place of the review."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.2
    for point in POINTS if ALL_PAIRS else points:
        solicitation = shop.solicited()
        shop.review(solicitation)
        record_state(solicitation, State.NEEDS_REVIEW, "pp3")
        runner.pay(solicitation.pk, [point])
        shop.end_review(solicitation, ends)
        record_state(solicitation, ends)
        runner.pay(solicitation.pk, [1 + point % 5])
    check(shop, runner)


@pytest.mark.parametrize(("carried", "points"), [(False, POINTS[6::2]), (True, POINTS[7::4])])
def test_crashes_with_gift_certificates_and_store_credit(
    shop: Shop, runner: CrashRunner, settings: Settings, carried: bool, points: range
) -> None:
    """Three payments beside SeQura's, each taken once. `PAIRS=all`: wherever the process dies."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.2
    shop.grant(store_credit_carried=carried)
    for point in POINTS if ALL_PAIRS else points:
        solicitation = shop.approved_with("10.00", "5.50", credit="20.00")
        runner.pay(solicitation.pk, [point])
        found = Solicitation.objects.get(pk=solicitation.pk)
        assert (found.phase, shop.credit_left(found)) == ("done", Decimal(0))
    check(shop, runner)
    assert set(shop.certificates_left().values()) == {Decimal(0)}
    placed = [one["order"] for one in shop.sandbox.held("bigcommerce_orders")]
    paid = {one["gift_certificate_amount"] for one in placed if one["status_id"] != 5}
    assert paid == {"15.5000"}


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


class Histories:
    """Random purchases: crashes, and between them somebody who does something else."""

    def __init__(self, shop: Shop, runner: CrashRunner, seed: int) -> None:
        self.shop, self.runner, self.random = shop, runner, Random(seed)
        self.story: list[str] = []
        self.crashes = 0
        self.actors: dict[str, Callable[[Solicitation], object]] = {
            "nothing": lambda _: None,
            "cancelled": self.cancelled,
            "restored": lambda _: None,
            "uninstalled": lambda _: uninstall(shop.store),
            "disconnected": lambda _: disconnect(shop.store, stop=True),
            "refused after a lost answer": self.refused_confirmation,
            "refused cancellation": self.refused_cancellation,
            "refused credit": self.refused_credit,
            "hidden reading": lambda _: shop.sandbox.knobs(read_lag=0.05, lookup_lag=0.05),
        }

    def one(self) -> None:
        """One purchase from its approval to the moment when nothing is due."""
        actor = self.random.choice(list(self.actors))
        with_credit = actor == "refused credit" or self.random.random() < 0.3
        attempt = self.shop.approved_with_credit("20.00") if with_credit else self.shop.approved()
        places = [self.random.randint(1, most) for most in (14, 9, 9)]
        self.story.append(f"{attempt.reference} {actor} {places} credit={with_credit}")
        backups = [Backup(attempt.pk)]
        before = Store.objects.get(pk=self.shop.store.pk)
        self.crash(attempt, places[0])
        backups.append(Backup(attempt.pk))
        self.actors[actor](attempt)
        self.crash(attempt, places[1])
        if actor == "restored":
            if self.random.random() < 0.5:
                self.runner.finish(attempt.pk)
            self.random.choice(backups).restore()
        self.crash(attempt, places[2])
        self.runner.finish(attempt.pk)
        self.runner.payments += 1
        self.check(attempt, actor)
        self.put_back(before)

    def crash(self, attempt: Solicitation, place: int) -> None:
        happened = self.runner.together(attempt.pk, place, 1)
        self.crashes += happened
        self.runner.crashes += happened

    def cancelled(self, attempt: Solicitation) -> None:
        self.shop.end_review(attempt, State.CANCELLED)
        record_state(attempt, State.CANCELLED)

    def refused_confirmation(self, _: Solicitation) -> None:
        status = self.random.choice([404, 409])
        self.shop.sandbox.fault(r"^/orders/", method="PUT", status=503, effect="before")
        self.shop.sandbox.fault(r"^/orders/", method="PUT", status=status, times=2)

    def refused_cancellation(self, attempt: Solicitation) -> None:
        """The cart changes, and SeQura has not stored the reference of the undo yet."""
        status = self.random.choice([404, 409, 422])
        self.shop.sandbox.fault(r"^/merchants/[^/]+/orders/", method="PUT", status=status)
        if self.shop.can_change_cart(attempt):
            self.shop.change_cart(attempt)

    def refused_credit(self, _: Solicitation) -> None:
        self.shop.sandbox.fault(r"/payments$", method="POST", status=503, effect="before")

    def check(self, attempt: Solicitation, actor: str) -> None:
        """Nothing of this payment is wrong, or an open entry says what to look at."""
        attempt.refresh_from_db()
        world = self.shop.sandbox.world()
        number = str(attempt.reference)
        world["sequra_orders"] = [one for one in world["sequra_orders"] if one["uuid"] == number]
        world["bigcommerce_orders"] = [
            one
            for one in world["bigcommerce_orders"]
            if one["order"]["cart_id"] == attempt.checkout_id
        ]
        found = violations(world)
        shown = set(
            Entry.objects.filter(reference=attempt.reference, closed_at=None).values_list(
                "reason", flat=True
            )
        )
        is_shown = "credit_to_return" in shown
        has_credit = attempt.store_credit and attempt.phase == "refused"
        if has_credit and self.shop.credit_left(attempt) != 20 and not is_shown:
            found.append("store credit is gone, and nobody is told")
        if actor == "uninstalled":  # nobody has access to its unpaid orders any more
            left = ("is a stray", "nobody finances it") if is_shown else ("is a stray",)
            found = [one for one in found if not one.endswith(left)]
        if "placed_unseen" not in shown:
            self.runner.violations += len(found)
            assert found == [], "\n".join([*self.story[-3:], str(attempt.__dict__)])

    def put_back(self, before: Store) -> None:
        """The next shopper finds a shop that is open."""
        self.shop.sandbox.clear_faults()
        self.shop.sandbox.knobs(read_lag=0.0, lookup_lag=0.0)
        before.save()
        if before.connections.exclude(state="connected", stopped_at=None).exists():
            _connect(before, "sandbox", {"sequra": Login("demo", "demo-secret")})
        self.shop.store = before


def test_random_crashes_beside_news_uninstallations_and_restored_backups(
    shop: Shop, runner: CrashRunner, settings: Settings
) -> None:
    """`CRASHES=1000` is the long run; `SEED=…` repeats one."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.1
    seed = int(os.environ.get("SEED", str(time.time_ns() % 1_000_000)))
    histories = Histories(shop, runner, seed)
    try:
        while histories.crashes < int(os.environ.get("CRASHES", "25")):
            signal.alarm(LONGEST_TEST)  # for each history, not for all of them
            histories.one()
    finally:
        print(f"\nseed {seed}: {len(histories.story)} histories, {histories.crashes} crashes")


@pytest.mark.last
@pytest.mark.django_db(transaction=True)
def test_every_place_was_reached_and_enough_crashes_happened(runner: CrashRunner) -> None:
    """The labels in the code and those the runner saw are the same."""
    assert runner.labels == labels_in_the_code()
    assert runner.crashes >= (300 if ALL_PAIRS else 120)
