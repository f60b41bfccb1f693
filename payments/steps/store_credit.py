"""Use gift certificates and store credit: they pay the part of an order that SeQura does not.

It is not documented whether a conversion applies what the shopper chose, so both cases work: what
the order already shows is left alone, otherwise the Payments API takes it, first the certificates.
Each is used as a whole, so a second attempt finds nothing left to take.
https://docs.bigcommerce.com/docs/rest-payments
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from bigcommerce.documents import Order as OrderDocument
from bigcommerce.documents import Transaction
from payloads.checkout.other_payments import Certificate, OtherPayments
from payloads.money import euros, to_cents
from payments.models import Solicitation
from payments.steps.cart_check import paid_otherwise
from payments.steps.outcomes import Later, Refused, failpoint
from stores.clients import bigcommerce_for
from stores.models import database_now
from transaction_log import record
from transport.reading import section

log = structlog.get_logger()
_UNAUTHORISED = 401
_SUCCESS = "success"
_METHODS = ("gift_certificate", "store_credit")
_LOOK_AGAIN_SECONDS = 1.0
# Tries after a rejection that followed a lost answer: BigCommerce may show the credit late.
_TRIES, _PAUSE_SECONDS = 8, 2.0


def use_credit(solicitation: Solicitation, document: OrderDocument) -> None:
    """Use certificates and credit once. Raise Refused when the order shows others than approved.

    Also without the codes: an uninstallation erased them, and the app was installed again.
    """
    if solicitation.other_payments.total != solicitation.paid_otherwise:
        raise Refused("credit_changed", "the codes of the gift certificates were erased")
    payments = list(_payments(_left(solicitation, document)))
    if not payments:
        return
    api, in_doubt_since = bigcommerce_for(solicitation.store), solicitation.credit_intent_at
    if in_doubt_since:
        payments = _not_taken_yet(api, solicitation, payments)
        if payments:
            _wait(in_doubt_since)
    answers = {
        _pay(api, solicitation, payment, solicitation.credit_intent_at) for payment in payments
    }
    _check_paid(api, solicitation, in_doubt_since, is_confirmed=answers <= {_SUCCESS})


def _left(solicitation: Solicitation, document: OrderDocument) -> OtherPayments:
    """Return what is not paid yet. Raise Refused when the order shows others than approved."""
    certificates, credit = paid_otherwise(document)
    left = solicitation.other_payments.left(certificates, credit)
    if left is None:
        raise Refused("credit_changed", f"{credit} + {certificates} cents paid otherwise")
    return left


def _check_paid(
    api: BigCommerce,
    solicitation: Solicitation,
    in_doubt_since: datetime | None,
    *,
    is_confirmed: bool,
) -> None:
    """Read the order again: a certificate that was spent elsewhere meanwhile pays less.

    The order may show late, or never, what BigCommerce confirmed: to wait for that would end in a
    second payment. What it did not confirm is waited for since the first attempt in doubt.
    """
    left = _left(solicitation, api.order(solicitation.bigcommerce_order))
    since = in_doubt_since or solicitation.credit_intent_at
    if left.total and since and not is_confirmed:
        _wait(since)
        raise Refused("credit_changed", f"{left.total} cents were not paid otherwise")


def credit_taken(api: BigCommerce, solicitation: Solicitation, document: OrderDocument) -> int:
    """Return the cents of other payments that the order has used.

    Its transactions count too, whatever their codes. Raise Later while BigCommerce may hide them.
    """
    shown = sum(paid_otherwise(document))
    if not solicitation.credit_intent_at or shown >= solicitation.paid_otherwise:
        return shown
    done = [one for one in _transactions(api, solicitation) if one["method"] in _METHODS]
    taken = max(shown, sum(to_cents(one["amount"]) for one in done))
    if not taken:
        _wait(solicitation.credit_intent_at)
    return taken


def _payments(left: OtherPayments) -> Iterator[Certificate]:
    """Yield one payment after another; that of store credit has no code."""
    yield from left.certificates
    if left.credit:
        yield Certificate("", left.credit)


def show_credit(solicitation: Solicitation, reason: str, cents: int) -> None:
    """Open an entry about cents that are or may be spent on an order that does not count."""
    record.rejected(
        solicitation.subject,
        "purchase",
        reason,
        words=euros(cents),
        statement=solicitation.fingerprint,
    )
    if reason == "credit_to_return" and not solicitation.credit_intent_at:  # by the conversion
        solicitation.note(credit_intent_at=database_now())


def _wait(in_doubt_since: datetime) -> None:
    """Raise Later while BigCommerce may still hide what it has done."""
    since = (database_now() - in_doubt_since).total_seconds()
    if since < settings.ORDER_LOOKUP_SETTLE_SECONDS:
        raise Later("waiting for BigCommerce to show the store credit", seconds=_LOOK_AGAIN_SECONDS)


def _pay(
    api: BigCommerce,
    solicitation: Solicitation,
    payment: Certificate,
    in_doubt_since: datetime | None,
) -> str:
    """Write the intention before each attempt. An attempt without effect removes it.

    Return the status in BigCommerce's answer.
    """
    solicitation.note(credit_intent_at=database_now())
    failpoint("credit_intended")
    try:
        return str(api.pay_otherwise(solicitation.bigcommerce_order, payment.code).get("status"))
    except Rejected as error:
        solicitation.note(credit_intent_at=in_doubt_since)
        raise _after_refusal(solicitation, error) from error
    except Unavailable as failure:
        if not failure.maybe_done:
            solicitation.note(credit_intent_at=in_doubt_since)
        raise


def _after_refusal(solicitation: Solicitation, error: Rejected) -> Later | Refused:
    """Return Refused if the rejection is final.

    After a lost answer the credit may be taken: Later.
    """
    if error.status == _UNAUTHORISED:
        raise error
    if solicitation.credit_intent_at and solicitation.credits_refused + 1 < _TRIES:
        solicitation.note(credits_refused=solicitation.credits_refused + 1)
        why = f"BigCommerce refused a payment that may be made already: {error.message}"
        return Later(why, _PAUSE_SECONDS)
    return Refused("credit_refused", error.message)


def _not_taken_yet(
    api: BigCommerce, solicitation: Solicitation, payments: list[Certificate]
) -> list[Certificate]:
    """Return those of these payments that the order's transactions do not show.

    Each transaction stands for one payment, and may be one that the order shows already.
    """
    taken, missing = _transactions(api, solicitation), []
    for payment in _payments(solicitation.other_payments):
        alike = [found for found in taken if _is_of(payment, found)]
        if alike:
            taken.remove(max(alike, key=lambda found: _code(found) is not None))
        else:
            missing.append(payment)
    return [payment for payment in missing if payment in payments]


def _transactions(api: BigCommerce, solicitation: Solicitation) -> list[Transaction]:
    """Return the order's transactions that succeeded."""
    found = api.transactions(solicitation.bigcommerce_order)
    return [transaction for transaction in found if transaction["status"] == "ok"]


def _is_of(payment: Certificate, transaction: Transaction) -> bool:
    """Return whether this transaction is that payment. Two certificates differ by their codes."""
    if not payment.code:
        return transaction["method"] == "store_credit"
    code = _code(transaction)
    is_same = str(code).casefold() == payment.code.casefold()
    is_alike = code is None and to_cents(transaction["amount"]) == payment.cents
    return transaction["method"] == "gift_certificate" and (is_same or is_alike)


def _code(transaction: Transaction) -> Any:
    return section(transaction.get("gift_certificate")).get("code")
