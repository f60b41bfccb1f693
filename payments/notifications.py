"""SeQura's notification: authenticate it, record it, confirm, and answer in time.

The status is a promise: 200 only after SeQura accepted our confirmation, 410 only for a refusal
that is stored. https://docs.sequra.com/docs/put-the-order-on-hold-and-confirm-it
"""

import hashlib
import hmac
from datetime import timedelta

import structlog
from django.db.models.functions import Now
from django.http import QueryDict
from django.utils import timezone

from payments.confirm import confirm_within, within
from payments.models import Solicitation
from payments.retention import is_being_ended
from payments.steps import confirm_at_sequra
from payments.steps.outcomes import Refused
from sequra.client import Rejected, Unavailable
from stores.models import Store
from transaction_log import record

log = structlog.get_logger()

_ANSWER_SECONDS = 7.5
_OK, _GONE, _TRY_AGAIN = 200, 410, 503
# The sweep takes over after this long.
_SWEEP_AFTER = timedelta(seconds=10)
_State, _Phase = Solicitation.State, Solicitation.Phase
_CANCELLED, _WITHOUT_NUMBER = "cancelled", "confirmed-without-number"
# States that may end a payment left unfinished by an uninstallation.
_STILL_ACCEPTED = (_CANCELLED, _WITHOUT_NUMBER)


class NotAuthentic(Exception):
    """Not from SeQura about this solicitation. The answer is 404, as for an unknown address."""


class Malformed(Exception):
    """A parameter is repeated, or is in the query string: SeQura does neither."""


class UnknownState(Exception):
    """A `sq_state` that SeQura does not document."""


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def authenticate(token: str, body: QueryDict, query: QueryDict, prefix: str = "") -> Solicitation:
    """Return the solicitation to which the token, the signature and the reference all belong.

    Raise Malformed or NotAuthentic. For an uninstalled store accept only solicitations that are
    still being finished or taken back, and only states that may end that.
    """
    if query or any(len(values) != 1 for _, values in body.lists()):
        raise Malformed
    solicitation = (
        Solicitation.objects.select_related("store", "connection")
        .filter(token_digest=digest(token))
        .first()
    )
    if solicitation is None:
        raise NotAuthentic
    if not _signature_matches(solicitation.signature, body.get(f"{prefix}signature")):
        raise NotAuthentic
    if body.get("order_ref") != str(solicitation.reference):
        raise NotAuthentic
    if solicitation.store.state == Store.State.UNINSTALLED:
        received = body.get("event" if prefix else "sq_state", "")
        if received not in _STILL_ACCEPTED or not is_being_ended(solicitation):
            raise NotAuthentic
    return solicitation


def receive(solicitation: Solicitation, sq_state: str, product: str) -> int:
    """Record the notification and confirm. Return the HTTP status to answer with."""
    if sq_state == _WITHOUT_NUMBER:
        return _send_reference_again(solicitation)
    if sq_state not in _State.values:
        raise UnknownState(sq_state)
    record_state(solicitation, _State(sq_state), product)
    return _answer(confirm_within(solicitation.pk, _ANSWER_SECONDS), _State(sq_state))


def record_state(solicitation: Solicitation, state: Solicitation.State, product: str = "") -> None:
    """Commit SeQura's state if it moves the payment forward: review, approved, cancelled."""
    now = timezone.now()
    log.info("notification_received", reference=str(solicitation.reference), state=str(state))
    earlier = {
        _State.NEEDS_REVIEW: [""],
        _State.APPROVED: ["", _State.NEEDS_REVIEW],
        _State.CANCELLED: ["", _State.NEEDS_REVIEW, _State.APPROVED],
    }[state]
    fields = {"product": product[:32]} if product else {}
    moved = Solicitation.objects.filter(pk=solicitation.pk, state__in=earlier)
    if state == _State.CANCELLED:  # SeQura confirms that nothing is left to take back
        record.close(solicitation.subject, {"reference"})  # what SeQura held without a number
    else:
        moved = moved.exclude(phase=_Phase.REFUSED)
    moved.update(state=state, notified_at=now, next_at=Now() + _SWEEP_AFTER, **fields)


def _answer(solicitation: Solicitation, state: Solicitation.State) -> int:
    """Return 200, 410 or 503 from the solicitation's stored state, whatever the attempt did."""
    if state == _State.CANCELLED:
        return _OK
    if solicitation.is_in_doubt:
        return _TRY_AGAIN  # SeQura answers 410 with a cancellation, which would go unnoticed
    if solicitation.state == _State.CANCELLED:
        return _GONE
    accepted = solicitation.accepted_state
    if accepted == "confirmed" or (accepted and state == _State.NEEDS_REVIEW):
        return _OK
    return _GONE if solicitation.phase == Solicitation.Phase.REFUSED else _TRY_AGAIN


def _send_reference_again(solicitation: Solicitation) -> int:
    """Send the order's number of a payment that SeQura holds as confirmed without one.

    A payment that was cancelled or taken back is never confirmed again: 410 repeats the refusal.
    """
    was_over = solicitation.is_taken_back or bool(solicitation.erased_at)
    if solicitation.phase != _Phase.DONE:
        found = confirm_within(solicitation.pk, _ANSWER_SECONDS, is_confirmed=True)
        return _after_finishing(found, was_over=was_over)
    if solicitation.state == _State.CANCELLED:
        return _GONE
    if solicitation.accepted_state == "on_hold":  # the review ended without our notice
        record_state(solicitation, _State.APPROVED)
        return _answer(confirm_within(solicitation.pk, _ANSWER_SECONDS), _State.APPROVED)
    return _resend_reference(solicitation)


def _after_finishing(solicitation: Solicitation, *, was_over: bool) -> int:
    """Return 410 for a payment without an order. Log an entry when SeQura was informed before."""
    if not (solicitation.is_taken_back or solicitation.erased_at):
        is_refused = solicitation.phase == _Phase.REFUSED
        return _TRY_AGAIN if is_refused else _answer(solicitation, _State.APPROVED)
    if was_over and solicitation.state != _State.CANCELLED:
        record.rejected(
            solicitation.subject,
            "reference",
            "confirmed_without_order",
            statement=solicitation.fingerprint,
        )
    return _GONE


def _resend_reference(solicitation: Solicitation) -> int:
    """Send the number again. Show a rejection to the merchant, since repeating would not end it."""
    try:
        done = within(
            _ANSWER_SECONDS,
            lambda: confirm_at_sequra.resend_reference(solicitation),
            solicitation.store_id,
        )
    except Refused as refusal:
        record.rejected(
            solicitation.subject,
            "reference",
            "number_refused",
            words=refusal.detail,
            statement=solicitation.fingerprint,
        )
        return _OK
    except Rejected:
        solicitation.connection.pause()
        return _TRY_AGAIN
    except Unavailable:
        return _TRY_AGAIN
    return _OK if done else _TRY_AGAIN


# The signature that each attempt sends to SeQura and expects back.
#
# SeQura does not sign its notifications. It echoes the `notification_parameters` of the solicited
# order, so each attempt carries its own secret: stored with the attempt, never recomputed, because
# a password changed meanwhile must not orphan open orders.
# https://docs.sequra.com/docs/start-solicitation
def _signature_matches(stored: str, echoed: str | None) -> bool:
    """Return whether this is the attempt's signature, in constant time; an empty one never is."""
    if not stored or not echoed:
        return False
    return hmac.compare_digest(
        stored.encode("utf-8", "surrogatepass"), echoed.encode("utf-8", "surrogatepass")
    )
