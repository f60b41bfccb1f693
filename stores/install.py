"""Install and uninstall the app: access tokens, their holders and their end."""

import hashlib
import math
import re
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import exchange_code
from bigcommerce.documents import TokenGrant
from bigcommerce.signatures import SignedPayload, read_signed_payload
from stores.clients import bigcommerce_for
from stores.encryption import Undecryptable
from stores.isolation import Busy, in_no_order, only_one
from stores.lifecycle import store_apps
from stores.models import PanelUser, SpentPayload, Store, new_secret
from stores.rate_limit import Concurrency, may_wait

# A signed payload opens the app once, within ten minutes.
_MAX_AGE = timedelta(minutes=10)
# A payload is valid for 24 hours: if it is forgotten sooner, it could be used again.
_REMEMBERED = timedelta(days=2)


def signed_payload(request: HttpRequest) -> SignedPayload:
    """Return the payload of a callback. Raise InvalidSignedPayload."""
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
    """Return whether the payload is new enough: one out of a log or a browser history is not."""
    return timezone.now() - payload.issued_at < _MAX_AGE


def provision(store: Store, payload: SignedPayload) -> PanelUser:
    """Return the user with the data of the payload. Create an unknown one."""
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
# Exchanges at a time in one process, of all stores together: each holds a thread.
_exchanges = Concurrency(4)
# BigCommerce may call `/uninstall` before it revokes the token.
_REVOKED_WITHIN = timedelta(hours=1)

# An unfinished payment is completed or taken back at SeQura within this time.
_FINISH_WITHIN = timedelta(hours=24)


class WrongContext(Exception):
    """The callback names no store, or another one than the token is for."""


def install(code: str, context: str, scope: str) -> Store:
    """Exchange the code and store the access token, replacing an earlier one.

    Raise WrongContext, Rejected, Unavailable, and Busy while another exchange for this store, or
    too many for others, are under way: a request does not wait for them.
    """
    named = CONTEXT.fullmatch(context)
    if not named or not code:
        raise WrongContext(context)
    with may_wait(_exchanges, "all") as has_place:
        if not has_place:
            raise Busy("exchanges")
        # In the order of the exchanges: only the last token stays valid.
        with only_one(f"token of {named[1]}"):
            return _exchange(named[1], code, context, scope)


def _exchange(store_hash: str, code: str, context: str, scope: str) -> Store:
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
    return _keep(store_hash, grant)


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
    """Return whether BigCommerce accepts the token; True without an answer."""
    try:
        if not store.access_token:
            return False
        bigcommerce_for(store).store()
    except Rejected as refusal:
        return not refusal.is_unauthorised
    except (Unavailable, Undecryptable):
        return True
    return True


def ask_whether_granted(store: Store) -> bool:
    """Return whether BigCommerce accepts the token. If it does, the sweep checks again.

    BigCommerce may revoke the token only a moment after its uninstall callback.
    """
    if not _is_still_granted(store):
        return False
    check_soon(store)
    return True


def check_soon(store: Store) -> None:
    """Let the maintenance runs of the next hour check whether BigCommerce accepts the token."""
    installed = Store.objects.filter(pk=store.pk).exclude(state=Store.State.UNINSTALLED)
    installed.update(uninstall_asked_at=timezone.now())


def uninstall_what_was_revoked(until: float = math.inf) -> None:
    """Uninstall stores that announced it and whose token BigCommerce has revoked.

    No check begins after `until` (monotonic).
    """
    asked = Store.objects.filter(uninstall_asked_at__isnull=False)
    asked.filter(uninstall_asked_at__lt=timezone.now() - _REVOKED_WITHIN).update(
        uninstall_asked_at=None
    )
    in_no_order("maintenance", asked, _uninstall_if_revoked, until)


def _uninstall_if_revoked(store: Store) -> None:
    if not _is_still_granted(store):
        uninstall(store)


@transaction.atomic
def uninstall(store: Store) -> None:
    """Delete every secret of the store.

    Orders and log stay, their personal data for ERASE_AFTER_UNINSTALL_HOURS.

    The access token is deleted at once. SeQura's password outlives a payment under way: the shopper
    may owe something for an order that will never exist.
    """
    store = Store.objects.select_for_update().get(pk=store.pk)
    # Never an empty secret: an unknown one refuses every request that still arrives.
    store.access_token, store.webhook_secret, store.report_token = "", new_secret(), new_secret()
    store.alert_webhook, store.alert_secrets, store.alert_secrets_at = "", "", None
    store.state, store.uninstalled_at = Store.State.UNINSTALLED, timezone.now()
    store.uninstall_asked_at = store.erased_at = None
    store.save()
    store.merchants.update(selling=False)
    needed = {key for app in store_apps() for key in app.uninstalled(store)}
    now = timezone.now()
    store.connections.exclude(pk__in=needed).update(password="", erase_at=None)
    store.connections.filter(pk__in=needed, erase_at=None).update(erase_at=now + _FINISH_WITHIN)
    store.connections.update(state="archived", stopped_at=now)
    PanelUser.objects.filter(store=store).delete()


# The OAuth scopes the app needs, and which of them a merchant did not grant.
#
# BigCommerce's pages spell some of them in two ways, and a broader scope holds the narrower one, so
# any spelling will do: https://docs.bigcommerce.com/docs/start/authentication/api-accounts
#
# As the Developer Portal names them, and the spellings that grant it.
READ_CUSTOMERS = "Customers: read-only"
_REQUIRED_SCOPES: dict[str, tuple[str, ...]] = {
    "Orders: modify": ("store_v2_orders",),
    "Order Transactions: read-only": (
        "store_v2_transactions_read_only",
        "store_v2_transactions",
    ),
    "Checkouts: modify": ("store_checkout", "store_checkouts"),
    "Carts: modify": ("store_cart", "store_carts"),
    "Checkout Content: modify": ("store_content_checkout", "store_checkout_content"),
    "Information & Settings: read-only": (
        "store_v2_information_read_only",
        "store_v2_information",
    ),
    "Channel Settings: read-only": (
        "store_channel_settings_read_only",
        "store_channel_settings",
    ),
    "Sites & Routes: read-only": ("store_sites_read_only", "store_sites"),
    "App Extensions: manage": ("store_app_extensions_manage",),
    READ_CUSTOMERS: ("store_v2_customers_read_only", "store_v2_customers"),
    "Products: read-only": ("store_v2_products_read_only", "store_v2_products"),
    "Create Payments": ("store_payments_access_token_create",),
}


# What only a setting needs, by its column.
CHANGE_CUSTOMERS = "Customers: modify"
_OPTIONAL_SCOPES = {"corrects_customers": {CHANGE_CUSTOMERS: ("store_v2_customers",)}}


def missing_scopes(store: Store) -> list[str]:
    """Return the scopes that the store's settings need and BigCommerce did not grant.

    They have their Developer Portal names.
    """
    granted, needed = set(store.scopes.split()), dict(_REQUIRED_SCOPES)
    for column, scopes in _OPTIONAL_SCOPES.items():
        if getattr(store, column):
            needed |= scopes
    return [name for name, spellings in needed.items() if not granted.intersection(spellings)]
