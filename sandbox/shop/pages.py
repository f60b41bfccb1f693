"""What every page of the shop shows: language, customer, cart; and the checkout's scripts."""

import secrets
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sandbox import settings
from sandbox.bigcommerce.models import Channel, Customer, Script, Visit
from sandbox.shop import visits

LANGUAGES = {
    "en": "English", "es": "Español", "fr": "Français", "it": "Italiano", "pt": "Português",
}  # fmt: skip
LANGUAGE_COOKIE = "shop_language"


def language_of(request: HttpRequest) -> str:
    """The page's language: the query's, the one chosen before, else English."""
    asked = request.GET.get("lang") or request.COOKIES.get(LANGUAGE_COOKIE, "")
    return asked if asked in LANGUAGES else "en"


def page(request: HttpRequest, visit: Visit, template: str, **context: Any) -> HttpResponse:
    """A page with the shop's header and footer."""
    cart = visits.cart_of(visit)
    language = language_of(request)
    context = {
        "channel": Channel.objects.get(id=1),
        "language": language,
        "languages": LANGUAGES,
        "customer": visits.customer_of(visit),
        "customers": Customer.objects.order_by("id"),
        "cart_count": sum(line["quantity"] for line in cart.lines) if cart else 0,
        "panel_url": settings.PANEL_URL,
        "storefront_scripts": scripts(1, "storefront"),
    } | context
    response = render(request, template, context)
    response.set_cookie(LANGUAGE_COOKIE, language, samesite="Lax")
    return visits.remember(visit, response)


def scripts(channel_id: int, place: str) -> list[dict[str, Any]]:
    """What apps registered with the Scripts API: for the shop, `checkout` or the confirmation.

    https://docs.bigcommerce.com/docs/rest-management/scripts
    """
    rows = Script.objects.filter(channel_id=channel_id).order_by("created")
    documents = [row.document for row in rows]
    return [
        document | {"integrity": " ".join(document.get("integrity_hashes") or [])}
        for document in documents
        if document.get("visibility") in (place, "all_pages") and document.get("enabled", True)
    ]


def strict_policy(response: HttpResponse, nonce: str) -> HttpResponse:
    """The header of a merchant with nonce-based script authorization and a tight policy."""
    sequra = f"{settings.SEQURA_URL} http://localhost:{settings.API_PORT} {settings.API_URL}"
    response.headers["Content-Security-Policy"] = "; ".join((
        "default-src 'none'",
        f"script-src 'nonce-{nonce}'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        f"connect-src 'self' {settings.APP_PUBLIC_URL}",
        f"frame-src {sequra}",
        "form-action 'self'",
        "base-uri 'self'",
    ))  # fmt: skip
    return response


def new_nonce() -> str:
    return secrets.token_urlsafe(16)
