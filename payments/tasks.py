"""Celery tasks of the purchase: the sweep resumes what a crash or an outage interrupted."""

from datetime import timedelta

import structlog
from celery import shared_task
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Window
from django.db.models.functions import Now, RowNumber
from django.utils import timezone

from orders.models import Order
from payments import retention
from payments.confirm import help_along
from payments.models import Solicitation
from payments.retention import forget_abandoned
from stores.isolation import Busy, each, only_one
from stores.models import Store

log = structlog.get_logger()
_BATCH, _BATCH_OF_A_STORE = 200, 20
_Phase, _State = Solicitation.Phase, Solicitation.State
# The phases whose next step may need SeQura.
_ASKING_SEQURA = (_Phase.SOLICITED, _Phase.CONFIRMING, _Phase.PLACED, _Phase.DONE, _Phase.REFUSED)


@shared_task
def resume_solicitations() -> None:
    """Resume every solicitation that is due, unless another process works on it.

    Solicitations of a store or an account that refused us wait until access is back, and are due at
    once then. Of an account that may be probed, one goes first.
    """
    _catch_up()
    now = Now()
    has_access = Q(store__state=Store.State.INSTALLED) | retention.BEING_ENDED
    due = Solicitation.objects.filter(has_access, next_at__lte=now)
    skips_refused_accounts = Q(connection__paused_until=None) | ~Q(phase__in=_ASKING_SEQURA)
    ready = due.filter(skips_refused_accounts).order_by("next_at")
    probes = due.exclude(skips_refused_accounts).filter(connection__paused_until__lte=now)
    probes = probes.order_by("connection_id", "next_at").distinct("connection_id")
    for pk in [*_keys(ready), *probes.values_list("pk", flat=True)[:_BATCH]]:
        help_along(pk)
    retention.erase_passwords()


def _keys(solicitations: QuerySet[Solicitation]) -> list[int]:
    """Return some solicitations of each store, so that one with many leaves room for the others."""
    place = Window(RowNumber(), partition_by="store_id", order_by="next_at")
    fair = solicitations.annotate(place=place).filter(place__lte=_BATCH_OF_A_STORE)
    return list(fair.values_list("pk", flat=True)[:_BATCH])


@shared_task
def forget_abandoned_payments() -> None:
    """Delete what is no longer needed, a few times a day."""
    forget_abandoned()


# Solicitations that a restored backup shows as open although their order was adopted.
#
# The order is adopted from BigCommerce (`orders.drift.adopt`). Here the solicitation is finished,
# so that it is kept and SeQura's later messages (a review that ends, a cancellation) find it.
#
# Adopted orders older than this have been handled.
_LOOKED_AT_FOR = timedelta(days=1)
# SeQura's state, what it accepted and what the order shows, by the order's status.
_DECIDED = {
    Order.Status.APPROVED: (_State.APPROVED, "confirmed", "confirmed"),
    Order.Status.IN_REVIEW: (_State.NEEDS_REVIEW, "on_hold", "on_hold"),
    Order.Status.CANCELLED: (_State.CANCELLED, "confirmed", "cancelled"),
}


def _catch_up() -> None:
    """Finish the open solicitations whose order was adopted a short while ago."""
    adopted = Order.objects.filter(adopted_at__gt=timezone.now() - _LOOKED_AT_FOR)
    behind = Solicitation.objects.filter(
        phase=_Phase.SOLICITED, state="", reference__in=adopted.values("reference")
    )
    each("adopted payments", behind.only("pk", "store__hash").select_related("store"), _finish)


def _finish(solicitation: Solicitation) -> None:
    try:
        with only_one(f"solicitation {solicitation.pk}"):
            _commit(solicitation.pk)
    except Busy:
        log.debug("catch_up_busy", solicitation=solicitation.pk)


def _commit(pk: int) -> None:
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
