"""Write the transaction log: what was sent to SeQura or received from it, and the outcome.

One problem is one open entry, however often it is tried: the partial unique index on (store,
BigCommerce order, SeQura order, statement, reason) guarantees it. Two SeQura orders of one cart are
two problems, and so are two statements about one order. A later success closes the entries about
the same: `settled_by`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple, TypedDict, Unpack
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import Combinable
from django.utils import timezone

from stores.models import Store
from transaction_log.explanations import DECISION, UPDATES, settled_by
from transaction_log.models import Entry

_Outcome = Entry.Outcome
# The fields that a further attempt changes in an open entry.
_NEWS = (
    "bigcommerce_id", "event", "words", "next_at", "outcome", "last_at", "unshipped", "shipped",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The order that entries are about, in both systems."""

    store: Store
    environment: str  # sandbox, live: which SeQura portal to link to
    bigcommerce_id: int | None = None
    reference: UUID | None = None
    payment_method: str = ""


class CartTotals(NamedTuple):
    """The cart totals of a statement in cents: still to ship, and shipped. None if unknown."""

    unshipped: int | None = None
    shipped: int | None = None


class _Details(TypedDict, total=False):
    """Further fields of an entry."""

    words: str  # the message of SeQura or another system: see `explanations`
    statement: str  # the digest of what was sent, or of what prevented it
    totals: CartTotals
    next_at: datetime | Combinable | None  # when it is retried
    by: str  # the e-mail address of the user who asked for it


def accepted(subject: Subject, event: str, reason: str = "", **details: Unpack[_Details]) -> Entry:
    """Log a success, and close open entries about the same."""
    close(subject, settled_by(event))
    return _closed(_entry(subject, event, _Outcome.ACCEPTED, reason, **details))


def ignored(subject: Subject, event: str, reason: str, **details: Unpack[_Details]) -> Entry:
    """Log that nothing had to be sent, and why. A repetition only increases the count."""
    entry = _entry(subject, event, _Outcome.IGNORED, reason, **details)
    known = _same(entry).filter(event=event, outcome=_Outcome.IGNORED, note="")
    return _once_more(known, entry) or _closed(entry)


def rejected(subject: Subject, event: str, reason: str, **details: Unpack[_Details]) -> Entry:
    """Open an entry for the merchant: SeQura rejected it. A repetition only increases the count.

    An entry that the merchant chose to ignore stays ignored, however often SeQura repeats it.
    """
    close(subject, settled_by(event), _Outcome.DELAYED)
    entry = _entry(subject, event, _Outcome.REJECTED, reason, **details)
    return _known_and_ignored(entry) or _opened(entry)


def delayed(subject: Subject, event: str, reason: str, **details: Unpack[_Details]) -> Entry:
    """Open an entry about something that did not get through yet and is retried."""
    return _opened(_entry(subject, event, _Outcome.DELAYED, reason, **details))


def close(subject: Subject, events: Collection[str] = UPDATES, *outcomes: str) -> None:
    """Close the open entries about these events of the order. History stays."""
    about = Q(bigcommerce_id=subject.bigcommerce_id) & Q(bigcommerce_id__isnull=False)
    if subject.reference:
        about |= Q(reference=subject.reference)
    still_open = Entry.objects.filter(
        about, store=subject.store, event__in=events, closed_at__isnull=True
    )
    if outcomes:
        still_open = still_open.filter(outcome__in=outcomes)
    still_open.update(closed_at=timezone.now(), next_at=None)


class Closing(NamedTuple):
    """The open entries of an order that are over: of these events, and these outcomes if any."""

    subject: Subject
    events: Collection[str]
    outcomes: Collection[str] = ()


_CLOSE = """
WITH closing AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS c(
        store_id bigint, bigcommerce_id bigint, reference uuid, events jsonb, outcomes jsonb)
), entry AS (
    SELECT e.id FROM closing c JOIN transaction_log_entry e USING (store_id, bigcommerce_id)
    WHERE e.closed_at IS NULL AND c.events ? e.event AND (c.outcomes = '[]' OR c.outcomes ? outcome)
    UNION
    SELECT e.id FROM closing c JOIN transaction_log_entry e USING (store_id, reference)
    WHERE e.closed_at IS NULL AND c.events ? e.event AND (c.outcomes = '[]' OR c.outcomes ? outcome)
), mine AS (
    SELECT id FROM transaction_log_entry WHERE id IN (SELECT id FROM entry)
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE transaction_log_entry e SET closed_at = now(), next_at = NULL FROM mine WHERE e.id = mine.id
"""


def close_together(closings: Iterable[Closing]) -> None:
    """Close open entries of several orders in one statement: see `close`."""
    rows = [
        {
            "store_id": subject.store.pk,
            "bigcommerce_id": subject.bigcommerce_id,
            "reference": str(subject.reference) if subject.reference else None,
            "events": sorted(events),
            "outcomes": sorted(outcomes),
        }
        for subject, events, outcomes in closings
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, {"rows": json.dumps(rows)})


def accepted_together(sent: Iterable[tuple[Subject, str, CartTotals]]) -> None:
    """Log a success for each of several orders, with its event: see `accepted`."""
    now = timezone.now()
    entries = [
        _entry(one, event, _Outcome.ACCEPTED, "", totals=totals) for one, event, totals in sent
    ]
    for entry in entries:
        entry.closed_at = now
    Entry.objects.bulk_create(entries)


def ask(subject: Subject, questions: Mapping[str, str], totals: CartTotals) -> None:
    """Keep exactly these questions to the merchant open: amounts by reason.

    Another amount is another question.
    """
    still_open = Entry.objects.filter(
        store=subject.store,
        bigcommerce_id=subject.bigcommerce_id,
        event=DECISION,
        closed_at__isnull=True,
    )
    known = {(entry.reason, entry.statement): entry.pk for entry in still_open}
    asked = {(reason, f"{reason} {amount}"[:64]): amount for reason, amount in questions.items()}
    over = [pk for key, pk in known.items() if key not in asked]
    Entry.objects.filter(pk__in=over).update(closed_at=timezone.now())
    for (reason, statement), amount in asked.items():
        if (reason, statement) not in known:
            rejected(subject, DECISION, reason, words=amount, statement=statement, totals=totals)


def ignore(entry: Entry, person: str, note: str) -> bool:
    """Take an open entry off the merchant's list, with a note.

    Return False when it was closed already.
    """
    return bool(
        Entry.objects.filter(pk=entry.pk, closed_at__isnull=True).update(
            outcome=_Outcome.IGNORED,
            closed_at=timezone.now(),
            next_at=None,
            ignored_by=person,
            note=note,
        )
    )


def _entry(
    subject: Subject, event: str, outcome: str, reason: str, **details: Unpack[_Details]
) -> Entry:
    """Return an entry that is not stored yet."""
    totals = details.get("totals", CartTotals())
    return Entry(
        store=subject.store,
        environment=subject.environment,
        bigcommerce_id=subject.bigcommerce_id,
        reference=subject.reference,
        payment_method=subject.payment_method,
        event=event,
        outcome=outcome,
        reason=reason,
        words=details.get("words", ""),
        statement=details.get("statement", ""),
        unshipped=totals.unshipped,
        shipped=totals.shipped,
        next_at=details.get("next_at"),
        ignored_by=details.get("by", ""),
    )


def _closed(entry: Entry) -> Entry:
    entry.closed_at = timezone.now()
    entry.save()
    return entry


def _opened(entry: Entry) -> Entry:
    """Update the open entry about the same with one more attempt, or store a new one."""
    again = _same(entry).filter(
        closed_at__isnull=True, outcome__in=(_Outcome.REJECTED, _Outcome.DELAYED)
    )
    news = {name: getattr(entry, name) for name in _NEWS}
    if again.update(attempts=F("attempts") + 1, **news):
        return again.latest("id")
    try:
        with transaction.atomic():
            entry.save()
            return entry
    except IntegrityError:
        again.update(attempts=F("attempts") + 1, **news)
        return again.latest("id")


def _known_and_ignored(entry: Entry) -> Entry | None:
    """Count an attempt on the ignored entry about this statement; None without one."""
    if not entry.statement:
        return None
    known = _same(entry).filter(outcome=_Outcome.IGNORED).exclude(note="")
    return _once_more(known, entry)


def _once_more(known: QuerySet[Entry], entry: Entry) -> Entry | None:
    """Count an attempt on the newest entry, with this one's message; None without any."""
    newest = known.order_by("-id").first()
    if newest:
        newest.words, newest.last_at = entry.words, entry.last_at
        newest.attempts += 1
        newest.save(update_fields=["words", "last_at", "attempts"])
    return newest


def _same(entry: Entry) -> QuerySet[Entry]:
    """Return the entries about the same statement of the same order, with the same reason.

    A payment may get its BigCommerce order while an entry about it is open: it stays one entry.
    """
    order = Q(bigcommerce_id=entry.bigcommerce_id)
    if entry.reference:
        order |= Q(bigcommerce_id=None)
    return Entry.objects.filter(
        order,
        store=entry.store,
        reference=entry.reference,
        statement=entry.statement,
        reason=entry.reason,
    )


def statement_digest(update: Mapping[str, Any]) -> str:
    """Return the digest of a statement: equal for equal ones."""
    canonical = json.dumps(update, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def reason_digest(reason: str, detail: str) -> str:
    """Return a digest of what prevented a statement: equal while the cause is the same."""
    return sha256(f"{reason}: {detail}".encode("utf-8", "surrogatepass")).hexdigest()
