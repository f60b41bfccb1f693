"""A call that may have had an effect, and a refusal after it: "taken back" needs SeQura's proof."""

from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from bigcommerce.client import BigCommerce
from payments.confirm import STEPS, confirm
from payments.models import Solicitation
from payments.notifications import _answer, record_state
from payments.progress import progress_of
from payments.steps.confirm_at_sequra import _CONFIRMATIONS, _NUMBERS_REFUSED
from payments.steps.outcomes import Later, Refused
from payments.steps.place_order import _NEW_ORDER
from payments.steps.store_credit import _TRIES as CREDIT_TRIES
from tests.payments.shop import Shop
from tests.payments.world import violations
from transaction_log.models import Entry

State, Phase = Solicitation.State, Solicitation.Phase
NOT_CHARGED = "No se te ha cobrado nada"  # the shopper of these tests is Spanish
GONE = r"^/stores/[^/]+/v2/orders/\d+$"
CONFIRM, UPDATE = r"^/orders/", r"^/merchants/[^/]+/orders/"


def again(solicitation: Solicitation) -> Solicitation:
    return Solicitation.objects.select_related("store", "connection").get(pk=solicitation.pk)


def drive(solicitation: Solicitation, rounds: int) -> Solicitation:
    """Resume it so many times; pauses are cut short."""
    for _ in range(rounds):
        Solicitation.objects.filter(next_at__isnull=False).update(next_at=timezone.now())
        confirm(solicitation.pk)
    return again(solicitation)


def states(shop: Shop) -> list[str]:
    return [one["state"] for one in shop.sandbox.held("sequra_orders")]


def puts(shop: Shop) -> list[tuple[str, int]]:
    """What was sent to SeQura, by kind, with the answers."""
    calls = [call for call in shop.sandbox.calls("sequra") if call["method"] == "PUT"]
    kinds = {True: "update", False: "confirm"}
    return [(kinds["/merchants/" in call["path"]], call["status"]) for call in calls]


def refuse_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """SeQura has confirmed and the order is made; then something about it is wrong."""

    def refused(_: Solicitation) -> None:
        raise Refused("amount_changed", "1 cent more")

    monkeypatch.setitem(STEPS, Phase.CREATED, refused)


def open_entries() -> list[tuple[str, str]]:
    found = Entry.objects.filter(closed_at=None).order_by("id")
    return list(found.values_list("outcome", "reason"))


# Taking back -------------------------------------------------------------------------------------


def test_an_order_deleted_for_good_ends_the_taking_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_the_order(monkeypatch)
    solicitation = shop.approved()
    shop.sandbox.fault(GONE, method="GET", status=404, body='{"title": "Not found"}', times=0)

    found = drive(solicitation, 4)

    assert states(shop) == ["cancelled"]
    assert (found.phase, found.next_at) == (Phase.REFUSED, None)
    assert found.undone_at
    assert open_entries() == [("rejected", "amount_changed")]


def deleted_for_good(shop: Shop) -> None:
    """From now on; a purchase of a moment ago may only be hidden still."""
    Solicitation.objects.update(create_intent_at=timezone.now() - 2 * _NEW_ORDER)
    shop.sandbox.fault(GONE, method="GET", status=404, body='{"title": "Not found"}', times=0)
    shop.sandbox.fault(GONE, method="PUT", status=404, body='{"title": "Not found"}', times=0)


@pytest.mark.parametrize("phase", [Phase.CREATED, Phase.SETTLED])
def test_order_that_is_deleted_before_it_is_placed_is_taken_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    def crashed(_: Solicitation) -> None:
        raise Later("interrupted")

    monkeypatch.setitem(STEPS, phase, crashed)
    solicitation = shop.approved()
    assert drive(solicitation, 1).phase == phase
    monkeypatch.undo()

    shop.sandbox.fault(GONE, method="GET", status=404, body='{"title": "Not found"}')
    assert drive(solicitation, 1).phase == phase  # BigCommerce may not show it yet
    deleted_for_good(shop)
    found = drive(solicitation, 2)

    assert (found.refusal, found.next_at, states(shop)) == ("order_deleted", None, ["cancelled"])
    assert open_entries() == [("rejected", "order_deleted")]


@pytest.mark.parametrize("status", [404, 422, 503])
def test_order_that_is_deleted_while_it_is_placed_is_taken_back(shop: Shop, status: int) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(GONE, method="PUT", status=status, body='{"title": "No"}')
    found = drive(solicitation, 1)
    assert (found.phase, bool(found.place_intent_at)) == (Phase.SETTLED, status == 503)

    deleted_for_good(shop)
    found = drive(solicitation, 2)

    assert (found.refusal, states(shop)) == ("order_deleted", ["cancelled"])
    assert open_entries() == [("rejected", "order_deleted")]


def test_outages_do_not_count_as_refusals_of_the_number(shop: Shop) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(CONFIRM, method="PUT", status=503, skip=1)
    assert drive(solicitation, 1).phase == Phase.PLACED
    again(solicitation).note(attempts=_NUMBERS_REFUSED)
    shop.sandbox.fault(CONFIRM, method="PUT", status=409, times=2)

    found = drive(solicitation, 2)

    assert (found.phase, found.numbers_refused) == (Phase.PLACED, 2)
    assert open_entries() == [("delayed", "reference_refused")]
    assert drive(solicitation, 1).phase == Phase.DONE
    assert open_entries() == []


def test_new_order_is_waited_for_however_old_the_form_is(shop: Shop) -> None:
    solicitation = shop.approved()
    Solicitation.objects.update(created_at=timezone.now() - 2 * _NEW_ORDER)
    shop.sandbox.fault(GONE, method="GET", status=404, body='{"title": "Not found"}', times=2)

    found = drive(solicitation, 3)

    assert (found.phase, states(shop)) == (Phase.DONE, ["confirmed"])


@pytest.mark.parametrize(
    ("state", "shown"), [(State.APPROVED, "confirmed"), (State.CANCELLED, "cancelled")]
)
def test_end_of_a_review_comes_to_an_order_that_was_deleted_for_good(
    shop: Shop, state: Solicitation.State, shown: str
) -> None:
    solicitation = shop.solicited()
    shop.review(solicitation)
    record_state(solicitation, State.NEEDS_REVIEW, "pp3")
    assert drive(solicitation, 1).phase == Phase.DONE
    deleted_for_good(shop)
    shop.end_review(solicitation, state)
    record_state(solicitation, state)

    found = drive(solicitation, 2)

    assert (found.next_at, found.shown_state, states(shop)) == (None, shown, [shown])


@pytest.mark.parametrize("status", [403, 404, 409, 410, 422])
@pytest.mark.parametrize("call", [CONFIRM, UPDATE])
def test_refusal_of_the_cancellation_is_asked_again_until_it_is_accepted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, status: int, call: str
) -> None:
    refuse_the_order(monkeypatch)
    solicitation = shop.approved()
    skip = 1 if call == CONFIRM else 0  # the confirmation of the purchase itself
    words = '{"errors": ["No"]}'
    shop.sandbox.fault(call, method="PUT", status=status, body=words, skip=skip, times=2)

    found = drive(solicitation, 2)

    assert (found.phase, found.taken_back_at, found.undone_at) == ("refused", None, None)
    assert open_entries() == [("delayed", "undo_refused")]
    assert NOT_CHARGED not in progress_of(found)["message"]
    assert _answer(found, State.APPROVED) != 410 or found.accepted_state == "confirmed"

    found = drive(solicitation, 2)

    assert (states(shop), found.is_in_doubt) == (["cancelled"], False)
    assert open_entries() == [("rejected", "amount_changed")]
    assert NOT_CHARGED in progress_of(found)["message"]
    assert violations(shop.sandbox.world()) == []


def test_cancellation_that_stays_refused_is_never_called_taken_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_the_order(monkeypatch)
    solicitation = shop.approved()
    shop.sandbox.fault(UPDATE, method="PUT", status=404, body='{"errors": ["No"]}', times=0)

    found = drive(solicitation, 12)

    assert (found.taken_back_at, found.next_at is None) == (None, False)
    entry = Entry.objects.get(closed_at=None)
    assert (entry.reason, entry.words, entry.attempts) == ("undo_refused", "No", 12)


@pytest.mark.parametrize("effect", ["none", "before"])
def test_lost_answer_to_the_cancellation_is_settled_by_saying_it_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, effect: str
) -> None:
    refuse_the_order(monkeypatch)
    solicitation = shop.approved()
    shop.sandbox.fault(UPDATE, method="PUT", status=503, effect=effect)

    assert drive(solicitation, 1).is_in_doubt
    found = drive(solicitation, 1)

    assert (states(shop), found.undone_at is None) == (["cancelled"], False)


def test_news_of_a_cancellation_is_the_proof_that_sequra_refuses_to_give(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_the_order(monkeypatch)
    solicitation = shop.approved()
    shop.sandbox.fault(UPDATE, method="PUT", status=404, times=0)
    assert drive(solicitation, 1).is_in_doubt
    sent = len(puts(shop))

    record_state(again(solicitation), State.CANCELLED)
    found = drive(solicitation, 1)

    assert found.undone_at
    assert len(puts(shop)) == sent
    assert open_entries() == [("rejected", "amount_changed")]


def test_each_side_is_cancelled_while_the_other_is_away_and_only_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_the_order(monkeypatch)
    solicitation = shop.approved()
    shop.sandbox.fault(r"/v2/orders/\d+$", method="PUT", status=503, times=2)

    found = drive(solicitation, 2)
    assert (states(shop), found.undone_in_shop_at) == (["cancelled"], None)
    assert found.taken_back_at
    sent = len(puts(shop))

    found = drive(solicitation, 2)
    assert found.undone_in_shop_at
    assert found.undone_at
    assert len(puts(shop)) == sent


def test_review_that_was_only_held_needs_no_confirmation_to_be_taken_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_the_order(monkeypatch)
    solicitation = shop.solicited()
    shop.review(solicitation)
    record_state(solicitation, State.NEEDS_REVIEW, "pp3")

    found = drive(solicitation, 1)

    assert (found.refusal, found.is_in_doubt) == ("amount_changed", False)
    assert (puts(shop), states(shop)) == ([("confirm", 200)], ["on_hold"])
    assert _answer(found, State.APPROVED) == 410


@pytest.mark.parametrize("refused", [0, 1, _CONFIRMATIONS])
def test_lost_hold_that_sequra_approved_is_not_confirmed_to_be_taken_back(
    shop: Shop, refused: int
) -> None:
    """`refused`: how often SeQura refuses `confirmed` before the cart changes."""
    solicitation = shop.solicited()
    shop.review(solicitation)
    record_state(solicitation, State.NEEDS_REVIEW, "pp3")
    shop.sandbox.fault(CONFIRM, method="PUT", status=503, effect="before")
    assert drive(solicitation, 1).phase == "confirming"
    shop.end_review(solicitation, State.APPROVED)
    record_state(solicitation, State.APPROVED)
    if refused:
        shop.sandbox.fault(CONFIRM, method="PUT", status=409, times=refused)
        drive(solicitation, refused)
    shop.change_cart(solicitation)

    found = drive(solicitation, 2)

    refusal = "refused_by_sequra" if refused == _CONFIRMATIONS else "cart_changed"
    assert (found.refusal, found.is_in_doubt) == (refusal, False)
    sent = [("confirm", 503), *[("confirm", 409)] * refused]
    assert (puts(shop), states(shop)) == (sent, ["approved"])
    assert _answer(found, State.APPROVED) == 410
    assert NOT_CHARGED in progress_of(found)["message"]


def test_lost_hold_and_a_lost_confirmation_after_it_are_taken_back(shop: Shop) -> None:
    solicitation = shop.solicited()
    shop.review(solicitation)
    record_state(solicitation, State.NEEDS_REVIEW, "pp3")
    shop.sandbox.fault(CONFIRM, method="PUT", status=503, effect="before", times=2)
    drive(solicitation, 1)
    shop.end_review(solicitation, State.APPROVED)
    record_state(solicitation, State.APPROVED)
    drive(solicitation, 1)
    assert states(shop) == ["confirmed"]
    shop.change_cart(solicitation)

    found = drive(solicitation, 2)

    assert (found.undone_at is None, states(shop)) == (False, ["cancelled"])


# Confirming --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 423, 429])
def test_confirmation_that_had_no_effect_for_certain_leaves_nothing_to_take_back(
    shop: Shop, status: int
) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(CONFIRM, method="PUT", status=status)
    assert drive(solicitation, 1).confirm_intent_at is None
    shop.change_cart(solicitation)

    found = drive(solicitation, 2)

    assert (found.refusal, found.next_at) == ("cart_changed", None)
    assert (puts(shop), states(shop)) == ([("confirm", status)], ["approved"])


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "http://nowhere.invalid/"])
def test_confirmation_to_nowhere_is_no_doubt(shop: Shop, address: str) -> None:
    solicitation = shop.approved()
    api_url = solicitation.connection.api_url
    shop.store.connections.update(api_url=address)

    found = drive(solicitation, 1)
    assert (found.phase, found.confirm_intent_at) == ("confirming", None)

    shop.store.connections.update(api_url=api_url)
    assert drive(solicitation, 1).phase == "done"


def test_what_came_after_a_lost_answer_does_not_end_the_doubt(shop: Shop) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(CONFIRM, method="PUT", status=503, effect="before")
    since = drive(solicitation, 1).confirm_intent_at
    shop.sandbox.fault(CONFIRM, method="PUT", status=429)

    assert drive(solicitation, 1).confirm_intent_at == since

    shop.change_cart(solicitation)
    found = drive(solicitation, 1)
    assert (found.refusal, found.undone_at is None) == ("cart_changed", False)
    assert states(shop) == ["cancelled"]


@pytest.mark.parametrize("status", [404, 409])
def test_refused_repetition_of_a_confirmation_does_not_lose_the_sale(
    shop: Shop, status: int
) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(CONFIRM, method="PUT", status=503, effect="before")
    shop.sandbox.fault(CONFIRM, method="PUT", status=status, times=_CONFIRMATIONS - 1)

    found = drive(solicitation, _CONFIRMATIONS + 1)

    assert found.phase == "done"
    assert violations(shop.sandbox.world()) == []


def test_repetition_that_stays_refused_is_taken_back_with_proof(shop: Shop) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(CONFIRM, method="PUT", status=503, effect="before")
    shop.sandbox.fault(CONFIRM, method="PUT", status=409, times=_CONFIRMATIONS)

    found = drive(solicitation, _CONFIRMATIONS + 1)

    assert (found.refusal, found.undone_at is None) == ("refused_by_sequra", False)
    assert states(shop) == ["cancelled"]


def test_notification_of_a_payment_in_doubt_is_not_answered_with_a_conflict(shop: Shop) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(CONFIRM, method="PUT", status=503, effect="before")
    drive(solicitation, 1)
    shop.change_cart(solicitation)
    shop.sandbox.fault(CONFIRM, method="PUT", status=503)

    found = drive(solicitation, 1)
    assert found.is_in_doubt
    assert _answer(found, State.APPROVED) == 503

    assert _answer(drive(solicitation, 1), State.APPROVED) == 410


# Store credit ------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusals", [1, CREDIT_TRIES - 1])
def test_credit_refused_after_a_lost_answer_is_looked_for_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, settings: Settings, refusals: int
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    solicitation = shop.approved_with_credit("20.00")
    shop.sandbox.fault(r"/payments$", method="POST", status=503, effect="before")
    drive(solicitation, 1)
    assert shop.credit_left(solicitation) == 0
    real, hidden = BigCommerce.order, list(range(refusals))

    def late(self: BigCommerce, order_id: int) -> Any:
        document = dict(real(self, order_id))
        if hidden:
            hidden.pop()
            document["store_credit_amount"] = "0.0000"
        return document

    monkeypatch.setattr(BigCommerce, "order", late)
    shop.sandbox.fault(r"/transactions$", method="GET", status=204, body="", times=refusals)

    found = drive(solicitation, refusals + 1)

    assert (found.phase, found.refusal) == ("done", "")
    assert violations(shop.sandbox.world()) == []


def test_credit_is_not_paid_twice_while_bigcommerce_may_still_hide_it(
    shop: Shop, settings: Settings
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 3600
    solicitation = shop.approved_with_credit("20.00")
    shop.sandbox.fault(r"/payments$", method="POST", status=503)

    found = drive(solicitation, 4)

    posts = [call for call in shop.sandbox.calls() if call["path"].endswith("/payments")]
    assert (found.phase, len(posts)) == ("created", 1)


@pytest.mark.parametrize("status", [423, 429])
def test_credit_that_was_turned_away_unread_is_paid_again_at_once(
    shop: Shop, settings: Settings, status: int
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 3600
    solicitation = shop.approved_with_credit("20.00")
    shop.sandbox.fault(r"/payments$", method="POST", status=status)

    found = drive(solicitation, 2)

    assert (found.phase, int(shop.credit_left(solicitation))) == ("done", 0)


# News --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "call"),
    [
        ("confirmed", r"/v3/checkouts/[^/]+/token$"),
        ("creating", r"/v3/checkouts/[^/]+/orders$"),
        ("created", r"/v2/orders/\d+$"),
    ],
)
def test_cancellation_that_is_recorded_stops_the_purchase_before_it_spends_anything(
    shop: Shop, settings: Settings, phase: str, call: str
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    solicitation = shop.approved_with_credit("20.00")
    shop.sandbox.fault(call, status=503)
    assert drive(solicitation, 1).phase == phase
    sent = len(puts(shop))
    shop.end_review(solicitation, State.CANCELLED)
    record_state(solicitation, State.CANCELLED)

    found = drive(solicitation, 2)

    assert (found.refusal, found.undone_at is None) == ("cancelled_by_sequra", False)
    assert (len(puts(shop)), int(shop.credit_left(solicitation))) == (sent, 20)
    assert violations(shop.sandbox.world()) == []
    assert NOT_CHARGED in progress_of(found)["message"]


def test_cancellation_that_comes_in_the_middle_of_a_run_is_seen_by_its_next_step(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = STEPS[Phase.CONFIRMING]

    def confirmed_and_cancelled(attempt: Solicitation) -> None:
        real(attempt)
        record_state(attempt, State.CANCELLED)

    monkeypatch.setitem(STEPS, Phase.CONFIRMING, confirmed_and_cancelled)
    solicitation = shop.approved()

    assert drive(solicitation, 1).refusal == "cancelled_by_sequra"
    assert shop.sandbox.held("bigcommerce_orders") == []


def test_credit_of_a_cancelled_payment_that_is_spent_already_is_shown_to_the_merchant(
    shop: Shop, settings: Settings
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    solicitation = shop.approved_with_credit("20.00")
    shop.sandbox.fault(r"/payments$", method="POST", status=503, effect="before")
    drive(solicitation, 1)
    record_state(solicitation, State.CANCELLED)

    found = drive(solicitation, 2)

    assert found.refusal == "cancelled_by_sequra"
    entry = Entry.objects.get(reason="credit_to_return")
    assert (entry.closed_at, entry.words) == (None, "€20.00")
    assert NOT_CHARGED not in progress_of(found)["message"]


@pytest.mark.parametrize(("when", "expected"), [("before", "refused"), ("after", "done")])
def test_disconnected_account_ends_what_it_has_confirmed_and_confirms_nothing_new(
    shop: Shop, when: str, expected: str
) -> None:
    from stores.connect import disconnect

    solicitation = shop.approved()
    if when == "after":
        shop.sandbox.fault(r"/v3/checkouts/[^/]+/token$", method="POST", status=503)
        drive(solicitation, 1)
    disconnect(shop.store, stop=True)

    found = drive(solicitation, 2)

    assert found.phase == expected
    assert len(puts(shop)) == (0 if when == "before" else 2)
