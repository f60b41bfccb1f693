"""News that come at an awkward moment, and trouble that lasts."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments import at_sequra, confirm
from payments.models import Solicitation
from payments.notifications import answer, record_state
from payments.outcomes import Refused
from tests.payments.conftest import MakeSolicitation
from tests.payments.shop import Shop
from tests.payments.web import Web

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
    assert before < due <= timezone.now() + timedelta(seconds=confirm.LONGEST_PAUSE)


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
    confirm._waiters().submit(lambda: None).result()
    confirm._waiters.cache_clear()

    assert tried == []


def test_cancelled_before_we_confirm_is_never_put_on_hold(shop: Shop) -> None:
    solicitation = shop.approved()
    at_sequra.take_checkout(solicitation)
    shop.end_review(solicitation, State.CANCELLED)
    record_state(solicitation, State.CANCELLED)

    confirm.confirm(solicitation.pk)

    found = again(solicitation)
    assert (found.phase, found.refusal, found.next_at) == ("refused", "cancelled_by_sequra", None)
    assert shop.sandbox.world()["bigcommerce_orders"] == []


def test_approval_of_a_review_that_we_have_refused_is_gone(
    make_solicitation: MakeSolicitation,
) -> None:
    refused = make_solicitation(
        phase=Phase.REFUSED, state=State.NEEDS_REVIEW, accepted_state="on_hold"
    )

    assert answer(refused, State.APPROVED) == 410


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

    states = {one["uuid"]: one["state"] for one in shop.sandbox.world()["sequra_orders"]}
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
