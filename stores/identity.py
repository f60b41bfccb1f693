"""Who opens the app: BigCommerce's signed payload, good for one request and ten minutes."""

import hashlib
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from bigcommerce.signed_payload import SignedPayload, read_signed_payload
from stores.models import PanelUser, SpentPayload, Store

MAX_AGE = timedelta(minutes=10)
# A payload lives for 24 hours; what we forget sooner could be used again.
REMEMBERED = timedelta(days=2)


def signed_payload(request: HttpRequest) -> SignedPayload:
    """The payload of a callback. Raises InvalidSignedPayload."""
    return read_signed_payload(
        request.GET.get("signed_payload_jwt", ""),
        client_id=settings.BIGCOMMERCE_CLIENT_ID,
        client_secret=settings.BIGCOMMERCE_CLIENT_SECRET,
    )


def spend(request: HttpRequest, payload: SignedPayload) -> bool:
    """Use the payload up; false when somebody did so before.

    Without a `jti` its name is what was signed: a signature can be written in several ways.
    """
    name = payload.jti or request.GET["signed_payload_jwt"].rpartition(".")[0]
    digest = hashlib.sha256(f"{payload.store_hash} {name}".encode()).hexdigest()
    return SpentPayload.objects.get_or_create(digest=digest)[1]


def forget_old_payloads() -> None:
    """They have expired by themselves."""
    SpentPayload.objects.filter(at__lt=timezone.now() - REMEMBERED).delete()


def is_fresh(payload: SignedPayload) -> bool:
    """A payload out of a log or a history is too old to open the app."""
    return timezone.now() - payload.issued_at < MAX_AGE


def provision(store: Store, payload: SignedPayload) -> PanelUser:
    """The user as BigCommerce names him now; unknown ones are made on the spot."""
    user, _ = PanelUser.objects.update_or_create(
        store=store,
        bigcommerce_id=payload.user.id,
        defaults={
            "email": payload.user.email[:255],
            "locale": (payload.user.locale or store.language or "en")[:16],
            "is_owner": payload.is_owner,
            "seen_at": timezone.now(),
        },
    )
    return user
