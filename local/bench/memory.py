"""The memory of web, worker and beat while nothing happens."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from local.bench.runner import Effort, Figures, Goal, Measure, Part, Servers, family
from local.stack import Stack

PRODUCT, PROGRAMS = "the product, idle", ("web", "worker", "beat")


def _megabytes(pid: int) -> float:
    """Return a process's share of memory (PSS): a page that several have counts once in all."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _idle(effort: Effort) -> Figures:
    """Start two web processes, four of the worker, and beat, and let the first tasks run."""
    with Stack(name="memory", web_processes=2, worker_concurrency=4) as stack:
        time.sleep(effort.seconds)
        found = {
            name: sum(_megabytes(pid) for pid in family(stack.processes[name].pid)[1:])
            for name in PROGRAMS
        }
    return {**found, "together": sum(found.values())}


@contextmanager
def _variants(_: Servers, effort: Effort) -> Iterator[Mapping[str, Measure]]:
    yield {PRODUCT: partial(_idle, effort)}


PART = Part(
    title="memory of all processes in MB (PSS), idle",
    full=Effort(rounds=3, seconds=30, quick=False),
    quick=Effort(rounds=1, seconds=10, quick=True),
    variants=_variants,
    control=(PRODUCT, "beat"),
    columns=dict.fromkeys((*PROGRAMS, "together"), ".0f"),
    goals=(
        Goal("P13", "web, worker and beat together", 300, lambda found: found[PRODUCT]["together"]),
    ),
)
