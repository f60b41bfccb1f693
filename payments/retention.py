"""How long payments are kept: paid ones for ever, the others as long as they are useful.

Payments under way when a store uninstalls the app are finished or taken back, then forgotten.
BigCommerce has revoked our access by then, so only SeQura can be called. Its password is kept until
no payment needs it, for a day at most; payments left then are reported.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from payments.models import Offer, Solicitation
from stores.isolation import delete_in_batches, each
from stores.models import Allowance, Connection, Store
from transaction_log import record

log = structlog.get_logger()
_Phase, _State = Solicitation.Phase, Solicitation.State

_UNDER_WAY = (
    _Phase.CONFIRMING,
    _Phase.CONFIRMED,
    _Phase.CREATING,
    _Phase.CREATED,
    _Phase.SETTLED,
    _Phase.PLACED,
)
# SeQura may hold a confirmation, and the purchase is neither finished nor taken back.
_UNFINISHED = Q(confirm_intent_at__isnull=False) & (
    Q(phase__in=_UNDER_WAY)
    | Q(phase=_Phase.REFUSED, undone_at=None)
    | Q(phase=_Phase.DONE, state=_State.APPROVED, accepted_state="on_hold")
)
# SeQura approved, reviews, or shows its form to a shopper.
_FORM_EXPIRES = timedelta(hours=2)
_ANSWERED = Q(phase=_Phase.SOLICITED, state__in=(_State.APPROVED, _State.NEEDS_REVIEW))
_IN_REVIEW = Q(accepted_state="on_hold", state=_State.NEEDS_REVIEW)
BEING_ENDED = Q(store__state=Store.State.UNINSTALLED, connection__erase_at__isnull=False)


def begin_to_end(store: Store) -> set[int]:
    """Make the unfinished payments due and log each. Return the ids of the accounts they need.

    Tokens of confirmation pages and codes of gift certificates are deleted: an uninstalled app
    keeps none.
    """
    secret = Solicitation.objects.filter(store=store).exclude(checkout_token="", certificates="")
    secret.update(checkout_token="", certificates="")
    # A password that no key decrypts counts: the key may come back.
    found = list(_unfinished(store=store).exclude(connection__password=""))
    for solicitation in found:
        record.delayed(
            solicitation.subject,
            "purchase",
            "uninstalled",
            statement=solicitation.fingerprint,
            next_at=Now(),
        )
    if found:
        log.warning("uninstalled_with_payments", store=store.hash, payments=len(found))
    keys = [solicitation.pk for solicitation in found]
    Solicitation.objects.filter(pk__in=keys).update(next_at=Now())
    return {solicitation.connection_id for solicitation in found}


def references_being_ended(store: Store) -> list[UUID]:
    """Return the payments whose data is needed until they end or their time is over."""
    found = _unfinished(BEING_ENDED, store=store, connection__erase_at__gt=timezone.now())
    return [one.sequra_order for one in found]


def references_under_way(store: Store) -> list[UUID]:
    """Return the payments that are neither over nor abandoned."""
    has_form = Q(phase=_Phase.SOLICITED, state="", created_at__gt=timezone.now() - _FORM_EXPIRES)
    which = _UNFINISHED | _ANSWERED | _IN_REVIEW | has_form
    found = Solicitation.objects.filter(which, store=store, reference__isnull=False)
    return [one.sequra_order for one in found.only("reference")]


def is_being_ended(solicitation: Solicitation) -> bool:
    """Return whether this payment of an uninstalled store may still be finished at SeQura."""
    return _unfinished(BEING_ENDED, pk=solicitation.pk).exists()


def erase_passwords() -> None:
    """Erase passwords kept for unfinished payments once they are not needed any more."""
    kept = Connection.objects.filter(erase_at__isnull=False)
    each("erasing passwords", kept.select_related("store"), _erase_password)


def _erase_password(connection: Connection) -> None:
    left = list(_unfinished(connection=connection))
    is_over = connection.erase_at is not None and connection.erase_at <= timezone.now()
    if left and not is_over:
        return
    erased = Connection.objects.filter(pk=connection.pk, erase_at=connection.erase_at)
    if erased.update(password="", erase_at=None):
        for solicitation in left:
            _report(solicitation)


def _report(solicitation: Solicitation) -> None:
    """Report a payment that the app can no longer finish: operators and the merchant have to."""
    log.error(
        "payment_left_by_uninstallation",
        store=solicitation.store.hash,
        reference=str(solicitation.reference),
        phase=solicitation.phase,
    )
    record.rejected(
        solicitation.subject,
        "purchase",
        "left_by_uninstallation",
        words=solicitation.last_error,
        statement=solicitation.fingerprint,
    )
    solicitation.note(next_at=None)


def _unfinished(*which: Q, **owner: Any) -> QuerySet[Solicitation]:
    found = Solicitation.objects.filter(_UNFINISHED, *which, **owner)
    return found.select_related("store", "connection")


# After a month an abandoned cart is of no use.
ABANDONED_AFTER = timedelta(days=30)
OFFERS_FOR = timedelta(days=90)
_ALLOWANCE_SECONDS = 24 * 60 * 60


def take_along(account: Connection, earlier: list[int], refs: list[str]) -> int:
    """Move payments of earlier accounts with these merchant ids to this account."""
    payments = Solicitation.objects.filter(store=account.store, connection__in=earlier)
    return payments.filter(merchant_ref__in=refs).update(connection=account)


def forget_abandoned() -> None:
    """Delete abandoned carts, old offers and expired rate-limit windows."""
    now = timezone.now()
    carts = Solicitation.objects.filter(
        phase=Solicitation.Phase.SOLICITED,
        state="",
        created_at__lt=now - ABANDONED_AFTER,
    )
    delete_in_batches(carts)
    delete_in_batches(Offer.objects.filter(at__lt=now - OFFERS_FOR))
    over = timedelta(seconds=_ALLOWANCE_SECONDS)
    delete_in_batches(Allowance.objects.filter(counted_at__lt=now - over))
