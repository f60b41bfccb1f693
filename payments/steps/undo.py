"""A payment that SeQura may have confirmed but that became no order: take it back on both sides.

Each part is committed when its system has accepted it. Only SeQura's answer to the cancellation, or
its own news that the order is cancelled, ends this: a refusal may be about the second attempt, or
about a reference that SeQura has not stored yet, and says nothing about what it holds.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from bigcommerce import errors as bigcommerce_errors
from orders.sync.staff_notes import with_line
from payloads.cart import cart
from payments.models import Solicitation
from payments.solicited_order import sent_order
from payments.steps.failpoints import failpoint
from payments.steps.outcomes import Later
from payments.steps.place_order import CANCELLED
from payments.steps.store_credit import has_taken_credit, show_credit
from sequra.client import Sequra
from sequra.errors import Rejected
from stores.clients import bigcommerce_for, sequra_for
from stores.models import Store
from transaction_log import record

_REPEATED_PARTS = ("delivery_method", "delivery_address", "invoice_address", "customer", "platform")
_UNAUTHORISED, _NOT_FOUND = 401, 404
# After that, somebody has to ask SeQura: one attempt a day goes on.
_HOPELESS_AFTER, _HOPELESS_SECONDS = timedelta(days=7), 24 * 60 * 60


def undo(solicitation: Solicitation) -> None:
    """Cancel the BigCommerce order, if there is one, and the SeQura order; log it when proved.

    Each side is cancelled even while the other one is away.
    """
    failure = _try_in_shop(solicitation)
    failpoint("undone_in_the_shop")
    if not solicitation.taken_back_at:
        if solicitation.may_be_confirmed:
            _cancel_at_sequra(solicitation)
        failpoint("undone_at_sequra")
        solicitation.note(taken_back_at=timezone.now())
    if failure:
        raise failure
    record.rejected(
        solicitation.subject,
        "purchase",
        solicitation.refusal,
        words=solicitation.refusal_detail,
        statement=solicitation.fingerprint,
    )
    solicitation.note(undone_at=timezone.now())


def _try_in_shop(
    solicitation: Solicitation,
) -> bigcommerce_errors.Rejected | bigcommerce_errors.Unavailable | Later | None:
    """Return why BigCommerce could not be asked. An uninstalled app has no access any more."""
    if solicitation.order_id is None or solicitation.undone_in_shop_at:
        return None
    if solicitation.store.state == Store.State.UNINSTALLED:
        _show_unseen_credit(solicitation)
        return None
    try:
        _cancel_in_shop(solicitation, solicitation.order_id)
    except (bigcommerce_errors.Rejected, bigcommerce_errors.Unavailable, Later) as failure:
        return failure
    solicitation.note(undone_in_shop_at=timezone.now())
    return None


def _show_unseen_credit(solicitation: Solicitation) -> None:
    """Ask the merchant about store credit where the order cannot be read."""
    if solicitation.may_have_spent_credit:
        taken = "credit_to_return" if solicitation.credit_intent_at else "credit_unseen"
        show_credit(solicitation, taken)


def _cancel_in_shop(solicitation: Solicitation, order_id: int) -> None:
    """Staff may have written into the order by now: our line comes below theirs, once.

    Nothing is left to cancel of an order that was deleted for good.
    """
    api = bigcommerce_for(solicitation.store)
    try:
        document = api.order(order_id)
    except bigcommerce_errors.Rejected as refusal:
        if refusal.status != _NOT_FOUND:
            raise
        _show_unseen_credit(solicitation)
        return
    if has_taken_credit(api, solicitation, document):
        show_credit(solicitation, "credit_to_return")
    notes = str(document.get("staff_notes") or "")
    line = f"SeQura: not paid ({solicitation.refusal})."
    api.update_order(order_id, {"status_id": CANCELLED, "staff_notes": with_line(notes, line)})


def _cancel_at_sequra(solicitation: Solicitation) -> None:
    """Both carts empty is SeQura's cancellation, and needs a reference. Later until it is accepted.

    A confirmation that carries the reference comes first: SeQura finds an order by it.
    """
    api = sequra_for(solicitation.connection)
    refusal = None
    try:
        refusal = _give_reference(api, solicitation)
        api.update_order(
            solicitation.merchant_ref, _reference(solicitation), _nothing(solicitation)
        )
    except Rejected as error:
        error = refusal or error
        if api.is_about_us(error, solicitation.merchant_ref):
            raise
        record.delayed(
            solicitation.subject,
            "purchase",
            "undo_refused",
            words=error.message,
            statement=solicitation.fingerprint,
        )
        is_hopeless = timezone.now() - solicitation.created_at > _HOPELESS_AFTER
        pause = _HOPELESS_SECONDS if is_hopeless else None
        raise Later(f"SeQura refused to cancel: {error.message}", pause, is_logged=True) from error


def _give_reference(api: Sequra, solicitation: Solicitation) -> Rejected | None:
    """Return SeQura's refusal, if any: it decides nothing.

    The reference may be known from an attempt that was accepted, also from one that this row has
    forgotten since: the cancellation that follows is what decides.
    """
    order: dict[str, Any] = {
        **sent_order(solicitation),
        "state": "confirmed",
        "merchant_reference": {"order_ref_1": _reference(solicitation)},
    }
    try:
        api.put_order(solicitation.merchant_ref, solicitation.sequra_order, order)
    except Rejected as refusal:
        if refusal.status == _UNAUTHORISED:
            raise
        return None if solicitation.undo_reference_at else refusal
    solicitation.note(undo_reference_at=timezone.now())
    failpoint("undo_reference_given")
    return None


def _reference(solicitation: Solicitation) -> str:
    """Not the order's number: another shop of the same SeQura merchant may use it."""
    return f"refused-{solicitation.public_id}"


def _nothing(solicitation: Solicitation) -> dict[str, Any]:
    """The order update that leaves nothing to pay."""
    nothing = cart(solicitation.currency, [])
    return {
        "merchant": {"id": solicitation.merchant_ref},
        "merchant_reference": {"order_ref_1": _reference(solicitation)},
        "unshipped_cart": nothing,
        "shipped_cart": nothing,
        **{key: solicitation.order[key] for key in _REPEATED_PARTS},
    }
