"""Kills a process between any two side effects of `confirm`, and lets others finish its work.

A warm parent forks a child for every actor; the child ends itself, without any clean-up, at the
n-th place it reaches. Afterwards the parent goes on until nothing is due.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from orders.models import Order
from payments.confirm import confirm
from payments.models import Solicitation
from payments.steps import outcomes
from stores.isolation import Busy

PAYMENTS = Path(outcomes.__file__).parent
CRASHED = 137
NEVER = 10_000
PATIENCE = 60.0


class Countdown:
    """Ends the process when it reaches its n-th place; tells through a pipe which places it saw."""

    def __init__(self, crash_at: int, pipe: int) -> None:
        self.left, self.pipe = crash_at, pipe

    def __call__(self, label: str) -> None:
        os.write(self.pipe, f"{label}\n".encode())
        self.left -= 1
        if self.left == 0:
            os._exit(CRASHED)


def forget_connections() -> list[object]:
    """Let this child connect for itself; its parent's connections, kept unused, stay open there."""
    kept = [one.connection for one in connections.all()]
    for one in connections.all():
        one.connection = None
    return kept


class Actor:
    """A forked child that works on one payment, with the place where it dies."""

    def __init__(self, work: Callable[[], None], crash_at: int = NEVER) -> None:
        self.reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._be_the_child(work, crash_at, writing)
        os.close(writing)

    def _be_the_child(self, work: Callable[[], None], crash_at: int, pipe: int) -> None:
        code = 1
        try:
            self.parents = forget_connections()
            outcomes._reach = Countdown(crash_at, pipe)
            work()
            code = 0
        finally:
            os._exit(code)

    def end(self) -> tuple[int, set[str]]:
        """Wait for it: its exit code, and the places it reached."""
        with os.fdopen(self.reading) as pipe:
            labels = set(pipe.read().split())
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status), labels


class CrashRunner:
    """Counts what it did, for the table at the end."""

    def __init__(self) -> None:
        self.crashes = self.payments = self.violations = 0
        self.labels: set[str] = set()
        self.seconds = 0.0

    def pay(self, pk: int, crash_points: Iterable[int], actors: int = 1) -> int:
        """Drive one payment with these crashes, `actors` at a time, and then to its end.

        Returns how many of the crashes really happened: a crash point may lie behind the end.
        """
        since = time.monotonic()
        happened = sum(self.together(pk, crash_at, actors) for crash_at in crash_points)
        self.finish(pk)
        self.seconds += time.monotonic() - since
        self.payments += 1
        self.crashes += happened
        return happened

    def together(self, pk: int, crash_at: int, actors: int) -> int:
        """One actor that dies, and the others beside it that do not."""
        crowd = [Actor(lambda: drive(pk), crash_at if n == 0 else NEVER) for n in range(actors)]
        codes = []
        for actor in crowd:
            code, labels = actor.end()
            self.labels |= labels
            codes.append(code)
        assert set(codes) <= {0, CRASHED}, f"an actor failed by itself: {codes}"
        return codes.count(CRASHED)

    def table(self) -> str:
        """What a closing note says."""
        ms = 1000 * self.seconds / max(1, self.crashes)
        return (
            f"payments {self.payments}, crashes {self.crashes}, violations {self.violations}, "
            f"{ms:.0f} ms per crash, {len(self.labels)} places"
        )

    def finish(self, pk: int) -> None:
        """What the sweep does: go on whenever something is due, until nothing is."""
        deadline = time.monotonic() + PATIENCE
        with self.watching():
            while (due := Solicitation.objects.get(pk=pk).next_at) is not None:
                assert time.monotonic() < deadline, f"{Solicitation.objects.get(pk=pk).__dict__}"
                drive(pk)
                time.sleep(max(0.02, min(0.1, (due - timezone.now()).total_seconds())))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See which places this process reaches by itself."""
        before, outcomes._reach = outcomes._reach, self.labels.add
        try:
            yield
        finally:
            outcomes._reach = before


class Backup:
    """A payment as the database had it once; restoring it forgets everything since."""

    def __init__(self, pk: int) -> None:
        [self.row] = Solicitation.objects.filter(pk=pk).values()
        self.had_order = self._orders().exists()

    def restore(self) -> None:
        if not self.had_order:
            self._orders().delete()
        fields = {name: value for name, value in self.row.items() if name != "id"}
        fields["next_at"] = timezone.now()
        Solicitation.objects.filter(pk=self.row["id"]).update(**fields)

    def _orders(self) -> QuerySet[Order]:
        reference = self.row["reference"]
        return Order.objects.filter(reference__in=[reference])


def drive(pk: int) -> None:
    """An actor: whoever calls `confirm`; when somebody else does, that is fine."""
    with suppress(Busy):
        confirm(pk, wait=0.2)


def labels_in_the_code() -> set[str]:
    """Every place that the code names; those with a status in them for each status."""
    found = set()
    for file in PAYMENTS.rglob("*.py"):
        found |= set(re.findall(r'failpoint\(f?"(\w+)', file.read_text()))
    shown = {f"shown_{status}" for status in ("approved", "in_review", "cancelled")}
    return {label for label in found if label != "shown_"} | shown
