"""Measure all parts, or those named: `python -m local.bench [--quick] [--record] [part …]`."""

import argparse
import importlib
import os
import sys

import django
from django.core.management import call_command

from local.bench import runner

PARTS = ("intake", "checkout", "script", "mapping", "drain", "growth", "memory")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; without any: all")
    parser.add_argument("--quick", action="store_true", help="fail when a ratio slips by half")
    parser.add_argument("--record", action="store_true", help="keep the ratios in the repository")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    ratios: dict[str, float] = {}
    slipped: list[str] = []
    with runner.servers() as servers:
        os.environ.update(servers.env)
        django.setup()
        call_command("migrate", verbosity=0)
        for name in given.parts or PARTS:
            # Only now: the modules of the parts import models.
            part: runner.Part = importlib.import_module(f"local.bench.{name}").PART
            effort = part.quick if given.quick else part.full
            found = runner.run(part, name, servers, effort)
            slipped += _slipped(part, found)
            ratios |= found
    if given.record:
        runner.record(ratios)
    if not given.quick:
        return 0
    print("\n" + "\n".join(slipped or ["No ratio slipped by half against recorded.json."]))
    return 1 if slipped else 0


def _slipped(part: runner.Part, found: dict[str, float]) -> list[str]:
    """Return a sentence for each goal whose ratio is worse than the recorded one by half."""
    known = runner.recorded()
    return [
        f"SLIPPED: {goal.code} is {found[goal.code]:.2f}, recorded {known[goal.code]:.2f}"
        for goal in part.goals
        if goal.code in found.keys() & known.keys()
        and goal.has_slipped(found[goal.code], known[goal.code])
    ]


if __name__ == "__main__":
    sys.exit(main())
