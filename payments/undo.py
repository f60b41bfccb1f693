"""A payment that SeQura may have confirmed but that became no order: take it back on both sides."""

from typing import Any

from django.utils import timezone

from orders.staff_notes import with_line
from payments.failpoints import failpoint
from payments.models import Solicitation
from payments.outcomes import Later
from payments.placing import CANCELLED
from payments.solicited_order import told
from sequra.cart import cart
from sequra.errors import Rejected
from stores.clients import bigcommerce_for, sequra_for
from transaction_log import record

TOLD_AGAIN = ("delivery_method", "delivery_address", "invoice_address", "customer", "platform")


def undo(solicitation: Solicitation) -> None:
    """Cancel the BigCommerce order, if there is one, and the SeQura order; say so in the log."""
    if solicitation.order_id:
        _cancel_in_shop(solicitation, solicitation.order_id)
    failpoint("undone_in_the_shop")
    words = _cancel_at_sequra(solicitation)
    failpoint("undone_at_sequra")
    record.rejected(
        solicitation.subject,
        "purchase",
        solicitation.refusal,
        words=words or solicitation.refusal_detail,
        statement=solicitation.fingerprint,
    )
    solicitation.note(undone_at=timezone.now())


def _cancel_in_shop(solicitation: Solicitation, order_id: int) -> None:
    """Staff may have written into the order by now: our line comes below theirs, once."""
    api = bigcommerce_for(solicitation.store)
    notes = str(api.order(order_id).get("staff_notes") or "")
    line = f"SeQura: not paid ({solicitation.refusal})."
    api.update_order(order_id, {"status_id": CANCELLED, "staff_notes": with_line(notes, line)})


def _cancel_at_sequra(solicitation: Solicitation) -> str:
    """Both carts empty is SeQura's cancellation, and needs a reference. Returns a refusal's words.

    A refusal means there is nothing to take back: SeQura never confirmed, or cancelled already.
    """
    api = sequra_for(solicitation.connection)
    # Not the order's number: another shop of the same SeQura merchant may use it.
    reference = f"refused-{solicitation.public_id}"
    merchant, merchant_reference = solicitation.merchant_ref, {"order_ref_1": reference}
    order: dict[str, Any] = {
        **told(solicitation),
        "state": "confirmed",
        "merchant_reference": merchant_reference,
    }
    nothing = cart(solicitation.currency, [])
    update: dict[str, Any] = {
        "merchant": {"id": merchant},
        "merchant_reference": merchant_reference,
        "unshipped_cart": nothing,
        "shipped_cart": nothing,
        **{key: solicitation.order[key] for key in TOLD_AGAIN},
    }
    try:
        api.put_order(merchant, solicitation.sequra_order, order)
        api.update_order(merchant, reference, update)
    except Rejected as error:
        if api.is_about_us(error, merchant):
            raise
        if error.status == 403:  # no answer to the question whether there is something to take back
            raise Later(error.words) from error
        return error.words
    return ""
