"""The drill: a dump, purchases, the dump again. Everything ends at SeQura, once."""

import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from django.utils import timezone

from local.servers import postgres_binary
from orders import tasks
from orders.models import Order
from orders.sync.worker import drain
from payloads.money import to_cents
from payments.confirm import STEPS, confirm
from payments.events import handle
from payments.models import Solicitation
from payments.notifications import _answer, record_state
from payments.steps.outcomes import Later
from payments.tasks import _catch_up
from tests.orders.merchant import Merchant
from tests.orders.test_adoption import command

Phase, State = Solicitation.Phase, Solicitation.State
PURCHASES = 20


class Backup:
    """A dump of the test's database, as `docs/operations.md` makes and restores one."""

    def __init__(self, folder: Path) -> None:
        self._file = str(folder / "backup")
        parts = urlsplit(os.environ["DATABASE_URL"])
        self._url = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))

    def dump(self) -> None:
        self._run("pg_dump", "--format=custom", "--file", self._file, self._url)

    def restore(self) -> None:
        """All that was committed since is gone, numbers of rows included."""
        options = ("--clean", "--if-exists", "--single-transaction", "--exit-on-error")
        self._run("pg_restore", *options, "--dbname", self._url, self._file)

    @staticmethod
    def _run(name: str, *arguments: str) -> None:
        subprocess.run([postgres_binary(name), *arguments], check=True, capture_output=True)


@pytest.fixture
def backup(merchant: Merchant, tmp_path: Path) -> Backup:
    return Backup(tmp_path)


def sums(merchant: Merchant) -> dict[int, tuple[str, int, int]]:
    """What SeQura has, by order number: state, cents to ship, cents shipped."""
    return {
        int(one["order_ref_1"]): (
            one["state"],
            one["unshipped_cart"]["order_total_with_tax"],
            one["shipped_cart"]["order_total_with_tax"],
        )
        for one in merchant.sandbox.held("sequra_orders")
        if one["state"] != "solicited"
    }


def total(merchant: Merchant, number: int) -> int:
    orders = {
        one["order"]["id"]: one["order"] for one in merchant.sandbox.held("bigcommerce_orders")
    }
    return to_cents(orders[number]["total_inc_tax"])


def act(merchant: Merchant, order: Order, action: str) -> None:
    given: dict[str, Any] = {"amount": "10.00"} if action == "refund" else {}
    merchant.acts(action, order, **given)


def expected(merchant: Merchant, order: Order, actions: list[str]) -> tuple[str, int, int]:
    """What SeQura must have after these actions, by hand."""
    owed = total(merchant, order.bigcommerce_id) - 1000 * actions.count("refund")
    if "cancel" in actions:
        return "cancelled", 0, 0
    return ("shipped", 0, owed) if "ship" in actions else ("confirmed", owed, 0)


def test_twenty_purchases_after_the_backup(merchant: Merchant, backup: Backup) -> None:
    older = merchant.order()
    backup.dump()
    orders = [merchant.order() for _ in range(PURCHASES)]
    before: dict[int, list[str]] = {}
    for number, order in enumerate([older, *orders]):
        actions = (["ship"], ["refund"], ["cancel"], [])[number % 4]
        before[order.bigcommerce_id] = actions
        for action in actions:
            act(merchant, order, action)
            merchant.notices(order)

    backup.restore()
    assert [one.bigcommerce_id for one in Order.objects.all()] == [older.bigcommerce_id]
    for number, order in enumerate(orders):  # nobody hears of these
        actions = (["refund"], ["ship"], [], [], ["ship", "refund"])[number % 5]
        if "cancel" in before[order.bigcommerce_id] or "ship" in before[order.bigcommerce_id]:
            actions = [one for one in actions if one == "refund"]
        if "cancel" in before[order.bigcommerce_id]:
            actions = []
        before[order.bigcommerce_id] = before[order.bigcommerce_id] + actions
        for action in actions:
            act(merchant, order, action)

    told = command(merchant.store.hash)
    drain()

    assert told.count(": adopted adopted") == PURCHASES
    known = Order.objects.values_list("bigcommerce_id", "reference", "order_ref_1", "amount")
    assert sorted(known) == sorted(
        (one.bigcommerce_id, one.reference, one.order_ref_1, one.amount) for one in [older, *orders]
    )
    assert sums(merchant) == {
        one.bigcommerce_id: expected(merchant, one, before[one.bigcommerce_id])
        for one in [older, *orders]
    }

    updates = len(merchant.updates())
    command(merchant.store.hash)
    drain()
    assert len(merchant.updates()) == updates, "nothing is told twice"


def test_a_form_that_was_open_in_the_backup_catches_up(merchant: Merchant, backup: Backup) -> None:
    attempt = merchant.shop.solicited()
    backup.dump()
    merchant.shop.review(attempt)
    record_state(attempt, State.NEEDS_REVIEW, "pp3")
    confirm(attempt.pk)
    drain()

    backup.restore()
    command(merchant.store.hash)
    drain()
    order = Order.objects.get(reference=attempt.sequra_order)
    assert (order.status, order.solicited) == (Order.Status.IN_REVIEW, attempt.order)
    _catch_up()
    found = Solicitation.objects.get(pk=attempt.pk)
    assert (found.phase, found.order_id) == (Phase.DONE, order.bigcommerce_id)

    merchant.shop.end_review(found, State.APPROVED)  # SeQura's news find the payment
    record_state(found, State.APPROVED)
    confirm(found.pk)
    merchant.acts("ship", order)
    merchant.notices(order)
    order.refresh_from_db()
    assert order.status == Order.Status.APPROVED
    assert merchant.at_sequra(order)["state"] == "shipped"


def test_sequras_cancellation_reaches_an_adopted_order(merchant: Merchant, backup: Backup) -> None:
    attempt = merchant.shop.solicited()
    backup.dump()
    merchant.shop.approve(attempt)
    record_state(attempt, State.APPROVED, "pp3")
    confirm(attempt.pk)
    drain()
    backup.restore()
    command(merchant.store.hash)
    drain()
    _catch_up()

    # A dict serves as the form of an event.
    handle("cancelled", Solicitation.objects.get(pk=attempt.pk), {})  # type: ignore[arg-type]

    assert Order.objects.get(reference=attempt.sequra_order).status == Order.Status.CANCELLED


@pytest.mark.parametrize("reconciled_first", [True, False])
def test_a_notification_that_is_repeated_finds_the_paid_order(
    merchant: Merchant, backup: Backup, reconciled_first: bool
) -> None:
    attempt = merchant.shop.solicited()
    backup.dump()
    merchant.shop.approve(attempt)
    record_state(attempt, State.APPROVED, "pp3")
    confirm(attempt.pk)
    drain()
    order = Order.objects.get(reference=attempt.sequra_order)
    backup.restore()
    if reconciled_first:
        command(merchant.store.hash)

    record_state(attempt, State.APPROVED, "pp3")
    confirm(attempt.pk)
    drain()

    found = Solicitation.objects.get(pk=attempt.pk)
    assert _answer(found, State.APPROVED) == 200
    assert (found.phase, found.order_id) == (Phase.DONE, order.bigcommerce_id)
    assert sums(merchant) == {order.bigcommerce_id: ("confirmed", order.amount, 0)}
    assert len(merchant.sandbox.held("bigcommerce_orders")) == 1


@pytest.mark.parametrize("phase", [Phase.CONFIRMING, Phase.CREATING, Phase.CREATED])
@pytest.mark.parametrize("reconciled_first", [True, False])
def test_purchases_half_way_in_the_backup(
    merchant: Merchant,
    backup: Backup,
    monkeypatch: pytest.MonkeyPatch,
    phase: str,
    reconciled_first: bool,
) -> None:
    attempt = merchant.shop.approved()
    with monkeypatch.context() as patch:
        patch.setitem(STEPS, phase, _stop)
        confirm(attempt.pk)
    assert Solicitation.objects.get(pk=attempt.pk).phase == phase
    backup.dump()
    _sweep(attempt)
    order = Order.objects.get(reference=attempt.sequra_order)
    drain()
    backup.restore()
    merchant.acts("ship", order)

    for step in (_reconcile, _sweep)[:: 1 if reconciled_first else -1]:
        step(attempt)
        drain()
    for _ in range(8):
        _sweep(attempt)
    tasks.sweep()
    drain()

    found = Solicitation.objects.get(pk=attempt.pk)
    assert (found.phase, found.refusal, found.order_id) == (Phase.DONE, "", order.bigcommerce_id)
    assert [one.bigcommerce_id for one in Order.objects.all()] == [order.bigcommerce_id]
    amount = total(merchant, order.bigcommerce_id)
    assert sums(merchant) == {order.bigcommerce_id: ("shipped", 0, amount)}
    assert len(merchant.sandbox.held("bigcommerce_orders")) == 1


def _stop(_: Solicitation) -> None:
    raise Later("stopped here", seconds=0.01)


def _reconcile(attempt: Solicitation) -> None:
    command(attempt.store.hash)


def _sweep(attempt: Solicitation) -> None:
    """The sweep comes by, whenever the payment is due."""
    _catch_up()
    due = Solicitation.objects.filter(pk=attempt.pk, next_at__isnull=False)
    if due.update(next_at=timezone.now()):
        confirm(attempt.pk)
