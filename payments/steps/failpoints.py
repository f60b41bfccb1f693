"""Named places between two side effects, where a test may end the process.

In production `reach` points to a function that does nothing.
"""

from collections.abc import Callable


def _pass(label: str) -> None:
    """Do nothing (production)."""


reach: Callable[[str], None] = _pass


def failpoint(label: str) -> None:
    """Mark a place between two side effects, at which a test may end the process."""
    reach(label)
