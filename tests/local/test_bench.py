"""The frame of `make bench`: medians, goals, and what counts as slipped."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest

from local.bench import runner
from local.bench.__main__ import PARTS
from local.bench.runner import Effort, Figures, Goal, NotAvailable, Part, Servers

SERVERS = Servers("", "", 0, 0)
EFFORT = Effort(rounds=3, seconds=0, quick=True)


def part(**measured: Callable[[], Figures]) -> Part:
    """A part with a control and these variants, each beside the control."""

    @contextmanager
    def variants(_: Servers, __: Effort) -> Iterator[Mapping[str, Callable[[], Figures]]]:
        yield {"control": lambda: {"CPU": 2.0}, **measured}

    def beside(name: str) -> Callable[[Mapping[str, Any]], float]:
        return lambda found: float(found[name]["CPU"]) / float(found["control"]["CPU"])

    return Part(
        title="a part",
        full=EFFORT,
        quick=EFFORT,
        variants=variants,
        control=("control", "CPU"),
        columns={"CPU": ".1f"},
        goals=tuple(Goal(name, "beside the control", 2.0, beside(name)) for name in measured),
    )


def test_a_goal_is_held_against_the_median_of_its_rounds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cpu = iter([1.0, 90.0, 5.0])
    ratios = runner.run(part(product=lambda: {"CPU": next(cpu)}), "it", SERVERS, EFFORT)
    assert ratios == {"product": 2.5}
    printed = capsys.readouterr().out
    assert "| product | beside the control | ≤ 2 | 2.50 | 0.50 to 45.00 | **no** |" in printed


def test_what_could_not_be_measured_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    def absent() -> Figures:
        raise NotAvailable("Node.js is not installed")

    assert runner.run(part(peer=absent), "it", SERVERS, EFFORT) == {}
    printed = capsys.readouterr().out
    assert "NOT MEASURED: peer: Node.js is not installed" in printed
    assert "| peer | beside the control | ≤ 2 | NOT MEASURED | | |" in printed


@pytest.mark.parametrize(
    ("at_least", "value", "slipped"),
    [(False, 1.4, False), (False, 1.6, True), (True, 0.7, False), (True, 0.6, True)],
)
def test_a_ratio_slips_when_it_is_worse_by_half(
    at_least: bool, value: float, slipped: bool
) -> None:
    goal = Goal("P", "", 1.0, lambda _: 0.0, at_least=at_least)
    assert goal.has_slipped(value, recorded=1.0) is slipped


def test_the_record_names_goals_that_exist() -> None:
    """A renamed goal would never be compared again."""
    parts = [import_module(f"local.bench.{name}").PART for name in PARTS]
    assert runner.recorded().keys() <= {goal.code for part in parts for goal in part.goals}
