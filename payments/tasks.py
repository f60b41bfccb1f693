"""Celery's part of a purchase: the sweep that finishes what a crash or an outage interrupted."""

from celery import shared_task
from django.utils import timezone

from payments.confirm import help_along
from payments.models import Solicitation
from payments.retention import forget_abandoned
from stores.models import Store

BATCH = 200


@shared_task
def resume_solicitations() -> None:
    """Go on with every solicitation that is due; somebody else's work in progress is left alone.

    Those of a store whose access is gone wait for it, and are due at once when it is back.
    """
    due = Solicitation.objects.filter(
        next_at__lte=timezone.now(), store__state=Store.State.INSTALLED
    ).order_by("next_at")
    for pk in due.values_list("pk", flat=True)[:BATCH]:
        help_along(pk)


@shared_task
def forget_abandoned_payments() -> None:
    """What nobody needs any more; a few times a day is often enough."""
    forget_abandoned()
