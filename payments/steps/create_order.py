"""The steps of `confirm` that create the BigCommerce order, exactly once.

`POST /v3/checkouts/{id}/orders` is not idempotent and accepts no key. So the intention is written
before every attempt, and after an unknown outcome the order is looked up by its cart id.
https://docs.bigcommerce.com/docs/rest-management/checkouts/create-order
"""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import structlog
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.documents import Order as OrderDocument
from orders.sync.staff_notes import with_line
from payments.models import Solicitation
from payments.steps import place_order
from payments.steps.cart_check import finished, is_unpaid, paid_otherwise
from payments.steps.outcomes import Later, Refused, failpoint
from payments.steps.store_credit import show_credit
from stores.clients import bigcommerce_for
from stores.models import database_now

log = structlog.get_logger()
_Phase = Solicitation.Phase

_CANCELLED = 5
_STRAY_NOTE = (
    "SeQura: never paid. An interrupted attempt made this order twice; the other one counts."
)
# How far BigCommerce's clock may be behind when an order's date is compared with our intention.
_CLOCK_SKEW = timedelta(seconds=60)
# Shoppers reload the confirmation page: the token works for a day.
_TOKEN_USES, _TOKEN_SECONDS = 10, 24 * 60 * 60
_LOOK_AGAIN_SECONDS = 1.0
# Strays are searched after this many times the usual delay of the look-up.
_STRAYS_SHOW_AFTER = 6
# In these phases another payment of the checkout may have an order that it does not know yet.
_MAKING, _MAKING_SECONDS = (_Phase.CREATING, _Phase.CREATED, _Phase.SETTLED), 5.0
# BigCommerce may reject the conversion of a cart that changed a moment ago.
_TRIES, _PAUSE_SECONDS = 8, 2.0


def make_checkout_token(solicitation: Solicitation) -> None:
    """Store the token that opens the confirmation page for guests. It cannot be made afterwards."""
    token = ""
    try:
        token = bigcommerce_for(solicitation.store).checkout_token(
            solicitation.checkout_id, _TOKEN_USES, _TOKEN_SECONDS
        )
    except Rejected as error:
        log.warning(
            "checkout_token_refused", reference=str(solicitation.reference), status=error.status
        )
    failpoint("token_made")
    solicitation.moved(_Phase.CREATING, checkout_token=token)


def make_order(solicitation: Solicitation) -> None:
    """Convert the checkout, or find the order that an earlier attempt created.

    The look-up is skipped when this run has seen that there was none.
    """
    order_id = None
    if not solicitation.is_unordered:
        orders = bigcommerce_for(solicitation.store).orders(cart_id=solicitation.checkout_id)
        if order := finished(orders, solicitation.sequra_order):
            place_order.adopt(solicitation, order)
            return
        _heed_undoing(solicitation, orders)
        order_id = _made_earlier(solicitation, orders)
    if order_id is None:
        order_id = _convert(solicitation)
    failpoint("order_made")
    solicitation.moved(_Phase.CREATED, order_id=order_id)
    failpoint("order_known")


def _convert(solicitation: Solicitation) -> int:
    """Convert the checkout.

    Renew the intention before every attempt: the look-up counts from it.
    """
    now, in_doubt_since = database_now(), solicitation.create_intent_at
    solicitation.note(
        create_intent_at=now,
        create_attempts=solicitation.create_attempts + 1,
        first_create_intent_at=solicitation.first_create_intent_at or now,
    )
    failpoint("create_intended")
    try:
        return bigcommerce_for(solicitation.store).create_order(solicitation.checkout_id)
    except Rejected as error:
        # This attempt certainly created none; earlier ones stay as uncertain as before.
        solicitation.note(create_intent_at=in_doubt_since)
        if error.status in (401, 403):  # about our credentials, not about the checkout
            raise
        solicitation.note(conversions_refused=solicitation.conversions_refused + 1)
        if solicitation.conversions_refused >= _TRIES:
            raise Refused("conversion_refused", error.message) from error
        raise Later(f"BigCommerce made no order yet: {error.message}", _PAUSE_SECONDS) from error
    except Unavailable as failure:
        if not failure.maybe_done:
            solicitation.note(create_intent_at=in_doubt_since)
        raise


def _made_earlier(solicitation: Solicitation, orders: list[OrderDocument]) -> int | None:
    """Return the first order that earlier attempts created; None once there certainly is none."""
    found = [order["id"] for order in _candidates(solicitation, orders)]
    if found:
        if solicitation.create_intent_at is None:
            _remember_lost_attempts(solicitation)
        return min(found)
    if _unsettled_seconds(solicitation) > 0:
        raise Later("waiting for BigCommerce to show the order", seconds=_LOOK_AGAIN_SECONDS)
    return None


def _unsettled_seconds(solicitation: Solicitation, patience: int = 1) -> float:
    """Return for how long BigCommerce's look-up may still miss an order of the last attempt."""
    if solicitation.create_intent_at is None:
        return 0
    since = (database_now() - solicitation.create_intent_at).total_seconds()
    return patience * settings.ORDER_LOOKUP_SETTLE_SECONDS - since


def _heed_undoing(solicitation: Solicitation, orders: list[OrderDocument]) -> None:
    """Raise Refused when an order's notes show that this payment was taken back."""
    others = _attempts_beside(solicitation).exclude(order_id=None)
    taken = set(others.values_list("order_id", flat=True))
    for order in orders:
        if order["id"] not in taken:
            place_order.heed_undoing(order)


def _remember_lost_attempts(solicitation: Solicitation) -> None:
    """Record lost attempts: there is an order without an intention, so the row was restored."""
    now = database_now()
    solicitation.note(
        create_attempts=max(2, solicitation.create_attempts),
        create_intent_at=now,
        first_create_intent_at=_first_intention(solicitation) or now,
    )


def _first_intention(solicitation: Solicitation) -> datetime | None:
    """Return the earliest moment at which there may be an order."""
    return (
        solicitation.first_create_intent_at
        or solicitation.confirm_intent_at
        or solicitation.notified_at
    )


def _candidates(solicitation: Solicitation, orders: list[OrderDocument]) -> list[OrderDocument]:
    """Return unpaid orders of this cart that this payment may have created."""
    first = _first_intention(solicitation)
    if first is None:
        return []
    others = _attempts_beside(solicitation).exclude(order_id=None)
    taken = set(others.values_list("order_id", flat=True))
    return [
        order
        for order in orders
        if order["id"] not in taken
        and is_unpaid(order, solicitation.other_payments)
        and parsedate_to_datetime(order["date_created"]) >= first - _CLOCK_SKEW
    ]


def _attempts_beside(solicitation: Solicitation) -> QuerySet[Solicitation]:
    """Return the other payments of the same checkout."""
    others = Solicitation.objects.exclude(pk=solicitation.pk)
    return others.filter(store=solicitation.store, checkout_id=solicitation.checkout_id)


def void_strays(solicitation: Solicitation) -> None:
    """Cancel further orders that a lost answer may have left behind."""
    if (pause := _unsettled_seconds(solicitation, _STRAYS_SHOW_AFTER)) > 0:
        raise Later("looking for stray orders when BigCommerce shows them", seconds=pause)
    if _attempts_beside(solicitation).filter(phase__in=_MAKING).exists():
        raise Later("another payment of this checkout is making its order", seconds=_MAKING_SECONDS)
    orders = bigcommerce_for(solicitation.store).orders(cart_id=solicitation.checkout_id)
    for order in _candidates(solicitation, orders):
        if order["id"] != solicitation.order_id:
            if cents := sum(paid_otherwise(order)):
                show_credit(solicitation, "credit_to_return", cents)
            bigcommerce_for(solicitation.store).update_order(
                order["id"],
                {
                    "status_id": _CANCELLED,
                    "staff_notes": with_line(str(order.get("staff_notes") or ""), _STRAY_NOTE),
                },
            )
            failpoint("stray_voided")
    solicitation.note(strays_voided_at=timezone.now())
