"""Wake a worker without blocking on the broker.

A caller that has stored a row calls `wake_worker`. A background thread then publishes the Celery
message, at most once per process and 50 ms. The broker may be down, paused or wiped: the row in
PostgreSQL is authoritative, and the periodic sweep finds rows whose wake-up was lost.
"""

import os
import threading
import time
from typing import Literal, get_args

import structlog
from celery import current_app
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

log = structlog.get_logger(__name__)

_PAUSE = 0.05
_PAUSE_AFTER_FAILURE = 5.0
# When this many wake-ups wait in the queue no worker fetches them, and another one adds nothing.
_ENOUGH = 50
# Tasks that a wake-up may name. `orders.tasks` imports this module, not the other way round.
_Wakeup = Literal["drain", "send_reports", "check_drift"]
_NAMES: dict[_Wakeup, str] = {task: f"orders.tasks.{task}" for task in get_args(_Wakeup)}


class _WakeupThread:
    """Publish wake-ups for one task in the background; requests close together become one."""

    def __init__(self, task: _Wakeup = "drain") -> None:
        self._task = task
        self._requested = threading.Event()
        self._request_id = ""  # of the web request that asked last
        threading.Thread(target=self._run, name="wakeup", daemon=True).start()

    def request(self) -> None:
        """Publish a wake-up soon. Return at once."""
        self._request_id = str(get_contextvars().get("request_id", ""))
        self._requested.set()

    def _run(self) -> None:
        while self._requested.wait():
            self._requested.clear()
            time.sleep(_PAUSE if self._publish() else _PAUSE_AFTER_FAILURE)

    def _publish(self) -> bool:
        clear_contextvars()
        if self._request_id:
            bind_contextvars(request_id=self._request_id)
        try:
            publish(self._task)
        except Exception as error:  # noqa: BLE001 (no failure of the broker may end the thread)
            log.warning("wakeup_not_sent", reason=type(error).__name__)
            return False
        return True


def publish(task: _Wakeup) -> None:
    """Send one wake-up by the task's name, unless `_ENOUGH` of them wait. It never expires."""
    with current_app.producer_pool.acquire(block=True) as producer:
        lane = current_app.amqp.router.route({}, _NAMES[task])["queue"]
        if lane(producer.channel).queue_declare().message_count < _ENOUGH:
            current_app.send_task(_NAMES[task], producer=producer, ignore_result=True)


_threads: dict[tuple[int, _Wakeup], _WakeupThread] = {}


def wake_worker(task: _Wakeup = "drain") -> None:
    """Wake a worker for a task of `orders.tasks`. Return at once.

    A forked process gets threads of its own.
    """
    key = (os.getpid(), task)
    if key not in _threads:
        _threads[key] = _WakeupThread(task)
    _threads[key].request()
