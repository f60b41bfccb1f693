"""Which store does a request from the control panel speak for?

A page of the control panel lives in an iframe where browsers refuse cookies, so its session is
a path segment: `/s/<token>/…`. We keep only the token's digest.

The pages for requests without a session, or that fail, stand here too.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.core.exceptions import BadRequest
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from stores.models import Connection, PanelSession, PanelUser, SettingChange, Store
from stores.rate_limit import LIMITS, Concurrency, LocalRateLimit, RateLimited, may_wait
from stores.store_settings import Author
from stores.storefronts import language_of, origin_of, time_zone_of

_P = ParamSpec("_P")
_R = TypeVar("_R", bound=HttpResponseBase)  # a page, or a file that is streamed

# `used_at` is not worth a write per request.
_USED_AT_RESOLUTION = timedelta(minutes=1)
# https://docs.bigcommerce.com: the control panel is https://store-{hash}.mybigcommerce.com
_rate_limit = LocalRateLimit()  # of pages; a page has a fixed number of statements
# Waiting pages of one store at once, of a process: with the storefront's calls (`payments.views`)
# they leave one of those that may wait (`OUTSIDE`) to other stores.
_WAITING_PAGES, _BUSY_SECONDS = 3, 2
_waiting = Concurrency(_WAITING_PAGES)
_CONTROL_PANEL = "https://*.mybigcommerce.com"


class PanelRequest(HttpRequest):
    """A request of a control-panel page, as `panel_page` hands it to the view."""

    store: Store
    panel_user: PanelUser
    panel_session: PanelSession
    panel_token: str
    panel_csrf: str
    account_refused: bool  # SeQura refuses an account of the store: every page says so
    author: Author  # as the settings' history names the user


def _digest(token: str) -> str:
    """What we keep of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _client_fingerprint() -> str:
    """Names the client secret without telling it. Sessions end when the secret is replaced."""
    key = salted_hmac("stores.access.client", "", settings.BIGCOMMERCE_CLIENT_SECRET)
    return key.hexdigest()[:16]


def open_session(user: PanelUser, side_panel_of: int | None = None) -> str:
    """A new session of this user, in place of the one before; the token for the path.

    `side_panel_of` is the order whose Action menu opened it: its pages look like a side panel.
    The app's page and the side panel each have a session, because people have both open.
    """
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        PanelUser.objects.select_for_update().get(pk=user.pk)
        user.sessions.filter(side_panel_of__isnull=side_panel_of is None).delete()
        user.sessions.create(
            digest=_digest(token), side_panel_of=side_panel_of, client=_client_fingerprint()
        )
    return token


def _find_session(token: str) -> PanelSession | None:
    """The open session of this token with its user and store, in one query."""
    now = timezone.now()
    refused = Connection.objects.filter(
        store=OuterRef("user__store"), state=Connection.State.CONNECTED, refused_at__isnull=False
    )
    found = (
        PanelSession.objects.select_related("user__store")
        .annotate(account_refused=Exists(refused))
        .filter(
            digest=_digest(token),
            used_at__gt=now - PanelSession.IDLE,
            created_at__gt=now - PanelSession.ABSOLUTE,
        )
        .exclude(user__store__state=Store.State.UNINSTALLED)
        .first()
    )
    if found and found.client != _client_fingerprint():
        PanelSession.objects.exclude(client=_client_fingerprint()).delete()
        return None
    return found


def _keep_open(session: PanelSession) -> None:
    """Start the hour of idleness again."""
    now = timezone.now()
    if now - session.used_at > _USED_AT_RESOLUTION:
        PanelSession.objects.filter(pk=session.pk).update(used_at=now)


def _csrf_token(token: str) -> str:
    """The hidden field of every form of a session."""
    return salted_hmac("stores.access.csrf", token, algorithm="sha256").hexdigest()


def frame_in_control_panel(response: _R, store: Store | None = None) -> _R:
    """Let only the control panel show this page in its iframe, and let no cache store it."""
    own = origin_of(store.control_panel_url) if store else ""
    for mark, value in (  # read by XFrameOptionsMiddleware and CSPMiddleware
        ("xframe_options_exempt", True),
        ("_csp_replace", {"frame-ancestors": [_CONTROL_PANEL, *([own] if own else [])]}),
    ):
        setattr(response, mark, value)
    response["Cache-Control"] = "no-store"
    response["Content-Language"] = translation.get_language() or "en"
    return response


def panel_error(
    request: HttpRequest, status: int, title: str, text: str, store: Store | None = None
) -> HttpResponse:
    """A styled page for the control panel that says what to do next."""
    response = render(request, "error.html", {"title": title, "text": text}, status=status)
    return frame_in_control_panel(response, store)


def _bad_form(request: PanelRequest) -> HttpResponse:
    """Return the page for a form that none of our pages sends."""
    title, text = _("Something's not right"), _("Go back and try again.")
    return panel_error(request, 400, title, text, request.store)


def _no_such_thing(request: PanelRequest) -> HttpResponse:
    """The same answer for what is not there and for what is another store's."""
    text = _(
        "The address may be wrong or out of date. Open SeQura again from the Apps menu of your"
        " control panel."
    )
    return panel_error(request, 404, _("Page not found"), text, request.store)


def _session_is_over(request: HttpRequest) -> HttpResponse:
    return panel_error(
        request,
        401,
        _("Your session has expired"),
        _("Open SeQura again from the Apps menu of your control panel."),
    )


def _too_fast(request: HttpRequest, limited: RateLimited) -> HttpResponse:
    page = panel_error(
        request,
        429,
        _("Too many page requests"),
        _("Wait a minute, then reload the page."),
    )
    page["Retry-After"] = str(limited.retry_after)
    return page


def _busy(request: PanelRequest) -> HttpResponse:
    page = panel_error(
        request,
        429,
        _("Other pages are still loading"),
        _(
            "Several pages are waiting for BigCommerce or SeQura. Nothing was changed. Go back and"
            " try again in a few seconds."
        ),
        request.store,
    )
    page["Retry-After"] = str(_BUSY_SECONDS)
    return page


def _forged(request: HttpRequest) -> HttpResponse:
    return panel_error(
        request,
        403,
        _("This form has expired"),
        _("Nothing was changed. Go back, reload the page and submit the form again."),
    )


def _csrf_holds(request: HttpRequest, expected: str) -> bool:
    given = request.POST.get("csrf", "") or request.headers.get("X-CSRF-Token", "")
    return hmac.compare_digest(given.encode(), expected.encode())


def panel_page(
    view: Callable[Concatenate[PanelRequest, _P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """A page of the control panel; the view gets `request.store` and `request.panel_user`.

    It raises Http404 for what is not there or another store's, and BadRequest for a form that none
    of our pages sends.
    """

    @csrf_exempt  # the session's own token is checked below: frames keep no cookies
    @wraps(view)
    def page(request: HttpRequest, session: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
        found = _find_session(session)
        if found is None:
            return _session_is_over(request)
        with (
            translation.override(language_of(found.user.locale)),
            timezone.override(time_zone_of(found.user.store)),
        ):
            try:
                _rate_limit.consume(found.pk, **LIMITS["page"])
            except RateLimited as limited:
                return _too_fast(request, limited)
            panel = _speaking_for(request, found, session)
            safe = request.method in ("GET", "HEAD", "OPTIONS")
            if not safe and not _csrf_holds(request, panel.panel_csrf):
                return _forged(request)
            _keep_open(found)
            try:
                response = view(panel, *args, **kwargs)
            except Http404:
                response = _no_such_thing(panel)
            except BadRequest:
                response = _bad_form(panel)
            return frame_in_control_panel(response, panel.store)

    return page


def waiting_page(
    view: Callable[Concatenate[PanelRequest, _P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """A page of the control panel that may wait for BigCommerce, SeQura or a worker."""

    @wraps(view)
    def limited(request: PanelRequest, /, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponseBase:
        with may_wait(_waiting, request.store.pk) as has_place:
            return view(request, *args, **kwargs) if has_place else _busy(request)

    return panel_page(limited)


def _speaking_for(request: HttpRequest, session: PanelSession, token: str) -> PanelRequest:
    panel: Any = request
    panel.panel_session, panel.panel_token = session, token
    panel.panel_user, panel.store = session.user, session.user.store
    panel.panel_csrf = _csrf_token(token)
    panel.author = Author(SettingChange.Source.PAGE, session.user.email)
    panel.account_refused = vars(session)["account_refused"]
    # It is a PanelRequest from here on.
    return panel  # type: ignore[no-any-return]


# The end of a session: BigCommerce's logout reaches us through the page, which posts here.
@require_POST
@panel_page
def logout(request: PanelRequest) -> HttpResponse:
    """End this session."""
    request.panel_session.delete()
    return panel_error(
        request,
        200,
        _("You are logged out"),
        _("Open SeQura again from the Apps menu of your control panel."),
        request.store,
    )


# Pages for requests that fail. They name no internals.
def _page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    return render(request, "error.html", {"title": title, "text": text}, status=status)


# Django passes the exception to each of these handlers; no page may show it.
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return _page(request, 400, _("Something's not right"), _("Go back and try again."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return _page(
        request, 403, _("You don't have permission to do that"), _("Go back and try again.")
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return _page(
        request,
        404,
        _("Page not found"),
        _(
            "The address may be wrong or out of date. Open SeQura again from the Apps menu of your"
            " control panel."
        ),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    return _page(
        request,
        500,
        _("Something went wrong on our side"),
        _("The problem was recorded. Try again in a minute."),
    )
