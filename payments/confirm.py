"""confirm(): from SeQura's notification to one BigCommerce order, resumable at every step.

The notification, the sweep, a repeated notification and the waiting shopper all call `confirm`.
Each step commits what it is about to do before a call that cannot be repeated, and what came of it
afterwards; the next caller goes on where the last one stopped.
https://docs.sequra.com/docs/put-the-order-on-hold-and-confirm-it
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from datetime import timedelta
from functools import cache, partial

import structlog
from django.db import DatabaseError, connection
from django.db.models.functions import Now

import bigcommerce.errors
import sequra.errors
from payments.models import Solicitation
from payments.steps import confirm_at_sequra, create_order, place_order
from payments.steps.outcomes import Later, Refused
from payments.steps.placed_orders import finished_order
from payments.steps.undo import undo
from payments.threads import Bulkhead, Concurrency, Turns
from stores.locks import Busy, only_one
from stores.models import Store
from transaction_log import record
from transport.stopping import stopping

log = structlog.get_logger()

Step = Callable[[Solicitation], None]
_Phase = Solicitation.Phase

STEPS: dict[str, Step] = {
    _Phase.SOLICITED: confirm_at_sequra.take_checkout,
    _Phase.CONFIRMING: confirm_at_sequra.put_confirmation,
    _Phase.CONFIRMED: create_order.make_checkout_token,
    _Phase.CREATING: create_order.make_order,
    _Phase.CREATED: place_order.settle,
    _Phase.SETTLED: place_order.place,
    _Phase.PLACED: confirm_at_sequra.put_reference,
}
# However long an outage was: all is well four minutes after its end.
LONGEST_PAUSE = 3 * 60
_DOUBLED_AT_MOST = 10  # times; by then the pause is the longest anyway
# Threads of a process, each with a database connection: for notifications, whose answer somebody
# waits for, and for what is only helped along, so that a shop that hangs stops nobody else's.
# Work that outlasted its waiter goes on: beside WAITERS there is room for several stores' of it.
WAITERS = 12
MOST_WAITERS = 36
HELPERS = 4
# Of these, for one store; and how many of its notifications hold a thread of the web server.
WAITERS_OF_A_STORE, HELPERS_OF_A_STORE, WAITING_OF_A_STORE = 6, 2, 3
SLOW_AFTER = 4.0  # seconds: by then most purchases are done
_threads = Bulkhead(MOST_WAITERS, WAITERS_OF_A_STORE)
_turns = Turns(HELPERS_OF_A_STORE)
_waiting = Concurrency(WAITING_OF_A_STORE)
# What waits for a thread already: a sweep that comes again adds nothing.
_queued: set[int] = set()
_UNAUTHORISED = 401
# SeQura has accepted and the order is not finished: from this attempt on the merchant sees it.
_SILENT_ATTEMPTS = 3
# What is late, as the transaction log calls it: an event and a reason. Else it is the order.
DELAYS: dict[Step | None, tuple[str, str]] = {
    confirm_at_sequra.put_approval: ("review_approved", "news_delayed"),
    place_order.show_approved: ("review_approved", "news_delayed"),
    place_order.show_cancelled: ("cancelled_by_sequra", "news_delayed"),
    undo: ("purchase", "undo_delayed"),
}


def confirm(pk: int, wait: float = 0, *, is_confirmed: bool = False) -> None:
    """Go as far as possible with this solicitation. Raises Busy while somebody else does.

    `is_confirmed`: SeQura says that it holds our confirmation, which the row may have lost.
    """
    with only_one(f"solicitation {pk}", wait):
        solicitation = Solicitation.objects.select_related("store", "connection").get(pk=pk)
        _advance(solicitation, is_confirmed=is_confirmed)


def confirm_within(pk: int, seconds: float, *, is_confirmed: bool = False) -> Solicitation:
    """`confirm`, waited for no longer than this; the work itself goes on in its thread."""
    solicitations = Solicitation.objects.select_related("store", "connection")

    def work() -> None:
        confirm(pk, seconds, is_confirmed=is_confirmed)

    within(seconds, work, solicitations.get(pk=pk).store_id)
    return solicitations.get(pk=pk)


def within(seconds: float, work: Callable[[], None], store: int | None = None) -> bool:
    """Is this done before so many seconds? Once begun it goes on in its thread in any case.

    Raises what `work` raises in time, but for Busy. While several requests of a store are waited
    for, a further one waits only as long as the store is not slow: so a store whose calls hang
    leaves threads of the web server to the others.
    """
    until = time.monotonic() + seconds
    with _waiting.entered(store) as has_place:
        patience = seconds
        if store is not None and not has_place:
            patience = min(seconds, max(0.0, SLOW_AFTER - _threads.age(store)))
        future = _threads.start(work, store, patience)
        if future is None:
            log.warning("work_not_begun")
            return False
        try:
            future.result(timeout=min(patience, max(0.0, until - time.monotonic())))
        except (TookTooLong, Busy):
            log.info("work_goes_on")
            return False
    return True


def help_along(pk: int) -> None:
    """`confirm` in the background, waiting for nobody: whoever holds the lock does the work."""
    if pk not in _queued:
        _queued.add(pk)
        _helpers().submit(_take_turn, pk)


def _take_turn(pk: int) -> None:
    """A store whose calls hang occupies some of the helpers, never all."""
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
    """Somebody may have done it, or postponed it, while this waited for a thread."""
    _queued.discard(pk)
    if stopping():
        return
    try:
        if Solicitation.objects.filter(pk=pk, next_at__lte=Now()).exists():
            confirm(pk)
    except Busy:
        log.debug("confirm_busy", solicitation=pk)
    except Exception:
        # Nobody waits for this thread: what it says is lost unless it is logged here.
        log.exception("confirm_failed", solicitation=pk)
    finally:
        connection.close()


def finish_helping() -> None:
    """Wait for what is being helped along, before a worker's process ends."""
    if _helpers.cache_info().currsize:
        _helpers().shutdown(cancel_futures=True)


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=HELPERS, thread_name_prefix="help")


def next_step(solicitation: Solicitation) -> Step | None:
    """What is to be done next, or nothing."""
    # Without the personal data there is nothing that SeQura could be sent.
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
        return confirm_at_sequra.put_reference  # it may be placed: the merchant has to look
    return STEPS[solicitation.phase]


def _is_uninstalled(solicitation: Solicitation) -> bool:
    """BigCommerce has taken our access back: SeQura alone can be asked."""
    return solicitation.store.state == Store.State.UNINSTALLED


def _step_after_done(solicitation: Solicitation) -> Step | None:
    """Review approved, or cancelled: the state moves forward only."""
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


def _strays(solicitation: Solicitation) -> Step | None:
    """One attempt makes one order, which a refused payment may never have come to know."""
    known = 0 if solicitation.order_id is None else 1
    may_exist = solicitation.create_attempts > known and not _is_uninstalled(solicitation)
    return create_order.void_strays if may_exist and not solicitation.strays_voided_at else None


def _read_news(solicitation: Solicitation) -> None:
    """Read again what others may have written since this run began."""
    news = Solicitation.objects.filter(pk=solicitation.pk).values_list(
        "state", "store__state", "connection__stopped_at"
    )
    store, account = solicitation.store, solicitation.connection
    solicitation.state, store.state, account.stopped_at = news.get()


def _heed_news(solicitation: Solicitation) -> None:
    """Refuse before the next step spends, makes or confirms what nobody wants any more."""
    if _is_uninstalled(solicitation) and _is_unplaced(solicitation):
        raise Refused("uninstalled")
    if solicitation.phase not in Solicitation.REVOCABLE:
        return
    if solicitation.state == Solicitation.State.CANCELLED:
        raise Refused("cancelled_by_sequra")
    if solicitation.connection.stopped_at and not solicitation.confirm_intent_at:
        raise Refused("disconnected")


def _is_unplaced(solicitation: Solicitation) -> bool:
    """Is there certainly no order yet that counts as paid?"""
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
    except (bigcommerce.errors.Unavailable, sequra.errors.Unavailable) as error:
        _postpone(solicitation, str(error), error.retry_after)
    except (bigcommerce.errors.Rejected, sequra.errors.Rejected) as error:
        _after_rejection(solicitation, error)
    except Exception as mistake:
        # Ours, or a document nobody expected: left due, it would come first in every sweep. In the
        # log whole, and an entry for the merchant when it goes on and SeQura has accepted.
        log.exception("confirm_failed", reference=str(solicitation.reference))
        _postpone(solicitation, type(mistake).__name__, None)
    else:
        _rest(solicitation)


def _take_step(solicitation: Solicitation) -> bool:
    """Take the next step with the newest news; False when there is none."""
    _read_news(solicitation)
    step = next_step(solicitation)
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
    """SeQura holds our confirmation. A refusal that says otherwise came from a row that is behind.

    So its order is looked for before it is taken back: nobody may have been able to look then.
    """
    try:
        if solicitation.is_refused_unproved:
            _adopt(solicitation)
    except (bigcommerce.errors.Rejected, bigcommerce.errors.Unavailable) as error:
        statement = solicitation.fingerprint
        record.delayed(
            solicitation.subject, "purchase", "undo_delayed", words=str(error), statement=statement
        )
        raise
    solicitation.believe_confirmed()


def _adopt(solicitation: Solicitation) -> bool:
    """Before anything is refused or taken back: was it finished, and only our row forgot it?"""
    if solicitation.is_unordered or _is_uninstalled(solicitation):
        return False
    store, checkout = solicitation.store, solicitation.checkout_id
    try:
        order = finished_order(store, checkout, solicitation.sequra_order)
    except bigcommerce.errors.Unavailable:
        if solicitation.phase != _Phase.SOLICITED or solicitation.confirm_intent_at:
            raise
        # Refusing this takes nothing back: the nightly look at the shop's orders may find it.
        return False
    if order is None:
        return False
    place_order.adopt(solicitation, order)
    return True


def _rest(solicitation: Solicitation) -> None:
    """Nothing is left to do, unless SeQura said something new meanwhile, or the process ends."""
    if next_step(solicitation):
        return
    Solicitation.objects.filter(pk=solicitation.pk, state=solicitation.state).update(next_at=None)


def _after_rejection(
    solicitation: Solicitation, error: bigcommerce.errors.Rejected | sequra.errors.Rejected
) -> None:
    """One side does not take our credentials or request: neither hammer nor give up."""
    if isinstance(error, sequra.errors.Rejected):
        solicitation.connection.pause()
    elif error.status == _UNAUTHORISED:
        solicitation.store.needs_reauthorisation()
    _postpone(solicitation, error.message, LONGEST_PAUSE)


def _refuse(solicitation: Solicitation, refusal: Refused) -> None:
    """The one place where a solicitation becomes refused, always with its reason."""
    log.warning("confirm_refused", reference=str(solicitation.reference), reason=refusal.code)
    if refusal.code == "refused_by_sequra" and not solicitation.confirm_intent_at:
        # SeQura's only answer was no: there is nothing to take back, and nothing more to say to it.
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
    """Try again later: as the other side says, else with full jitter."""
    attempts = solicitation.attempts + 1
    longest = min(LONGEST_PAUSE, 2.0 ** min(attempts, _DOUBLED_AT_MOST))
    pause = seconds or random.uniform(0.5, longest)
    log.warning(
        "confirm_postponed", reference=str(solicitation.reference), phase=solicitation.phase
    )
    next_at = Now() + timedelta(seconds=pause)
    solicitation.note(attempts=attempts, last_error=why, next_at=next_at)
    if solicitation.accepted_state and attempts >= _SILENT_ATTEMPTS and not is_logged:
        _show_delay(solicitation)


def _show_delay(solicitation: Solicitation) -> None:
    """It takes longer than a moment, and SeQura has accepted: the merchant may wonder."""
    step = next_step(solicitation)
    if step is create_order.void_strays:
        return  # the order is complete
    event, reason = DELAYS.get(step, ("purchase", "order_delayed"))
    record.delayed(
        solicitation.subject,
        event,
        reason,
        words=solicitation.last_error,
        statement=solicitation.fingerprint,
        next_at=solicitation.next_at,
    )
