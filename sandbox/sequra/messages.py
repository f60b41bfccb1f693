"""SeQura speaks: notifications while the shopper waits, events afterwards.

https://docs.sequra.com/docs/webhooks-api
"""

import time
from datetime import timedelta
from typing import Any

import requests
from django.db import transaction
from django.utils import timezone

from sandbox import calling
from sandbox.sequra import carts
from sandbox.sequra.knobs import Trouble, knobs
from sandbox.sequra.later import schedule
from sandbox.sequra.models import Message, Order

NOTIFICATION, EVENT = Message.Kind.NOTIFICATION, Message.Kind.EVENT
STATE = Order.State
# https://docs.sequra.com/docs/webhooks-api: other answers to an event are errors.
EVENT_ANSWERS = (200, 201, 202, 302, 307, 404, 501)
CONFLICTS = (409, 410)
REQUEST_HEADERS = {
    NOTIFICATION: {"User-Agent": "SeQura/1.0 (www.sequra.es)"},
    EVENT: {"User-Agent": "SeQura-Event/1.0 (www.sequra.es)", "Accept": "application/json"},
}


def notify(order: Order, sq_state: str, **fields: Any) -> list[Message]:
    """Notifications of a state, one for each copy that the knobs want; not sent yet."""
    url = order.solicited["merchant"]["notify_url"]
    return messages(
        order, knobs.notification, kind=NOTIFICATION, name=sq_state, url=url, fields=fields
    )


def tell(order: Order, event: str, **fields: Any) -> list[Message]:
    """Events for the shop; none when the order names no events webhook."""
    webhook = order.solicited["merchant"].get("events_webhook")
    if not webhook:
        return []
    return messages(order, knobs.event, kind=EVENT, name=event, url=webhook["url"], fields=fields)


def messages(order: Order, trouble: Trouble, **columns: Any) -> list[Message]:
    attempts = knobs.retries + 1
    due = timezone.now() + timedelta(seconds=trouble.delay)
    return [
        order.messages.create(attempts_left=attempts, due_at=due, **columns)
        for _ in range(0 if trouble.lost else trouble.copies)
    ]


def dispatch(outgoing: list[Message]) -> None:
    """Send each at its time, from threads of their own."""
    for message in outgoing:
        seconds = (message.due_at - timezone.now()).total_seconds()
        schedule(max(seconds, 0), deliver, message.pk)


def dispatch_and_wait(outgoing: list[Message]) -> None:
    """Send them; return when the first of those that are due has its answer."""
    due = [message for message in outgoing if message.due_at <= timezone.now()]
    dispatch([message for message in outgoing if message not in due[:1]])
    for message in due[:1]:
        deliver(message.pk)


def deliver(key: int) -> None:
    """One attempt. Nobody else makes the same attempt, and no transaction is open meanwhile."""
    claimed = Message.objects.filter(pk=key, status=Message.Status.WAITING)
    if not claimed.update(status=Message.Status.SENDING):
        return
    message = Message.objects.select_related("order").get(pk=key)
    message.answers.append(attempt(message))
    conclude(message, message.answers[-1]["status"])


def attempt(message: Message) -> dict[str, Any]:
    """POST the form and describe the answer; status is None when there was none."""
    sent, started = form(message), time.monotonic()
    status: int | None = None
    try:
        answer = calling.call(
            "POST",
            message.url,
            data=sent,
            headers={
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                **REQUEST_HEADERS[Message.Kind(message.kind)],
            },
            timeout=knobs.timeout,
        )
        status, text = answer.status_code, answer.text[:2000]
    except requests.RequestException as error:
        text = type(error).__name__
    spent = round((time.monotonic() - started) * 1000)
    at = timezone.now().isoformat()
    return {"at": at, "status": status, "body": text, "ms": spent, "sent": sent}


def conclude(message: Message, status: int | None) -> None:
    """Keep what the answer means: accepted, a conflict, another attempt, or given up."""
    message.attempts_left -= 1
    message.status = verdict(message, status)
    with transaction.atomic():
        order = Order.objects.select_for_update().filter(pk=message.order.pk).first()
        if order is None:
            return  # the sandbox was emptied meanwhile
        if message.status == Message.Status.CONFLICT:
            order = cancel(order.pk, "conflict")
        if message.status == Message.Status.WAITING:
            message.due_at = timezone.now() + timedelta(seconds=knobs.retry_seconds)
            schedule(knobs.retry_seconds, deliver, message.pk)
        order.note(f"{message.kind.title()} {message.name}: {status or 'no answer'}")
        message.save()


def verdict(message: Message, status: int | None) -> Message.Status:
    accepted = message.kind == EVENT and status in EVENT_ANSWERS
    if accepted or (status is not None and 200 <= status < 300):
        return Message.Status.ACCEPTED
    if message.kind == NOTIFICATION and status in CONFLICTS:
        return Message.Status.CONFLICT
    return Message.Status.WAITING if message.attempts_left else Message.Status.FAILED


def form(message: Message) -> dict[str, str]:
    """The parameters of a message, as of now."""
    order = message.order
    build = notification_form if message.kind == NOTIFICATION else event_form
    trouble = knobs.notification if message.kind == NOTIFICATION else knobs.event
    fields = build(order, trouble.state or message.name)
    if trouble.bad_signature:
        named = [name for name in fields if name.endswith("signature")]
        fields |= dict.fromkeys(named, "0" * 64)
    return fields | {name: str(value) for name, value in message.fields.items()}


def notification_form(order: Order, sq_state: str) -> dict[str, str]:
    since = "needs_review_since" if sq_state == "needs_review" else "approved_since"
    return {
        "order_ref": str(order.uuid),
        "order_ref_1": order.order_ref_1,
        "product_code": order.product,
        "sq_state": sq_state,
        since: str((timezone.now() - order.created_at).days),
        **order.solicited["merchant"].get("notification_parameters", {}),
    }


def event_form(order: Order, event: str) -> dict[str, str]:
    parameters = order.solicited["merchant"]["events_webhook"].get("parameters", {})
    quoted = knobs.order_ref_2 == "quotes" or not order.order_ref_2
    return {
        "charset": "UTF-8",
        "utf8": "√",
        "event": event,
        "order_ref_1": order.order_ref_1,
        "order_ref_2": '""' if quoted else order.order_ref_2,
        "order_ref": str(order.uuid),
        **{f"m_{name}": value for name, value in parameters.items()},
    }


def cancel(key: Any, by: str) -> Order:
    """Take an order off the books, unless it has been shipped; its carts are empty then."""
    order = Order.objects.select_for_update().get(pk=key)
    if order.state not in (STATE.SHIPPED, STATE.CANCELLED):
        order.state, order.cancelled_by = STATE.CANCELLED, by
        order.unshipped_cart = order.shipped_cart = carts.empty()
        order.save()
        order.note(f"Cancelled ({by})")
    return order


def review_later(order: Order) -> None:
    """The review personas get their answer by themselves; other orders wait for the control API."""
    outcome = order.shopper.get("review")
    if outcome:
        schedule(knobs.review_seconds, end_review, order.pk, outcome)


def end_review(key: Any, outcome: str) -> None:
    """Approve or cancel an order on hold, and say so."""
    with transaction.atomic():
        order = Order.objects.select_for_update().filter(pk=key, state=STATE.ON_HOLD).first()
        if order is None:
            return
        if outcome == "approve":
            order.state, order.reviewed = STATE.APPROVED, True
            order.save()
            order.note("Approved after review")
            outgoing = notify(order, "approved")
        else:
            outgoing = tell(cancel(key, "sequra"), "cancelled")
    dispatch(outgoing)
