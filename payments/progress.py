"""How far a payment is, as the shopper may know it."""

from typing import TypedDict

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from payments.confirm import help_along
from payments.models import Solicitation

Phase = Solicitation.Phase
PLACED = (Phase.PLACED, Phase.DONE)


class Progress(TypedDict):
    """`redirect` is where to go now: the order confirmation, or our page with the notice."""

    status: str  # waiting, in_review, confirmed, refused
    redirect: str | None
    confirmation: str | None
    order: int | None
    message: str


def progress_of(solicitation: Solicitation) -> Progress:
    """Where the payment stands; work that is due is done now, in the background."""
    if solicitation.next_at and solicitation.next_at <= timezone.now():
        help_along(solicitation.pk)
    if solicitation.phase == Phase.REFUSED or solicitation.state == Solicitation.State.CANCELLED:
        return _progress("refused", solicitation, message=_not_paid())
    if solicitation.phase not in PLACED:
        return _progress("waiting", solicitation)
    if solicitation.accepted_state == "on_hold":
        return _progress("in_review", solicitation, redirect=return_url(solicitation))
    confirmation = confirmation_url(solicitation)
    return _progress("confirmed", solicitation, redirect=confirmation or return_url(solicitation))


def _not_paid() -> str:
    return _("The payment with SeQura did not go through. You have not been charged.")


def _progress(
    status: str, solicitation: Solicitation, redirect: str | None = None, message: str = ""
) -> Progress:
    return {
        "status": status,
        "redirect": redirect,
        "confirmation": confirmation_url(solicitation),
        "order": solicitation.order_id if solicitation.phase in PLACED else None,
        "message": message,
    }


def return_url(solicitation: Solicitation) -> str:
    """Our own page for the shopper."""
    return settings.APP_URL + reverse("shopper_returns", args=[solicitation.public_id])


def confirmation_url(solicitation: Solicitation) -> str | None:
    """The shop's order confirmation; None while the order stays Incomplete, where it shows nothing.

    https://docs.bigcommerce.com/docs/rest-management/checkouts/create-checkout-token
    """
    store = solicitation.store
    approved = solicitation.accepted_state == "confirmed"
    status = store.status_approved if approved else store.status_needs_review
    if solicitation.phase not in PLACED or status is None:
        return None
    address = f"{solicitation.origin}/checkout/order-confirmation/{solicitation.order_id}"
    token = solicitation.checkout_token
    return f"{address}?t={token}" if token else address
