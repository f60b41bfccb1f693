"""Celery's part of a purchase: the sweep that finishes what a crash or an outage interrupted."""

from celery import shared_task
from django.utils import timezone

from payments.confirm import help_along
from payments.models import Solicitation
from payments.retention import forget_abandoned
from stores.models import Store

BATCH = 200
Phase = Solicitation.Phase
# The phases whose next step may need SeQura.
ASKING_SEQURA = (Phase.SOLICITED, Phase.CONFIRMING, Phase.PLACED, Phase.DONE, Phase.REFUSED)


@shared_task
def resume_solicitations() -> None:
    """Go on with every solicitation that is due; somebody else's work in progress is left alone.

    Those of a store or an account that refused us wait until its access is back, and are due at
    once then. Of an account that may be asked again, one goes first.
    """
    now, probed = timezone.now(), set[int]()
    due = Solicitation.objects.filter(next_at__lte=now, store__state=Store.State.INSTALLED)
    due = due.exclude(connection__paused_until__gt=now, phase__in=ASKING_SEQURA).order_by("next_at")
    rows = due.values_list("pk", "connection_id", "connection__paused_until")[:BATCH]
    for pk, connection, paused in rows:
        if paused is None or connection not in probed:
            help_along(pk)
        if paused is not None:
            probed.add(connection)


@shared_task
def forget_abandoned_payments() -> None:
    """What nobody needs any more; a few times a day is often enough."""
    forget_abandoned()
