"""The page of promotional widgets, with a preview on a page of the merchant's own store."""

import re
from typing import Any

import structlog
from csp.constants import SELF, UNSAFE_INLINE
from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import urlencode
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from panel.forms import WidgetsForm
from panel.notices import show
from panel.session import PanelRequest, frame_in_control_panel, panel_page, waiting_page
from payments.solicit import merchants_in_use
from payments.widgets import components
from stores.channels import selling_in
from stores.models import Store
from stores.registration import checkout_script
from stores.settings_file import WIDGET_THEME
from stores.storefronts import language_of, origin_of
from transport import outside
from transport.call import Rejected, Unavailable

log = structlog.get_logger(__name__)
_CENTS = re.compile(r"[1-9][0-9]{0,8}")
_SAMPLE = 10_000  # cents
# The preview's address names store and language for so many seconds; widgets.js asks anew before.
_PREVIEWED, _SECONDS = "widget preview", 300


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def widgets(request: PanelRequest) -> HttpResponse:
    """Show and save which instalments the shop's pages show, where, and how they look."""
    data = request.POST if request.method == "POST" else None
    form = WidgetsForm(request.store, data)
    if data is not None and form.is_valid():
        form.save(request.store, request.author)
        return show(request, "widgets", "saved")
    context = {"form": form, "health": request.store.registration.get("widgets")}
    response = render(request, "stores/widgets.html", context, status=400 if form.errors else 200)
    _allow(response, {"frame-src": [SELF]})
    return response


@require_safe
@waiting_page
def widget_page(request: PanelRequest) -> HttpResponse:
    """Return the markup of a page of the store, for the browser to look at and never to run.

    With it comes the address of the frame that shows the widget.
    """
    html = _read(request.store, request.GET.get("address", ""))
    if html is None:
        return JsonResponse({})
    frame = _address_of_preview(request.store, request.panel_user.locale)
    return JsonResponse({"html": html, "frame": frame})


def _address_of_preview(store: Store, locale: str) -> str:
    signed = TimestampSigner(salt=_PREVIEWED).sign_object([store.pk, locale])
    return f"{reverse('widget_preview')}?{urlencode({'for': signed})}"


def _read(store: Store, address: str) -> str | None:
    """Return a page of one of the store's own origins, from the public internet alone."""
    session = None
    if origin_of(address) not in {origin_of(known) for known in store.origins}:
        return None
    if not settings.SANDBOX:  # whose shop is on this machine
        if outside.problem_of(address):
            return None
        session = outside.new_session()
    try:
        return checkout_script.fetch(address, session).body.decode(errors="replace")
    except (Rejected, Unavailable) as error:
        log.info("page_unreadable", store=store.hash, reason=str(error))
        return None


@csrf_exempt  # reads only: another method is a 405, not a matter of tokens
@require_safe
def widget_preview(request: HttpRequest) -> HttpResponse:
    """Show SeQura's components with the look in the query, in a frame of their own.

    SeQura's script runs in it and can read its address, so that holds no session.
    """
    try:
        signer = TimestampSigner(salt=_PREVIEWED)
        number, locale = signer.unsign_object(request.GET.get("for", ""), max_age=_SECONDS)
    except BadSignature as error:
        raise Http404 from error
    known = Store.objects.exclude(state=Store.State.UNINSTALLED)
    store = get_object_or_404(known, pk=number)
    with translation.override(language_of(locale)):
        return _previewed(request, store, locale)


def _previewed(request: HttpRequest, store: Store, locale: str) -> HttpResponse:
    amount = request.GET.get("amount", "")
    merchants = selling_in(store, 1, merchants_in_use(store))
    country = store.country if store.country in merchants else next(iter(merchants), "")
    page: dict[str, Any] = {"methods": []}
    if merchant := merchants.get(country):
        wanted = request.GET.getlist("product")
        page = {
            **components(merchant, wanted, locale),
            "amount": int(amount) if _CENTS.fullmatch(amount) else _SAMPLE,
            "theme": _theme(request.GET),
        }
    response = render(request, "stores/widget_preview.html", {"page": page})
    allowed = {"frame-ancestors": [SELF]}
    if page["methods"]:
        sequra = [origin_of(page["configuration"]["scriptUri"])]
        kinds = ("script-src", "connect-src", "frame-src", "img-src", "font-src")
        allowed |= dict.fromkeys(kinds, sequra) | {"style-src": [*sequra, UNSAFE_INLINE]}
    _allow(response, allowed)
    return frame_in_control_panel(response, store)


def _theme(query: QueryDict) -> dict[str, str]:
    """Return the look that the form shows now; what is no value of it is left out."""
    found = {}
    for name, (_label, pattern, _usual) in WIDGET_THEME.items():
        value = query.get(f"theme-{name}", "")
        if pattern == "true|false":  # a box
            value = "true" if value else "false"
        if re.fullmatch(pattern, value):
            found[name] = value
    return found


def _allow(response: HttpResponse, directives: dict[str, list[str]]) -> None:
    """Add to the page's Content Security Policy; read by CSPMiddleware."""
    setattr(response, "_csp_update", directives)  # noqa: B010 (an attribute that no type has)
