"""Celery, the doorbell: a message says "there is work", PostgreSQL knows which.

A web process must never wait for a broker that is away, so the settings give publishing half a
second. A worker and beat wait on their connection for a living: they get other socket options.
"""

import os
import time
from typing import Any

import structlog
from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
)
from structlog.contextvars import bind_contextvars, clear_contextvars

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sequra_bc.settings")

# Every periodic task and its interval in seconds. Beat keeps no state and counts from its own
# start, so whatever has to happen daily asks the database whether it is due, every few minutes.
PERIODIC: dict[str, float] = {
    "payments.tasks.resume_solicitations": 10,
    "payments.tasks.forget_abandoned_payments": 60 * 60,
    "orders.tasks.sweep": 15,
    "orders.tasks.reconcile": 15,
    "orders.tasks.watch": 60,
    "orders.tasks.send_reports": 60,
    "orders.tasks.check_drift": 60,
    "stores.tasks.tend_stores": 120,
    "transaction_log.tasks.forget_closed_entries": 15 * 60,
}

# A dead connection is noticed within 25 s, and an idle one is not an error.
PATIENT = {
    "health_check_interval": 10,
    "socket_keepalive": True,
    "socket_connect_timeout": 5,
    "socket_timeout": 15,
}

log = structlog.get_logger(__name__)
app = Celery("sequra_bc")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # A wake-up that nobody fetched in time says nothing that the next one does not say.
    name: {"task": name, "schedule": seconds, "options": {"expires": seconds}}
    for name, seconds in PERIODIC.items()
}


@celeryd_init.connect
def be_patient_as_worker(instance: Any, conf: Any, **_: Any) -> None:
    """Runs in `celery worker` before it connects. The banner is no JSON line."""
    instance.quiet = True
    conf.broker_transport_options = PATIENT


@beat_init.connect
def be_patient_as_beat(sender: Any, **_: Any) -> None:
    """Runs in `celery beat` before its first message."""
    sender.app.conf.broker_transport_options = PATIENT


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """A receiver of this signal makes Celery leave logging alone: sequra_bc.logs did it."""


@task_prerun.connect
def remember_start(task_id: str, task: Any, **_: Any) -> None:
    clear_contextvars()
    bind_contextvars(task=task.name, task_id=task_id)
    task.request.started = time.monotonic()


@task_postrun.connect
def log_task(task: Any, state: str, **_: Any) -> None:
    """One line per task, without arguments and results."""
    started = getattr(task.request, "started", time.monotonic())
    log.info("task", outcome=state.lower(), ms=round(1000 * (time.monotonic() - started)))
    clear_contextvars()
