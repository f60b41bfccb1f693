"""How long payments are remembered: paid ones for ever, the rest no longer than it is of use."""

from datetime import timedelta

from django.utils import timezone

from payments.models import Offer, Solicitation
from stores.models import Allowance, Connection, Store

# A form lives for two hours; after a month nobody asks about a cart that was left behind.
ABANDONED_AFTER = timedelta(days=30)
OFFERS_FOR = timedelta(days=90)
ALLOWANCE_SECONDS = 24 * 60 * 60


def forget_secrets(store: Store) -> None:
    """The tokens that open confirmation pages: an uninstalled app keeps none."""
    Solicitation.objects.filter(store=store).exclude(checkout_token="").update(checkout_token="")


def take_along(account: Connection, earlier: list[int], refs: list[str]) -> int:
    """Let payments of earlier accounts with these merchant ids speak through this one."""
    payments = Solicitation.objects.filter(store=account.store, connection__in=earlier)
    return payments.filter(merchant_ref__in=refs).update(connection=account)


def forget_abandoned() -> None:
    """Carts that nobody paid with SeQura, offers that nobody asks about, windows long past."""
    now = timezone.now()
    Solicitation.objects.filter(
        phase=Solicitation.Phase.SOLICITED,
        state="",
        created_at__lt=now - ABANDONED_AFTER,
    ).delete()
    Offer.objects.filter(at__lt=now - OFFERS_FOR).delete()
    Allowance.objects.filter(counted_at__lt=now - timedelta(seconds=ALLOWANCE_SECONDS)).delete()
