"""Bars for the orders of the last days: positions in a drawing of 600 by 140. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from panel.figures import Day

WIDTH, HEIGHT, GAP = 600, 140, 4
STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Bar:
    """One day's rectangle, from the top left corner."""

    day: Day
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Chart:
    """The drawing, the amount at its upper edge in cents, and the totals."""

    bars: list[Bar]
    top: int
    orders: int
    amount: int

    @property
    def middle(self) -> int:
        """The amount at half the height, cents."""
        return self.top // 2


def chart(days: Sequence[Day]) -> Chart:
    """Bars by amount. A day with orders is always visible."""
    top = nice(max((day.amount for day in days), default=0))
    width = WIDTH / max(1, len(days))
    bars = []
    for number, day in enumerate(days):
        height = HEIGHT * day.amount / top
        height = round(max(height, 2.0) if day.orders else 0.0, 1)
        x = round(number * width + GAP / 2, 1)
        bars.append(Bar(day, x, round(HEIGHT - height, 1), round(width - GAP, 1), height))
    orders = sum(day.orders for day in days)
    return Chart(bars, top, orders, sum(day.amount for day in days))


def nice(cents: int) -> int:
    """A round amount not below this one: 1, 2 or 5 with zeros, at least 100 €."""
    size = 10_000
    while True:
        for step in STEPS:
            if cents <= size * step:
                return size * step
        size *= 10
