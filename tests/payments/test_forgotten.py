"""SeQura holds `confirmed` for what a row, behind after a failover, refused or never finished."""

from typing import Any

import pytest
from django.utils import timezone

from orders.models import Order
from payments import confirm as confirming
from payments.confirm import STEPS, confirm
from payments.models import Solicitation
from payments.notifications import receive, record_state
from payments.progress import progress_of
from payments.steps.outcomes import Later
from tests.payments.shop import Shop
from tests.payments.test_review import TOKEN, financed, placed, resume
from tests.payments.web import Web
from transaction_log.models import Entry

ORDERS = r"^/stores/[^/]+/v2/orders$"
State, Phase = Solicitation.State, Solicitation.Phase


def row_of(solicitation: Solicitation) -> dict[str, Any]:
    return dict(Solicitation.objects.filter(pk=solicitation.pk).values().get())


def restore(solicitation: Solicitation, row: dict[str, Any]) -> None:
    Solicitation.objects.filter(pk=solicitation.pk).update(**row)
    solicitation.refresh_from_db()


def confirmed_and_forgotten(shop: Shop, knows: str) -> Solicitation:
    """SeQura holds `confirmed`, and the cart changes. What the restored row knows of it: nothing,
    or a hold whose answer was lost.
    """
    solicitation = shop.solicited()
    state = State.NEEDS_REVIEW if knows == "hold" else State.APPROVED
    if knows == "hold":
        shop.review(solicitation)
    else:
        shop.approve(solicitation)
    record_state(solicitation, state, "pp3")
    row = row_of(solicitation)
    if knows == "hold":
        shop.sandbox.fault(r"^/orders/", method="PUT", status=503, effect="before")
        confirm(solicitation.pk)
        row = row_of(solicitation)
        shop.end_review(solicitation, State.APPROVED)
        record_state(solicitation, State.APPROVED)
    shop.sandbox.fault(TOKEN, method="POST", status=503)
    confirm(solicitation.pk)
    assert financed(shop)["state"] == "confirmed"
    restore(solicitation, row)
    shop.change_cart(solicitation)
    return solicitation


def open_reasons() -> set[str]:
    return set(Entry.objects.filter(closed_at=None).values_list("reason", flat=True))


@pytest.mark.parametrize("read", ["before", "after"])
@pytest.mark.parametrize("knows", ["hold", "nothing"])
def test_confirmation_that_a_refused_row_has_lost_is_taken_back(
    shop: Shop, knows: str, read: str
) -> None:
    """`read`: the notification read the row before or after the sweep refused it."""
    solicitation = confirmed_and_forgotten(shop, knows)
    before = Solicitation.objects.get(pk=solicitation.pk)
    resume(solicitation)
    assert (solicitation.refusal, solicitation.is_in_doubt) == ("cart_changed", False)
    assert financed(shop)["state"] == "confirmed"

    first = receive(before if read == "before" else solicitation, "confirmed-without-number", "")

    solicitation.refresh_from_db()
    assert (first, financed(shop)["state"]) == (410, "cancelled")
    assert solicitation.undone_at
    assert open_reasons() == {"cart_changed"}
    sent = len(shop.sandbox.calls("sequra"))
    assert receive(solicitation, "confirmed-without-number", "") == 410
    assert len(shop.sandbox.calls("sequra")) == sent
    assert open_reasons() == {"cart_changed", "confirmed_without_order"}
    assert not shop.sandbox.held("bigcommerce_orders")


def test_two_proofs_at_a_time_take_a_payment_back_once(shop: Shop) -> None:
    solicitation = confirmed_and_forgotten(shop, "hold")
    resume(solicitation)
    other = Solicitation.objects.get(pk=solicitation.pk)
    assert receive(solicitation, "confirmed-without-number", "") == 410
    sent = len(shop.sandbox.calls("sequra"))

    assert receive(other, "confirmed-without-number", "") == 410

    assert len(shop.sandbox.calls("sequra")) == sent


def test_late_proof_of_what_sequra_cancelled_since_is_not_believed(web: Web, shop: Shop) -> None:
    solicitation = confirmed_and_forgotten(shop, "hold")
    resume(solicitation)
    shop.end_review(solicitation, State.CANCELLED)
    assert web.notify(solicitation, "cancelled").status_code == 200
    sent = len(shop.sandbox.calls("sequra"))

    assert web.notify(solicitation, "confirmed-without-number").status_code == 410

    assert len(shop.sandbox.calls("sequra")) == sent
    assert open_reasons() == {"cart_changed"}


def test_proof_about_erased_data_is_the_merchant_s_to_see(web: Web, shop: Shop) -> None:
    solicitation = confirmed_and_forgotten(shop, "nothing")
    resume(solicitation)
    Solicitation.objects.update(erased_at=timezone.now())
    sent = len(shop.sandbox.calls("sequra"))

    assert web.notify(solicitation, "confirmed-without-number").status_code == 410

    assert len(shop.sandbox.calls("sequra")) == sent
    assert "confirmed_without_order" in open_reasons()


def test_confirmation_that_sequra_refused_and_holds_is_taken_back(web: Web, shop: Shop) -> None:
    """The row had lost it, and SeQura took no repetition."""
    solicitation = shop.approved()
    row = row_of(solicitation)
    shop.sandbox.fault(TOKEN, method="POST", status=503)
    confirm(solicitation.pk)
    restore(solicitation, row)
    shop.sandbox.fault(r"^/orders/", method="PUT", status=409)
    resume(solicitation)
    assert (solicitation.refusal, solicitation.confirm_intent_at) == ("refused_by_sequra", None)
    assert financed(shop)["state"] == "confirmed"

    assert web.notify(solicitation, "confirmed-without-number").status_code == 410

    assert financed(shop)["state"] == "cancelled"


def placed_and_forgotten(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Solicitation:
    """The order is placed, its number is not sent; the restored row knows of the approval alone."""

    def interrupted(_: Solicitation) -> None:
        raise Later("interrupted")

    solicitation = shop.approved()
    row = row_of(solicitation)
    monkeypatch.setitem(STEPS, Phase.PLACED, interrupted)
    confirm(solicitation.pk)
    monkeypatch.undo()
    Order.objects.all().delete()
    restore(solicitation, row)
    return solicitation


def test_one_failed_look_never_takes_a_placed_order_back(
    web: Web, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    solicitation = placed_and_forgotten(shop, monkeypatch)
    shop.sandbox.fault(ORDERS, method="GET", status=503)

    assert web.notify(solicitation, "confirmed-without-number").status_code == 503
    assert financed(shop)["state"] == "confirmed"
    resume(solicitation)

    assert (solicitation.phase, financed(shop)["state"]) == (Phase.DONE, "confirmed")
    assert financed(shop)["order_ref_1"] == str(placed(shop)["id"])


def test_refused_row_of_a_placed_order_adopts_it_instead_of_taking_it_back(
    web: Web, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could look into the shop at the refusal, nor when SeQura asked first."""
    solicitation = placed_and_forgotten(shop, monkeypatch)
    shop.sandbox.fault(ORDERS, method="GET", status=429, times=0)
    resume(solicitation)
    assert (solicitation.phase, solicitation.refusal) == (Phase.REFUSED, "already_ordered")
    assert web.notify(solicitation, "confirmed-without-number").status_code == 503
    assert financed(shop)["state"] == "confirmed"
    assert open_reasons() == {"undo_delayed"}
    shop.sandbox.clear_faults()

    assert web.notify(solicitation, "confirmed-without-number").status_code == 200

    solicitation.refresh_from_db()
    assert (solicitation.phase, financed(shop)["state"]) == (Phase.DONE, "confirmed")
    assert progress_of(solicitation)["status"] == "confirmed"
    assert open_reasons() == set()


def test_proof_that_finds_no_thread_is_asked_for_again(
    web: Web, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many of the store's payments are waited for: nothing is decided, nothing is written."""
    solicitation = confirmed_and_forgotten(shop, "nothing")
    resume(solicitation)
    with monkeypatch.context() as busy:
        busy.setattr(confirming, "within", lambda *_: False)
        assert receive(solicitation, "confirmed-without-number", "") == 503
    assert open_reasons() == set()

    assert receive(solicitation, "confirmed-without-number", "") == 410

    assert financed(shop)["state"] == "cancelled"


def test_adopted_order_of_an_ended_review_is_confirmed(
    web: Web, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refused row knows of the review alone; SeQura's proof tells its end."""
    solicitation = placed_and_forgotten(shop, monkeypatch)
    solicitation.note(phase=Phase.REFUSED, state=State.NEEDS_REVIEW, next_at=None)

    assert web.notify(solicitation, "confirmed-without-number").status_code == 200

    solicitation.refresh_from_db()
    assert (solicitation.state, solicitation.accepted_state) == (State.APPROVED, "confirmed")
    sent = [call["body"]["order"]["state"] for call in shop.sandbox.calls("sequra")[-1:]]
    assert sent == ["confirmed"]


@pytest.mark.parametrize("knows", ["hold", "nothing"])
def test_cancellation_that_comes_beside_a_proof_is_kept(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, knows: str
) -> None:
    solicitation = confirmed_and_forgotten(shop, knows)
    believe = Solicitation.believe_confirmed

    def cancelled_meanwhile(attempt: Solicitation) -> None:
        record_state(attempt, State.CANCELLED)
        believe(attempt)

    monkeypatch.setattr(Solicitation, "believe_confirmed", cancelled_meanwhile)
    receive(solicitation, "confirmed-without-number", "")

    solicitation.refresh_from_db()
    assert (solicitation.state, solicitation.phase) == (State.CANCELLED, Phase.REFUSED)


def test_proof_is_not_lost_when_the_process_stops(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    solicitation = confirmed_and_forgotten(shop, "nothing")
    Solicitation.objects.update(state="", next_at=None)
    with monkeypatch.context() as last:
        last.setattr(confirming, "stopping", lambda: True)
        assert receive(solicitation, "confirmed-without-number", "") == 503

    resume(solicitation)

    assert (solicitation.phase, financed(shop)["state"]) == (Phase.REFUSED, "cancelled")


def test_refused_account_pauses_when_the_number_is_asked_for(web: Web, shop: Shop) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)
    shop.sandbox.fault(r"^/orders/", method="PUT", status=401)

    assert web.notify(solicitation, "confirmed-without-number").status_code == 503

    solicitation.connection.refresh_from_db()
    assert solicitation.connection.refused_at
