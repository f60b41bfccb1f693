"""Apps: install, open in the frame, uninstall."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET, require_POST

from sandbox.bigcommerce import install
from sandbox.panel import frame


@require_GET
def apps(request: HttpRequest) -> HttpResponse:
    return frame.page(request, "cp/apps.html")


@require_GET
def start_install(request: HttpRequest) -> HttpResponse:
    """The consent was given: the app's /auth is opened in its frame, with a code."""
    address = install.auth_url(user=frame.user_of(request), locale=frame.locale_of(request))
    return frame.page(request, "cp/app.html", source=address, title="Installing SeQura")


@require_GET
def app(request: HttpRequest) -> HttpResponse:
    """The app in its frame; `?url=` is a deep link."""
    if not frame.store().access_token:
        return HttpResponseRedirect("/manage/apps")
    address = install.load_url(
        user=frame.user_of(request),
        locale=frame.locale_of(request),
        url=request.GET.get("url", "/"),
    )
    return frame.page(request, "cp/app.html", source=address, title="SeQura")


@transaction.non_atomic_requests
@require_POST
def uninstall(request: HttpRequest) -> HttpResponse:
    """BigCommerce's server tells the app, which may look at the store meanwhile."""
    install.uninstall(user=frame.user_of(request))
    return frame.back_to("/manage/apps", "success", "SeQura has been uninstalled.")
