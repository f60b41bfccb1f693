"""confirm(): from SeQura's notification to one BigCommerce order, resumable at every step.

The notification, the sweep, a repeated notification and the waiting shopper all call `confirm`.
Each step commits its intention before a call that cannot be repeated, and the outcome afterwards.
The next caller continues where the last one stopped.
https://docs.sequra.com/docs/put-the-order-on-hold-and-confirm-it
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import suppress
from datetime import timedelta
from functools import cache, partial
from typing import Any

import structlog
from celery.signals import worker_process_shutdown
from django.db import DatabaseError, connection
from django.db.models.functions import Now

import bigcommerce.api
import sequra.client
from payments.models import Solicitation
from payments.steps import confirm_at_sequra, create_order, place_order
from payments.steps.cart_check import finished_order
from payments.steps.outcomes import Later, Refused
from payments.steps.undo import undo
from payments.threads import Bulkhead, Turns
from stores.isolation import Busy, only_one
from stores.models import Store
from stores.rate_limit import Concurrency
from transaction_log import record
from transport.stopping import stopping

log = structlog.get_logger()

_Step = Callable[[Solicitation], None]
_Phase = Solicitation.Phase

STEPS: dict[str, _Step] = {
    _Phase.SOLICITED: confirm_at_sequra.take_checkout,
    _Phase.CONFIRMING: confirm_at_sequra.put_confirmation,
    _Phase.CONFIRMED: create_order.make_checkout_token,
    _Phase.CREATING: create_order.make_order,
    _Phase.CREATED: place_order.settle,
    _Phase.SETTLED: place_order.place,
    _Phase.PLACED: confirm_at_sequra.put_reference,
}
# Seconds. Every payment is retried within this time after an outage, however long it was.
_LONGEST_PAUSE = 3 * 60
_DOUBLED_AT_MOST = 10  # times; by then the pause is the longest anyway
# Threads of a process, each with a database connection: one pool for notifications, whose caller
# waits, and one for background work, so that a store that hangs does not stop the others. Work goes
# on after its caller stopped waiting: beside WAITERS there is room for that of several stores.
_WAITERS = 12
MOST_WAITERS = 36
HELPERS = 4
# The share of one store, and how many of its notifications may hold a thread of the web server.
_WAITERS_OF_A_STORE, _HELPERS_OF_A_STORE, _WAITING_OF_A_STORE = 6, 2, 3
_SLOW_AFTER = 4.0  # seconds: most purchases are finished by then
_threads = Bulkhead(MOST_WAITERS, _WAITERS_OF_A_STORE)
_waiting = Concurrency(_WAITING_OF_A_STORE)
# Solicitations that wait for a thread, so that the next sweep does not queue them again.
_queued: set[int] = set()
_UNAUTHORISED = 401
# SeQura has accepted and the order is not finished: the merchant sees it from this attempt on.
_SILENT_ATTEMPTS = 3
# Which event is delayed, for the transaction log: event and reason. By default it is the order.
_DELAYS: dict[_Step | None, tuple[str, str]] = {
    confirm_at_sequra.put_approval: ("review_approved", "news_delayed"),
    place_order.show_approved: ("review_approved", "news_delayed"),
    place_order.show_cancelled: ("cancelled_by_sequra", "news_delayed"),
    undo: ("purchase", "undo_delayed"),
}


def confirm(pk: int, wait: float = 0, *, is_confirmed: bool = False) -> None:
    """Take this solicitation as far as possible. Raise Busy while another thread or process does.

    `is_confirmed`: SeQura reports that it holds our confirmation, which a restored row may not
    know.
    """
    with only_one(f"solicitation {pk}", wait):
        solicitation = Solicitation.objects.select_related("store", "connection").get(pk=pk)
        _advance(solicitation, is_confirmed=is_confirmed)


def confirm_within(pk: int, seconds: float, *, is_confirmed: bool = False) -> Solicitation:
    """Run `confirm` and wait for it at most so many seconds. The work continues in its thread."""
    solicitations = Solicitation.objects.select_related("store", "connection")

    def work() -> None:
        confirm(pk, seconds, is_confirmed=is_confirmed)

    within(seconds, work, solicitations.get(pk=pk).store_id)
    return solicitations.get(pk=pk)


def within(seconds: float, work: Callable[[], None], store: int | None = None) -> bool:
    """Return whether `work` finishes within so many seconds. Once begun it continues in any case.

    Raises what `work` raises in time, except Busy. While several requests of a store are waiting, a
    further one waits only as long as the store is not slow. So a store whose calls hang leaves
    threads of the web server to the others.
    """
    until = time.monotonic() + seconds
    with _waiting.entered(store) as has_place:
        patience = seconds
        if store is not None and not has_place:
            patience = min(seconds, max(0.0, _SLOW_AFTER - _threads.age(store)))
        future = _threads.start(work, store, patience)
        if future is None:
            log.warning("no_thread_free")
            return False
        try:
            future.result(timeout=min(patience, max(0.0, until - time.monotonic())))
        except (TookTooLong, Busy):
            log.info("work_continues_in_background")
            return False
    return True


def _help_later(work: Callable[[], None]) -> None:
    """Let a helper do this when it is free."""
    with suppress(RuntimeError):  # the process ends: another one's next sweep finds the work
        _helpers().submit(work)


_turns = Turns(_HELPERS_OF_A_STORE, _help_later)


def help_along(pk: int) -> None:
    """Run `confirm` in the background without waiting.

    Skip it when another thread holds the lock.
    """
    if pk not in _queued:
        _queued.add(pk)
        _helpers().submit(_take_turn, pk)


def _take_turn(pk: int) -> None:
    """Queue the work behind that of its store, so that one store never occupies all helpers."""
    try:
        due = Solicitation.objects.filter(pk=pk, next_at__lte=Now())
        store = due.values_list("store_id", flat=True).first()
    except DatabaseError:
        log.exception("confirm_failed", solicitation=pk)
        store = None
    finally:
        connection.close()
    if store is None:
        _queued.discard(pk)
    else:
        _turns.take(store, partial(_confirm_if_free, pk))


def _confirm_if_free(pk: int) -> None:
    """Confirm if the solicitation is still due: it may have been processed while this waited."""
    _queued.discard(pk)
    if stopping():
        return
    try:
        if Solicitation.objects.filter(pk=pk, next_at__lte=Now()).exists():
            confirm(pk)
    except Busy:
        log.debug("confirm_busy", solicitation=pk)
    except Exception:
        # No caller waits for this thread: an error is lost unless it is logged here.
        log.exception("confirm_failed", solicitation=pk)
    finally:
        connection.close()


@worker_process_shutdown.connect
def _finish_helping(**_: Any) -> None:
    """Wait for background work before a worker's child process ends."""
    if _helpers.cache_info().currsize:
        _helpers().shutdown(cancel_futures=True)


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=HELPERS, thread_name_prefix="help")


def _next_step(solicitation: Solicitation) -> _Step | None:
    """Return the next step, or None when nothing is to be done."""
    # Without the personal data nothing can be sent to SeQura.
    is_forgotten = solicitation.erased_at and solicitation.phase != _Phase.DONE
    if is_forgotten or (solicitation.phase == _Phase.SOLICITED and not solicitation.state):
        return None
    if solicitation.phase == _Phase.REFUSED:
        if solicitation.confirm_intent_at and not solicitation.undone_at:
            return undo
        return _strays(solicitation)
    if solicitation.phase == _Phase.DONE:
        return _step_after_done(solicitation)
    if solicitation.phase == _Phase.SETTLED and _is_uninstalled(solicitation):
        return confirm_at_sequra.put_reference  # it may be placed: the merchant has to check
    return STEPS[solicitation.phase]


def _is_uninstalled(solicitation: Solicitation) -> bool:
    """Return whether the app was uninstalled: then only SeQura can be called."""
    return solicitation.store.state == Store.State.UNINSTALLED


def _step_after_done(solicitation: Solicitation) -> _Step | None:
    """Return the step for an approved review or a cancellation. The state only moves forward."""
    state, shown = solicitation.state, solicitation.shown_state
    if _is_uninstalled(solicitation):
        is_due = state == Solicitation.State.APPROVED and solicitation.accepted_state == "on_hold"
        return confirm_at_sequra.put_approval if is_due else None
    if state == Solicitation.State.CANCELLED:
        return _strays(solicitation) if shown == "cancelled" else place_order.show_cancelled
    if state == Solicitation.State.APPROVED and solicitation.accepted_state == "on_hold":
        return confirm_at_sequra.put_approval
    return (
        _strays(solicitation) if shown == solicitation.accepted_state else place_order.show_approved
    )


def _strays(solicitation: Solicitation) -> _Step | None:
    """Return the step that voids further orders of this checkout, if any may exist."""
    known = 0 if solicitation.order_id is None else 1
    may_exist = solicitation.create_attempts > known and not _is_uninstalled(solicitation)
    return create_order.void_strays if may_exist and not solicitation.strays_voided_at else None


def _read_news(solicitation: Solicitation) -> None:
    """Read again what other processes may have written since this run began."""
    news = Solicitation.objects.filter(pk=solicitation.pk).values_list(
        "state", "store__state", "connection__stopped_at"
    )
    store, account = solicitation.store, solicitation.connection
    solicitation.state, store.state, account.stopped_at = news.get()


def _heed_news(solicitation: Solicitation) -> None:
    """Raise Refused before the next step spends, creates or confirms what was called off."""
    if _is_uninstalled(solicitation) and _is_unplaced(solicitation):
        raise Refused("uninstalled")
    if solicitation.phase not in Solicitation.REVOCABLE:
        return
    if solicitation.state == Solicitation.State.CANCELLED:
        raise Refused("cancelled_by_sequra")
    if solicitation.connection.stopped_at and not solicitation.confirm_intent_at:
        raise Refused("disconnected")


def _is_unplaced(solicitation: Solicitation) -> bool:
    """Return whether there is certainly no order yet that counts as paid."""
    if solicitation.phase == _Phase.SETTLED:
        return not solicitation.place_intent_at
    return solicitation.phase in Solicitation.REVOCABLE


def _advance(solicitation: Solicitation, *, is_confirmed: bool) -> None:
    try:
        if is_confirmed:
            _believe(solicitation)
        while not stopping() and _take_step(solicitation):
            pass
    except Later as later:
        _postpone(solicitation, str(later), later.seconds, is_logged=later.is_logged)
    except (bigcommerce.api.Unavailable, sequra.client.Unavailable) as error:
        _postpone(solicitation, str(error), error.retry_after)
    except (bigcommerce.api.Rejected, sequra.client.Rejected) as error:
        _after_rejection(solicitation, error)
    except Exception as mistake:
        # A defect of ours or an unexpected document. Postpone it: left due, it would come first in
        # every sweep. The merchant gets an entry if it repeats after SeQura has accepted.
        log.exception("confirm_failed", reference=str(solicitation.reference))
        _postpone(solicitation, type(mistake).__name__, None)
    else:
        _rest(solicitation)


def _take_step(solicitation: Solicitation) -> bool:
    """Take the next step with the newest state. Return False when there is none."""
    _read_news(solicitation)
    step = _next_step(solicitation)
    if step is None:
        return False
    try:
        _heed_news(solicitation)
        step(solicitation)
    except Refused as refusal:
        if not _adopt(solicitation):
            _refuse(solicitation, refusal)
    else:
        log.info(
            step.__name__,
            store=solicitation.store.hash,
            reference=str(solicitation.reference),
            order=solicitation.order_id,
            phase=solicitation.phase,
        )
    return True


def _believe(solicitation: Solicitation) -> None:
    """Record that SeQura holds our confirmation, against the refusal of a stale row.

    First look for the order, before the payment is taken back: the refusal may not have found it.
    """
    try:
        if solicitation.is_refused_unproved:
            _adopt(solicitation)
    except (bigcommerce.api.Rejected, bigcommerce.api.Unavailable) as error:
        statement = solicitation.fingerprint
        record.delayed(
            solicitation.subject, "purchase", "undo_delayed", words=str(error), statement=statement
        )
        raise
    solicitation.believe_confirmed()


def _adopt(solicitation: Solicitation) -> bool:
    """Adopt the order if it was finished and only this row does not know it.

    Return whether it was.
    """
    if solicitation.is_unordered or _is_uninstalled(solicitation):
        return False
    store, checkout = solicitation.store, solicitation.checkout_id
    try:
        order = finished_order(store, checkout, solicitation.sequra_order)
    except bigcommerce.api.Unavailable:
        if solicitation.phase != _Phase.SOLICITED or solicitation.confirm_intent_at:
            raise
        # Refusing this takes nothing back. The nightly check of the shop's orders may find it.
        return False
    if order is None:
        return False
    place_order.adopt(solicitation, order)
    return True


def _rest(solicitation: Solicitation) -> None:
    """Clear `next_at` unless SeQura reported something new meanwhile or the process ends."""
    if _next_step(solicitation):
        return
    Solicitation.objects.filter(pk=solicitation.pk, state=solicitation.state).update(next_at=None)


def _after_rejection(
    solicitation: Solicitation, error: bigcommerce.api.Rejected | sequra.client.Rejected
) -> None:
    """Postpone after a system rejected our credentials or request."""
    if isinstance(error, sequra.client.Rejected):
        solicitation.connection.pause()
    elif error.status == _UNAUTHORISED:
        solicitation.store.needs_reauthorisation()
    _postpone(solicitation, error.message, _LONGEST_PAUSE)


def _refuse(solicitation: Solicitation, refusal: Refused) -> None:
    """Refuse the solicitation and store the reason. No other function does."""
    log.warning("confirm_refused", reference=str(solicitation.reference), reason=refusal.code)
    if refusal.code == "refused_by_sequra" and not solicitation.confirm_intent_at:
        # SeQura's only answer was a rejection: nothing has to be taken back or sent.
        record.rejected(
            solicitation.subject,
            "purchase",
            refusal.code,
            words=refusal.detail,
            statement=solicitation.fingerprint,
        )
    solicitation.note(
        phase=_Phase.REFUSED,
        refusal=refusal.code,
        refusal_detail=refusal.detail,
        next_at=Now() if solicitation.confirm_intent_at else None,
    )


def _postpone(
    solicitation: Solicitation, why: str, seconds: float | None, *, is_logged: bool = False
) -> None:
    """Retry later: when the other side asks for it, else after a random, growing pause."""
    attempts = solicitation.attempts + 1
    longest = min(_LONGEST_PAUSE, 2.0 ** min(attempts, _DOUBLED_AT_MOST))
    pause = seconds or random.uniform(0.5, longest)
    log.warning(
        "confirm_postponed", reference=str(solicitation.reference), phase=solicitation.phase
    )
    next_at = Now() + timedelta(seconds=pause)
    solicitation.note(attempts=attempts, last_error=why, next_at=next_at)
    if solicitation.accepted_state and attempts >= _SILENT_ATTEMPTS and not is_logged:
        _show_delay(solicitation)


def _show_delay(solicitation: Solicitation) -> None:
    """Show the merchant that the order is delayed although SeQura has accepted the payment."""
    step = _next_step(solicitation)
    if step is create_order.void_strays:
        return  # the order is complete
    event, reason = _DELAYS.get(step, ("purchase", "order_delayed"))
    record.delayed(
        solicitation.subject,
        event,
        reason,
        words=solicitation.last_error,
        statement=solicitation.fingerprint,
        next_at=solicitation.next_at,
    )
