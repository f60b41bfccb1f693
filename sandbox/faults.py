"""Faults on demand: any route can refuse, dawdle, hang up, or lose the answer to work it has done.

A fault is a JSON object given to `POST /_control/faults`:

    method     "PUT"; absent or "*" is any
    path       a regular expression, searched in the path and in "path?query"
    status     the answer's status; absent: the real answer (a fault that is only slow)
    headers    of the answer; body: its text, or any JSON value
    delay      seconds before answering
    effect     "none": the work is refused (default); "before": it is done, then the fault answers
               in place of the answer; "after": the fault answers, the work is done behind its back
    reset      hang up without an answer; truncated: hang up in the middle of it
    times      how many requests it hits (default 1; 0 is without end); skip: how many it lets by
"""

import json
import re
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.server import Answer

EFFECTS = ("none", "before", "after")


@dataclass
class Fault:
    """One entry of the table; `hits` counts the requests it has met."""

    path: str = ".*"
    method: str = "*"
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = ""
    delay: float = 0.0
    effect: str = "none"
    reset: bool = False
    truncated: bool = False
    times: int = 1
    skip: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        re.compile(self.path)
        if self.effect not in EFFECTS:
            raise ValueError(f"effect is one of {', '.join(EFFECTS)}")

    @property
    def only_slow(self) -> bool:
        """Whether the real answer goes out, late or cut short."""
        return self.status is None and not self.reset

    def meets(self, method: str, path: str, query: str) -> bool:
        if self.method not in ("*", method):
            return False
        pattern = re.compile(self.path)
        return bool(pattern.search(path) or (query and pattern.search(f"{path}?{query}")))

    def answer(self) -> Answer:
        """The fault's own words."""
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        headers = {
            "Content-Type": "text/plain" if isinstance(self.body, str) else "application/json"
        }
        headers |= self.headers
        return Answer(self.status or 503, list(headers.items()), text.encode(), "", self.truncated)


_faults: list[Fault] = []
_lock = threading.Lock()


def add(description: dict[str, Any]) -> Fault:
    """A new fault; TypeError, ValueError or re.error when the description makes no sense."""
    fault = Fault(**description)
    with _lock:
        _faults.append(fault)
    return fault


def clear() -> None:
    with _lock:
        _faults.clear()


def listed() -> list[dict[str, Any]]:
    with _lock:
        return [asdict(fault) for fault in _faults]


def take(method: str, path: str, query: str) -> Fault | None:
    """The first fault that wants this request, counted; None when none does."""
    with _lock:
        for fault in _faults:
            if not fault.meets(method, path, query):
                continue
            fault.hits += 1
            if fault.hits <= fault.skip:
                continue
            if fault.times and fault.hits >= fault.skip + fault.times:
                _faults.remove(fault)
            return fault
    return None
