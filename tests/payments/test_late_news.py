"""News that come at an awkward moment, and trouble that lasts."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from payments import confirm, tasks
from payments.models import Solicitation
from payments.notifications import _answer, record_state
from payments.steps import confirm_at_sequra, place_order
from payments.steps.outcomes import Refused
from stores.models import Store
from tests.payments.conftest import MakeSolicitation
from tests.payments.shop import Shop
from tests.payments.web import Web
from transaction_log.models import Entry

State, Phase = Solicitation.State, Solicitation.Phase
PARTLY_REFUNDED = 14


def again(solicitation: Solicitation) -> Solicitation:
    return Solicitation.objects.get(pk=solicitation.pk)


def test_trouble_may_last_for_weeks(make_solicitation: MakeSolicitation) -> None:
    attempt = make_solicitation(phase=Phase.CONFIRMING, state=State.APPROVED, attempts=5000)
    before = timezone.now()

    confirm.confirm(attempt.pk)

    due = again(attempt).next_at
    assert due
    assert before < due <= timezone.now() + timedelta(seconds=confirm._LONGEST_PAUSE)


def test_a_mistake_of_ours_is_tried_again_with_pauses(
    make_solicitation: MakeSolicitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep would otherwise begin with the same broken ones every few seconds, for ever."""

    def broken(_: Solicitation) -> None:
        raise KeyError("status_id")

    monkeypatch.setitem(confirm.STEPS, Phase.CONFIRMING, broken)
    attempt = make_solicitation(
        phase=Phase.CONFIRMING, state=State.APPROVED, next_at=timezone.now()
    )

    confirm.confirm(attempt.pk)

    found = again(attempt)
    assert (found.attempts, found.last_error) == (1, "KeyError")
    assert found.next_at
    assert found.next_at > timezone.now()


def test_help_that_comes_late_finds_nothing_due(
    make_solicitation: MakeSolicitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sweeps asked for the same; the first has postponed it when the second's turn comes."""
    later = timezone.now() + timedelta(minutes=5)
    attempt = make_solicitation(phase=Phase.CONFIRMING, state=State.APPROVED, next_at=later)
    tried: list[int] = []
    monkeypatch.setattr(confirm, "confirm", lambda pk, _wait=0: tried.append(pk))

    confirm.help_along(attempt.pk)
    for _ in range(confirm.HELPERS):
        confirm._helpers().submit(time.sleep, 0.05).result()
    confirm._helpers.cache_clear()

    assert tried == []


def test_cancelled_before_we_confirm_is_never_put_on_hold(shop: Shop) -> None:
    solicitation = shop.approved()
    confirm_at_sequra.take_checkout(solicitation)
    shop.end_review(solicitation, State.CANCELLED)
    record_state(solicitation, State.CANCELLED)

    confirm.confirm(solicitation.pk)

    found = again(solicitation)
    assert (found.phase, found.refusal, found.next_at) == ("refused", "cancelled_by_sequra", None)
    assert shop.sandbox.held("bigcommerce_orders") == []


@pytest.mark.parametrize("mapped", [5, 6, None])
def test_cancelled_before_the_order_is_placed_is_never_shown_as_paid(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, mapped: int | None
) -> None:
    Store.objects.filter(pk=shop.store.pk).update(status_cancelled=mapped)
    solicitation = shop.approved()

    def cancelled_meanwhile(attempt: Solicitation) -> None:
        record_state(attempt, State.CANCELLED)
        attempt.state = State.CANCELLED
        place_order.settle(attempt)

    monkeypatch.setitem(confirm.STEPS, Phase.CREATED, cancelled_meanwhile)
    confirm.confirm(solicitation.pk)

    calls = shop.sandbox.calls("bigcommerce")
    written = [call["body"]["status_id"] for call in calls if "status_id" in (call["body"] or {})]
    assert written == ([] if mapped is None else [mapped])
    assert again(solicitation).phase == Phase.DONE
    assert not Entry.objects.filter(closed_at=None).exists()


def test_approval_of_a_review_that_we_have_refused_is_gone(
    make_solicitation: MakeSolicitation,
) -> None:
    refused = make_solicitation(
        phase=Phase.REFUSED, state=State.NEEDS_REVIEW, accepted_state="on_hold"
    )

    assert _answer(refused, State.APPROVED) == 410


def test_undone_order_is_cancelled_though_another_shop_uses_its_number(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two shops share a SeQura merchant: number 1001 is already known there, and none of ours."""
    first = shop.approved()
    confirm.confirm(first.pk)
    taken = again(first).bigcommerce_order
    solicitation = shop.approved()

    def changed(attempt: Solicitation) -> None:
        attempt.note(order_id=taken)
        raise Refused("amount_changed")

    monkeypatch.setitem(confirm.STEPS, Phase.CREATED, changed)
    confirm.confirm(solicitation.pk)
    confirm.confirm(solicitation.pk)

    states = {one["uuid"]: one["state"] for one in shop.sandbox.held("sequra_orders")}
    assert states[str(first.reference)] == "confirmed"
    assert states[str(solicitation.reference)] == "cancelled"


def test_cancel_request_comes_too_late_for_goods_that_left_and_were_partly_refunded(
    web: Web, shop: Shop
) -> None:
    solicitation = shop.approved()
    confirm.confirm(solicitation.pk)
    order = again(solicitation).bigcommerce_order
    shop.sandbox.control("POST", "merchant/ship", {"order_id": order})
    shop.sandbox.control(
        "POST", "merchant/set_status", {"order_id": order, "status_id": PARTLY_REFUNDED}
    )

    reply = web.event(solicitation, "cancel")

    assert (reply.status_code, reply.json()["result"]) == (200, "toolate")


def test_purchase_that_takes_long_is_shown_and_settles_with_its_order(
    shop: Shop, settings: Settings
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    solicitation = shop.approved()
    shop.sandbox.fault(r"/v3/checkouts/[^/]+/orders", method="POST", status=503, times=4)

    for _ in range(4):
        confirm.confirm(solicitation.pk)

    entry = Entry.objects.get()
    assert (entry.event, entry.outcome, entry.reason) == ("purchase", "delayed", "order_delayed")
    assert entry.next_at

    confirm.confirm(solicitation.pk)
    entry.refresh_from_db()
    assert again(solicitation).phase == Phase.DONE
    assert entry.closed_at


def test_cancellation_that_the_shop_does_not_take_yet_is_shown_as_such(shop: Shop) -> None:
    solicitation = shop.approved()
    confirm.confirm(solicitation.pk)
    record_state(again(solicitation), State.CANCELLED)
    shop.sandbox.fault(r"/v2/orders/\d+$", method="GET", status=503, times=3)

    for _ in range(3):
        confirm.confirm(solicitation.pk)

    entry = Entry.objects.get(closed_at=None)
    assert (entry.event, entry.reason) == ("cancelled_by_sequra", "news_delayed")

    confirm.confirm(solicitation.pk)
    assert not Entry.objects.filter(closed_at=None).exists()


@pytest.mark.parametrize(
    ("state", "expected"), [("installed", 1), ("uninstalled", 0), ("needs_reauthorisation", 0)]
)
def test_payments_of_a_store_without_access_wait_for_it(
    make_solicitation: MakeSolicitation,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    expected: int,
) -> None:
    attempt = make_solicitation(phase=Phase.CREATING, next_at=timezone.now())
    Store.objects.filter(pk=attempt.store_id).update(state=state)
    helped: list[int] = []
    monkeypatch.setattr(tasks, "help_along", helped.append)

    tasks.resume_solicitations()

    assert helped == [attempt.pk] * expected


@pytest.mark.parametrize(
    ("pause", "expected"), [(None, 3), (timedelta(minutes=5), 0), (-timedelta(seconds=1), 1)]
)
def test_account_that_refused_us_is_probed_by_one_payment(
    make_solicitation: MakeSolicitation,
    monkeypatch: pytest.MonkeyPatch,
    pause: timedelta | None,
    expected: int,
) -> None:
    for _ in range(3):
        attempt = make_solicitation(phase=Phase.CONFIRMING, next_at=timezone.now())
    attempt.connection.paused_until = timezone.now() + pause if pause else None
    attempt.connection.save()
    helped: list[int] = []
    monkeypatch.setattr(tasks, "help_along", helped.append)

    tasks.resume_solicitations()

    assert len(helped) == expected


def test_account_that_takes_a_confirmation_is_no_longer_paused(shop: Shop) -> None:
    solicitation = shop.approved()
    solicitation.connection.paused_until = timezone.now() - timedelta(seconds=1)
    solicitation.connection.save()

    confirm.confirm(solicitation.pk)

    solicitation.connection.refresh_from_db()
    assert solicitation.connection.paused_until is None


def test_status_that_staff_set_before_the_order_is_placed_stays(shop: Shop) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(r"/v2/orders/\d+$", method="GET", status=503)
    confirm.confirm(solicitation.pk)
    order = again(solicitation).bigcommerce_order
    shop.sandbox.control(
        "POST", "merchant/set_status", {"order_id": order, "status_id": place_order.CANCELLED}
    )

    confirm.confirm(solicitation.pk)

    [one] = shop.sandbox.held("bigcommerce_orders")
    assert again(solicitation).phase == Phase.DONE
    assert one["order"]["status_id"] == place_order.CANCELLED
