"""Celery wakes the workers: a message means "there is work", PostgreSQL knows which.

A web process must never wait for an unreachable broker, so the settings give publishing half a
second. A worker and beat may wait on their connection: they get other socket options.

There are two lanes. `fast` processes order changes and payments and probes refused accounts, `slow`
does everything that may take minutes. A worker of both keeps slots for the fast one; `-Q fast` and
`-Q slow` serve one lane.

A worker and a beat touch a file while they are well, for health checks without the broker:
`celery inspect ping` goes through the broker, so in its outage every worker would be found ill and
be started anew, though nothing is wrong with it. Without HEARTBEAT_FILE nothing is written.
"""

import fcntl
import gc
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import celery.beat
import structlog
from celery import Celery, Task
from celery.signals import (
    beat_init,
    before_task_publish,
    celeryd_after_setup,
    celeryd_init,
    heartbeat_sent,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_before_create_process,
    worker_shutting_down,
)
from celery.worker.request import Request
from django.conf import settings
from kombu import Queue
from kombu.exceptions import OperationalError
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from transport.stopping import Stopping, interruptible, stop
from transport.tracing import span

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sequra_bc.settings")

FAST, SLOW = "fast", "slow"
# Every periodic task, its lane and its interval in seconds. Beat keeps no state and counts from its
# own start, so whatever has to happen daily asks the database whether it is due, every few minutes.
PERIODIC: dict[str, tuple[str, float]] = {
    "payments.tasks.resume_solicitations": (FAST, 10),
    "payments.tasks.forget_abandoned_payments": (SLOW, 60 * 60),
    "orders.tasks.sweep": (FAST, 15),
    # Updates that wait for a refused account must arrive within four minutes.
    "stores.tasks.probe_accounts": (FAST, 30),
    "orders.tasks.reconcile": (SLOW, 15),
    "orders.tasks.watch": (SLOW, 60),
    "orders.tasks.send_reports": (SLOW, 60),
    "orders.tasks.check_drift": (SLOW, 60),
    "stores.tasks.tend_stores": (SLOW, 120),
    "alerts.tasks.send_alerts": (SLOW, 60),
    "transaction_log.tasks.forget_closed_entries": (SLOW, 15 * 60),
}
# Tasks that are neither periodic nor slow.
WAKE_UPS = ("orders.tasks.drain",)
_KEPT_FOR_FAST = 2  # slots of a worker that serves both lanes
_TRY_AGAIN = 3.0  # seconds until a slow task tries again to get a slot

# A dead connection is noticed within 25 s, and an idle one is not an error.
_PATIENT = {
    "health_check_interval": 10,
    "socket_keepalive": True,
    "socket_connect_timeout": 5,
    "socket_timeout": 15,
}

log = structlog.get_logger(__name__)


class _Slots:
    """Limit how many slow tasks a worker runs at once: locks on the bytes of an unnamed file.

    The processes of the worker share it, and the kernel frees a lock however its holder ends.
    """

    def __init__(self, number: int) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the worker lives)
        self.number = number

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Hold a slot and yield whether there was one."""
        for slot in range(self.number):
            try:
                fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except OSError:
                continue
            try:
                yield True
            finally:
                fcntl.lockf(self.file, fcntl.LOCK_UN, 1, slot)
            return
        yield False


_slots: list[_Slots] = []  # of this worker; none where no lane has to be kept free


class _Unacknowledged(Request):
    """A message that needs no acknowledgement.

    Its queue is consumed without acknowledgements. Kombu restores unacknowledged messages when a
    connection breaks, through the broken channel, and the worker ends with an AttributeError; and
    it would acknowledge on the old channel what arrived before. None of this is needed: a message
    carries nothing, and the next one replaces a lost one.
    """

    def acknowledge(self) -> None:
        self.acknowledged = True

    def reject(self, requeue: bool = False) -> None:  # noqa: ARG002 (Celery's own)
        self.acknowledged = True


# Celery's Task is generic in its stubs only.
class _LaneTask(Task):  # type: ignore[type-arg]
    """A task that leaves the slots of the fast lane free."""

    Request = f"{__name__}:{_Unacknowledged.__name__}"
    max_retries = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with span(self.name, "consumer"):
            return self._in_its_lane(*args, **kwargs)

    def _in_its_lane(self, *args: Any, **kwargs: Any) -> Any:
        if _lane_of(self.name) == FAST:
            return self.run(*args, **kwargs)
        if not _slots or self.request.called_directly:
            return self._interruptibly(*args, **kwargs)
        with _slots[0].one() as free:
            return self._interruptibly(*args, **kwargs) if free else self._later()

    def _interruptibly(self, *args: Any, **kwargs: Any) -> None:
        """Run the task. The process may end before each call to another system."""
        try:
            with interruptible():
                self.run(*args, **kwargs)
        except Stopping:
            log.info("task_interrupted", task=self.name)

    def _later(self) -> None:
        """Queue the task again, unless the message expires before."""
        try:
            raise self.retry(countdown=_TRY_AGAIN)
        except OperationalError as error:
            log.warning("wakeup_not_sent", task=self.name, reason=type(error).__name__)


def _lane_of(task: str) -> str:
    """Return the lane of a task; slow if it is not listed."""
    lane, _ = PERIODIC.get(task, (FAST if task in WAKE_UPS else SLOW, 0))
    return lane


# Beat sends names and runs no task: it loads no apps, which would be half of its memory.
_IS_BEAT = Path(sys.argv[0]).name == "celery" and "beat" in sys.argv and "worker" not in sys.argv
app = Celery("sequra_bc", task_cls=_LaneTask, fixups=[] if _IS_BEAT else None)
app.config_from_object("sequra_bc.settings:CELERY")
app.conf.task_queues = [Queue(lane, routing_key=lane, no_ack=True) for lane in (FAST, SLOW)]
app.conf.task_default_queue = SLOW
app.conf.task_routes = {
    task: {"queue": FAST} for task in [*PERIODIC, *WAKE_UPS] if _lane_of(task) == FAST
}
if not _IS_BEAT:
    app.autodiscover_tasks()
app.conf.beat_schedule = {
    # A slow task that was not fetched in time may expire: the next one does the same work.
    name: {
        "task": name,
        "schedule": seconds,
        "options": {"expires": seconds} if lane == SLOW else {},
    }
    for name, (lane, seconds) in PERIODIC.items()
}


def _be_patient(conf: Any) -> None:
    """Wait for Redis for as long as it takes; other brokers have no such options."""
    mine = _PATIENT if settings.IS_REDIS else {}
    conf.broker_transport_options = mine | settings.BROKER_OPTIONS


@celeryd_init.connect
def _be_patient_as_worker(instance: Any, conf: Any, **_: Any) -> None:
    """Set the options in `celery worker` before it connects.

    Drop the banner, which is no JSON line.
    """
    instance.quiet = True
    _be_patient(conf)


@beat_init.connect
def _be_patient_as_beat(sender: Any, **_: Any) -> None:
    """Set the options in `celery beat` before its first message."""
    _be_patient(sender.app.conf)


@celeryd_after_setup.connect
def _keep_slots_for_the_fast_lane(instance: Any, **_: Any) -> None:
    """Create the slots in `celery worker` when it knows its queues, before it forks."""
    if set(instance.app.amqp.queues.consume_from) == {FAST, SLOW}:
        _slots[:] = [_Slots(max(1, instance.concurrency - _KEPT_FOR_FAST))]


@worker_before_create_process.connect
def _share_memory(**_: Any) -> None:
    """Keep the garbage collector of a child from writing to what it shares with its parent.

    Each fork freezes anew: what became garbage since the last one is collected before.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@worker_shutting_down.connect
def _stop_long_tasks(**_: Any) -> None:
    """Stop long tasks of the children when the worker's main process receives SIGTERM."""
    stop()


@setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Keep Celery from configuring logging: it does not if this signal has a receiver."""


@before_task_publish.connect
def _send_the_request_along(headers: dict[str, Any], **_: Any) -> None:
    """Add the id of the request that caused a task, for the log."""
    if request_id := get_contextvars().get("request_id"):
        headers["request_id"] = request_id


@task_prerun.connect
def _remember_start(task_id: str, task: Any, **_: Any) -> None:
    clear_contextvars()
    bind_contextvars(task=task.name, task_id=task_id)
    if request_id := task.request.get("request_id"):
        bind_contextvars(request_id=str(request_id)[:64])
    task.request.started = time.monotonic()


@task_postrun.connect
def _log_task(task: Any, state: str, **_: Any) -> None:
    """Log one line per task, without arguments and results."""
    started = getattr(task.request, "started", time.monotonic())
    log.info("task", outcome=state.lower(), ms=round(1000 * (time.monotonic() - started)))
    clear_contextvars()
    keep_figures()


def keep_figures() -> None:
    """Store this worker's counters, for `/metrics` of the web processes."""
    from sequra_bc.metrics import keeper

    keeper.keep()


_EVERY = 10.0  # seconds
# Celery's main loop sends a heartbeat every two seconds while the broker answers.
_SILENT = 45.0


def _touch() -> None:
    """Record that this process is healthy."""
    if settings.HEARTBEAT_FILE:
        Path(settings.HEARTBEAT_FILE).touch()


class Scheduler(celery.beat.Scheduler):
    """Beat's schedule, without a memory. Each tick is a sign of life."""

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due, and return the seconds until the next tick."""
        delay: float = super().tick(*args, **options)
        _touch()
        return delay


class _Pulse:
    """Whether the main loop of a worker goes on."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.last = time.monotonic()

    def beat(self, **_: Any) -> None:
        """Record a round of the main loop."""
        self.last = time.monotonic()

    def is_well(self) -> bool:
        """Return whether it came round lately, or cannot, because the broker is away."""
        return time.monotonic() - self.last < _SILENT or self._broker_is_away()

    def _broker_is_away(self) -> bool:
        try:
            with self.app.connection_for_read() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        except Exception:  # noqa: BLE001 (every transport has errors of its own)
            return True
        return False

    def watch(self) -> None:
        """Touch the file for as long as the worker lives and is well."""
        while True:
            if self.is_well():
                _touch()
            time.sleep(_EVERY)


@celeryd_after_setup.connect
def _start_heartbeat(instance: Any, **_: Any) -> None:
    """Start before the worker looks for its broker, which may be away for long."""
    if settings.HEARTBEAT_FILE:
        pulse = _Pulse(instance.app)
        heartbeat_sent.connect(pulse.beat, weak=False)
        threading.Thread(target=pulse.watch, name="heartbeat", daemon=True).start()
