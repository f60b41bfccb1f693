"""Take back, on both sides, a payment that SeQura may have confirmed and that became no order.

Each part is committed when its system has accepted it. Only SeQura's acceptance of the
cancellation, or its own report that the order is cancelled, ends this. A rejection may be about a
repetition, or about a reference that SeQura has not stored yet: it proves nothing about what SeQura
holds.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

import bigcommerce.api
from orders.sync.staff_notes import with_line
from payloads.cart import cart
from payments.models import Solicitation
from payments.solicited_order import sent_order
from payments.steps.outcomes import Later, failpoint
from payments.steps.place_order import CANCELLED
from payments.steps.store_credit import credit_taken, show_credit
from sequra.client import Rejected, Sequra
from stores.clients import bigcommerce_for, sequra_for
from stores.models import Store
from transaction_log import record

_REPEATED_PARTS = ("delivery_method", "delivery_address", "invoice_address", "customer", "platform")
_UNAUTHORISED, _NOT_FOUND = 401, 404
# After that the merchant has to contact SeQura; one attempt a day continues.
_HOPELESS_AFTER, _HOPELESS_SECONDS = timedelta(days=7), 24 * 60 * 60


def undo(solicitation: Solicitation) -> None:
    """Cancel the BigCommerce order, if there is one, and the SeQura order; log it when proved.

    Each side is cancelled even while the other one is down.
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
) -> bigcommerce.api.Rejected | bigcommerce.api.Unavailable | Later | None:
    """Return the error that prevented the cancellation in BigCommerce, if any.

    After an uninstallation there is no access to try with.
    """
    if solicitation.order_id is None or solicitation.undone_in_shop_at:
        return None
    if solicitation.store.state == Store.State.UNINSTALLED:
        _show_unseen_credit(solicitation)
        return None
    try:
        _cancel_in_shop(solicitation, solicitation.order_id)
    except (bigcommerce.api.Rejected, bigcommerce.api.Unavailable, Later) as failure:
        return failure
    solicitation.note(undone_in_shop_at=timezone.now())
    return None


def _show_unseen_credit(solicitation: Solicitation) -> None:
    """Show store credit that may be spent where the order cannot be read."""
    if solicitation.may_have_spent_credit:
        taken = "credit_to_return" if solicitation.credit_intent_at else "credit_unseen"
        show_credit(solicitation, taken, solicitation.paid_otherwise)


def _cancel_in_shop(solicitation: Solicitation, order_id: int) -> None:
    """Cancel the order and add a line below its notes, once.

    A deleted order needs no cancellation.
    """
    api = bigcommerce_for(solicitation.store)
    try:
        document = api.order(order_id)
    except bigcommerce.api.Rejected as refusal:
        if refusal.status != _NOT_FOUND:
            raise
        _show_unseen_credit(solicitation)
        return
    if cents := credit_taken(api, solicitation, document):
        show_credit(solicitation, "credit_to_return", cents)
    notes = str(document.get("staff_notes") or "")
    line = f"SeQura: not paid ({solicitation.refusal})."
    api.update_order(order_id, {"status_id": CANCELLED, "staff_notes": with_line(notes, line)})


def _cancel_at_sequra(solicitation: Solicitation) -> None:
    """Cancel the SeQura order by sending both carts empty. Raise Later until SeQura accepts it.

    The cancellation needs a reference, so a confirmation that carries it is sent first: SeQura
    finds an order by its reference.
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
    """Send the reference. Return SeQura's rejection, if any: it decides nothing.

    SeQura may know the reference from an attempt that was accepted, also one that this restored row
    does not know. The cancellation that follows decides.
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
    """Return a reference of our own.

    The order's number may be in use by another shop of the same SeQura merchant.
    """
    return f"refused-{solicitation.public_id}"


def _nothing(solicitation: Solicitation) -> dict[str, Any]:
    """Return the order update that leaves nothing to pay."""
    nothing = cart(solicitation.currency, [])
    return {
        "merchant": {"id": solicitation.merchant_ref},
        "merchant_reference": {"order_ref_1": _reference(solicitation)},
        "unshipped_cart": nothing,
        "shipped_cart": nothing,
        **{key: solicitation.order[key] for key in _REPEATED_PARTS},
    }
