"""The storefront script's endpoints, the page a shopper returns to, and SeQura's webhooks."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

import structlog
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from bigcommerce.api import Rejected, Unavailable
from orders import corrections
from orders.models import Correction
from orders.queue import throttle
from payloads.checkout.eligibility import MOST
from payments import events, notifications
from payments.form import NoForm, show_form
from payments.models import Solicitation
from payments.progress import progress_of, shoppers_language
from payments.solicit import UnknownCheckout
from payments.solicited_order import checkout_url
from payments.storefront import methods_for
from payments.widgets import cached_for, widgets_for
from stores.encryption import Undecryptable
from stores.models import Store
from stores.rate_limit import LIMITS, Concurrency, RateLimited, consume, may_wait
from stores.settings_file import WIDGET_PLACES
from stores.storefronts import browser_origin, may_ask, storefront_store

_LOCALE = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"


# Requests of the storefront scripts. Everything that money depends on is read server to server.
class CheckoutClaim(serializers.Serializer[object]):
    """`POST payment-methods`: the checkout, and the one claim that no server API returns."""

    checkout_id = serializers.RegexField(r"^[A-Za-z0-9-]{8,64}$")
    store_credit_applied = serializers.BooleanField(default=False)
    outstanding_balance = serializers.DecimalField(
        max_digits=12, decimal_places=4, allow_null=True, default=None, min_value=0
    )
    layout = serializers.ChoiceField(["desktop", "smartphone"], default="desktop")
    locale = serializers.RegexField(_LOCALE, max_length=35, default="es-ES")


class MethodChoice(serializers.Serializer[object]):
    """`POST form`: the payment method of a solicitation, and whether the terms were accepted."""

    solicitation = serializers.UUIDField()
    product = serializers.CharField(max_length=32)
    campaign = serializers.CharField(max_length=64, allow_null=True, allow_blank=True, default=None)
    # null: the page has no checkbox, which is right only where the shop asks for none.
    terms_accepted = serializers.BooleanField(allow_null=True, default=None)


class ScriptError(serializers.Serializer[object]):
    """`POST errors`: an error of the storefront script, cut short."""

    message = serializers.CharField(max_length=300)
    where = serializers.CharField(max_length=100, allow_blank=True, default="")


class _WidgetPage(serializers.Serializer[object]):
    """`GET widgets`: a page of the shop, and what it shows. A number that is none is not known."""

    place = serializers.ChoiceField(list(WIDGET_PLACES))
    channel = serializers.IntegerField(min_value=1, max_value=MOST, default=1)
    currency = serializers.RegexField(r"^[A-Z]{3}$")
    locale = serializers.RegexField(_LOCALE, max_length=35, default="es-ES")
    product = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=MOST), max_length=100, default=list
    )
    sku = serializers.ListField(
        child=serializers.CharField(max_length=255), max_length=100, default=list
    )


# Cross-origin requests: exactly the origins on which a store's checkout runs, no credentials.
P = ParamSpec("P")
_View = Callable[Concatenate[HttpRequest, Store, P], HttpResponseBase]
_PREFLIGHT_SECONDS = "600"


def storefront(
    *methods: str, columns: tuple[str, ...] = (), also: Callable[[], dict[str, Any]] = dict
) -> Callable[[_View[P]], Callable[..., HttpResponseBase]]:
    """Decorate a storefront endpoint: pass the store, let its origins read the response.

    `columns` and what `also` returns are read with the store, in the same statement.
    """

    def decorate(view: _View[P]) -> Callable[..., HttpResponseBase]:
        @csrf_exempt  # asked by pages of the shop, without a cookie of ours
        @wraps(view)
        def endpoint(request: HttpRequest, public_id: UUID, *args: Any, **kwargs: Any) -> Any:
            store = storefront_store(public_id, *columns, **also())
            if request.method == "OPTIONS":
                response: HttpResponseBase = HttpResponse(status=204)
            else:
                response = view(request, store, *args, **kwargs)
            return _share(request, response, store, methods)

        return endpoint

    return decorate


def _share(
    request: HttpRequest, response: HttpResponseBase, store: Store, methods: tuple[str, ...]
) -> HttpResponseBase:
    origin, named = browser_origin(request), request.headers.get("Origin", "")
    response["Vary"] = "Origin"
    response.headers.setdefault("Cache-Control", "no-store")
    if may_ask(store, origin):
        # Browsers compare it with what they sent, letter by letter.
        response["Access-Control-Allow-Origin"] = named if named.isascii() else origin
        response["Access-Control-Expose-Headers"] = "Retry-After"
        if request.method == "OPTIONS":
            response["Access-Control-Allow-Methods"] = ", ".join([*methods, "OPTIONS"])
            response["Access-Control-Allow-Headers"] = "Content-Type"
            response["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
    return response


log = structlog.get_logger()
# Calls of one storefront that wait for BigCommerce or SeQura at once, of a process.
_CALLS_OF_A_STORE, _BUSY_SECONDS = 4, 2
_storefront = Concurrency(_CALLS_OF_A_STORE)


@storefront("POST", also=throttle.with_calls_left)
@api_view(["POST", "OPTIONS"])
def payment_methods(request: Request, store: Store) -> Response:
    """Return the payment methods that SeQura offers for a checkout, or the reasons for none."""
    claim = CheckoutClaim(data=request.data)
    claim.is_valid(raise_exception=True)
    try:
        with _place_of(store):
            return Response(methods_for(store, request, claim.validated_data))
    except UnknownCheckout as unknown:
        raise Http404 from unknown
    except RateLimited as limited:
        return _too_many(limited)


@storefront("POST")
@api_view(["POST", "OPTIONS"])
def form(request: Request, store: Store) -> Response:
    """Return SeQura's identification form for the chosen payment method."""
    choice = MethodChoice(data=request.data)
    choice.is_valid(raise_exception=True)
    try:
        with _place_of(store):
            return Response(show_form(store, choice.validated_data))
    except NoForm as no:
        return Response({"code": no.code, "message": str(no.message)}, status=no.status)
    except RateLimited as limited:
        return _too_many(limited)


_OF_WIDGETS = ("country", "widget_methods", "widget_selectors", "widget_theme")


@storefront("GET", columns=_OF_WIDGETS)
@api_view(["GET", "OPTIONS"])
def widgets(request: Request, store: Store) -> Response:
    """Return what a page of the shop shows of SeQura; the answer may be kept for minutes."""
    query = request.query_params
    lists = {name: query.getlist(name) for name in ("product", "sku")}
    # Not the query itself: in that the framework looks for names such as product[0] too.
    page = _WidgetPage(data={**query.dict(), **lists})
    page.is_valid(raise_exception=True)
    try:
        found = widgets_for(store, page.validated_data, request.META["REMOTE_ADDR"])
    except RateLimited as limited:
        return _too_many(limited)
    except (Rejected, Unavailable):  # nothing is shown, and nothing is remembered
        return Response({"code": "bigcommerce_unavailable", "message": ""}, status=502)
    return Response(found, headers={"Cache-Control": cached_for(store)})


@contextmanager
def _place_of(store: Store) -> Iterator[None]:
    """Hold one of the store's places among this process's threads, or raise RateLimited.

    So a store whose BigCommerce API hangs leaves threads to the others, and a SeQura that hangs for
    all of them leaves threads to what waits for nobody, such as the progress of a payment.
    """
    with may_wait(_storefront, store.pk) as has_place:
        if not has_place:
            raise RateLimited(_BUSY_SECONDS)
        yield


def _too_many(limited: RateLimited) -> Response:
    return Response(
        {"code": "too_many_requests", "message": ""},
        status=429,
        headers={"Retry-After": str(limited.retry_after)},
    )


@storefront("GET")
@api_view(["GET", "OPTIONS"])
def solicitation_status(_request: Request, store: Store, solicitation_id: uuid.UUID) -> Response:
    """Return the payment's progress, and advance it in the background."""
    found = get_object_or_404(
        Solicitation.objects.select_related("store"), store=store, public_id=solicitation_id
    )
    return Response(progress_of(found))


@storefront("POST")
@api_view(["POST", "OPTIONS"])
def script_error(request: Request, store: Store) -> Response:
    """Count and log an error of the storefront script."""
    report = ScriptError(data=request.data)
    report.is_valid(raise_exception=True)
    try:
        consume(f"script error {store.pk}", **LIMITS["script error"])
    except RateLimited as limited:
        return _too_many(limited)
    log.warning("storefront_script_failed", store=store.hash, **report.validated_data)
    return Response(status=204)


@csrf_exempt  # reads only: another method is a 405, not a matter of tokens
@require_GET
def shopper_returns(request: HttpRequest, solicitation_id: uuid.UUID) -> HttpResponse:
    """Show the page to which SeQura sends the shopper: it waits for the order and redirects."""
    found = get_object_or_404(
        Solicitation.objects.select_related("store"), public_id=solicitation_id
    )
    progress = progress_of(found)
    if progress["status"] == "confirmed" and progress["confirmation"]:
        return _leave(progress["confirmation"])
    status_url = reverse("shopper_returns_status", args=[solicitation_id])
    context = {
        "progress": progress,
        "solicitation": found,
        "status_url": status_url,
        "checkout_url": checkout_url(found),
    }
    language = shoppers_language(found)
    with translation.override(language):
        response = render(request, "payments/return.html", context)
    response["Content-Language"], response["Cache-Control"] = language, "no-store"
    return response


@csrf_exempt  # reads only: another method is a 405, not a matter of tokens
@require_GET
def return_status(_request: HttpRequest, solicitation_id: uuid.UUID) -> HttpResponse:
    """Return the progress that the return page polls."""
    found = get_object_or_404(
        Solicitation.objects.select_related("store"), public_id=solicitation_id
    )
    return JsonResponse(progress_of(found), headers={"Cache-Control": "no-store"})


def _leave(address: str) -> HttpResponse:
    return HttpResponse(status=302, headers={"Location": address, "Cache-Control": "no-store"})


@csrf_exempt  # SeQura has no session of ours: token, signature and reference must fit
@require_POST
def notification(request: HttpRequest, token: str) -> HttpResponse:
    """Receive SeQura's notification. The shopper waits for the response."""
    try:
        found = notifications.authenticate(token, request.POST, request.GET)
        state, product = request.POST.get("sq_state", ""), request.POST.get("product_code", "")
        if found.phase != Solicitation.Phase.DONE:  # then the answer is known and costs nothing
            _count("notification", found, state if state in Solicitation.State.values else "")
        status = notifications.receive(found, state, product)
        _record_corrections(found, request, Correction.Source.NOTIFICATION)
        return HttpResponse(status=status)
    except notifications.NotAuthentic:
        return HttpResponse(status=404)
    except RateLimited as limited:
        return _come_again(limited)
    except Undecryptable:  # SeQura comes again; by then the key may be back
        return HttpResponse(status=503)
    except (notifications.Malformed, notifications.UnknownState):
        return HttpResponse(status=400)


@csrf_exempt  # SeQura has no session of ours: token, signature and reference must fit
@require_POST
def event(request: HttpRequest, token: str) -> HttpResponse:
    """Receive SeQura's events after the purchase: cancelled, cancel, risk_assessment."""
    try:
        found = notifications.authenticate(token, request.POST, request.GET, prefix="m_")
        name = request.POST.get("event", "")
        _count("event", found, name if name in events.EVENTS else "")
    except notifications.NotAuthentic:
        return HttpResponse(status=404)
    except RateLimited as limited:
        return _come_again(limited)
    except Undecryptable:
        return HttpResponse(status=503)
    except notifications.Malformed:
        return HttpResponse(status=400)
    _record_corrections(found, request, Correction.Source.EVENT)
    status, body = events.handle(name, found, request.POST)
    if isinstance(body, dict):
        return JsonResponse(body, status=status)
    return HttpResponse(body, status=status, content_type="text/plain")


def _count(kind: str, found: Solicitation, about: str) -> None:
    """Count a state or event of a purchase. Raise RateLimited for repetitions only."""
    consume(f"{kind} {found.pk} {about}", **LIMITS[kind])


def _come_again(limited: RateLimited) -> HttpResponse:
    """Answer 503 with Retry-After, because SeQura repeats what gets a 503."""
    return HttpResponse(status=503, headers={"Retry-After": str(limited.retry_after)})


def _record_corrections(found: Solicitation, request: HttpRequest, source: str) -> None:
    """Store SeQura's corrections of the shopper's details, which come as further parameters.

    For an uninstalled store no personal data is stored any more.
    """
    if found.store.state == Store.State.UNINSTALLED:
        return
    corrections.receive(found.store, found.reference, found.order, request.POST.dict(), source)
