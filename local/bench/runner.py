"""Run the variants of a part in random order in each round, and compare the medians with goals."""

import json
import os
import random
import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import redis

from local.servers import LOCAL, create_database, owned, postgres, valkey
from local.settings import DEVELOPMENT

FOLDER = LOCAL / "bench"
RECORDED = Path(__file__).with_name("recorded.json")
SLIPPED = 1.5  # times the recorded ratio
SLIPPED_TIME = 2.0  # the same for a ratio of times, which other programs of the machine change more

Figures = Mapping[str, float]
Round = Mapping[str, Figures]  # by variant
Measure = Callable[[], Figures]


class NotAvailable(Exception):
    """This machine cannot run a variant. The message names the reason."""


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds, and seconds of each measurement."""

    rounds: int
    seconds: float
    quick: bool


@dataclass(frozen=True)
class Goal:
    """A ratio of figures of one round, and the bound that it has to keep."""

    code: str
    text: str
    bound: float
    ratio: Callable[[Round], float]
    at_least: bool = False
    slack: float = SLIPPED

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    def has_slipped(self, value: float, recorded: float) -> bool:
        """Return whether the ratio is worse than the recorded one, by half unless it has slack."""
        return value < recorded / self.slack if self.at_least else value > recorded * self.slack


@dataclass(frozen=True)
class Servers:
    """PostgreSQL with fsync and synchronous_commit on, and Valkey with its append-only file."""

    database_url: str
    redis_url: str
    postgres_pid: int
    valkey_pid: int

    def statement(self, text: str, values: object = None) -> None:
        """Run one statement and commit it."""
        connection = psycopg2.connect(self.database_url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(text, values)
        finally:
            connection.close()

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of the product's processes."""
        urls = {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        return {**os.environ, **DEVELOPMENT, **urls}


Variants = Callable[[Servers, Effort], AbstractContextManager[Mapping[str, Measure]]]


@dataclass(frozen=True)
class Part:
    """Variants to measure side by side, and the goals that follow from them."""

    title: str
    full: Effort
    quick: Effort
    variants: Variants
    control: tuple[str, str]  # the variant and the figure whose spread shows how steady it was
    columns: Mapping[str, str]  # figure: format
    goals: tuple[Goal, ...]


@contextmanager
def servers() -> Iterator[Servers]:
    """Run both servers on fresh data below `.local`, on the disk and not in memory."""
    with (
        owned(FOLDER),  # two at once would measure each other
        _fresh(FOLDER / "servers") as folder,
        postgres(folder / "postgres") as url,
        valkey(folder / "valkey") as redis_url,
    ):
        pid = (folder / "postgres/data/postmaster.pid").read_text().split()[0]
        info: Mapping[str, int] = redis.Redis.from_url(redis_url).info("server")
        yield Servers(create_database(url, "bench"), redis_url, int(pid), info["process_id"])


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    yield folder


def cpu_seconds(root: int) -> float:
    """Return the processor time of a process, its living descendants and their dead children."""
    ticks = 0
    for pid in family(root):
        with suppress(OSError):
            ticks += sum(map(int, _stat(pid)[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def family(root: int) -> list[int]:
    """Return a process and its living descendants."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            with suppress(OSError):
                children.setdefault(int(_stat(path.name)[1]), []).append(int(path.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _stat(pid: int | str) -> list[str]:
    """Return the fields of /proc/PID/stat behind the command, which may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def run(part: Part, name: str, given: Servers, effort: Effort) -> dict[str, float]:
    """Measure, print, and return the ratio of each goal that could be measured."""
    print(f"\n## {name}: {part.title}\n", flush=True)
    if (busy := os.getloadavg()[0]) > (os.cpu_count() or 1):
        print(f"**The machine is busy (load {busy:.0f}): times say little, ratios less.**\n")
    rounds: list[dict[str, Figures]] = []
    absent: dict[str, str] = {}
    with part.variants(given, effort) as variants:
        for _ in range(effort.rounds):
            found: dict[str, Figures] = {}
            for variant in random.sample(list(variants), len(variants)):
                try:
                    found[variant] = variants[variant]()
                except NotAvailable as error:
                    absent[variant] = str(error)
            rounds.append(found)
    for variant, reason in absent.items():
        print(f"**NOT MEASURED: {variant}: {reason}**\n")
    _print_figures(part, rounds)
    return _print_goals(part, rounds)


def _print_figures(part: Part, rounds: list[dict[str, Figures]]) -> None:
    print("| medians | " + " | ".join(part.columns) + " |")
    print("|---|" + "--:|" * len(part.columns))
    for variant in sorted({name for found in rounds for name in found}):
        cells = []
        for figure, how in part.columns.items():
            known = [found[variant][figure] for found in rounds if figure in found.get(variant, {})]
            cells.append(format(statistics.median(known), how) if known else "")
        print(f"| {variant} | " + " | ".join(cells) + " |")


def _print_goals(part: Part, rounds: list[dict[str, Figures]]) -> dict[str, float]:
    variant, figure = part.control
    control = [found[variant][figure] for found in rounds]
    spread = f"{min(control):.0f} to {max(control):.0f}"
    print(f"\nThe control itself ({variant}, {figure}) moved from {spread}.\n")
    print("| goal | | bound | measured | of the rounds | met |\n|---|---|--:|--:|--:|---|")
    ratios: dict[str, float] = {}
    for goal in part.goals:
        known = []
        for found in rounds:
            with suppress(KeyError):  # a variant that is not available
                known.append(goal.ratio(found))
        sign = "≥" if goal.at_least else "≤"
        if not known:
            print(f"| {goal.code} | {goal.text} | {sign} {goal.bound:g} | NOT MEASURED | | |")
            continue
        value = ratios[goal.code] = statistics.median(known)
        met = "yes" if goal.is_met(value) else "**no**"
        each = f"{min(known):.2f} to {max(known):.2f}"
        print(
            f"| {goal.code} | {goal.text} | {sign} {goal.bound:g} | {value:.2f} | {each} | {met} |"
        )
    return ratios


def recorded() -> dict[str, float]:
    """Return the ratios that the repository holds, by goal."""
    known: dict[str, float] = json.loads(RECORDED.read_text())
    return known


def record(ratios: Mapping[str, float]) -> None:
    """Write these ratios into the repository's record; others stay."""
    news = recorded() | {code: round(value, 2) for code, value in ratios.items()}
    RECORDED.write_text(json.dumps(dict(sorted(news.items())), indent=2) + "\n")
