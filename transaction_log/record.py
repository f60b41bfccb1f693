"""Writing the transaction log: what was told to SeQura, or by SeQura, and how it ended.

One thing that is wrong is one open entry, however often it is tried: the partial unique index on
(store, order, statement, reason) says so. A later success closes whatever is open.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from stores.models import Store
from transaction_log.explanations import SETTLED_ELSEWHERE
from transaction_log.models import Entry

Outcome = Entry.Outcome


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The order that entries are about, in both systems."""

    store: Store
    environment: str  # sandbox, live: which SeQura portal to link to
    bigcommerce_id: int | None = None
    reference: UUID | None = None
    payment_method: str = ""


class Told(NamedTuple):
    """What SeQura was told of an order, in cents: still to ship, and shipped."""

    unshipped: int | None = None
    shipped: int | None = None


NOTHING = Told()


def accepted(
    subject: Subject, event: str, *, words: str = "", reason: str = "", told: Told = NOTHING
) -> Entry:
    """It went well; what was open about this order is closed."""
    if event not in SETTLED_ELSEWHERE:
        close(subject)
    return _new(
        subject, event, Outcome.ACCEPTED, reason=reason, words=words, told=told, closed=True
    )


def ignored(subject: Subject, event: str, reason: str, *, words: str = "") -> Entry:
    """Nothing had to be told, and this is why."""
    return _new(subject, event, Outcome.IGNORED, reason=reason, words=words, closed=True)


def rejected(
    subject: Subject,
    event: str,
    reason: str,
    *,
    words: str = "",
    statement: str = "",
    told: Told = NOTHING,
) -> Entry:
    """SeQura said no: the merchant has to see it. The same no again only counts up.

    What a merchant has chosen to ignore stays ignored, however often SeQura says it again.
    """
    if event not in SETTLED_ELSEWHERE:
        close(subject, Outcome.DELAYED)
    if known := _known_and_ignored(subject, reason, words, statement):
        return known
    return _open(
        subject, event, Outcome.REJECTED, reason, words=words, statement=statement, told=told
    )


def delayed(
    subject: Subject,
    event: str,
    reason: str,
    *,
    words: str = "",
    statement: str = "",
    told: Told = NOTHING,
    next_at: datetime | None = None,
) -> Entry:
    """It did not get through yet, and is tried again at `next_at`."""
    return _open(
        subject, event, Outcome.DELAYED, reason,
        words=words, statement=statement, told=told, next_at=next_at,
    )  # fmt: skip


def close(subject: Subject, *outcomes: str) -> None:
    """What was open about this order's updates is settled; history stays."""
    about = Q(bigcommerce_id=subject.bigcommerce_id) & Q(bigcommerce_id__isnull=False)
    if subject.reference:
        about |= Q(reference=subject.reference)
    still_open = Entry.objects.filter(about, store=subject.store, closed_at__isnull=True)
    still_open = still_open.exclude(event__in=SETTLED_ELSEWHERE)
    if outcomes:
        still_open = still_open.filter(outcome__in=outcomes)
    still_open.update(closed_at=timezone.now(), next_at=None)


def ignore(entry: Entry, person: str, note: str) -> bool:
    """A merchant takes an open entry off the list, saying why. False when it was closed already."""
    return bool(
        Entry.objects.filter(pk=entry.pk, closed_at__isnull=True).update(
            outcome=Outcome.IGNORED,
            closed_at=timezone.now(),
            next_at=None,
            ignored_by=person,
            note=note,
        )
    )


def _known_and_ignored(subject: Subject, reason: str, words: str, statement: str) -> Entry | None:
    """The ignored entry about this very statement, with one more attempt; None without one."""
    if not statement:
        return None
    ignored = (
        Entry.objects.filter(
            store=subject.store,
            bigcommerce_id=subject.bigcommerce_id,
            statement=statement,
            reason=reason,
            outcome=Outcome.IGNORED,
        )
        .exclude(note="")
        .order_by("-id")
        .first()
    )
    if ignored:
        ignored.words, ignored.last_at = words, timezone.now()
        ignored.attempts += 1
        ignored.save(update_fields=["words", "last_at", "attempts"])
    return ignored


def _open(
    subject: Subject,
    event: str,
    outcome: str,
    reason: str,
    *,
    words: str,
    statement: str,
    told: Told,
    next_at: datetime | None = None,
) -> Entry:
    again = Entry.objects.filter(
        store=subject.store,
        bigcommerce_id=subject.bigcommerce_id,
        statement=statement,
        reason=reason,
        closed_at__isnull=True,
        outcome__in=(Outcome.REJECTED, Outcome.DELAYED),
    )
    fields = {
        "words": words,
        "next_at": next_at,
        "outcome": outcome,
        "last_at": timezone.now(),
        **told._asdict(),
    }
    if again.update(attempts=F("attempts") + 1, **fields):
        return again.get()
    try:
        with transaction.atomic():
            return _new(
                subject, event, outcome, reason=reason, words=words,
                statement=statement, told=told, next_at=next_at,
            )  # fmt: skip
    except IntegrityError:
        again.update(attempts=F("attempts") + 1, **fields)
        return again.get()


def _new(
    subject: Subject,
    event: str,
    outcome: str,
    *,
    reason: str = "",
    words: str = "",
    statement: str = "",
    told: Told = NOTHING,
    next_at: datetime | None = None,
    closed: bool = False,
) -> Entry:
    return Entry.objects.create(
        store=subject.store,
        environment=subject.environment,
        bigcommerce_id=subject.bigcommerce_id,
        reference=subject.reference,
        payment_method=subject.payment_method,
        event=event,
        outcome=outcome,
        reason=reason,
        words=words,
        statement=statement,
        unshipped=told.unshipped,
        shipped=told.shipped,
        next_at=next_at,
        closed_at=timezone.now() if closed else None,
    )
