"""Guard Django's admin: it is off by default, and logins are limited.

The registrations stand in `panel.admin`: Django makes the site before it imports them.
"""

from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase

from stores.rate_limit import LIMITS, RateLimited, caller, consume

# Without a referrer, browsers send `Origin: null` with a form, which the CSRF check refuses. These
# addresses hold no session, unlike those of the control panel: a referrer gives nothing away.
_REFERRER_POLICY = "same-origin"


class OperatorsSite(admin.AdminSite):
    """Django's admin: 404 unless ADMIN_ENABLED, with a limit on logins."""

    site_header = site_title = "SeQura for BigCommerce: operators"
    site_url = None  # merchants' pages need a session of BigCommerce

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        guarded = super().admin_view(view, cacheable)

        @wraps(view)
        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            _there_at_all()
            answer: HttpResponseBase = guarded(request, *args, **kwargs)
            answer.headers["Referrer-Policy"] = _REFERRER_POLICY
            return answer

        return page

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The login, ten times in ten minutes for an address and for a name."""
        _there_at_all()
        if request.method == "POST":
            name = request.POST.get("username", "")[:64]
            network = caller(request.META["REMOTE_ADDR"])
            try:
                consume(f"operator from {network}", **LIMITS["operator"])
                consume(f"operator {name}", **LIMITS["operator"])
            except RateLimited as limited:
                return HttpResponse(status=429, headers={"Retry-After": str(limited.retry_after)})
        answer = super().login(request, extra_context)
        answer.headers["Referrer-Policy"] = _REFERRER_POLICY
        return answer


def _there_at_all() -> None:
    if not settings.ADMIN_ENABLED:
        raise Http404
