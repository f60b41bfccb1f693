"""Whether this process, or the worker that forked it, has been asked to stop.

Celery tells only a worker's main process. The flag lies in memory that its children share, so long
work sees it: no new call begins, the call under way ends, and the next run does the rest.
"""

import mmap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Made at import, which is before a worker forks. One byte: no lock that a killed child could hold.
_flag = mmap.mmap(-1, 1)
_interruptible: ContextVar[bool] = ContextVar("interruptible", default=False)
_NAP = 0.2


class Stopping(BaseException):
    """The process has to end: raised in place of the next call of interruptible work.

    Like KeyboardInterrupt it is no error, so no error handler catches it.
    """


def stop() -> None:
    """Ask this process, and those that it forked, to stop."""
    _flag[0] = 1


def stopping() -> bool:
    """Return whether the process has been asked to stop."""
    return bool(_flag[0])


@contextmanager
def interruptible() -> Iterator[None]:
    """Allow the work inside to end before any of its calls: the next run repeats it."""
    token = _interruptible.set(True)
    try:
        yield
    finally:
        _interruptible.reset(token)


def before_a_call() -> None:
    """Raise Stopping where work must not go on with another call."""
    if stopping() and _interruptible.get():
        raise Stopping


def pause(seconds: float) -> None:
    """Sleep, but no longer than the process runs."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        before_a_call()
        time.sleep(min(left, _NAP))
