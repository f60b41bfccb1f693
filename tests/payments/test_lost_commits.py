"""The database has lost its last commits: what BigCommerce and SeQura remember decides."""

from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from orders.models import Order
from orders.queue.claim import mark_changed
from orders.sync.worker import drain
from payments.confirm import STEPS, _Step, confirm
from payments.models import Solicitation
from payments.notifications import record_state
from payments.steps import confirm_at_sequra
from payments.steps.cart_check import finished, finished_order
from payments.steps.confirm_at_sequra import _NUMBERS_REFUSED
from payments.steps.outcomes import Refused
from tests.payments.crashes import Backup
from tests.payments.shop import Shop
from tests.payments.world import CANCELLED, violations
from transaction_log.models import Entry

Row = dict[str, Any]
State, Phase = Solicitation.State, Solicitation.Phase


def again(solicitation: Solicitation) -> Solicitation:
    return Solicitation.objects.select_related("store", "connection").get(pk=solicitation.pk)


def test_finished_order_is_found_in_any_status_and_never_for_another_payment(shop: Shop) -> None:
    paid, other = shop.approved(), shop.solicited()
    assert finished_order(shop.store, paid.checkout_id, paid.sequra_order) is None
    confirm(paid.pk)
    order_id = again(paid).bigcommerce_order

    for status in (11, 2, 14, 5):
        shop.sandbox.control(
            "POST", "merchant/set_status", {"order_id": order_id, "status_id": status}
        )
        found = finished_order(shop.store, paid.checkout_id, paid.sequra_order)
        assert found
        assert (found["id"], found["status_id"]) == (order_id, status)
    shop.sandbox.control("POST", "merchant/archive", {"order_id": order_id})

    found = finished_order(shop.store, paid.checkout_id, paid.sequra_order)
    assert found
    assert found["id"] == order_id
    assert finished_order(shop.store, paid.checkout_id, other.sequra_order) is None
    assert finished([{**found, "status_id": 0}], paid.sequra_order) is None


def snapshots_of(solicitation: Solicitation, monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """Finish the purchase; the row as it was before each of its steps."""
    found: list[Row] = []

    def remembering(step: _Step) -> _Step:
        def take(attempt: Solicitation) -> None:
            found.extend(dict(row) for row in Solicitation.objects.filter(pk=attempt.pk).values())
            step(attempt)

        return take

    for phase, step in list(STEPS.items()):
        monkeypatch.setitem(STEPS, phase, remembering(step))
    confirm(solicitation.pk)
    monkeypatch.undo()
    return found


def restore(row: Row) -> None:
    """The database as it was then: what was committed since is gone."""
    if row["phase"] not in ("settled", "placed"):
        Order.objects.all().delete()
    fields = {name: value for name, value in row.items() if name != "id"}
    Solicitation.objects.filter(pk=row["id"]).update(**{**fields, "next_at": timezone.now()})


def drive(solicitation: Solicitation, rounds: int = 12) -> Solicitation:
    for _ in range(rounds):
        Solicitation.objects.filter(next_at__isnull=False).update(next_at=timezone.now())
        confirm(solicitation.pk)
    return again(solicitation)


@pytest.mark.parametrize("change", ["refused", "accepted"])
def test_every_older_row_of_a_finished_purchase_finds_its_order_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    shop.sandbox.control("POST", "sequra/knobs", {"reference_change": change})
    solicitation = shop.approved()
    snapshots = snapshots_of(solicitation, monkeypatch)
    [placed] = shop.sandbox.held("bigcommerce_orders")
    number = placed["order"]["id"]
    shop.sandbox.control("POST", "merchant/set_status", {"order_id": number, "status_id": 2})
    phases = [row["phase"] for row in snapshots]
    assert phases == ["solicited", "confirming", "confirmed", "creating", "created", "settled",
                      "placed"]  # fmt: skip

    for row in snapshots:
        restore(row)
        found = drive(solicitation)
        assert (found.phase, found.refusal, found.order_id) == ("done", "", number), row["phase"]
        assert violations(shop.sandbox.world()) == []
        [one] = shop.sandbox.held("bigcommerce_orders")
        assert one["order"]["status_id"] == 2  # staff's
        order = Order.objects.get()
        assert (order.order_ref_1, order.status) == (str(number), "approved")
        # What SeQura accepted since the backup is not known: it is told in any case.
        assert order.unsure or row["phase"] in ("settled", "placed")


@pytest.mark.parametrize("again_is", ["accepted", "refused"])
def test_second_confirmation_of_a_finished_purchase_may_be_answered_in_any_way(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, again_is: str
) -> None:
    """The checkout tells nothing: cart and order of it are read as before the purchase."""
    solicitation = shop.approved()
    snapshots = snapshots_of(solicitation, monkeypatch)
    shop.sandbox.control("POST", "sequra/knobs", {"confirm_again": again_is})
    monkeypatch.setattr(confirm_at_sequra, "check_cart", lambda _: None)
    for row in snapshots[:3]:
        restore(row)
        assert drive(solicitation).phase == "done"
    assert violations(shop.sandbox.world()) == []
    assert len(shop.sandbox.held("bigcommerce_orders")) == 1


@pytest.mark.parametrize("carried", [False, True])
def test_purchase_that_was_still_under_way_is_not_doubled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, settings: Settings, carried: bool
) -> None:
    """The failover strikes before the order is placed: nothing in BigCommerce names us yet."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    shop.sandbox.knobs(store_credit_carried=carried)
    solicitation = shop.approved_with_credit("20.00")
    shop.sandbox.fault(r"/v2/orders/\d+$", method="PUT", status=503)
    snapshots = snapshots_of(solicitation, monkeypatch)
    assert again(solicitation).phase == "settled"

    for row in snapshots[:5]:
        shop.sandbox.fault(r"/v2/orders/\d+$", method="PUT", status=503)
        restore(row)
        drive(solicitation, 1)
    found = drive(solicitation)

    assert (found.phase, int(shop.credit_left(solicitation))) == ("done", 0)
    assert violations(shop.sandbox.world()) == []
    assert len(shop.sandbox.held("bigcommerce_orders")) == 1


@pytest.mark.parametrize("lost", ["notification", "approval"])
def test_review_whose_end_was_lost_is_approved_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    solicitation = shop.solicited()
    shop.review(solicitation)
    record_state(solicitation, State.NEEDS_REVIEW, "pp3")
    snapshots = snapshots_of(solicitation, monkeypatch)
    shop.end_review(solicitation, State.APPROVED)
    record_state(solicitation, State.APPROVED)
    assert drive(solicitation).accepted_state == "confirmed"

    row = snapshots[1]
    restore({**row, "state": ""} if lost == "notification" else row)
    if lost == "notification":
        record_state(solicitation, State.APPROVED)  # SeQura repeats it some day
    found = drive(solicitation)

    assert (found.phase, found.accepted_state) == ("done", "confirmed")
    assert Order.objects.get().status == "approved"
    assert violations(shop.sandbox.world()) == []


def test_cancellation_after_a_restore_reaches_the_order_it_is_about(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    solicitation = shop.approved()
    snapshots = snapshots_of(solicitation, monkeypatch)
    restore({**snapshots[0], "state": ""})
    shop.end_review(solicitation, State.CANCELLED)

    record_state(solicitation, State.CANCELLED)
    found = drive(solicitation)

    assert (found.phase, found.shown_state) == ("done", "cancelled")
    [placed] = shop.sandbox.held("bigcommerce_orders")
    assert placed["order"]["status_id"] == 5


REVOCABLE = ["confirmed", "creating", "created"]


@pytest.mark.parametrize("phase", REVOCABLE)
@pytest.mark.parametrize("repeated", ["accepted", "refused"])
def test_payment_that_was_taken_back_stays_so_whatever_the_row_says(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    phase: str,
    repeated: str,
) -> None:
    """The restored row is half-way; BigCommerce and SeQura hold the cancelled orders."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    shop.sandbox.control("POST", "sequra/knobs", {"cancel_again": repeated})
    solicitation = shop.approved()
    rows: dict[str, Backup] = {}

    def kept(step: _Step) -> _Step:
        def take(attempt: Solicitation) -> None:
            rows[attempt.phase] = Backup(attempt.pk)
            step(attempt)

        return take

    def refused(_: Solicitation) -> None:
        raise Refused("amount_changed", "1 cent more")

    monkeypatch.setitem(STEPS, Phase.CREATED, refused)
    for name in REVOCABLE:
        monkeypatch.setitem(STEPS, name, kept(STEPS[name]))
    assert drive(solicitation, 2).undone_at
    monkeypatch.undo()

    rows[phase].restore()
    found = drive(solicitation)

    assert (found.phase, found.refusal) == ("refused", "amount_changed")
    [one] = shop.sandbox.held("bigcommerce_orders")
    assert one["order"]["status_id"] == CANCELLED
    assert found.is_in_doubt == (repeated == "refused")
    shown = set(Entry.objects.filter(closed_at=None).values_list("reason", flat=True))
    assert ("undo_refused" in shown) == found.is_in_doubt


def restored_review(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, phase: str, end: Solicitation.State | None
) -> Solicitation:
    """A purchase in review whose row is behind; the review has ended, and the news is lost."""
    solicitation = shop.solicited()
    shop.review(solicitation)
    record_state(solicitation, State.NEEDS_REVIEW, "pp3")
    [row] = [one for one in snapshots_of(solicitation, monkeypatch) if one["phase"] == phase]
    if end:
        shop.end_review(solicitation, end)
    if end == State.APPROVED:
        record_state(solicitation, end)
        assert drive(solicitation).accepted_state == "confirmed"
    restore(row)
    return drive(solicitation)


@pytest.mark.parametrize("phase", ["confirming", "created", "settled", "placed"])
def test_review_that_was_cancelled_in_what_was_lost_is_never_shown_as_approved(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    found = restored_review(shop, monkeypatch, phase, State.CANCELLED)

    assert (found.state, found.accepted_state) == ("needs_review", "on_hold")
    [one] = shop.sandbox.held("bigcommerce_orders")
    assert one["order"]["status_id"] == found.store.status_needs_review
    assert [entry.reason for entry in Entry.objects.filter(closed_at=None)] == ["review_unknown"]

    record_state(found, State.CANCELLED)  # SeQura says it again some day
    found = drive(found)

    assert (found.phase, found.shown_state) == ("done", "cancelled")
    assert violations(shop.sandbox.world()) == []


@pytest.mark.parametrize("phase", ["confirming", "created", "settled", "placed"])
def test_review_that_was_approved_in_what_was_lost_is_approved_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    found = restored_review(shop, monkeypatch, phase, State.APPROVED)

    assert (found.phase, found.state, found.accepted_state) == ("done", "approved", "confirmed")
    assert not Entry.objects.filter(closed_at=None).exists()
    assert violations(shop.sandbox.world()) == []


def test_review_that_still_runs_stays_one_though_sequra_takes_nothing_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sandbox.control("POST", "sequra/knobs", {"confirm_again": "refused"})

    found = restored_review(shop, monkeypatch, "confirmed", None)

    [one] = shop.sandbox.held("bigcommerce_orders")
    assert (found.accepted_state, one["order"]["status_id"]) == (
        "on_hold",
        found.store.status_needs_review,
    )
    shop.end_review(found, State.APPROVED)
    record_state(found, State.APPROVED)
    assert drive(found).accepted_state == "confirmed"
    assert violations(shop.sandbox.world()) == []


@pytest.mark.parametrize("phase", ["settled", "placed"])
@pytest.mark.parametrize("side", ["shop", "sequra"])
@pytest.mark.parametrize("again_is", ["accepted", "refused"])
def test_older_row_of_an_order_that_was_cancelled_since_comes_to_an_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, phase: str, side: str, again_is: str
) -> None:
    """SeQura takes no number of an order that is cancelled, however often it is sent."""
    solicitation = shop.approved()
    [row] = [one for one in snapshots_of(solicitation, monkeypatch) if one["phase"] == phase]
    kept = Order.objects.values().get()
    number = again(solicitation).bigcommerce_order
    if side == "shop":
        body = {"order_id": number, "status_id": CANCELLED}
        shop.sandbox.control("POST", "merchant/set_status", body)
        mark_changed(store=shop.store)
        drain()
    else:
        shop.end_review(solicitation, State.CANCELLED)
    assert [one["state"] for one in shop.sandbox.held("sequra_orders")] == ["cancelled"]
    shop.sandbox.control("POST", "sequra/knobs", {"cancel_again": again_is})
    Entry.objects.all().delete()
    restore(row)
    Order.objects.update(**{**kept, "accepted_update": None, "ledger": {}})

    found = drive(solicitation, 3 if side == "shop" else _NUMBERS_REFUSED + 2)
    drain()

    assert (found.phase, found.next_at) == ("done", None)
    order = Order.objects.get()
    assert (order.changed > order.synced, order.order_ref_1) == (False, str(number))
    entries = Entry.objects.filter(closed_at=None)
    assert "number_refused" in {entry.reason for entry in entries}
    assert {entry.outcome for entry in entries} == {"rejected"}
    assert [one["state"] for one in shop.sandbox.held("sequra_orders")] == ["cancelled"]
