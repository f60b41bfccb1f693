"""Each kind of drift in plain words, with what the merchant can do."""

from django.utils.translation import gettext_lazy as _

from orders.models import Drift
from transaction_log.explanations import Text

Kind = Drift.Kind

WORDS: dict[str, Text] = {
    Kind.MISSED: _(
        "The order changed in BigCommerce and we did not hear of it. SeQura is told by itself."
    ),
    Kind.REJECTED: _(
        "SeQura refused the order as it is in BigCommerce. Compare, correct it, then retry."
    ),
    Kind.PORTAL: _(
        "SeQura no longer takes an order that it knew: somebody may have changed or closed it in"
        " the portal. Look there first."
    ),
    Kind.CORRECTED: _(
        "SeQura corrected the shopper's data, and nobody has decided yet which of the two is right."
    ),
    Kind.REVIEW: _(
        "SeQura has been reviewing the payment for more than two days. Do not ship, ask SeQura."
    ),
    Kind.STRAY: _(
        "The order was paid with SeQura and stayed Incomplete, where BigCommerce hides it."
    ),
    Kind.WITHOUT_REFERENCE: _(
        "SeQura confirmed the payment and does not know the order's number yet, so it cannot pay"
        " you. We go on sending it by ourselves."
    ),
    Kind.UNREADABLE: _(
        "The order holds something that cannot be told. Compare it, and correct it in BigCommerce."
    ),
}


def explain(kind: str) -> Text:
    return WORDS.get(kind, "")
