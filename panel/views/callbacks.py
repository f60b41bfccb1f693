"""What BigCommerce calls: https://docs.bigcommerce.com/docs/integrations/apps/guide/callbacks

The signed payload is the only thing believed. `/auth` has none, so it never opens a session:
otherwise somebody could have a merchant type SeQura's password into a foreign store.
"""

import re
from collections.abc import Callable
from functools import wraps

import structlog
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.signatures import InvalidSignedPayload, SignedPayload
from panel.session import frame_in_control_panel, open_session, panel_error
from stores import install, registration
from stores.install import is_fresh, missing_scopes, provision, signed_payload, use_payload_once
from stores.isolation import Busy
from stores.models import PanelUser, Store
from stores.rate_limit import LIMITS, RateLimited, caller, check_limit, consume
from stores.tasks import refresh_store, register_store, try_again, wake

log = structlog.get_logger(__name__)
_OF_AN_ADDRESS = LIMITS["install from"]
_ORDER_URL = re.compile(r"/orders/([0-9]{1,18})/sequra/?")


@csrf_exempt  # another method is a 405, not a matter of tokens
@require_GET
def auth(request: HttpRequest) -> HttpResponse:
    """Install, or consent again. Answers a page that sends the merchant to the Apps menu."""
    code, context, scope = (request.GET.get(key, "") for key in ("code", "context", "scope"))
    try:
        _consume_for_installation(request, context)
        store = install.install(code, context, scope)
    except RateLimited as limited:
        text = _("Too many attempts to install SeQura. Try again in a minute.")
        page = _not_installed(request, 429, text)
        page["Retry-After"] = str(limited.retry_after)
        return page
    except (install.WrongContext, Rejected) as error:
        log.warning("installation_refused", reason=str(error))
        return _not_installed(request, 400, _("Open BigCommerce and install SeQura again."))
    except (Unavailable, Busy) as error:
        log.warning("installation_failed", reason=str(error))
        return _not_installed(
            request, 503, _("BigCommerce didn't respond. Install SeQura again in a minute.")
        )
    if not registration.register(store, wait=0):
        wake(register_store, store.pk)
    return _installed(request, store)


def _consume_for_installation(request: HttpRequest, context: str) -> None:
    """Each attempt asks BigCommerce with our client secret. Raises RateLimited."""
    consume(f"auth from {_network(request)}", **_OF_AN_ADDRESS)
    if install.CONTEXT.fullmatch(context):
        consume(f"auth of {context}", **LIMITS["install"])


def _not_installed(request: HttpRequest, status: int, text: str) -> HttpResponse:
    return panel_error(request, status, _("SeQura wasn't installed"), text)


def _installed(request: HttpRequest, store: Store) -> HttpResponse:
    page = render(
        request,
        "stores/installed.html",
        {
            "store": store,
            "missing_scopes": missing_scopes(store),
            "healthy": registration.is_healthy(store),
            "app_id": settings.BIGCOMMERCE_APP_ID,
        },
    )
    return frame_in_control_panel(page, store)


@csrf_exempt  # another method is a 405, not a matter of tokens
@require_GET
def load(request: HttpRequest) -> HttpResponse:
    """Open the app: a new session, at an address that holds nothing of BigCommerce's payload."""
    try:
        consume(f"open from {_network(request)}", **LIMITS["open from"])
        payload = signed_payload(request)
        consume(f"open {payload.store_hash} {payload.user.id}", **LIMITS["open"])
    except RateLimited as limited:
        return _opened_too_often(request, limited)
    except InvalidSignedPayload as error:
        log.warning("payload_refused", reason=str(error))
        return _not_open(request, _("This link isn't valid."))
    store = Store.objects.filter(hash=payload.store_hash).first()
    if store is None or store.state == Store.State.UNINSTALLED:
        return _not_open(request, _("SeQura isn't installed in this store. Install it again."))
    if not is_fresh(payload) or not use_payload_once(request, payload):
        return _not_open(request, _("This link has been used or has expired."), store)
    asked = _ORDER_URL.fullmatch(payload.url)
    order = int(asked[1]) if asked else None
    token = open_session(provision(store, payload), side_panel_of=order)
    if store.state == Store.State.NEEDS_REAUTHORISATION:
        wake(try_again, store.pk)
    if order is not None:
        return frame_in_control_panel(redirect("order_panel", token, order), store)
    if store.is_installed:
        registration.check_registration(store)
        wake(refresh_store, store.pk)
    return frame_in_control_panel(redirect("dashboard", token), store)


def _not_open(request: HttpRequest, why: str, store: Store | None = None) -> HttpResponse:
    text = _("%(why)s Open SeQura from the Apps menu of your control panel.") % {"why": why}
    return panel_error(request, 401, _("We couldn't open SeQura"), text, store)


def _opened_too_often(request: HttpRequest, limited: RateLimited) -> HttpResponse:
    title, text = _("We couldn't open SeQura"), _("Wait a minute, then open SeQura again.")
    page = panel_error(request, 429, title, text)
    page["Retry-After"] = str(limited.retry_after)
    return page


def _network(request: HttpRequest) -> str:
    return caller(request.META["REMOTE_ADDR"])


def _removing(
    view: Callable[[HttpRequest, SignedPayload], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """A callback with a payload that BigCommerce signed. What is not signed costs its address."""

    @wraps(view)
    def callback(request: HttpRequest) -> HttpResponse:
        address = f"remove from {_network(request)}"
        try:
            check_limit(address, **LIMITS["remove from"])
            payload = _signed_or_counted(request, address)
            consume(f"remove {payload.store_hash}", **LIMITS["remove"])
        except RateLimited as limited:
            again = {"Retry-After": str(limited.retry_after)}
            return JsonResponse({"error": "too many requests"}, status=429, headers=again)
        except InvalidSignedPayload as error:
            log.warning("payload_refused", reason=str(error))
            return JsonResponse({"error": "signed_payload_jwt is not valid"}, status=401)
        return view(request, payload)

    return callback


def _signed_or_counted(request: HttpRequest, address: str) -> SignedPayload:
    try:
        return signed_payload(request)
    except InvalidSignedPayload:
        consume(address, **LIMITS["remove from"])
        raise


@csrf_exempt  # another method is a 405, not a matter of tokens
@require_GET
@_removing
def uninstall(request: HttpRequest, payload: SignedPayload) -> HttpResponse:
    """BigCommerce has removed the app. A payload from before the installation means an old one.

    The payload of a `/load` has the same form, and every user of the store has one: unless the
    owner speaks, BigCommerce is asked.
    """
    if not payload.is_owner and _is_still_installed(payload.store_hash):
        return JsonResponse({"status": "ignored"})
    with transaction.atomic():
        store = Store.objects.select_for_update().filter(hash=payload.store_hash).first()
        # Payloads count whole seconds.
        if (
            store is None
            or payload.issued_at < store.installed_at.replace(microsecond=0)
            or not use_payload_once(request, payload)
        ):
            return JsonResponse({"status": "ignored"})
        install.uninstall(store)
    return JsonResponse({"status": "uninstalled"})


def _is_still_installed(store_hash: str) -> bool:
    store = Store.objects.filter(hash=store_hash).exclude(state=Store.State.UNINSTALLED).first()
    return store is not None and install.ask_whether_granted(store)


@csrf_exempt  # another method is a 405, not a matter of tokens
@require_GET
@_removing
def remove_user(request: HttpRequest, payload: SignedPayload) -> HttpResponse:
    """The user of the payload may no longer open the app; his open pages end at once."""
    with transaction.atomic():
        if not use_payload_once(request, payload):
            return JsonResponse({"status": "ignored"})
        PanelUser.objects.filter(
            store__hash=payload.store_hash, bigcommerce_id=payload.user.id
        ).delete()
    return JsonResponse({"status": "removed"})
