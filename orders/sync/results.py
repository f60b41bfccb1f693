"""Write how a synchronisation ended: on the order, in the throttle and in the transaction log.

Runs on the one thread of a worker that holds a database connection, while the worker holds the
order's lease. Messages of SeQura and BigCommerce are logged verbatim.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
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
from payloads.order.comparison import cart_total
from payloads.order.difference import CARTS
from stores.models import database_now
from stores.storefronts import language_of
from transaction_log import record
from transaction_log.explanations import DECISION, UPDATES
from transaction_log.models import Entry

log = structlog.get_logger(__name__)

# A retry follows within three minutes, so every order is synchronised four minutes after an outage.
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 180.0
_GIVE_UP_AFTER = timedelta(days=7)
_ECHO = timedelta(seconds=10)  # an order read unchanged so soon after a statement is its echo
_WHEN_SHORT = timedelta(minutes=2)
# Outcomes that needed no call to SeQura: if the order was a probe, it probed nothing.
_NOT_ASKED = (Kind.UNCHANGED, Kind.ALREADY_REJECTED, Kind.WAITING, Kind.CLOSED, Kind.GONE)
# Outcomes after which SeQura holds this statement.
_ACCEPTED = (Kind.SENT, Kind.ALREADY_KNOWN, Kind.UNCHANGED)
_Fields = dict[str, Any]


def finish(order: Order, result: Result, lease: str) -> None:
    """Write one result. If another worker holds the order now, make it due again instead."""
    result = replace(result, message=_storable(result.message))
    with transaction.atomic():
        facts = _facts(order, result)
        fields = {"lease": "", "leased_until": None, **facts, **WRITE[result.kind](order, result)}
        fields = _memory(order, result) | fields
        _record_answers(order, result)
        mine = Order.objects.filter(pk=order.pk, lease=lease)
        if mine.update(**fields):
            return
        transaction.set_rollback(True)
    log.warning("lease_lost", order=order.bigcommerce_id, store=order.store.hash)
    if result.may_be_known:
        Order.objects.filter(pk=order.pk).update(
            unsure=True, changed=F("changed") + 1, due_at=Now()
        )


def _record_answers(order: Order, result: Result) -> None:
    """Inform the throttle that BigCommerce answered, or that SeQura did not need to be called."""
    if result.update is not None or result.kind is Kind.GONE:
        throttle.record_success(order, BIGCOMMERCE)
    if result.kind in _NOT_ASKED:
        throttle.release_probe(order, SEQURA)
        order.connection.release_probe()


def _memory(order: Order, result: Result) -> _Fields:
    """Return the fields to store whatever the outcome is."""
    fields: _Fields = {}
    if result.may_have_arrived:
        fields["unsure"] = True
    if result.staff_note:
        fields["staff_note"] = result.staff_note
    is_closed = order.status == Order.Status.CANCELLED
    if result.archived and not is_closed and (_cart_totals(result).unshipped or 0) > 0:
        record.ignored(order.subject, "archived", "put_away")
    if result.agreed:
        corrections.agreed(order, result.agreed)
    if result.shipped_at:
        fields["shipped_at"] = result.shipped_at
    if result.update is not None:
        fields["seen_modified"] = result.modified
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
        asked = _ask(order, result) if result.kind in _ACCEPTED else order.ledger.get("asked", {})
        fields["ledger"] = {**result.computed.ledger, "asked": asked}
    return fields


def _ask(order: Order, result: Result) -> dict[str, int]:
    """Open the questions that only the merchant can decide and close decided ones.

    Return the open ones.
    """
    asked = dict(result.computed.questions) if result.computed else {}
    if asked != order.ledger.get("asked", {}):
        language = language_of(order.store.language)
        amounts = {reason: euros(cents, language) for reason, cents in asked.items()}
        record.ask(order.subject, amounts, _cart_totals(result))
    return asked


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


def _sent(order: Order, result: Result) -> _Fields:
    record.accepted(order.subject, result.event, totals=_cart_totals(result))
    return _accepted(order, result) | _settle(order, step=len(settings.SETTLE_SECONDS) - 1)


def _already_known(order: Order, result: Result) -> _Fields:
    record.close(order.subject)
    return _accepted(order, result) | _settle(order, step=len(settings.SETTLE_SECONDS) - 1)


def _accepted(order: Order, result: Result) -> _Fields:
    _reached(order)
    news = {"accepted_update": result.update, "accepted_at": Now(), "unsure": False, "refused": ""}
    news["erased_at"] = None
    return _synced(order) | news


def _unchanged(order: Order, _: Result) -> _Fields:
    record.close(order.subject)
    return _synced(order) | {"refused": ""} | _settle(order, step=order.settle_step)


def _already_rejected(order: Order, _: Result) -> _Fields:
    """Keep the rejection on the merchant's list; close what was only delayed."""
    record.close(order.subject, UPDATES, Entry.Outcome.DELAYED)
    return _synced(order) | _settle(order, step=order.settle_step)


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
    if result.host == SEQURA:
        _reached(order)
    return _synced(order) | {"settle_at": None, "refused": _refused_statement(order, result)}


def _refused_statement(order: Order, result: Result) -> Any:
    """Return the digest of the rejected statement, or keep the row's when it changed meanwhile."""
    statement = Value(result.statement if result.host == SEQURA else "")
    return Case(When(changed=order.changed, then=statement), default=F("refused"))


def _no_access(order: Order, result: Result) -> _Fields:
    """Pause after refused credentials. SeQura is probed every three minutes."""
    if result.host == BIGCOMMERCE:
        order.store.needs_reauthorisation()
    else:
        order.connection.pause()
    next_at = order.connection.paused_until if result.host == SEQURA else None
    _delayed(order, result, next_at)
    since = order.failing_since or timezone.now()
    # Behind those that have not been the probe yet.
    return {"attempts": order.attempts + 1, "failing_since": since, "due_at": Now()}


def _later(order: Order, result: Result) -> _Fields:
    if result.host:
        throttle.record_failure(order, result.host, result.retry_after)
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
    Kind.SENT: _sent,
    Kind.ALREADY_KNOWN: _already_known,
    Kind.UNCHANGED: _unchanged,
    Kind.ALREADY_REJECTED: _already_rejected,
    Kind.CLOSED: _closed,
    Kind.GONE: _gone,
    Kind.WAITING: _waiting,
    Kind.REFUSED: _refused,
    Kind.LATER: _later,
    Kind.NO_ACCESS: _no_access,
    Kind.LEASE_LOST: _lease_lost,
}


def _reached(order: Order) -> None:
    """Record that both systems answered."""
    throttle.record_success(order, BIGCOMMERCE)
    throttle.record_success(order, SEQURA)
    order.connection.resume()


def _next_attempt(attempts: int, retry_after: float | None) -> Combinable:
    """Return a random time within the growing pause, no earlier than the other side asked for."""
    jitter = random.uniform(1, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempts, 10)))
    return Now() + timedelta(seconds=max(jitter, min(retry_after or 0, 900)))


def _settle(order: Order, *, step: int) -> _Fields:
    """Return when to read the order again, because BigCommerce may have returned a stale version.

    `SETTLE_SECONDS` are the pauses between readings: all of them when nothing seems to have changed
    although a webhook arrived, the last one after a change was sent. The echo of a change that was
    just sent starts no readings of its own. When calls run short, changes come first.
    """
    pauses = settings.SETTLE_SECONDS
    if step == 0 and order.settle_at and _was_accepted_just_now(order):
        return {"settle_step": len(pauses)}
    if not 0 <= step < len(pauses):
        return {"settle_at": None}
    pause = timedelta(seconds=pauses[step])
    pause = max(pause, _WHEN_SHORT) if throttle.is_short(order.store_id) else pause
    return {"settle_at": Now() + pause, "settle_step": step + 1}


def _was_accepted_just_now(order: Order) -> bool:
    return order.accepted_at is not None and database_now() - order.accepted_at < _ECHO


def _storable(text: str) -> str:
    """Remove what PostgreSQL cannot store: NUL and lone surrogates."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
