"""Trust forwarded headers only as far as our own proxies wrote them.

Every proxy appends its peer's address to `X-Forwarded-For`. With `TRUSTED_PROXIES=n` the n-th entry
from the right was written by our outermost proxy; entries to its left came from the client and may
be false.
"""

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from sequra_bc.bulkheads import largest_of

FORWARDED = ("FOR", "PROTO", "HOST", "PORT", "SERVER", "PREFIX")


class ProxyMiddleware:
    """Put client, scheme and host where Django reads them, and remove the headers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _apply(request.META, settings.TRUSTED_PROXIES)
        declared = request.META.get("CONTENT_LENGTH") or "0"
        if declared.isdecimal() and int(declared[:12]) > largest_of(request.path_info):
            return HttpResponse(status=413)  # Django counts fields, not files
        return self.get_response(request)


def _apply(meta: dict[str, str], proxies: int) -> None:
    """Rewrite a WSGI environment: REMOTE_ADDR, wsgi.url_scheme, HTTP_HOST."""
    given = {name: meta.pop(f"HTTP_X_FORWARDED_{name}", "") for name in FORWARDED}
    meta.pop("HTTP_FORWARDED", None)
    meta["REMOTE_ADDR"] = _client_address(given["FOR"], meta.get("REMOTE_ADDR", ""), proxies)
    if proxies < 1:
        return
    scheme = _nth_from_right(given["PROTO"], proxies).lower()
    if scheme in ("http", "https"):
        meta["wsgi.url_scheme"] = scheme
    if host := _nth_from_right(given["HOST"], proxies):
        meta["HTTP_HOST"] = host  # Django still holds it against ALLOWED_HOSTS


def _client_address(forwarded_for: str, peer: str, proxies: int) -> str:
    """Return the client: the n-th entry from the right, or the peer when there is no such entry."""
    entries = [entry.strip() for entry in forwarded_for.split(",") if entry.strip()]
    if not 0 < proxies <= len(entries):
        return _plain_address(peer) or peer
    return _plain_address(entries[-proxies]) or _plain_address(peer) or peer


def _plain_address(text: str) -> str:
    """Return `203.0.113.9` for `203.0.113.9:4711` and the like; empty when it is no address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _nth_from_right(header: str, proxies: int) -> str:
    """Return the outermost proxy's entry.

    A proxy overwrites or appends: it is at most n from the right.
    """
    entries = [entry.strip() for entry in header.split(",") if entry.strip()]
    return entries[-min(proxies, len(entries))] if entries else ""
