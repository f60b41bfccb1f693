"""Each kind of drift in plain words, with what the merchant can do."""

from django.utils.translation import gettext_lazy as _

from orders.models import Drift
from transaction_log.explanations import Text
from transaction_log.explanations import explain as explain_reason

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
    Kind.ADOPTED: _(
        "The app had no record of this order, and has linked it with its SeQura order again."
    ),
    Kind.NOT_ADOPTED: _("The order names SeQura, and the app cannot link it with a SeQura order."),
    Kind.NOT_CHECKED: _(
        "The app has no record of this order, and one of the two systems did not show it. The"
        " next comparison tries again."
    ),
}


def explain(kind: str) -> Text:
    return WORDS.get(kind, "")


def detail_words(drift: Drift) -> Text:
    """Return the details of a drift; of an unknown order they are a reason code of the log."""
    if drift.kind in (Kind.ADOPTED, Kind.NOT_ADOPTED):
        return explain_reason(drift.detail).what
    return drift.detail
