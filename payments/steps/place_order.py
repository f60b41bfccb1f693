"""The steps of `confirm` that turn the Incomplete order into a placed one, and later move it.

The status is set once per state and only ever forward: what staff did meanwhile stays.
https://docs.bigcommerce.com/docs/rest-management/orders/update-order
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.documents import Order as OrderDocument
from orders import corrections
from orders.models import Order, merchant_reference
from orders.queue.wakeup import wake_worker
from payloads.checkout.eligibility import order_name
from payloads.money import to_cents
from payloads.order.services import is_digital
from payments.models import Solicitation
from payments.steps.cart_check import is_finished
from payments.steps.outcomes import Later, Refused, failpoint
from payments.steps.store_credit import use_credit
from stores.channels import ChannelSettings
from stores.clients import bigcommerce_for
from stores.models import Store
from transaction_log import record
from transport.reading import section, sections

log = structlog.get_logger()

_Phase = Solicitation.Phase
_UNAUTHORISED, _NOT_FOUND = 401, 404
# BigCommerce may hide a new order for a while; an older one that is not found was deleted.
_NEW_ORDER = timedelta(hours=1)
_INCOMPLETE, _PENDING, CANCELLED, _COMPLETED = 0, 1, 5, 10
# Store credit alone moves an Incomplete order to Pending; from both the first status is set.
_NOT_PLACED = (_INCOMPLETE, _PENDING)
# The line that `undo` writes into the notes of an order that it cancels.
_NOT_PAID = re.compile(r"SeQura: not paid \((\w+)\)\.")
# Shipped in part or whole, or completed; refunded. Then SeQura's cancellation comes too late.
_HAS_SHIPPED, _HAS_REFUNDS = (2, 3, 10), (4, 14)


def settle(solicitation: Solicitation) -> None:
    """Check that the order is what the shopper agreed to pay, and use the store credit."""
    document = order_document(solicitation)
    if document is None:
        raise Refused("order_deleted")
    if is_finished(document, solicitation.sequra_order):
        adopt(solicitation, document)
        return
    heed_undoing(document)
    total = to_cents(document["total_inc_tax"])
    expected = solicitation.amount + solicitation.paid_otherwise
    if total != expected or document["default_currency_code"] != solicitation.currency:
        raise Refused("amount_changed", f"{total} cents ordered, {expected} cents approved")
    use_credit(solicitation, document)
    failpoint("credit_used")
    _link(solicitation)
    solicitation.is_unplaced = document["status_id"] in _NOT_PLACED
    solicitation.moved(_Phase.SETTLED)
    failpoint("settled")


def order_document(solicitation: Solicitation) -> OrderDocument | None:
    """Return the order as BigCommerce has it now; None once it was deleted for good."""
    try:
        return bigcommerce_for(solicitation.store).order(solicitation.bigcommerce_order)
    except Rejected as refusal:
        made_at = solicitation.adopted_at or solicitation.create_intent_at
        made_at = made_at or solicitation.created_at
        is_new = timezone.now() - made_at < _NEW_ORDER
        if refusal.status != _NOT_FOUND or is_new:
            raise
        return None


def heed_undoing(document: OrderDocument) -> None:
    """Raise Refused when the notes show that this payment was taken back: the row was restored."""
    line = _NOT_PAID.search(str(document.get("staff_notes") or ""))
    if line and document["status_id"] == CANCELLED:
        raise Refused(line[1], f"order {document['id']} was cancelled before")


def _link(solicitation: Solicitation) -> Order:
    """Return the order's row; create it before the first webhook of the order arrives."""
    store, order_id = solicitation.store, solicitation.bigcommerce_order
    order, _ = Order.objects.get_or_create(
        store=store,
        bigcommerce_id=order_id,
        defaults={
            "connection": solicitation.connection,
            "merchant_ref": solicitation.merchant_ref,
            "channel_id": solicitation.channel_id,
            "reference": solicitation.sequra_order,
            "order_ref_1": merchant_reference(store, solicitation.merchant_ref, order_id),
            "product": solicitation.product,
            "payment_method": _payment_method_name(solicitation),
            "amount": solicitation.amount,
            "currency": solicitation.currency,
            "beginnings": _purchase_history(solicitation),
            "solicited": solicitation.order,
            "corrected": corrections.open_for(store, solicitation.sequra_order),
        },
    )
    return order


def _purchase_history(solicitation: Solicitation) -> list[tuple[str, str]]:
    """Return the moments of the purchase for the order's timeline in the panel."""
    moments = (
        ("solicited", solicitation.created_at),
        ("form_shown", solicitation.form_shown_at),
        (solicitation.state, solicitation.notified_at),
        (solicitation.accepted_state, solicitation.confirm_intent_at),
    )
    return [(name, at.isoformat()) for name, at in moments if at]


def _payment_method_name(solicitation: Solicitation) -> str:
    """Return the payment method as shopper and merchant read it: "SeQura - Paga en 3"."""
    name = order_name(solicitation.payment_methods, solicitation.product)
    return f"SeQura - {name}" if name else "SeQura"


def place(solicitation: Solicitation) -> None:
    """Write payment fields and status at once; the status only if staff have not set one.

    The order is read again unless this run has just settled it: an earlier run's write may have
    arrived, and its commit been lost.
    """
    status, in_doubt_since = _first_status(solicitation), solicitation.place_intent_at
    if not solicitation.is_unplaced:
        document = order_document(solicitation)
        if document is None:
            raise Refused("order_deleted")
        heed_undoing(document)
        if document["status_id"] not in _NOT_PLACED:
            status, in_doubt_since = None, timezone.now()  # an earlier write has arrived
    solicitation.note(place_intent_at=timezone.now())
    failpoint("place_intended")
    fields = _payment_fields(solicitation) | ({} if status is None else {"status_id": status})
    try:
        bigcommerce_for(solicitation.store).update_order(solicitation.bigcommerce_order, fields)
    except (Rejected, Unavailable) as failure:
        if isinstance(failure, Rejected) or not failure.maybe_done:
            solicitation.note(place_intent_at=in_doubt_since)
        raise
    failpoint("place_sent")
    solicitation.moved(_Phase.PLACED, shown_state=solicitation.accepted_state)
    failpoint("placed")


def adopt(solicitation: Solicitation, document: OrderDocument) -> None:
    """Continue from the placed order that BigCommerce has and this restored row does not know.

    What SeQura accepted since then is unknown, so the order update is sent in any case.
    """
    state = solicitation.state or _state_shown(solicitation.settings, document)
    accepted = "on_hold" if state == Solicitation.State.NEEDS_REVIEW else "confirmed"
    log.warning(
        "order_adopted", reference=str(solicitation.reference), order=document["id"], state=state
    )
    try:
        with transaction.atomic():
            unknown = Solicitation.objects.filter(pk=solicitation.pk, state="")
            unknown.update(state=state)  # a state that SeQura sent meanwhile stays
            solicitation.moved(
                _Phase.PLACED,
                order_id=document["id"],
                accepted_state=accepted,
                shown_state=accepted,
                adopted_at=timezone.now(),
                refusal="",
                refusal_detail="",
            )
            solicitation.refresh_from_db(fields=["state"])
            order = _link(solicitation)
            order.unsure = True
            order.save(update_fields=["unsure"])
    except IntegrityError as error:
        solicitation.refresh_from_db()
        raise Later("another payment of this checkout is looked at first", seconds=1) from error


def _state_shown(own: ChannelSettings, document: OrderDocument) -> Solicitation.State:
    """Return SeQura's decision by the order's status: its notification is lost too."""
    is_in_review = document["status_id"] == own.status_needs_review
    return Solicitation.State.NEEDS_REVIEW if is_in_review else Solicitation.State.APPROVED


def _payment_fields(solicitation: Solicitation) -> dict[str, Any]:
    fields = {
        "payment_method": _payment_method_name(solicitation),
        "payment_provider_id": str(solicitation.reference),
        "external_order_id": str(solicitation.reference),
    }
    if settings.BIGCOMMERCE_APP_ID:
        fields["external_source"] = settings.BIGCOMMERCE_APP_ID
    return fields


def show_approved(solicitation: Solicitation) -> None:
    """Set the approved status after a review, unless staff moved the order on.

    Updates are sent again.
    """
    store, own = solicitation.store, solicitation.settings
    waiting = {*_NOT_PLACED, own.status_needs_review}
    document, status = order_document(solicitation), _paid_status(solicitation)
    is_waiting = document is not None and document["status_id"] in waiting
    if status is not None and is_waiting:
        bigcommerce_for(store).update_order(solicitation.bigcommerce_order, {"status_id": status})
    failpoint("approval_shown")
    _show(
        solicitation,
        Order.Status.APPROVED,
        lambda order: record.accepted(order.subject, "review_approved"),
        shown_state="confirmed",
    )


def show_cancelled(solicitation: Solicitation) -> None:
    """Set the cancelled status, unless goods have left or the order is over."""
    store, own = solicitation.store, solicitation.settings
    document = order_document(solicitation)
    over = {*own.cancelling_statuses, own.status_cancelled}
    is_over = document is None or document["status_id"] in over
    too_late = gone_before(solicitation) or (
        document is not None and _is_too_late(own, document, is_over=is_over)
    )
    if own.status_cancelled is not None and not (too_late or is_over):
        bigcommerce_for(store).update_order(
            solicitation.bigcommerce_order, {"status_id": own.status_cancelled}
        )
    failpoint("cancellation_shown")
    _show(
        solicitation,
        Order.Status.CANCELLED,
        lambda order: _log_cancellation(order, too_late=too_late),
        shown_state="cancelled",
    )


def _is_too_late(own: ChannelSettings, document: OrderDocument, *, is_over: bool) -> bool:
    """Return whether goods left or, unless the order is over, money went back."""
    if is_over:
        return bool(document.get("items_shipped"))
    return has_left(own, document) or document["status_id"] in _HAS_REFUNDS


def has_left(own: ChannelSettings, document: OrderDocument) -> bool:
    """Return whether goods have left the shop, by status or by shipments.

    A later refund changes the status from Shipped; the goods are still gone.
    """
    statuses = {*_HAS_SHIPPED, *own.shipped_statuses}
    return document["status_id"] in statuses or bool(document.get("items_shipped"))


def gone_before(solicitation: Solicitation) -> bool:
    """Return whether goods left before, whatever the order's status is now.

    SeQura accepted them as shipped, or a shipped status was seen in the order or in a webhook.
    """
    order = Order.objects.get(
        store=solicitation.store, bigcommerce_id=solicitation.bigcommerce_order
    )
    accepted = (order.accepted_update or {}).get("shipped_cart") or {}
    by_status = order.shipped_by_status or order.shipped_status_seen
    return by_status or bool(accepted.get("items"))


def _log_cancellation(order: Order, *, too_late: bool) -> None:
    """Log SeQura's cancellation. If goods have left or money went back, the merchant has to act."""
    record.close(order.subject, {"review_approved"})  # there will be no approval
    if too_late:
        record.rejected(order.subject, "cancelled_by_sequra", "cancelled_after_shipping")
    else:
        record.accepted(order.subject, "cancelled_by_sequra")


def finish(solicitation: Solicitation, *, number_refused: str = "") -> None:
    """Complete the payment: delete the cart and let order updates be sent.

    `number_refused`: SeQura's message when it rejected the order's number for good.
    """
    try:
        bigcommerce_for(solicitation.store).delete_cart(solicitation.checkout_id)
    except Rejected as refusal:
        if refusal.status == _UNAUTHORISED and solicitation.store.state != Store.State.UNINSTALLED:
            raise
        # The order is made and paid: a cart that stays is no reason to stop.
        log.warning("cart_not_deleted", order=solicitation.order_id, status=refusal.status)
    failpoint("cart_deleted")
    in_review = solicitation.accepted_state == "on_hold"

    def write_entry(order: Order) -> None:
        _log_purchase(order, is_unseen=solicitation.phase == _Phase.SETTLED)
        if number_refused:
            reason, statement = "number_refused", solicitation.fingerprint
            record.rejected(
                order.subject, "reference", reason, words=number_refused, statement=statement
            )

    _show(
        solicitation,
        Order.Status.IN_REVIEW if in_review else Order.Status.APPROVED,
        write_entry,
        phase=_Phase.DONE,
        done_at=timezone.now(),
    )


def _log_purchase(order: Order, *, is_unseen: bool) -> None:
    """Log the purchase. `is_unseen`: the app was uninstalled while it placed the order."""
    totals = record.CartTotals(unshipped=order.amount, shipped=0)
    record.accepted(order.subject, "purchase", totals=totals)
    if is_unseen:
        record.rejected(order.subject, "purchase", "placed_unseen")


def _show(
    solicitation: Solicitation, status: str, write_entry: Callable[[Order], object], **fields: Any
) -> None:
    """Commit the order's new status together with its entry in the transaction log."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(
            store=solicitation.store, bigcommerce_id=solicitation.bigcommerce_order
        )
        order.status = status
        order.refused = ""  # SeQura may now accept what it rejected in another state
        order.changed += 1
        order.due_at = Now()
        order.settle_step = 0
        order.save(update_fields=["status", "refused", "changed", "due_at", "settle_step"])
        write_entry(order)
        solicitation.note(**fields)
        transaction.on_commit(wake_worker)
    failpoint(f"shown_{status}")


def _first_status(solicitation: Solicitation) -> int | None:
    """Return the first status by the merchant's mapping; None leaves the status alone.

    A payment that SeQura has cancelled meanwhile is never shown as paid, not even for a moment.
    """
    own = solicitation.settings
    if solicitation.state == Solicitation.State.CANCELLED:
        return own.status_cancelled
    confirmed = solicitation.accepted_state == "confirmed"
    return _paid_status(solicitation) if confirmed else own.status_needs_review


def _paid_status(solicitation: Solicitation) -> int | None:
    """Return the status of a paid order; None leaves it alone.

    Nothing of an order of digital products is shipped, so nobody would complete it. Completed, it
    is reported as delivered, if the merchant lets that status count as shipped.
    """
    own, paid = solicitation.settings, solicitation.settings.status_approved
    items = sections(section(solicitation.order.get("cart")).get("items"))  # none once erased
    is_complete = solicitation.store.completes_digital and _COMPLETED in own.shipped_statuses
    if paid is not None and is_complete and is_digital(items):
        return _COMPLETED
    return paid
