"""Celery tasks of the purchase: the sweep resumes what a crash or an outage interrupted."""

from typing import Any

from celery import shared_task
from celery.signals import worker_process_shutdown
from django.db.models import Q, QuerySet, Window
from django.db.models.functions import Now, RowNumber

from payments import retention
from payments.confirm import finish_helping, help_along
from payments.models import Solicitation
from payments.retention import forget_abandoned
from payments.steps.adopted import catch_up
from stores.models import Store

BATCH, BATCH_OF_A_STORE = 200, 20
Phase = Solicitation.Phase
# The phases whose next step may need SeQura.
ASKING_SEQURA = (Phase.SOLICITED, Phase.CONFIRMING, Phase.PLACED, Phase.DONE, Phase.REFUSED)


@worker_process_shutdown.connect
def finish(**_: Any) -> None:
    """Finish background work before a worker's child process ends."""
    finish_helping()


@shared_task
def resume_solicitations() -> None:
    """Resume every solicitation that is due, unless another process works on it.

    Solicitations of a store or an account that refused us wait until access is back, and are due at
    once then. Of an account that may be probed, one goes first.
    """
    catch_up()
    now = Now()
    has_access = Q(store__state=Store.State.INSTALLED) | retention.BEING_ENDED
    due = Solicitation.objects.filter(has_access, next_at__lte=now)
    skips_refused_accounts = Q(connection__paused_until=None) | ~Q(phase__in=ASKING_SEQURA)
    ready = due.filter(skips_refused_accounts).order_by("next_at")
    probes = due.exclude(skips_refused_accounts).filter(connection__paused_until__lte=now)
    probes = probes.order_by("connection_id", "next_at").distinct("connection_id")
    for pk in [*_keys(ready), *probes.values_list("pk", flat=True)[:BATCH]]:
        help_along(pk)
    retention.erase_passwords()


def _keys(solicitations: QuerySet[Solicitation]) -> list[int]:
    """Return some solicitations of each store, so that one with many leaves room for the others."""
    place = Window(RowNumber(), partition_by="store_id", order_by="next_at")
    fair = solicitations.annotate(place=place).filter(place__lte=BATCH_OF_A_STORE)
    return list(fair.values_list("pk", flat=True)[:BATCH])


@shared_task
def forget_abandoned_payments() -> None:
    """Delete what is no longer needed, a few times a day."""
    forget_abandoned()
