"""Named places between two side effects, where a test may end the process.

In production `reach` points to a function that does nothing.
"""

from collections.abc import Callable


def _pass(label: str) -> None:
    """Production: go on."""


reach: Callable[[str], None] = _pass


def failpoint(label: str) -> None:
    """The process is between two side effects, at the place of this name."""
    reach(label)
