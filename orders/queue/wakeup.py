"""Waking a worker without ever waiting for the broker.

Whoever stored something rings; a thread in the background publishes, at most once per process and
50 ms. The broker may be away, paused or wiped: the row in PostgreSQL is the truth, and the sweep
finds what a lost wake-up forgot.
"""

import os
import threading
import time
from typing import Literal, get_args

import structlog
from celery import current_app
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

log = structlog.get_logger(__name__)

PAUSE = 0.05
PAUSE_AFTER_FAILURE = 5.0
# So many wake-ups wait already that another one says nothing: nobody fetches them.
ENOUGH = 50
# Tasks that a wake-up may name. The module of the tasks imports this one, not the other way round.
_Wakeup = Literal["drain", "send_reports", "check_drift"]
NAMES: dict[_Wakeup, str] = {task: f"orders.tasks.{task}" for task in get_args(_Wakeup)}


class Doorbell:
    """Rings in the background; many rings close together are one."""

    def __init__(self, task: _Wakeup = "drain") -> None:
        self._task = task
        self._rung = threading.Event()
        self._for = ""  # the request that rang last
        threading.Thread(target=self._run, name="doorbell", daemon=True).start()

    def ring(self) -> None:
        self._for = str(get_contextvars().get("request_id", ""))
        self._rung.set()

    def _run(self) -> None:
        while self._rung.wait():
            self._rung.clear()
            time.sleep(PAUSE if self._publish() else PAUSE_AFTER_FAILURE)

    def _publish(self) -> bool:
        clear_contextvars()
        if self._for:
            bind_contextvars(request_id=self._for)
        try:
            publish(self._task)
        except Exception as error:  # noqa: BLE001 (whatever the broker does, we live)
            log.warning("doorbell_unheard", reason=type(error).__name__)
            return False
        return True


def publish(task: _Wakeup) -> None:
    """Send one wake-up by the task's name, unless the queue is full of them. It never expires."""
    with current_app.producer_pool.acquire(block=True) as producer:
        lane = current_app.amqp.router.route({}, NAMES[task])["queue"]
        if lane(producer.channel).queue_declare().message_count < ENOUGH:
            current_app.send_task(NAMES[task], producer=producer, ignore_result=True)


_doorbells: dict[tuple[int, _Wakeup], Doorbell] = {}


def ring(task: _Wakeup = "drain") -> None:
    """Say that there is work for a task of `orders.tasks`. Returns at once.

    A process that forked gets doorbells of its own.
    """
    key = (os.getpid(), task)
    if key not in _doorbells:
        _doorbells[key] = Doorbell(task)
    _doorbells[key].ring()
