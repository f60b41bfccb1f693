"""Write how a synchronisation ended: on the order, in the throttle and in the transaction log.

Runs on the one thread of a worker that holds a database connection, while the worker holds the
order's lease. Messages of SeQura and BigCommerce are logged verbatim.

Most results say that SeQura holds the statement: `finish_together` writes those of a batch in a few
statements. Every other one is written alone by `finish`. Neither needs a lock: a result counts only
while the worker's lease is on the row, and rows are locked in the order of their ids, an order
before its log, so that workers never wait for each other in a circle.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils import timezone

from orders import corrections
from orders.models import Order
from orders.queue import throttle
from orders.queue.throttle import BIGCOMMERCE, SEQURA
from orders.sync.sync import Kind, Result
from payloads.money import euros
from payloads.order.comparison import CARTS, cart_total
from payloads.order.order_update import Computed
from stores.isolation import repeated_once
from stores.storefronts import language_of
from transaction_log import record
from transaction_log.explanations import DECISION, UPDATES, settled_by
from transaction_log.models import Entry

log = structlog.get_logger(__name__)

# A retry follows within three minutes, so every order is synchronised four minutes after an outage.
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 180.0
_GIVE_UP_AFTER = timedelta(days=7)
_SETTLING: dict[str, Any] = {
    "echo": timedelta(seconds=10),  # an order read unchanged so soon after a statement is its echo
    "when_short": timedelta(minutes=2),
    "short": 2 * throttle.CALLS_PER_ORDER,  # fewer calls than two orders need
}
# Outcomes that needed no call to SeQura: if the order was a probe, it probed nothing.
_NOT_ASKED = (
    Kind.UNCHANGED, Kind.ALREADY_KNOWN, Kind.ALREADY_REJECTED, Kind.WAITING, Kind.CLOSED, Kind.GONE,
)  # fmt: skip
# Outcomes after which SeQura holds this statement.
_ACCEPTED = (Kind.SENT, Kind.ALREADY_KNOWN, Kind.UNCHANGED)
# Outcomes that leave nothing to send: those of a batch are written together.
TOGETHER = (*_ACCEPTED, Kind.ALREADY_REJECTED)
_Fields = dict[str, Any]


def finish(order: Order, result: Result, lease: str) -> None:
    """Write one result. If another worker holds the order now, make it due again instead."""
    if result.kind in TOGETHER:
        finish_together([(order, result)], lease)
        return
    result = replace(result, message=_storable(result.message))
    _inform_throttle([(order, result)])
    if not _write(order, result, lease):
        _lost(order, result)


@repeated_once
@transaction.atomic
def _write(order: Order, result: Result, lease: str) -> bool:
    """Return False, and write nothing, when the lease was lost."""
    rows = Order.objects.select_for_update(no_key=True).filter(pk=order.pk, lease=lease)
    if not rows.values_list("pk").first():
        return False
    fields = _memory(order, result) | _facts(order, result)
    fields |= WRITE[result.kind](order, result)
    rows.update(**fields | {"lease": "", "leased_until": None})
    return True


def finish_together(done: Sequence[tuple[Order, Result]], lease: str) -> None:
    """Write results that leave nothing to send (`TOGETHER`): all of them, or none on an error."""
    _inform_throttle(done)
    held = _write_together(done, lease)
    for order, result in done:
        if order.pk not in held:
            _lost(order, result)


@repeated_once
@transaction.atomic
def _write_together(done: Sequence[tuple[Order, Result]], lease: str) -> set[int]:
    """Return the orders whose lease is held: only their results are written."""
    rows = [_row(order, result) for order, result in done]
    values = {**_SETTLING, "last_step": len(settings.SETTLE_SECONDS), "lease": lease}
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, values | {"rows": json.dumps(rows)})
        held = {pk for (pk,) in cursor.fetchall()}
    mine = [(order, result) for order, result in done if order.pk in held]
    for order, result in mine:
        _tell_merchant(order, result)
    record.close_together([_closing(order, result) for order, result in mine])
    record.accepted_together(
        (order.subject, result.event, _cart_totals(result))
        for order, result in mine
        if result.kind is Kind.SENT and not _is_repeated(order, result)
    )
    return held


_FINISH = """
WITH result AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
        id bigint, changed bigint, is_accepted boolean, update jsonb, refused boolean,
        shipped_by_status boolean, left_by_status jsonb, shipped_word smallint, ledger jsonb,
        shipped_at timestamptz, seen_status smallint, seen_modified text, seen_digest text,
        staff_note text,
        pause float, settle_step smallint, may_be_echo boolean)
), mine AS (
    SELECT id, store_id FROM orders_order
    WHERE id IN (SELECT id FROM result) AND lease = %(lease)s ORDER BY id FOR NO KEY UPDATE
)
UPDATE orders_order o SET
    lease = '', leased_until = NULL,
    synced = r.changed, due_at = now(), attempts = 0, failing_since = NULL,
    refused = CASE WHEN r.refused THEN o.refused ELSE '' END,
    accepted_update = CASE WHEN r.is_accepted THEN r.update ELSE o.accepted_update END,
    accepted_at = CASE WHEN r.is_accepted THEN now() ELSE o.accepted_at END,
    unsure = o.unsure AND NOT r.is_accepted,
    erased_at = CASE WHEN r.is_accepted THEN NULL ELSE o.erased_at END,
    shipped_by_status = r.shipped_by_status, left_by_status = r.left_by_status,
    shipped_word = r.shipped_word, ledger = r.ledger,
    shipped_at = coalesce(r.shipped_at, o.shipped_at),
    staff_note = coalesce(nullif(r.staff_note, ''), o.staff_note),
    seen_status = r.seen_status, seen_modified = r.seen_modified, seen_digest = r.seen_digest,
    -- Both unless a webhook has changed them since the row was read.
    shipped_status_seen = o.shipped_status_seen AND o.changed <> r.changed,
    settle_step = CASE WHEN o.changed <> r.changed THEN o.settle_step
        WHEN r.may_be_echo AND o.accepted_at > now() - %(echo)s THEN %(last_step)s
        ELSE r.settle_step END,
    settle_at = CASE WHEN r.may_be_echo AND o.accepted_at > now() - %(echo)s THEN o.settle_at
        WHEN r.pause IS NULL THEN NULL
        WHEN g.id IS NULL THEN now() + make_interval(secs => r.pause)
        ELSE now() + greatest(make_interval(secs => r.pause), %(when_short)s) END
FROM mine JOIN result r USING (id)
LEFT JOIN orders_gate g ON g.store_id = mine.store_id AND g.host = 'bigcommerce'
    AND g.window_until > now() AND g.budget < %(short)s
WHERE o.id = mine.id
RETURNING o.id
"""


def _row(order: Order, result: Result) -> _Fields:
    """Return the values of `_FINISH` for one order.

    `SETTLE_SECONDS` are the pauses after which the order is read again, because BigCommerce may
    have returned a stale version: all of them when nothing seems to have changed although a webhook
    arrived, the last one after a change was sent. The echo of a change that was just sent starts no
    readings of its own. When calls run short, changes come first.
    """
    is_accepted = result.kind in (Kind.SENT, Kind.ALREADY_KNOWN)
    is_held = result.kind in _ACCEPTED
    pauses = settings.SETTLE_SECONDS
    step = len(pauses) - 1 if is_accepted else order.settle_step
    pause = pauses[step] if 0 <= step < len(pauses) else None
    facts = {
        "shipped_by_status": order.shipped_by_status,
        "left_by_status": order.left_by_status,
        "shipped_word": order.shipped_word,
        "ledger": order.ledger,
    } | _facts(order, result)
    return facts | {
        "id": order.pk,
        "changed": order.changed,
        "is_accepted": is_accepted,
        "update": result.update if is_accepted else None,
        "refused": result.kind is Kind.ALREADY_REJECTED,
        "shipped_at": result.shipped_at and result.shipped_at.isoformat(),
        "seen_status": result.status_id,
        "seen_modified": result.modified if is_held else "",
        "seen_digest": result.digest if is_held else "",
        "staff_note": result.staff_note,
        "pause": pause,
        "settle_step": order.settle_step if pause is None else step + 1,
        "may_be_echo": bool(not is_accepted and order.settle_step == 0 and order.settle_at),
    }


def _closing(order: Order, result: Result) -> record.Closing:
    """Return which open entries of the order are over.

    What SeQura rejected stays on the merchant's list; only what was delayed is over then.
    """
    if result.kind is Kind.ALREADY_REJECTED:
        return record.Closing(order.subject, UPDATES, (Entry.Outcome.DELAYED,))
    events = settled_by(result.event) if result.kind is Kind.SENT else UPDATES
    return record.Closing(order.subject, events)


def _is_repeated(order: Order, result: Result) -> bool:
    """Return whether SeQura had accepted this statement and it was sent again in doubt.

    A worker that dies leaves an order in doubt although it may have sent nothing, and so does a
    commit that nothing confirmed. A failed attempt is in the log, which also shows how it ended.
    """
    return result.update == order.accepted_update and order.attempts == 0


@repeated_once
def _lost(order: Order, result: Result) -> None:
    """Make the order due again: another worker holds it, and SeQura may know our statement."""
    log.warning("lease_lost", order=order.bigcommerce_id, store=order.store.hash)
    if result.may_be_known:
        Order.objects.filter(pk=order.pk).update(
            unsure=True, changed=F("changed") + 1, due_at=Now()
        )


def _inform_throttle(done: Sequence[tuple[Order, Result]]) -> None:
    """Record which systems answered, before another worker may claim the orders.

    Each statement commits by itself: a worker that waits for an order holds no throttle.
    """
    for order, result in done:
        if result.kind is Kind.NO_ACCESS and result.host == BIGCOMMERCE:
            order.store.needs_reauthorisation()
        elif result.kind is Kind.NO_ACCESS:
            order.connection.pause()
        elif result.kind is Kind.LATER and result.host:
            throttle.record_failure(order, result.host, result.retry_after)
        elif _reached_sequra(result):
            order.connection.resume()
        elif result.kind in _NOT_ASKED:
            order.connection.release_probe()
    throttle.record_answers(
        [answer for order, result in done for answer in _answers(order, result)]
    )


def _answers(order: Order, result: Result) -> Iterator[throttle.Answer]:
    if result.update is not None or result.kind is Kind.GONE:
        yield throttle.Answer(order, BIGCOMMERCE, asked=True)
    if _reached_sequra(result) or result.kind in _NOT_ASKED:
        yield throttle.Answer(order, SEQURA, asked=_reached_sequra(result))


def _reached_sequra(result: Result) -> bool:
    rejected = result.kind is Kind.REFUSED and result.host == SEQURA
    return rejected or result.kind is Kind.SENT


def _tell_merchant(order: Order, result: Result) -> None:
    """Log what a reading shows beside the statement. It is rare, and written row by row."""
    is_closed = order.status == Order.Status.CANCELLED
    if result.archived and not is_closed and (_cart_totals(result).unshipped or 0) > 0:
        record.ignored(order.subject, "archived", "put_away")
    if result.agreed:
        corrections.agreed(order, result.agreed)
    if result.computed and result.kind in _ACCEPTED:
        _ask(order, result.computed, _cart_totals(result))


def _memory(order: Order, result: Result) -> _Fields:
    """Return the fields to store whatever the outcome is.

    SeQura does not hold what these outcomes read, so neither the next reading nor the nightly check
    may skip it as known.
    """
    fields: _Fields = {"seen_digest": "", "seen_modified": ""}
    if result.may_have_arrived:
        fields["unsure"] = True
    if result.staff_note:
        fields["staff_note"] = result.staff_note
    _tell_merchant(order, result)
    if result.shipped_at:
        fields["shipped_at"] = result.shipped_at
    if result.update is not None:
        fields["seen_status"] = result.status_id
        fields["shipped_status_seen"] = Case(  # unless a webhook has set it since we read the row
            When(changed=order.changed, then=Value(value=False)), default=F("shipped_status_seen")
        )
    return fields


def _facts(order: Order, result: Result) -> _Fields:
    """Return the facts behind the statement: they are final once SeQura accepted it.

    A statement that may have arrived counts as accepted: the next one keeps its facts. What left by
    status is the merchant's decision and is always stored.
    """
    if result.computed is None:
        return {}
    left = [dict(item) for item in result.computed.left_by_status]
    fields: _Fields = {
        "shipped_by_status": bool(left),
        "left_by_status": left,
        "shipped_word": result.computed.shipped_word,
    }
    if result.kind in _ACCEPTED or result.may_have_arrived:
        news = result.kind in _ACCEPTED
        asked = dict(result.computed.questions) if news else order.ledger.get("asked", {})
        fields["ledger"] = {**result.computed.ledger, "asked": asked}
    return fields


def _ask(order: Order, computed: Computed, totals: record.CartTotals) -> None:
    """Open the questions that only the merchant can decide, and close decided ones."""
    asked = dict(computed.questions)
    if asked != order.ledger.get("asked", {}):
        language = language_of(order.store.language)
        amounts = {reason: euros(cents, language) for reason, cents in asked.items()}
        record.ask(order.subject, amounts, totals)


def _synced(order: Order) -> _Fields:
    """Return the fields that mark everything up to the change read as done.

    Later changes stay due.
    """
    return {
        "synced": order.changed,
        "attempts": 0,
        "failing_since": None,
        "due_at": Now(),
    }


def _closed(order: Order, result: Result) -> _Fields:
    record.close(order.subject, {*UPDATES, DECISION})
    if not _was_warned(order, result) and result.reason:
        record.rejected(
            order.subject,
            "cancelled_by_sequra",
            result.reason,
            statement=result.statement,
            totals=_cart_totals(result),
        )
    return _synced(order) | {"settle_at": None}


def _was_warned(order: Order, result: Result) -> bool:
    """Return whether the merchant was warned that these goods had left when SeQura cancelled.

    The first reading after the cancellation adds to that entry which goods it is about. Goods that
    leave later are a new case.
    """
    warning = order.store.entries.filter(
        bigcommerce_id=order.bigcommerce_id,
        reference=order.reference,
        reason="cancelled_after_shipping",
    )
    if result.update is not None:
        unshipped, shipped = _cart_totals(result)
        about = {"statement": result.statement, "unshipped": unshipped, "shipped": shipped}
        warning.filter(statement="").update(**about)
    return warning.filter(statement=result.statement).exists()


def _gone(order: Order, result: Result) -> _Fields:
    """Close what was only delayed.

    What SeQura rejected stays: the merchant settles it with SeQura.
    """
    is_closed = order.status == Order.Status.CANCELLED
    record.close(order.subject, UPDATES, *([] if is_closed else [Entry.Outcome.DELAYED]))
    record.ignored(order.subject, "archived", result.reason, words=result.message)
    return _synced(order) | {"settle_at": None, "refused": ""}


def _waiting(order: Order, result: Result) -> _Fields:
    """Wait for SeQura's review: its decision makes the order due again. The log shows the delay."""
    if result.update is not None:
        record.delayed(order.subject, result.event, result.reason, totals=_cart_totals(result))
    return _synced(order)


def _refused(order: Order, result: Result) -> _Fields:
    """Show the rejection to the merchant. The next change of the order sends another statement."""
    record.rejected(
        order.subject,
        result.event,
        result.reason,
        words=result.message,
        statement=result.statement,
        totals=_cart_totals(result),
    )
    return _synced(order) | {"settle_at": None, "refused": _refused_statement(order, result)}


def _refused_statement(order: Order, result: Result) -> Any:
    """Return the digest of the rejected statement, or keep the row's when it changed meanwhile."""
    statement = Value(result.statement if result.host == SEQURA else "")
    return Case(When(changed=order.changed, then=statement), default=F("refused"))


def _no_access(order: Order, result: Result) -> _Fields:
    """Keep the order due, for when the credentials are accepted again."""
    next_at = order.connection.paused_until if result.host == SEQURA else None
    _delayed(order, result, next_at)
    since = order.failing_since or timezone.now()
    # Behind those that have not been the probe yet.
    return {"attempts": order.attempts + 1, "failing_since": since, "due_at": Now()}


def _later(order: Order, result: Result) -> _Fields:
    since = order.failing_since or timezone.now()
    if timezone.now() - since > _GIVE_UP_AFTER:
        record.rejected(
            order.subject,
            result.event,
            "gave_up",
            words=result.message,
            statement=result.statement,
            totals=_cart_totals(result),
        )
        return _synced(order)
    next_at = _next_attempt(order.attempts + 1, result.retry_after)
    _delayed(order, result, next_at)
    return {"attempts": order.attempts + 1, "failing_since": since, "due_at": next_at}


def _delayed(order: Order, result: Result, next_at: datetime | Combinable | None) -> None:
    record.delayed(
        order.subject,
        result.event,
        result.reason,
        words=result.message,
        totals=_cart_totals(result),
        next_at=next_at,
    )


def _cart_totals(result: Result) -> record.CartTotals:
    """Return the cart totals of the statement, sent or not."""
    if result.update is None:
        return record.CartTotals()
    return record.CartTotals(*(cart_total(result.update, cart) for cart in CARTS))


def _lease_lost(_: Order, __: Result) -> _Fields:
    """Make the order due at once: too little of the lease was left to send anything safely."""
    return {"due_at": Now()}


WRITE: dict[Kind, Callable[[Order, Result], _Fields]] = {
    Kind.CLOSED: _closed,
    Kind.GONE: _gone,
    Kind.WAITING: _waiting,
    Kind.REFUSED: _refused,
    Kind.LATER: _later,
    Kind.NO_ACCESS: _no_access,
    Kind.LEASE_LOST: _lease_lost,
}


def _next_attempt(attempts: int, retry_after: float | None) -> Combinable:
    """Return a random time within the growing pause, no earlier than the other side asked for."""
    jitter = random.uniform(1, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempts, 10)))
    return Now() + timedelta(seconds=max(jitter, min(retry_after or 0, 900)))


def _storable(text: str) -> str:
    """Remove what PostgreSQL cannot store: NUL and lone surrogates."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
