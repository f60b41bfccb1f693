"""Pages of the log by keyset: a page starts after an entry, not at a number.

Every page costs the same however deep it lies and however long the log is: nothing is counted and
nothing is skipped. The comparison of rows `(at, id) < (…, …)` is what an index can answer; the
usual `at < … OR (at = … AND id < …)` reads the whole store.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

from orders.models import Order
from stores.models import Store
from transaction_log.models import Entry

PAGE = 50
_EXPORT_CHUNK = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def with_approved(entries: QuerySet[Entry]) -> QuerySet[Entry]:
    """Return the entries with the cents that SeQura approved for their order, as `approved`."""
    orders = Order.objects.filter(
        store=OuterRef("store"), bigcommerce_id=OuterRef("bigcommerce_id")
    )
    return entries.annotate(approved=Subquery(orders.values("amount")[:1]))


class Position(NamedTuple):
    """Where an entry stands in the log; its text goes into addresses."""

    at: datetime
    id: int

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls(entry.at, entry.pk)

    @classmethod
    def parse(cls, text: str) -> Self:
        """ValueError when it is none of ours."""
        at, _, number = text.partition("-")
        try:
            return cls(_EPOCH + int(at) * _MICROSECOND, _id(number))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{text!r} is no place in the log") from error

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // _MICROSECOND}-{self.id}"


def _id(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError(text)
    return number


@dataclass(frozen=True)
class Page:
    """Entries, newest first, and from where their neighbours are reached."""

    entries: list[Entry]
    newer: Position | None
    older: Position | None


def newest_first(store: Store) -> QuerySet[Entry]:
    """A store's entries. Every query of the log begins here."""
    return Entry.objects.filter(store=store).order_by("-at", "-id")


def _before(entries: QuerySet[Entry], position: Position) -> QuerySet[Entry]:
    return entries.filter(TupleLessThan(Tuple("at", "id"), tuple(position)))


def _after(entries: QuerySet[Entry], position: Position) -> QuerySet[Entry]:
    return entries.filter(TupleGreaterThan(Tuple("at", "id"), tuple(position)))


def first_page(entries: QuerySet[Entry]) -> Page:
    found = list(entries[: PAGE + 1])
    return Page(found[:PAGE], None, _last(found) if len(found) > PAGE else None)


def older_page(entries: QuerySet[Entry], position: Position) -> Page:
    """The entries that come below this position."""
    found = list(_before(entries, position)[: PAGE + 1])
    newer = Position.of(found[0]) if found else None
    return Page(found[:PAGE], newer, _last(found) if len(found) > PAGE else None)


def newer_page(entries: QuerySet[Entry], position: Position) -> Page:
    """The entries that come just above this position; at the top it is the first page."""
    found = list(_after(entries, position).order_by("at", "id")[: PAGE + 1])
    if len(found) <= PAGE:
        return first_page(entries)
    shown = found[:PAGE][::-1]
    return Page(shown, Position.of(shown[0]), Position.of(shown[-1]))


def _last(found: list[Entry]) -> Position:
    return Position.of(found[PAGE - 1])


def chunks(entries: QuerySet[Entry], size: int = _EXPORT_CHUNK) -> Iterator[list[Entry]]:
    """All of them, a short query at a time: nothing is held open while a slow reader reads."""
    chunk = list(entries[:size])
    while chunk:
        yield chunk
        last = Position.of(chunk[-1])
        chunk = list(_before(entries, last)[:size]) if len(chunk) == size else []


def needing_somebody(store: Store, most: int) -> int:
    """How many rejected entries are open, counted no further than `most`."""
    rejected = newest_first(store).filter(closed_at=None, outcome=Entry.Outcome.REJECTED)
    return len(rejected.values_list("pk")[:most])
