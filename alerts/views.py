"""The pages behind the links in mails: who reads an address confirms it, and ends its alerts."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from alerts.compose import name_of
from alerts.models import Recipient
from alerts.tasks import confirm

_METHODS = require_http_methods(["GET", "HEAD", "POST"])


# Programs that look at links before people do only read them: a button does the rest. The address
# of the page is the secret, so that a foreign page can send no form to it.
@csrf_exempt  # the address is the secret
@_METHODS
def confirm_address(request: HttpRequest, key: UUID) -> HttpResponse:
    """Ask whether the address wants alerts."""
    recipient = _find(key)
    if recipient and request.method == "POST":
        confirm(recipient)
    done = recipient is not None and request.method == "POST"
    return _page(request, recipient, "confirm", done=done)


@csrf_exempt  # the address is the secret
@_METHODS
def stop_alerts(request: HttpRequest, key: UUID) -> HttpResponse:
    """End the alerts to an address: by the button, or by the one of the mail program."""
    recipient = _find(key)
    if recipient and request.method == "POST":
        recipient.delete()
    done = recipient is None or request.method == "POST"
    return _page(request, recipient, "stop", done=done)


def _find(key: UUID) -> Recipient | None:
    return Recipient.objects.select_related("store").filter(key=key).first()


def _page(
    request: HttpRequest, recipient: Recipient | None, action: str, *, done: bool
) -> HttpResponse:
    language = recipient.language if recipient else translation.get_language() or "en"
    with translation.override(language):
        context: dict[str, Any] = {"recipient": recipient, "action": action, "done": done}
        if recipient:
            context["store"] = name_of(recipient.store)
        page = render(request, "alerts/page.html", context, status=200 if recipient else 404)
    page["Cache-Control"] = "no-store"
    page["Content-Language"] = language
    return page
