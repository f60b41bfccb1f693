"""Run a job of each store once a night, at the store's own hour, and continue it after a crash.

A run is a row. The process that works on it holds a lock of the store and stops after a while, so
that tasks stay short; the run stays under way, and a later task continues it where its row says.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from hashlib import sha256
from typing import Any, Generic, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from orders.models import DriftCheck, ReportRun
from stores.isolation import Busy, in_turn, isolated, only_one
from stores.models import Store
from stores.storefronts import time_zone_of
from transport.stopping import stopping

# Each store has its own moment within so many minutes of the hour, to spread the load.
_JITTER_MINUTES = 55
# Not needed here, and takes time to decrypt.
_SECRETS = ("access_token", "webhook_secret", "report_token", "alert_secrets")
# A run that was under way when the next night began.
_AGAIN = timedelta(minutes=4)

_Run = TypeVar("_Run", DriftCheck, ReportRun)


def _moment_on(store: Store, day: date) -> datetime:
    """Return when the night of this day begins, in UTC: the store's own hour, and some minutes."""
    digest = sha256(f"{store.hash} {day}".encode()).digest()
    minutes = int.from_bytes(digest[:2]) % _JITTER_MINUTES
    local = datetime.combine(
        day, time_of_day(store.reports_hour % 24, minutes), time_zone_of(store)
    )
    return local.astimezone(UTC)


def _last_moment(store: Store, now: datetime) -> datetime:
    """Return the latest moment at which a night began."""
    return _moment_on(store, _last_day(store, now))


def next_moment(store: Store, now: datetime) -> datetime:
    """Return when the next night begins."""
    return _moment_on(store, _last_day(store, now) + timedelta(days=1))


def _last_day(store: Store, now: datetime) -> date:
    today = now.astimezone(time_zone_of(store)).date()
    return today if _moment_on(store, today) <= now else today - timedelta(days=1)


@dataclass(frozen=True)
class NightlyJob(Generic[_Run]):
    """A job with a row per run, of which one is under way in each store at a time."""

    name: str  # in the log and in the metrics
    runs: type[_Run]
    turn: str  # the column of `Store`
    seconds: float  # of one task
    keep: int  # runs of a store
    work: Callable[[_Run, float], None]  # until a monotonic time; ends the run when it is finished
    # A run that fails in a way that nobody foresaw; without it the next task tries again.
    give_up: Callable[[_Run], None] | None = None

    def start(self, store: Store, **fields: Any) -> bool:
        """Start a run unless one is under way. Return whether it was started."""
        runs = self._runs(store=store)
        if runs.filter(state="running").exists():
            return False
        try:
            with transaction.atomic():
                runs.create(store=store, **fields)
        except IntegrityError:  # another process was faster
            return False
        newest = runs.order_by("-id").values_list("pk", flat=True)
        runs.filter(pk__lt=min(newest[: self.keep])).delete()
        return True

    def start_due(self, stores: QuerySet[Store], start: Callable[[Store], bool]) -> None:
        """Start the runs of these stores for which a night has begun; make up for a missed one."""

        def turn(store: Store) -> datetime:
            now = timezone.now()
            if self.is_due(store, now) and not start(store):
                return now + _AGAIN
            return next_moment(store, now)

        until = time.monotonic() + self.seconds
        in_turn(self.name, stores.defer(*_SECRETS), self.turn, turn, until)

    def is_due(self, store: Store, now: datetime) -> bool:
        """Return whether a night has begun since the store's last run and its installation."""
        moment = _last_moment(store, now)
        last = self._runs(store=store).aggregate(at=Max("started_at"))["at"]
        return store.installed_at <= moment and (last is None or last < moment)

    def continue_running(self) -> None:
        """Work on the runs under way until the time is up, in no order: each has its chance."""
        until = time.monotonic() + self.seconds
        running = self._runs(state="running").order_by("?").values_list("pk", flat=True)
        for key in list(running):
            if stopping() or time.monotonic() > until:
                return
            run = self._runs(pk=key).select_related("store").get()
            done = isolated(self.name, run.store, partial(self.continue_run, key, until))
            if not done and self.give_up:
                self.give_up(run)

    def continue_run(self, key: int, until: float | None = None) -> None:
        """Continue a run until the time is up, unless another process works on it."""
        run = self._runs(pk=key).select_related("store").get()
        try:
            with only_one(f"{self.name} of {run.store_id}"):
                run.refresh_from_db()
                if run.state == "running":
                    self.work(run, time.monotonic() + self.seconds if until is None else until)
        except Busy:
            return

    def _runs(self, **which: Any) -> QuerySet[_Run]:
        return QuerySet(self.runs).filter(**which)
