"""Installing and uninstalling: whose token we hold, and until when."""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import BoundedSemaphore

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from bigcommerce.client import exchange_code
from bigcommerce.documents import TokenGrant
from bigcommerce.errors import Rejected, Unavailable
from bigcommerce.signed_payload import SignedPayload, read_signed_payload
from stores.clients import bigcommerce_for
from stores.locks import Busy, only_one
from stores.models import PanelUser, SpentPayload, Store, new_secret

# Who opens the app: BigCommerce's signed payload, good for one request and ten minutes.
_MAX_AGE = timedelta(minutes=10)
# A payload lives for 24 hours; what we forget sooner could be used again.
_REMEMBERED = timedelta(days=2)


def signed_payload(request: HttpRequest) -> SignedPayload:
    """The payload of a callback. Raises InvalidSignedPayload."""
    return read_signed_payload(
        request.GET.get("signed_payload_jwt", ""),
        client_id=settings.BIGCOMMERCE_CLIENT_ID,
        client_secret=settings.BIGCOMMERCE_CLIENT_SECRET,
    )


def use_payload_once(request: HttpRequest, payload: SignedPayload) -> bool:
    """Mark the payload as used. Return False when it was used before.

    Without a `jti` its identity is the signed text: one signature can be written in several ways.
    """
    name = payload.jti or request.GET["signed_payload_jwt"].rpartition(".")[0]
    digest = hashlib.sha256(f"{payload.store_hash} {name}".encode()).hexdigest()
    return SpentPayload.objects.get_or_create(digest=digest)[1]


def forget_old_payloads() -> None:
    """Delete the payloads that have expired: they would be refused anyway."""
    SpentPayload.objects.filter(at__lt=timezone.now() - _REMEMBERED).delete()


def is_fresh(payload: SignedPayload) -> bool:
    """A payload out of a log or a history is too old to open the app."""
    return timezone.now() - payload.issued_at < _MAX_AGE


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


CONTEXT = re.compile(r"stores/([a-z0-9]{1,64})")
_CALLBACK = "/auth"
# Each holds a thread and asks BigCommerce in our name. Of one process.
_EXCHANGES = BoundedSemaphore(4)
# BigCommerce may call `/uninstall` before it revokes the token.
_REVOKED_WITHIN = timedelta(hours=1)

# An unfinished payment is brought to its end at SeQura for so long after an uninstallation.
_FINISH_WITHIN = timedelta(hours=24)

# The keys of the connections whose password other apps still need, for payments under way. Called
# inside the transaction, with the store.
still_needed: list[Callable[[Store], set[int]]] = []

# What other apps destroy when a store uninstalls us, such as checkout tokens. Called inside the
# transaction, with the store.
on_uninstall: list[Callable[[Store], None]] = []


@contextmanager
def _few_at_a_time() -> Iterator[None]:
    if not _EXCHANGES.acquire(blocking=False):
        raise Busy("exchanges")
    try:
        yield
    finally:
        _EXCHANGES.release()


class WrongContext(Exception):
    """The callback names no store, or another one than the token is for."""


def install(code: str, context: str, scope: str) -> Store:
    """Exchange the code and keep the store's token; a token we had is replaced.

    Raises WrongContext, Rejected, Unavailable, and Busy while another exchange for this store, or
    too many for others, are under way: nobody waits in a request's thread.
    """
    named = CONTEXT.fullmatch(context)
    if not named or not code:
        raise WrongContext(context)
    # In the order of the exchanges: the last token is the one that lives.
    with _few_at_a_time(), only_one(f"token of {named[1]}"):
        grant = exchange_code(
            settings.BIGCOMMERCE_LOGIN_URL,
            client_id=settings.BIGCOMMERCE_CLIENT_ID,
            client_secret=settings.BIGCOMMERCE_CLIENT_SECRET,
            code=code,
            context=context,
            scope=scope,
            redirect_uri=settings.APP_URL + _CALLBACK,
        )
        if grant.context != context:
            raise WrongContext(context)
        return _keep(named[1], grant)


@transaction.atomic
def _keep(store_hash: str, grant: TokenGrant) -> Store:
    store, created = Store.objects.select_for_update().get_or_create(hash=store_hash)
    now = timezone.now()
    if created or store.state == Store.State.UNINSTALLED:
        store.installed_at, store.uninstalled_at = now, None
        store.erased_at = None
        store.registration, store.registration_started_at = {}, None
        store.registration_due = True
    store.access_token, store.scopes = grant.access_token, grant.scope
    store.authorised_at, store.state = now, Store.State.INSTALLED
    store.save()
    return store


def _is_still_granted(store: Store) -> bool:
    """Ask BigCommerce whether our token still opens this store; without an answer, it does."""
    if not store.access_token:
        return False
    try:
        bigcommerce_for(store).store()
    except Rejected as refusal:
        return not refusal.is_unauthorised
    except Unavailable:
        return True
    return True


def ask_whether_granted(store: Store) -> bool:
    """Ask BigCommerce. Its answer may change in a moment, so the sweep asks again."""
    if not _is_still_granted(store):
        return False
    Store.objects.filter(pk=store.pk).update(uninstall_asked_at=timezone.now())
    return True


def uninstall_what_was_revoked() -> None:
    """Uninstall the stores of which somebody said so whom BigCommerce had not confirmed yet."""
    asked = Store.objects.filter(uninstall_asked_at__isnull=False)
    asked.filter(uninstall_asked_at__lt=timezone.now() - _REVOKED_WITHIN).update(
        uninstall_asked_at=None
    )
    for store in asked:
        if not _is_still_granted(store):
            uninstall(store)


@transaction.atomic
def uninstall(store: Store) -> None:
    """Forget every secret of the store; its orders and its log stay, their personal data for
    ERASE_AFTER_UNINSTALL_HOURS.

    What BigCommerce gave us goes at once. The password at SeQura outlives a payment under way: a
    shopper may owe something for an order that will never exist.
    """
    store = Store.objects.select_for_update().get(pk=store.pk)
    # Never an empty secret: one that nobody knows refuses whatever still arrives.
    store.access_token, store.webhook_secret, store.report_token = "", new_secret(), new_secret()
    store.state, store.uninstalled_at = Store.State.UNINSTALLED, timezone.now()
    store.uninstall_asked_at = store.erased_at = None
    store.save()
    store.merchants.update(selling=False)
    needed = {key for needs in still_needed for key in needs(store)}
    now = timezone.now()
    store.connections.exclude(pk__in=needed).update(password="", erase_at=None)
    store.connections.filter(pk__in=needed, erase_at=None).update(erase_at=now + _FINISH_WITHIN)
    store.connections.update(state="archived", stopped_at=now)
    PanelUser.objects.filter(store=store).delete()
    for destroy in on_uninstall:
        destroy(store)
