"""Payments in review, their ends, and what SeQura says late, twice or too late."""

from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from orders.models import Order
from orders.queue.claim import mark_changed
from orders.sync.worker import drain
from payments.confirm import confirm
from payments.models import Solicitation
from payments.notifications import record_state
from stores.install import uninstall
from stores.models import Store
from tests.payments.shop import Shop
from tests.payments.web import Web
from transaction_log import record
from transaction_log.explanations import explain
from transaction_log.models import Entry

State = Solicitation.State
TOKEN = r"/v3/checkouts/[^/]+/token$"
AWAITING_FULFILLMENT, MANUAL_VERIFICATION, CANCELLED, SHIPPED = 11, 12, 5, 2


def in_review(shop: Shop) -> Solicitation:
    """An order whose payment SeQura reviews."""
    solicitation = shop.solicited()
    shop.review(solicitation)
    record_state(solicitation, State.NEEDS_REVIEW, "pp3")
    confirm(solicitation.pk)
    return Solicitation.objects.get(pk=solicitation.pk)


def placed(shop: Shop) -> dict[str, Any]:
    """The one order of the shop."""
    [found] = shop.sandbox.held("bigcommerce_orders")
    return dict(found["order"])


def financed(shop: Shop) -> dict[str, Any]:
    [found] = shop.sandbox.held("sequra_orders")
    return dict(found)


def set_status(shop: Shop, status_id: int) -> None:
    order_id = placed(shop)["id"]
    body = {"order_id": order_id, "status_id": status_id}
    shop.sandbox.control("POST", "merchant/set_status", body)


def resume(solicitation: Solicitation, times: int = 1) -> None:
    for _ in range(times):
        Solicitation.objects.filter(next_at__isnull=False).update(next_at=timezone.now())
        confirm(solicitation.pk)
    solicitation.refresh_from_db()


def test_review_holds_the_order(shop: Shop) -> None:
    solicitation = in_review(shop)

    assert (solicitation.phase, solicitation.accepted_state) == ("done", "on_hold")
    assert placed(shop)["status_id"] == MANUAL_VERIFICATION
    assert financed(shop)["state"] == "on_hold"
    assert Order.objects.get().status == "in_review"


def test_approval_moves_the_same_order_on(web: Web, shop: Shop) -> None:
    solicitation = in_review(shop)
    shop.end_review(solicitation, State.APPROVED)

    answers = [web.notify(solicitation).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert placed(shop)["status_id"] == AWAITING_FULFILLMENT
    assert (financed(shop)["state"], Order.objects.get().status) == ("confirmed", "approved")


def test_late_review_notification_never_moves_an_approved_order_back(web: Web, shop: Shop) -> None:
    solicitation = in_review(shop)
    shop.end_review(solicitation, State.APPROVED)
    web.notify(solicitation)

    answer = web.notify(solicitation, "needs_review")

    assert answer.status_code == 200
    assert placed(shop)["status_id"] == AWAITING_FULFILLMENT
    assert financed(shop)["state"] == "confirmed"


def test_approval_leaves_an_order_that_staff_moved_on(web: Web, shop: Shop) -> None:
    solicitation = in_review(shop)
    set_status(shop, SHIPPED)
    shop.end_review(solicitation, State.APPROVED)

    assert web.notify(solicitation).status_code == 200
    assert placed(shop)["status_id"] == SHIPPED
    assert financed(shop)["state"] == "confirmed"


def test_order_that_staff_cancelled_is_confirmed_and_never_paid_again(web: Web, shop: Shop) -> None:
    """The confirmation is what lets the empty order update through."""
    solicitation = in_review(shop)
    set_status(shop, CANCELLED)
    shop.end_review(solicitation, State.APPROVED)

    assert web.notify(solicitation).status_code == 200
    assert placed(shop)["status_id"] == CANCELLED
    order = Order.objects.get()
    assert (order.status, order.changed > order.synced) == ("approved", True)


def test_cancelled_event_cancels_the_order_and_sends_nothing_back(web: Web, shop: Shop) -> None:
    solicitation = in_review(shop)
    shop.end_review(solicitation, State.CANCELLED)
    before = len(shop.sandbox.calls("sequra"))

    answers = [web.event(solicitation, "cancelled") for _ in range(3)]

    assert {(answer.status_code, answer.content) for answer in answers} == {(200, b"")}
    assert placed(shop)["status_id"] == CANCELLED
    assert Order.objects.get().status == "cancelled"
    assert len(shop.sandbox.calls("sequra")) == before


def test_cancelled_event_for_a_shipped_order_is_the_merchant_s_to_decide(
    web: Web, shop: Shop
) -> None:
    solicitation = in_review(shop)
    set_status(shop, SHIPPED)
    shop.end_review(solicitation, State.CANCELLED)

    answers = {web.event(solicitation, "cancelled").status_code for _ in range(2)}

    assert (answers, placed(shop)["status_id"]) == ({200}, SHIPPED)
    entry = Entry.objects.get(outcome="rejected")
    assert (entry.reason, entry.attempts) == ("cancelled_after_shipping", 1)


def test_cancel_request_is_granted_while_nothing_has_left(web: Web, shop: Shop) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)

    answer = web.event(solicitation, "cancel")

    assert (answer.status_code, answer.json()) == (200, {"result": "cancelled"})
    assert placed(shop)["status_id"] == CANCELLED
    order = Order.objects.get()
    assert order.changed > order.synced


def test_cancel_request_is_read_whole_between_two_readings_to_make_sure(
    web: Web, shop: Shop
) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)
    drain()
    Order.objects.update(settle_step=1)
    assert web.event(solicitation, "cancel").json()["result"] == "cancelled"
    order = Order.objects.get()
    assert (order.settle_step, order.is_settled) == (0, False)
    drain()
    assert financed(shop)["state"] == "cancelled"


def test_cancel_request_for_a_shipped_order_comes_too_late(web: Web, shop: Shop) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)
    set_status(shop, SHIPPED)

    answer = web.event(solicitation, "cancel")

    assert (answer.status_code, answer.json()["result"]) == (200, "toolate")
    assert placed(shop)["status_id"] == SHIPPED


def test_sequra_that_lost_the_number_hears_it_again(web: Web, shop: Shop) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)
    before = len(shop.sandbox.calls("sequra"))

    answer = web.notify(solicitation, "confirmed-without-number")

    [call] = shop.sandbox.calls("sequra")[before:]
    sent = call["body"]["order"]["merchant_reference"]
    assert (answer.status_code, sent["order_ref_1"]) == (200, str(placed(shop)["id"]))


def confirmations(shop: Shop) -> int:
    """How often SeQura was sent `confirmed` or `on_hold`."""
    calls = shop.sandbox.calls("sequra")
    return sum(call["method"] == "PUT" and call["path"].startswith("/orders/") for call in calls)


def test_number_of_a_payment_that_was_taken_back_is_a_conflict_and_an_entry(
    web: Web, shop: Shop
) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(TOKEN, method="POST", status=503)
    confirm(solicitation.pk)
    shop.change_cart(solicitation)
    resume(solicitation, 2)
    assert (solicitation.phase, solicitation.is_taken_back) == ("refused", True)
    sent = confirmations(shop)

    answers = [web.notify(solicitation, "confirmed-without-number").status_code for _ in range(2)]

    assert (answers, confirmations(shop)) == ([410, 410], sent)
    entry = Entry.objects.get(closed_at=None, event="reference")
    assert (entry.outcome, entry.reason, entry.attempts) == (
        "rejected",
        "confirmed_without_order",
        2,
    )
    assert web.notify(solicitation, "cancelled").status_code == 200
    assert not Entry.objects.filter(closed_at=None, event="reference").exists()


def test_number_of_a_payment_that_sequra_cancelled_is_a_conflict(web: Web, shop: Shop) -> None:
    solicitation = in_review(shop)
    shop.end_review(solicitation, State.CANCELLED)
    web.event(solicitation, "cancelled")
    sent = confirmations(shop)

    assert web.notify(solicitation, "confirmed-without-number").status_code == 410

    assert (confirmations(shop), financed(shop)["state"]) == (sent, "cancelled")
    assert not Entry.objects.filter(closed_at=None).exists()


def test_number_of_an_order_whose_cancellation_was_accepted_is_the_cancellation_again(
    web: Web, shop: Shop
) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)
    set_status(shop, CANCELLED)
    mark_changed(store=shop.store)
    drain()
    assert financed(shop)["state"] == "cancelled"
    sent, calls = confirmations(shop), len(shop.sandbox.calls("sequra"))

    assert web.notify(solicitation, "confirmed-without-number").status_code == 200
    drain()

    updates = shop.sandbox.calls("sequra")[calls:]
    assert [call["path"].startswith("/merchants/") for call in updates] == [True]
    assert (confirmations(shop), financed(shop)["state"]) == (sent, "cancelled")


def test_number_that_sequra_asks_for_and_refuses_is_the_merchant_s_to_see(
    web: Web, shop: Shop
) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)
    words = '{"errors": ["The order is cancelled"]}'
    shop.sandbox.fault(r"^/orders/", method="PUT", status=409, body=words)

    assert web.notify(solicitation, "confirmed-without-number").status_code == 200
    entry = Entry.objects.get(closed_at=None)
    assert (entry.outcome, entry.reason, entry.words) == (
        "rejected",
        "number_refused",
        "The order is cancelled",
    )

    assert web.notify(solicitation, "confirmed-without-number").status_code == 200
    assert not Entry.objects.filter(closed_at=None).exists()


@pytest.mark.parametrize("state", ["", "approved"])
def test_confirmation_that_the_row_has_lost_is_finished_with_its_number(
    web: Web, shop: Shop, state: str
) -> None:
    solicitation = shop.approved()
    row = Solicitation.objects.filter(pk=solicitation.pk).values().get()
    shop.sandbox.fault(TOKEN, method="POST", status=503)
    confirm(solicitation.pk)
    before = {**row, "state": state, "next_at": None}
    Solicitation.objects.filter(pk=solicitation.pk).update(**before)

    assert web.notify(solicitation, "confirmed-without-number").status_code == 200

    order = financed(shop)
    assert (order["state"], order["order_ref_1"]) == ("confirmed", str(placed(shop)["id"]))


@pytest.mark.parametrize("mapping", ["status_approved", "status_needs_review"])
def test_none_leaves_the_status_alone_and_everything_else_happens(shop: Shop, mapping: str) -> None:
    setattr(shop.store, mapping, None)
    shop.store.save()
    if mapping == "status_approved":
        confirm(shop.approved().pk)
    else:
        in_review(shop)

    assert placed(shop)["status_id"] == 0
    assert financed(shop)["order_ref_1"] == str(placed(shop)["id"])
    assert placed(shop)["payment_method"].startswith("SeQura - ")


def test_number_taken_by_another_store_gets_the_store_in_front(shop: Shop) -> None:
    """Two shops share a SeQura merchant, and we did not know."""
    solicitation = shop.approved()
    refusal = '{"errors": ["order_ref_1 has already been taken"]}'
    shop.sandbox.fault(r"^/orders/", method="PUT", status=409, body=refusal, skip=1)

    for _ in range(3):
        confirm(solicitation.pk)

    number = f"demo123-{placed(shop)['id']}"
    assert (financed(shop)["order_ref_1"], Order.objects.get().order_ref_1) == (number, number)


def test_refused_approval_is_the_merchant_s_to_see_and_undoes_nothing(web: Web, shop: Shop) -> None:
    solicitation = in_review(shop)
    shop.end_review(solicitation, State.APPROVED)
    words = '{"errors": ["not now"]}'
    shop.sandbox.fault(r"^/orders/", method="PUT", status=409, body=words)

    answers = [web.notify(solicitation).status_code for _ in range(2)]

    entry = Entry.objects.get(event="review_approved", outcome="rejected")
    assert (answers, entry.words) == ([503, 200], "not now")
    assert (placed(shop)["status_id"], financed(shop)["state"]) == (11, "confirmed")
    assert Entry.objects.filter(closed_at__isnull=True).count() == 0


def test_refused_approval_stays_one_entry_with_its_own_advice(web: Web, shop: Shop) -> None:
    solicitation = in_review(shop)
    shop.end_review(solicitation, State.APPROVED)
    shop.sandbox.fault(r"^/orders/", method="PUT", status=409, body='{"errors": ["no"]}', times=9)

    web.notify(solicitation)
    for _ in range(4):
        confirm(solicitation.pk)

    entry = Entry.objects.get(closed_at__isnull=True)
    assert (entry.event, entry.outcome, entry.reason) == (
        "review_approved",
        "rejected",
        "approval_refused",
    )
    assert entry.attempts > 3
    assert "Don't ship yet." in str(explain(entry.reason).todo)

    record.ignore(entry, "ana@example.com", "known")
    confirm(solicitation.pk)
    assert not Entry.objects.filter(closed_at__isnull=True).exists()


@pytest.mark.parametrize("status", [9, 14])
def test_cancelled_event_respects_the_statuses_that_the_merchant_counts_as_shipped(
    web: Web, shop: Shop, status: int
) -> None:
    Store.objects.filter(pk=shop.store.pk).update(shipped_statuses=[9])
    solicitation = in_review(shop)
    set_status(shop, status)
    shop.end_review(solicitation, State.CANCELLED)

    assert web.event(solicitation, "cancelled").status_code == 200

    assert placed(shop)["status_id"] == status
    assert Entry.objects.get(outcome="rejected").reason == "cancelled_after_shipping"


def test_cancellation_after_shipping_stays_on_the_list(web: Web, shop: Shop) -> None:
    solicitation = in_review(shop)
    body = {"order_id": placed(shop)["id"]}
    shop.sandbox.control("POST", "merchant/ship", body)
    shop.end_review(solicitation, State.CANCELLED)
    web.event(solicitation, "cancelled")

    for _ in range(2):
        mark_changed(store=shop.store)
        drain()

    entry = Entry.objects.get(closed_at=None)
    assert (entry.outcome, entry.reason) == ("rejected", "cancelled_after_shipping")


def test_cancel_request_for_a_payment_that_became_no_order_is_granted(web: Web, shop: Shop) -> None:
    solicitation = shop.approved()
    solicitation.note(phase=Solicitation.Phase.REFUSED)

    answer = web.event(solicitation, "cancel")

    assert (answer.status_code, answer.json()) == (200, {"result": "cancelled"})


def test_number_is_said_again_within_eight_seconds(web: Web, shop: Shop) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)
    shop.sandbox.fault(r"^/orders/", method="PUT", status=200, delay=9.5)

    answer = web.notify(solicitation, "confirmed-without-number")

    assert answer.status_code == 503  # SeQura's own answer, after 9.5 s, would have made it 200


def test_notification_for_a_store_that_uninstalled_us_finds_nothing(web: Web, shop: Shop) -> None:
    solicitation = shop.approved()
    uninstall(shop.store)
    before = len(shop.sandbox.calls())

    assert web.notify(solicitation).status_code == 404
    assert len(shop.sandbox.calls()) == before


def test_number_said_again_lets_what_was_refused_be_told(web: Web, shop: Shop) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)
    Order.objects.update(refused="x" * 64, synced=F("changed"))

    assert web.notify(solicitation, "confirmed-without-number").status_code == 200

    order = Order.objects.get()
    assert (order.refused, order.changed > order.synced) == ("", True)


def test_cancelled_mapped_to_refunded_is_no_refund(web: Web, shop: Shop) -> None:
    Store.objects.filter(pk=shop.store.pk).update(status_cancelled=4)
    solicitation = in_review(shop)
    set_status(shop, 4)
    shop.end_review(solicitation, State.CANCELLED)

    web.event(solicitation, "cancelled")

    assert not Entry.objects.filter(outcome="rejected").exists()


def test_cancellation_of_an_order_that_was_partly_shipped_and_then_cancelled_is_a_warning(
    web: Web, shop: Shop
) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)
    order_id = placed(shop)["id"]
    line = shop.sandbox.held("bigcommerce_orders")[0]["products"][0]
    items = [{"order_product_id": line["id"], "quantity": 1}]
    shop.sandbox.control("POST", "merchant/ship", {"order_id": order_id, "items": items})
    set_status(shop, CANCELLED)
    shop.end_review(solicitation, State.CANCELLED)

    web.event(solicitation, "cancelled")

    assert Entry.objects.get(outcome="rejected").reason == "cancelled_after_shipping"
