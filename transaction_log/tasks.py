"""Celery's part: old entries go, a few times a day."""

from celery import shared_task

from transaction_log import retention


@shared_task
def forget_closed_entries() -> None:
    retention.forget_closed_entries()
