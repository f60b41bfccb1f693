"""How far payments come: one for its shopper, all of a store's for the merchant's figures."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

from django.db.models import Count, Exists, F, Func, OuterRef, Q, QuerySet, Sum, TextField
from django.db.models.functions import Now
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from orders.models import Order
from payments.confirm import help_along
from payments.models import Offer, Solicitation
from payments.retention import ABANDONED_AFTER, OFFERS_FOR
from payments.solicited_order import confirmation_url, return_url
from stores.models import Store
from stores.replica import replica
from stores.storefronts import language_of

_Phase = Solicitation.Phase
# Refusals for which another payment of the checkout became the order.
_OTHERWISE_ORDERED = ("already_paid", "already_ordered", "checkout_gone")


_Status = Literal["waiting", "in_review", "confirmed", "refused"]


class Progress(TypedDict):
    """`redirect` is where to go now: the order confirmation, or our page with the notice."""

    status: _Status
    redirect: str | None
    confirmation: str | None
    order: int | None
    message: str


def progress_of(solicitation: Solicitation) -> Progress:
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
                "The payment with SeQura wasn't completed. Ask the shop about the store credit or"
                " gift certificate that you used."
            )
        if solicitation.phase in Solicitation.WITH_ORDER:
            return _("SeQura has cancelled the payment of order %(order)s.") % {
                "order": solicitation.order_id
            }
        if solicitation.refusal == "cart_changed":
            return _("Your cart changed during the payment. You have not been charged.")
        return _("The payment with SeQura wasn't completed. You have not been charged.")


def _progress(
    status: _Status, solicitation: Solicitation, redirect: str | None = None, message: str = ""
) -> Progress:
    return {
        "status": status,
        "redirect": redirect,
        "confirmation": confirmation_url(solicitation),
        "order": solicitation.order_id if solicitation.phase in Solicitation.WITH_ORDER else None,
        "message": message,
    }


_APPROVED = (Solicitation.State.APPROVED, Solicitation.State.NEEDS_REVIEW)


# Figures of a period: what the rows of purchases record anyway.
@dataclass(frozen=True)
class Period:
    """A store's payments through its environment's accounts, from `since` on, before `until`."""

    store: Store
    connections: Collection[int]
    since: datetime
    until: datetime

    @property
    def attempts(self) -> QuerySet[Solicitation]:
        return Solicitation.objects.using(replica()).filter(
            store=self.store,
            connection__in=self.connections,
            erased_at=None,
            created_at__gte=self.since,
            created_at__lt=self.until,
        )

    @property
    def offers(self) -> QuerySet[Offer]:
        return Offer.objects.using(replica()).filter(
            store=self.store,
            environment=self.store.environment,
            at__gte=self.since,
            at__lt=self.until,
        )


@dataclass(frozen=True)
class Funnel:
    """How many checkouts came how far; None where the rows are forgotten earlier."""

    offered: int | None
    form: int | None
    approved: int


def funnel(period: Period) -> Funnel:
    """Count each checkout once, however many attempts it took."""
    now = timezone.now()
    found = period.attempts.aggregate(
        form=_checkouts(form_shown_at__isnull=False),
        approved=_checkouts(state__in=_APPROVED),
    )
    offered = period.offers.filter(reasons=[]).aggregate(n=_checkouts())["n"]
    return Funnel(
        offered if period.since >= now - OFFERS_FOR else None,
        found["form"] if period.since >= now - ABANDONED_AFTER else None,
        found["approved"],
    )


def _checkouts(**which: object) -> Count:
    return Count("checkout_id", distinct=True, filter=Q(**which) if which else None)


def refusals(period: Period) -> list[tuple[str, int]]:
    """Return the reasons for which approved payments became no order, the commonest first."""
    refused = period.attempts.filter(phase=Solicitation.Phase.REFUSED).exclude(refusal="")
    counted = refused.values_list("refusal").annotate(n=Count("pk"))
    return list(counted.order_by("-n", "refusal"))


def reasons_not_shown(period: Period) -> list[tuple[str, int]]:
    """Return in how many checkouts each reason hid SeQura, the commonest first."""
    reason = Func(F("reasons"), function="jsonb_array_elements_text", output_field=TextField())
    hidden = period.offers.exclude(reasons=[]).annotate(reason=reason)
    return list(hidden.values_list("reason").annotate(n=_checkouts()).order_by("-n", "reason"))


def _cancelled(store: Store) -> QuerySet[Order]:
    """Return the payment's order if SeQura or the shop has cancelled it since: no sale any more."""
    cancelled = Q(status=Order.Status.CANCELLED) | Q(seen_status__in=store.cancelling_statuses)
    return Order.objects.filter(cancelled, store=store, reference=OuterRef("reference"))


def paid_by(period: Period, column: str) -> list[tuple[str, int, int]]:
    """Return orders and cents by a column of the payments that became orders."""
    done = period.attempts.filter(phase__in=Solicitation.WITH_ORDER)
    done = done.exclude(state=Solicitation.State.CANCELLED).filter(
        ~Exists(_cancelled(period.store))
    )
    rows = done.values_list(column).annotate(n=Count("pk"), cents=Sum("amount"))
    return [(str(name), n, cents) for name, n, cents in rows.order_by("-cents", column)]
