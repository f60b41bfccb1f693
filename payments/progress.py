"""How far a payment is, as the shopper may know it."""

from typing import TypedDict

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from payments.confirm import help_along
from payments.links import confirmation_url, return_url
from payments.models import Solicitation
from stores.access import language_of

Phase = Solicitation.Phase


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
        return _progress("refused", solicitation, message=_not_paid(solicitation))
    if solicitation.phase not in Solicitation.WITH_ORDER:
        return _progress("waiting", solicitation)
    if solicitation.accepted_state == "on_hold":
        return _progress("in_review", solicitation, redirect=return_url(solicitation))
    confirmation = confirmation_url(solicitation)
    return _progress("confirmed", solicitation, redirect=confirmation or return_url(solicitation))


def shoppers_language(solicitation: Solicitation) -> str:
    """The language of the page on which the shopper chose SeQura, not that of the browser."""
    return language_of(solicitation.shopper.get("locale", ""))


def _not_paid(solicitation: Solicitation) -> str:
    """Why there is no order, as far as a shopper can do something about it."""
    with translation.override(shoppers_language(solicitation)):
        if solicitation.refusal == "cart_changed":
            return _("Your cart changed during the payment. You have not been charged.")
        return _("The payment with SeQura did not go through. You have not been charged.")


def _progress(
    status: str, solicitation: Solicitation, redirect: str | None = None, message: str = ""
) -> Progress:
    return {
        "status": status,
        "redirect": redirect,
        "confirmation": confirmation_url(solicitation),
        "order": solicitation.order_id if solicitation.phase in Solicitation.WITH_ORDER else None,
        "message": message,
    }
