"""What differs between a store and what we want in it, and how to put it right. No database here:
these run on threads."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypedDict

from django.utils import timezone

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from stores.encryption import Undecryptable
from stores.models import Store

# outdated: from an older version of ours; changed: by another party. The last four are seen on the
# checkout page: an address that refuses, one that was not reached, another file than the registered
# one, scripts of others.
Kind = Literal[
    "missing", "changed", "outdated", "surplus", "failed", "unauthorised",
    "silent", "unreached", "altered", "foreign",
]  # fmt: skip
_ALL: tuple[Kind, ...] = ("missing", "changed", "outdated", "surplus")


class Problem(TypedDict):
    """One problem; `words` holds BigCommerce's message, or the names of changed fields."""

    kind: Kind
    name: str
    words: str


class Health(TypedDict):
    """The state of one part of the registration at a moment (ISO 8601)."""

    ok: bool
    at: str
    problems: list[Problem]


@dataclass(frozen=True)
class Change:
    """One call that repairs one thing."""

    kind: Kind
    name: str
    apply: Callable[[], object]
    words: str = ""

    @property
    def problem(self) -> Problem:
        return {"kind": self.kind, "name": self.name, "words": self.words}


Plan = Callable[[BigCommerce, Store], list[Change]]
Part = Callable[[BigCommerce, Store], list[Problem]]


def only_look(plan: Plan) -> Part:
    """Return a part that reports problems and changes nothing."""

    def look(api: BigCommerce, store: Store) -> list[Problem]:
        return [change.problem for change in plan(api, store)]

    return look


def put_right(plan: Plan, until: float, kinds: tuple[Kind, ...] = _ALL) -> Part:
    """Return a part that makes its changes of these kinds, none after `until` (monotonic).

    A rejected change does not stop the next one. Afterwards the part is checked again: what was
    rejected may have been there already, and a change whose answer was lost may have happened.
    """

    def work(api: BigCommerce, store: Store) -> list[Problem]:
        wanted = plan(api, store)
        left = [change.problem for change in wanted if change.kind not in kinds]
        refused = _refusals([change for change in wanted if change.kind in kinds], until)
        return left + (refused if refused and len(plan(api, store)) > len(left) else [])

    return work


def _refusals(changes: Iterable[Change], until: float) -> list[Problem]:
    problems: list[Problem] = []
    for change in changes:
        if time.monotonic() > until:
            problems.append(change.problem)
            continue
        try:
            change.apply()
        except Rejected as refusal:
            problems.append(_refused(refusal, change.name))
        except Unavailable as failure:
            problems.append({"kind": "failed", "name": change.name, "words": failure.reason})
            until = 0.0
    return problems


def _refused(refusal: Rejected, name: str = "") -> Problem:
    """Return BigCommerce's rejection as a problem."""
    kind: Kind = "unauthorised" if refusal.status == 401 else "failed"
    return {"kind": kind, "name": name, "words": refusal.message}


def health(part: Part, connect: Callable[[], BigCommerce], store: Store) -> Health:
    """Return the state of a part, whatever happens during the check."""
    try:
        problems = part(connect(), store)
    except Rejected as refusal:
        problems = [_refused(refusal)]
    except Unavailable as failure:
        problems = [{"kind": "failed", "name": "", "words": failure.reason}]
    except Undecryptable as lost:
        problems = [{"kind": "failed", "name": "", "words": str(lost)}]
    return {"ok": not problems, "at": timezone.now().isoformat(), "problems": problems}
