"""Use store credit: the part of an order that SeQura does not finance is taken from the balance.

It is not documented whether a conversion applies the credit that the shopper chose, so both cases
work: credit that the order already shows is left alone, otherwise the Payments API takes it while
the order is Incomplete. https://docs.bigcommerce.com/docs/rest-payments
"""

from datetime import datetime

import structlog
from django.conf import settings

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from bigcommerce.documents import Order as OrderDocument
from payloads.money import euros, to_cents
from payments.models import Solicitation
from payments.steps.outcomes import Later, Refused, failpoint
from stores.clients import bigcommerce_for
from stores.models import database_now
from transaction_log import record

log = structlog.get_logger()
_UNAUTHORISED = 401
_LOOK_AGAIN_SECONDS = 1.0
# Tries after a rejection that followed a lost answer: BigCommerce may show the credit late.
_TRIES, _PAUSE_SECONDS = 8, 2.0


def use_credit(solicitation: Solicitation, document: OrderDocument) -> None:
    """Use the credit once. Raise Refused when the order shows another credit than approved."""
    shown = to_cents(document["store_credit_amount"])
    certificates = to_cents(document["gift_certificate_amount"])
    if certificates or shown not in (0, solicitation.store_credit):
        raise Refused("credit_changed", f"{shown} + {certificates} cents paid otherwise")
    if shown == solicitation.store_credit:
        return
    api = bigcommerce_for(solicitation.store)
    in_doubt_since = solicitation.credit_intent_at
    if in_doubt_since:
        if _taken_earlier(api, solicitation):
            return
        _wait(in_doubt_since)
    _pay(api, solicitation, in_doubt_since)


def has_taken_credit(api: BigCommerce, solicitation: Solicitation, document: OrderDocument) -> bool:
    """Return whether the order has used store credit. Raise Later while BigCommerce may hide it."""
    if to_cents(document["store_credit_amount"]):
        return True
    if not solicitation.credit_intent_at:
        return False
    if _taken_earlier(api, solicitation):
        return True
    _wait(solicitation.credit_intent_at)
    return False


def show_credit(solicitation: Solicitation, reason: str) -> None:
    """Open an entry about credit that is or may be spent on an order that does not count."""
    record.rejected(
        solicitation.subject,
        "purchase",
        reason,
        words=euros(solicitation.store_credit),
        statement=solicitation.fingerprint,
    )
    if reason == "credit_to_return" and not solicitation.credit_intent_at:  # by the conversion
        solicitation.note(credit_intent_at=database_now())


def _wait(in_doubt_since: datetime) -> None:
    """Raise Later while BigCommerce may still hide what it has done."""
    since = (database_now() - in_doubt_since).total_seconds()
    if since < settings.ORDER_LOOKUP_SETTLE_SECONDS:
        raise Later("waiting for BigCommerce to show the store credit", seconds=_LOOK_AGAIN_SECONDS)


def _pay(api: BigCommerce, solicitation: Solicitation, in_doubt_since: datetime | None) -> None:
    """Write the intention before each attempt. An attempt without effect removes it."""
    solicitation.note(credit_intent_at=database_now())
    failpoint("credit_intended")
    try:
        api.pay_with_store_credit(solicitation.bigcommerce_order)
    except Rejected as error:
        solicitation.note(credit_intent_at=in_doubt_since)
        _after_refusal(solicitation, error)
    except Unavailable as failure:
        if not failure.maybe_done:
            solicitation.note(credit_intent_at=in_doubt_since)
        raise


def _after_refusal(solicitation: Solicitation, error: Rejected) -> None:
    """Raise Refused if the rejection is final.

    After a lost answer the credit may be taken: Later.
    """
    if error.status == _UNAUTHORISED:
        raise error
    if solicitation.credit_intent_at and solicitation.credits_refused + 1 < _TRIES:
        solicitation.note(credits_refused=solicitation.credits_refused + 1)
        why = f"BigCommerce refused the store credit, which may be taken already: {error.message}"
        raise Later(why, _PAUSE_SECONDS) from error
    raise Refused("credit_refused", error.message) from error


def _taken_earlier(api: BigCommerce, solicitation: Solicitation) -> bool:
    """Return whether the order's transactions show that the credit was taken."""
    return any(
        transaction["method"] == "store_credit" and transaction["status"] == "ok"
        for transaction in api.transactions(solicitation.bigcommerce_order)
    )
