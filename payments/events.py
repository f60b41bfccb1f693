"""SeQura's events after a purchase: a row and a small function per event.

https://docs.sequra.com/docs/webhooks-api
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils import timezone

from bigcommerce.api import Rejected, Unavailable
from orders.queue.claim import mark_changed
from orders.queue.wakeup import wake_worker
from payments.confirm import confirm_within
from payments.models import Solicitation
from payments.notifications import record_state
from payments.steps.confirm_at_sequra import order_of
from payments.steps.place_order import gone_before, has_left
from stores.clients import bigcommerce_for
from stores.models import Store
from stores.statuses import cancelled_status
from transaction_log import record
from transport.reading import clean_text

_State = Solicitation.State
_Answer = tuple[int, dict[str, Any] | str]
_ANSWER_SECONDS = 6.0

# After two working hours the merchant may have begun with the order: a request is too late.
_WORK_BEGINS, _WORK_ENDS, _WORK_ZONE = time(9), time(17), ZoneInfo("Europe/Madrid")
_CANCEL_WITHIN = timedelta(hours=2)


def _cancelled(solicitation: Solicitation, _: QueryDict) -> _Answer:
    """Cancel the order in the shop because SeQura has cancelled it. Nothing is sent back."""
    record_state(solicitation, _State.CANCELLED)
    confirm_within(solicitation.pk, _ANSWER_SECONDS)
    return 200, ""


def _cancel(solicitation: Solicitation, _: QueryDict) -> _Answer:
    """Cancel the order if SeQura asks in time; answer `toolate` for a shipped or old one."""
    since = _working_time(solicitation.created_at, timezone.now())
    too_late = {"result": "toolate", "since": int(since.total_seconds() // 60)}
    if solicitation.phase == Solicitation.Phase.REFUSED:
        return 200, {"result": "cancelled"}
    if solicitation.phase != Solicitation.Phase.DONE:
        return 503, {"error": "the order is still being made"}
    order = order_of(solicitation)
    if since > _CANCEL_WITHIN:
        return 200, too_late
    try:
        done = _cancel_in_shop(solicitation)
    except (Rejected, Unavailable) as error:
        return 503, {"error": str(error)}
    if not done:
        return 200, too_late
    record.accepted(order.subject, "cancel_requested")
    mark_changed(pk=order.pk)
    wake_worker()
    return 200, {"result": "cancelled"}


def _cancel_in_shop(solicitation: Solicitation) -> bool:
    """Cancel the BigCommerce order unless goods have left. Its webhook causes the order update."""
    api, order_id = bigcommerce_for(solicitation.store), solicitation.bigcommerce_order
    order = api.order(order_id)
    if gone_before(solicitation) or has_left(solicitation.settings, order):
        return False
    cancelling = solicitation.settings.cancelling_statuses
    if order["status_id"] not in cancelling:
        api.update_order(order_id, {"status_id": cancelled_status(cancelling)})
    return True


def _risk_assessment(solicitation: Solicitation, parameters: QueryDict) -> _Answer:
    """Store SeQura's risk level, to show it, and log the change."""
    level = parameters.get("risk_level", "")
    if level in ("low_risk", "high_risk", "under_evaluation") and level != solicitation.risk_level:
        solicitation.note(risk_level=level)
        record.accepted(solicitation.subject, "risk_assessment", level)
    return 200, "Message received!"


EVENTS: dict[str, Callable[[Solicitation, QueryDict], _Answer]] = {
    "cancelled": _cancelled,
    "cancel": _cancel,
    "risk_assessment": _risk_assessment,
}


def handle(event: str, solicitation: Solicitation, parameters: QueryDict) -> _Answer:
    """Handle an event. SeQura expects 501 with JSON for an unknown one."""
    function = EVENTS.get(event)
    if function is None:
        _note(event[:64], solicitation)
        return 501, {"error": f"Unknown event '{event[:64]}'"}
    return function(solicitation, parameters)


def _note(event: str, solicitation: Solicitation) -> None:
    """Show the merchant an event that the app cannot answer: a return is a person's decision.

    What SeQura sends with a return is not documented, so that no refund is computed from it.
    """
    if solicitation.store.state == Store.State.UNINSTALLED:
        return
    if event == "return":
        digest = record.reason_digest("return_reported", str(solicitation.reference))
        record.rejected(solicitation.subject, "return", "return_reported", statement=digest)
    else:
        name = clean_text(event)
        digest = record.reason_digest("unknown_event", name)
        about = solicitation.subject
        record.ignored(about, "unknown_event", "unknown_event", words=name, statement=digest)


def _working_time(since: datetime, until: datetime) -> timedelta:
    """Return the working time between two moments: Monday to Friday, nine to five in Madrid."""
    total = timedelta()
    day = since.astimezone(_WORK_ZONE).date()
    last = until.astimezone(_WORK_ZONE).date()
    while day <= last and total <= _CANCEL_WITHIN:
        if day.weekday() < 5:
            begin = max(since, datetime.combine(day, _WORK_BEGINS, _WORK_ZONE))
            end = min(until, datetime.combine(day, _WORK_ENDS, _WORK_ZONE))
            total += max(end - begin, timedelta())
        day += timedelta(days=1)
    return total
