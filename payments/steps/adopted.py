"""Solicitations that a restored backup shows as open although their order was adopted.

The order is adopted from BigCommerce (`orders.drift.adopt`). Here the solicitation is finished, so
that it is kept and SeQura's later messages (a review that ends, a cancellation) find it.
"""

from datetime import timedelta

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from orders.models import Order
from payments.models import Solicitation
from stores.locks import Busy, only_one

log = structlog.get_logger()

_Phase, _State = Solicitation.Phase, Solicitation.State
# Adopted orders older than this have been handled.
_LOOKED_AT_FOR = timedelta(days=1)
# SeQura's state, what it accepted and what the order shows, by the order's status.
_DECIDED = {
    Order.Status.APPROVED: (_State.APPROVED, "confirmed", "confirmed"),
    Order.Status.IN_REVIEW: (_State.NEEDS_REVIEW, "on_hold", "on_hold"),
    Order.Status.CANCELLED: (_State.CANCELLED, "confirmed", "cancelled"),
}


def catch_up() -> None:
    """Finish the open solicitations whose order was adopted a short while ago."""
    adopted = Order.objects.filter(adopted_at__gt=timezone.now() - _LOOKED_AT_FOR)
    behind = Solicitation.objects.filter(
        phase=_Phase.SOLICITED, state="", reference__in=adopted.values("reference")
    )
    for pk in list(behind.values_list("pk", flat=True)):
        try:
            with only_one(f"solicitation {pk}"):
                _finish(pk)
        except Busy:
            log.debug("catch_up_busy", solicitation=pk)


def _finish(pk: int) -> None:
    """Commit what the adopted order shows, unless a notification of SeQura came first."""
    attempt = Solicitation.objects.get(pk=pk)
    order = Order.objects.filter(store=attempt.store_id, reference=attempt.sequra_order).first()
    if order is None or order.status not in _DECIDED:
        return
    state, accepted, shown = _DECIDED[Order.Status(order.status)]
    try:
        with transaction.atomic():
            Solicitation.objects.filter(pk=pk, phase=_Phase.SOLICITED, state="").update(
                phase=_Phase.DONE,
                state=state,
                accepted_state=accepted,
                shown_state=shown,
                order_id=order.bigcommerce_id,
                confirm_intent_at=attempt.confirm_intent_at or order.placed_at,
                done_at=timezone.now(),
                next_at=None,
            )
    except IntegrityError:
        log.warning("checkout_paid_twice", reference=str(attempt.reference))
