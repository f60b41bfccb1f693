"""The steps of `confirm` that call SeQura: confirm or hold, approve, send the reference.

https://docs.sequra.com/docs/put-the-order-on-hold-and-confirm-it
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from django.db import IntegrityError, transaction
from django.utils import timezone

from orders.models import Order, merchant_reference
from orders.queue.claim import mark_changed
from orders.queue.wakeup import wake_worker
from payments.models import Solicitation
from payments.solicited_order import sent_order
from payments.steps import place_order
from payments.steps.cart_check import check_cart
from payments.steps.outcomes import Later, Refused, failpoint
from sequra.client import Rejected, Unavailable
from stores.clients import sequra_for
from transaction_log import record

_Phase = Solicitation.Phase
_FORBIDDEN = 403  # a rejection that is not about the number
# After so many rejections of the number the order update decides: SeQura accepts or rejects it.
_NUMBERS_REFUSED = 12
# How often SeQura may reject a confirmation after a lost answer, and the pause in seconds.
_CONFIRMATIONS, _PAUSE_SECONDS = 4, 2.0
_ERASED = "the personal data of this purchase was erased, so it cannot be sent to SeQura again"
# SeQura accepts no reference during a review. Its notification arrives first; this is the fallback.
_REVIEW_SECONDS = 60 * 60.0
_ACCEPTED = {
    Solicitation.State.APPROVED: "confirmed",
    Solicitation.State.NEEDS_REVIEW: "on_hold",
}


def take_checkout(solicitation: Solicitation) -> None:
    """Reserve the checkout for this solicitation, if the cart is still what was solicited."""
    check_cart(solicitation)
    failpoint("cart_checked")
    try:
        with transaction.atomic():
            solicitation.moved(_Phase.CONFIRMING)
    except IntegrityError:
        solicitation.refresh_from_db()
        _yield_to_rival(solicitation)


def _yield_to_rival(solicitation: Solicitation) -> None:
    """Raise Refused if SeQura accepted another solicitation of this checkout, else Later."""
    rival = Solicitation.objects.filter(
        store=solicitation.store, checkout_id=solicitation.checkout_id, phase__in=Solicitation.TAKEN
    ).first()
    if rival and rival.phase != _Phase.CONFIRMING:
        raise Refused("already_paid", f"with SeQura order {rival.reference}")
    raise Later("another payment of this checkout is being confirmed", seconds=1)


def put_confirmation(solicitation: Solicitation) -> None:
    """Send `confirmed` or `on_hold`; only SeQura's 2xx moves money.

    The cart is read again unless this run has done so. The intention and the state are written
    before each attempt. An attempt that certainly had no effect removes them, so nothing has to be
    taken back.
    """
    if not solicitation.is_unordered:
        check_cart(solicitation)
    accepted = _ACCEPTED[Solicitation.State(solicitation.state)]
    doubt = {name: getattr(solicitation, name) for name in ("confirm_intent_at", "intended_state")}
    solicitation.note(confirm_intent_at=timezone.now(), intended_state=accepted)
    failpoint("confirm_intended")
    try:
        _put(solicitation, accepted)
    except (Refused, Rejected) as refusal:
        solicitation.note(**doubt)
        _after_refusal(solicitation, refusal)
    except Unavailable as failure:
        if not failure.maybe_done:
            solicitation.note(**doubt)
        raise
    failpoint("confirm_sent")
    solicitation.moved(_Phase.CONFIRMED, accepted_state=accepted)
    failpoint("confirmed")


def _after_refusal(solicitation: Solicitation, refusal: Refused | Rejected) -> NoReturn:
    """Raise the refusal if it is final.

    After a lost answer it may be about the repetition: retry.
    """
    is_doubted = solicitation.confirm_intent_at and isinstance(refusal, Refused)
    if is_doubted and solicitation.confirmations_refused + 1 < _CONFIRMATIONS:
        solicitation.note(confirmations_refused=solicitation.confirmations_refused + 1)
        why = f"SeQura refused a repeated confirmation: {refusal}"
        raise Later(why, _PAUSE_SECONDS) from refusal
    raise refusal


def put_approval(solicitation: Solicitation) -> None:
    """Confirm an order on hold, with its reference, because the review approved it."""
    order = order_of(solicitation)
    try:
        _put(solicitation, "confirmed", order.order_ref_1)
    except Refused as refusal:
        record.rejected(
            order.subject,
            "review_approved",
            "approval_refused",
            words=refusal.detail,
            statement=solicitation.fingerprint,
        )
        why = f"SeQura refused the approval: {refusal.detail}"
        raise Later(why, is_logged=True) from refusal
    failpoint("approval_sent")
    solicitation.note(accepted_state="confirmed")
    failpoint("approval_accepted")


def put_reference(solicitation: Solicitation) -> None:
    """Send the BigCommerce order's number to SeQura, which needs it to pay the merchant."""
    order, refused = order_of(solicitation), ""
    try:
        if solicitation.state != Solicitation.State.CANCELLED:
            _put(solicitation, solicitation.accepted_state, order.order_ref_1)
    except Refused as refusal:
        if solicitation.adopted_at and solicitation.accepted_state == "confirmed":
            # If SeQura rejects both forms of a number that it may know already, the next order
            # update, which is sent in any case, finds the order by its number or opens an entry.
            _put_confirmed(solicitation, order)
        elif not _put_other_reference(solicitation, order, refusal):
            _leave_to_order_update(order)
            refused = refusal.detail
    failpoint("reference_sent")
    place_order.finish(solicitation, number_refused=refused)


def _put_confirmed(solicitation: Solicitation, order: Order) -> bool:
    """Send `confirmed` with each form of the number.

    Return whether SeQura accepted one, and store it.
    """
    for reference in (str(order.bigcommerce_id), _longer_reference(solicitation, order)):
        try:
            _put(solicitation, "confirmed", reference)
        except Refused:
            continue
        Order.objects.filter(pk=order.pk).update(order_ref_1=reference)
        return True
    return False


def _leave_to_order_update(order: Order) -> None:
    """Force the next order update to be sent, under the number of the purchase.

    SeQura finds the order by it, or the rejection becomes an entry of its own.
    """
    number = merchant_reference(order.store, order.merchant_ref, order.bigcommerce_id)
    Order.objects.filter(pk=order.pk).update(order_ref_1=number, unsure=True)


def _is_over(solicitation: Solicitation) -> bool:
    """Return whether sending the number again is in vain.

    A restored row may be about an order that was cancelled since, in the shop or at SeQura, which
    then never accepts a number. A review has no time limit.
    """
    is_held = solicitation.accepted_state == "on_hold"
    if solicitation.numbers_refused >= _NUMBERS_REFUSED and not is_held:
        return True
    document = place_order.order_document(solicitation)
    return document is None or document["status_id"] in solicitation.settings.cancelling_statuses


def _put_other_reference(solicitation: Solicitation, order: Order, refusal: Refused) -> bool:
    """Retry with the other form of the number. Return False when that is in vain.

    The number may be in use by another shop of the same SeQura merchant: the longer form carries
    the store's hash. The rejection may also be about a repetition, and SeQura knows the other form.
    Or a review ended and the database lost it: then SeQura accepts `confirmed`, and nothing else
    proves it.
    """
    number, longer = str(order.bigcommerce_id), _longer_reference(solicitation, order)
    why = f"SeQura refused the reference: {refusal.detail}"
    solicitation.note(numbers_refused=solicitation.numbers_refused + 1)
    if refusal.status != _FORBIDDEN:
        other = number if order.order_ref_1 == longer else longer
        Order.objects.filter(pk=order.pk).update(order_ref_1=other)
    if order.order_ref_1 != longer and refusal.status != _FORBIDDEN:
        raise Later(why, seconds=0.1, is_logged=True)
    is_held = solicitation.accepted_state == "on_hold"
    if is_held and _put_confirmed(solicitation, order):
        _end_review(solicitation)
        return True
    if _is_over(solicitation):
        return False
    reason = "review_unknown" if is_held else "reference_refused"
    record.delayed(order.subject, "reference", reason, words=refusal.detail)
    raise Later(why, _REVIEW_SECONDS if is_held else None, is_logged=True)


def _end_review(solicitation: Solicitation) -> None:
    """Commit that SeQura accepted `confirmed`, as it does once a review ended well."""
    state = Solicitation.State
    Solicitation.objects.filter(pk=solicitation.pk, state=state.NEEDS_REVIEW).update(
        state=state.APPROVED
    )
    solicitation.note(accepted_state="confirmed")


def _longer_reference(solicitation: Solicitation, order: Order) -> str:
    return f"{solicitation.store.hash}-{order.bigcommerce_id}"


def resend_reference(solicitation: Solicitation) -> None:
    """Send the number again because SeQura reports `confirmed-without-number`.

    SeQura may now accept updates that it rejected while it did not know the order. If SeQura
    accepted that nothing is owed any more, only the update is repeated: a confirmation would undo
    it.
    """
    order = order_of(solicitation)
    is_over = order.accepted_update is not None and not _owed(order.accepted_update)
    if not is_over:
        _put(solicitation, solicitation.accepted_state, order.order_ref_1)
        record.close(order.subject, {"reference"})
    doubt = {"unsure": True} if is_over else {}
    Order.objects.filter(pk=order.pk).update(refused="", **doubt)
    mark_changed(pk=order.pk)
    wake_worker()


def _owed(update: Mapping[str, Any]) -> int:
    """Return the total of both carts of an order update, in cents."""
    carts = (update.get("unshipped_cart"), update.get("shipped_cart"))
    return sum(cart["order_total_with_tax"] for cart in carts if cart)


def order_of(solicitation: Solicitation) -> Order:
    return Order.objects.get(
        store=solicitation.store, bigcommerce_id=solicitation.bigcommerce_order
    )


def _put(solicitation: Solicitation, state: str, order_ref_1: str = "") -> None:
    """PUT the solicited order with this state.

    Raise Refused when SeQura rejects the order itself.
    """
    if solicitation.erased_at:
        raise Refused("refused_by_sequra", _ERASED)
    order: dict[str, Any] = {**sent_order(solicitation), "state": state}
    if order_ref_1:
        order["merchant_reference"] = {
            "order_ref_1": order_ref_1,
            "order_ref_2": str(solicitation.reference),
        }
    api = sequra_for(solicitation.connection)
    try:
        api.put_order(solicitation.merchant_ref, solicitation.sequra_order, order)
    except Rejected as error:
        if api.is_about_us(error, solicitation.merchant_ref):
            raise
        raise Refused("refused_by_sequra", error.message, error.status) from error
    solicitation.connection.resume()
