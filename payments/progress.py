"""The progress of a payment, as far as the shopper may know it."""

from typing import TypedDict

from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext as _

from payments.confirm import help_along
from payments.models import Solicitation
from payments.solicited_order import confirmation_url, return_url
from stores.storefronts import language_of

_Phase = Solicitation.Phase
# Refusals for which another payment of the checkout became the order.
_OTHERWISE_ORDERED = ("already_paid", "already_ordered", "checkout_gone")


class _Progress(TypedDict):
    """`redirect` is where to go now: the order confirmation, or our page with the notice."""

    status: str  # waiting, in_review, confirmed, refused
    redirect: str | None
    confirmation: str | None
    order: int | None
    message: str


def progress_of(solicitation: Solicitation) -> _Progress:
    """Return the payment's progress, and do due work in the background."""
    if solicitation.next_at and _is_due(solicitation):
        help_along(solicitation.pk)
    if solicitation.refusal in _OTHERWISE_ORDERED and (winner := _winner(solicitation)):
        return progress_of(winner)
    if solicitation.phase == _Phase.REFUSED or solicitation.state == Solicitation.State.CANCELLED:
        return _progress("refused", solicitation, message=_not_paid(solicitation))
    if solicitation.phase not in Solicitation.WITH_ORDER:
        # Once SeQura has decided, wait on our page only: in the checkout it could be paid again.
        redirect = return_url(solicitation) if solicitation.state else None
        return _progress("waiting", solicitation, redirect=redirect)
    if solicitation.accepted_state == "on_hold":
        return _progress("in_review", solicitation, redirect=return_url(solicitation))
    confirmation = confirmation_url(solicitation)
    return _progress("confirmed", solicitation, redirect=confirmation or return_url(solicitation))


def _is_due(solicitation: Solicitation) -> bool:
    return Solicitation.objects.filter(pk=solicitation.pk, next_at__lte=Now()).exists()


def _winner(solicitation: Solicitation) -> Solicitation | None:
    """Return the payment of the same checkout, from another tab, that became the order."""
    others = Solicitation.objects.select_related("store", "connection").filter(
        store=solicitation.store,
        checkout_id=solicitation.checkout_id,
        phase__in=Solicitation.TAKEN,
    )
    return others.exclude(pk=solicitation.pk).first()


def shoppers_language(solicitation: Solicitation) -> str:
    """Return the language of the page on which the shopper chose SeQura."""
    return language_of(solicitation.shopper.get("locale", ""))


def _not_paid(solicitation: Solicitation) -> str:
    """Return why there is no order, as far as a shopper can act on it.

    "You have not been charged" needs proof: SeQura never had a confirmation, accepted our
    cancellation, or cancelled itself; and no store credit was spent.
    """
    with translation.override(shoppers_language(solicitation)):
        if solicitation.is_in_doubt:
            return _(
                "Your order couldn't be completed. We are cancelling the payment at SeQura. If"
                " SeQura asks you to pay for it, contact the shop."
            )
        if solicitation.may_have_spent_credit:
            return _(
                "The payment with SeQura wasn't completed. Ask the shop about the store credit"
                " that you used."
            )
        if solicitation.phase in Solicitation.WITH_ORDER:
            return _("SeQura has cancelled the payment of order %(order)s.") % {
                "order": solicitation.order_id
            }
        if solicitation.refusal == "cart_changed":
            return _("Your cart changed during the payment. You have not been charged.")
        return _("The payment with SeQura wasn't completed. You have not been charged.")


def _progress(
    status: str, solicitation: Solicitation, redirect: str | None = None, message: str = ""
) -> _Progress:
    return {
        "status": status,
        "redirect": redirect,
        "confirmation": confirmation_url(solicitation),
        "order": solicitation.order_id if solicitation.phase in Solicitation.WITH_ORDER else None,
        "message": message,
    }
