"""The steps of `confirm` that speak with SeQura: confirm or hold, approve, send the reference.

https://docs.sequra.com/docs/put-the-order-on-hold-and-confirm-it
"""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from orders.doorbell import ring
from orders.models import Order
from orders.queue import mark_changed
from payments import placing
from payments.cart_check import check_cart
from payments.failpoints import failpoint
from payments.models import Solicitation
from payments.outcomes import Later, Refused
from payments.solicited_order import told
from sequra.errors import Rejected
from stores.clients import sequra_for
from transaction_log import record

Phase = Solicitation.Phase
FORBIDDEN = 403  # says nothing about the number
ACCEPTED = {
    Solicitation.State.APPROVED: "confirmed",
    Solicitation.State.NEEDS_REVIEW: "on_hold",
}


def take_checkout(solicitation: Solicitation) -> None:
    """The cart is still what was solicited: from now on no other solicitation may be confirmed."""
    if solicitation.state == Solicitation.State.CANCELLED:
        raise Refused("cancelled_by_sequra")
    check_cart(solicitation)
    failpoint("cart_checked")
    try:
        with transaction.atomic():
            solicitation.moved(Phase.CONFIRMING)
    except IntegrityError:
        solicitation.refresh_from_db()
        _yield_to_rival(solicitation)


def _yield_to_rival(solicitation: Solicitation) -> None:
    """Another solicitation holds this checkout: final once SeQura accepted it, else not yet."""
    rival = Solicitation.objects.filter(
        store=solicitation.store, checkout_id=solicitation.checkout_id, phase__in=Solicitation.TAKEN
    ).first()
    if rival and rival.phase != Phase.CONFIRMING:
        raise Refused("already_paid", f"with SeQura order {rival.reference}")
    raise Later("another payment of this checkout is being confirmed", seconds=1)


def put_confirmation(solicitation: Solicitation) -> None:
    """Tell SeQura `confirmed` or `on_hold`; only its 2xx moves money."""
    if solicitation.state == Solicitation.State.CANCELLED:
        raise Refused("cancelled_by_sequra")
    if solicitation.confirm_intent_at:
        check_cart(solicitation)
    in_doubt = solicitation.confirm_intent_at
    solicitation.note(confirm_intent_at=timezone.now())
    failpoint("confirm_intended")
    accepted = ACCEPTED[Solicitation.State(solicitation.state)]
    try:
        _put(solicitation, accepted)
    except Refused as refusal:
        if in_doubt is None:
            _never_confirmed(solicitation, refusal)
        raise
    failpoint("confirm_sent")
    solicitation.moved(Phase.CONFIRMED, accepted_state=accepted)
    failpoint("confirmed")


def _never_confirmed(solicitation: Solicitation, refusal: Refused) -> None:
    """SeQura's only answer was no: there is nothing to take back, and nothing more to say to it."""
    record.rejected(
        solicitation.subject,
        "purchase",
        refusal.code,
        words=refusal.detail,
        statement=solicitation.fingerprint,
    )
    solicitation.note(confirm_intent_at=None)


def put_approval(solicitation: Solicitation) -> None:
    """The review ended well: confirm what was on hold, with its reference."""
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
    """Tell SeQura the number of the BigCommerce order, without which it cannot pay the merchant."""
    order = order_of(solicitation)
    try:
        if solicitation.state != Solicitation.State.CANCELLED:
            _put(solicitation, solicitation.accepted_state, order.order_ref_1)
    except Refused as refusal:
        _put_longer_reference(solicitation, order, refusal)
    failpoint("reference_sent")
    placing.finish(solicitation)


def _put_longer_reference(solicitation: Solicitation, order: Order, refusal: Refused) -> None:
    """Another shop of the same SeQura merchant uses this number: put the store in front."""
    longer = f"{solicitation.store.hash}-{order.bigcommerce_id}"
    if order.order_ref_1 == longer or refusal.status == FORBIDDEN:
        record.delayed(order.subject, "reference", "reference_refused", words=refusal.detail)
        raise Later(f"SeQura refused the reference: {refusal.detail}", is_logged=True)
    Order.objects.filter(pk=order.pk).update(order_ref_1=longer)
    raise Later(f"SeQura refused the reference: {refusal.detail}", seconds=0.1)


def resend_reference(solicitation: Solicitation) -> None:
    """SeQura says `confirmed-without-number`: say the number again.

    What it refused while it did not know the order it may take now.
    """
    order = order_of(solicitation)
    _put(solicitation, solicitation.accepted_state, order.order_ref_1)
    Order.objects.filter(pk=order.pk).update(refused="")
    mark_changed(pk=order.pk)
    ring()


def order_of(solicitation: Solicitation) -> Order:
    return Order.objects.get(
        store=solicitation.store, bigcommerce_id=solicitation.bigcommerce_order
    )


def _put(solicitation: Solicitation, state: str, order_ref_1: str = "") -> None:
    """PUT the solicited order with this state. Refused when SeQura says no to the order itself."""
    order: dict[str, Any] = {**told(solicitation), "state": state}
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
        raise Refused("refused_by_sequra", error.words, error.status) from error
    solicitation.connection.resume()
