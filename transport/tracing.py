"""Spans: what a request, a task or a call took. No time is spent on them until a collector is set.

A span holds facts such as a route, a status or an outcome; never an address, a body or a message.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

Facts = dict[str, str | int]
Kind = Literal["server", "consumer", "client"]
_Opener = Callable[[str, Kind], AbstractContextManager[Facts]]


@contextmanager
def _uncollected(_name: str, _kind: Kind) -> Iterator[Facts]:
    yield {}


_opener: _Opener = _uncollected


def span(name: str, kind: Kind) -> AbstractContextManager[Facts]:
    """Open a span until the block ends, and yield its facts, to which the block may add.

    A fact `route` completes the name.
    """
    return _opener(name, kind)


def collect_with(opener: _Opener) -> None:
    """Open the spans of this process with this function from now on."""
    global _opener  # noqa: PLW0603 (one collector for each process)
    _opener = opener
