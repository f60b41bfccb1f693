"""Store credit: the part of an order that SeQura does not finance is really taken from the balance.

Whether a conversion carries the credit that the shopper applied is documented nowhere, so both
answers work: what the order already shows is left alone, else the Payments API takes it while the
order is Incomplete. https://docs.bigcommerce.com/docs/rest-payments
"""

import structlog
from django.utils import timezone

from bigcommerce.client import BigCommerce
from bigcommerce.documents import Order as OrderDocument
from bigcommerce.errors import Rejected
from payments.failpoints import failpoint
from payments.models import Solicitation
from payments.outcomes import Refused
from sequra.money import to_cents
from stores.clients import bigcommerce_for

log = structlog.get_logger()


def use_credit(solicitation: Solicitation, document: OrderDocument) -> None:
    """Settle the credit once. Refused when the order shows another credit than the approved one."""
    shown = to_cents(document["store_credit_amount"])
    certificates = to_cents(document["gift_certificate_amount"])
    if certificates or shown not in (0, solicitation.store_credit):
        raise Refused("credit_changed", f"{shown} + {certificates} cents paid otherwise")
    if shown == solicitation.store_credit:
        return
    api = bigcommerce_for(solicitation.store)
    if solicitation.credit_intent_at and _taken_earlier(api, solicitation):
        return
    solicitation.note(credit_intent_at=timezone.now())
    failpoint("credit_intended")
    try:
        api.pay_with_store_credit(solicitation.bigcommerce_order)
    except Rejected as error:
        if error.status == 401:
            raise
        raise Refused("credit_refused", error.words) from error


def _taken_earlier(api: BigCommerce, solicitation: Solicitation) -> bool:
    """After a lost answer the order's transactions tell whether the credit was taken."""
    return any(
        transaction["method"] == "store_credit" and transaction["status"] == "ok"
        for transaction in api.transactions(solicitation.bigcommerce_order)
    )
