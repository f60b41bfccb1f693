"""How a step of `confirm` ends when it does not succeed."""

from collections.abc import Callable


class Refused(Exception):
    """The solicitation will never become an order: final, and stored with its reason.

    `status` is the HTTP status of the system that rejected it, if one did.
    """

    def __init__(self, code: str, detail: str = "", status: int = 0) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code, self.detail, self.status = code, detail, status


class Later(Exception):
    """The step is retried after so many seconds (None: after a growing pause).

    `is_logged`: the transaction log already shows it.
    """

    def __init__(self, why: str, seconds: float | None = None, *, is_logged: bool = False) -> None:
        super().__init__(why)
        self.seconds, self.is_logged = seconds, is_logged


# Named places between two side effects, where a test may end the process.
#
# In production `_reach` points to a function that does nothing.
def _pass(label: str) -> None:
    """Do nothing (production)."""


_reach: Callable[[str], None] = _pass


def failpoint(label: str) -> None:
    """Mark a place between two side effects, at which a test may end the process."""
    _reach(label)
