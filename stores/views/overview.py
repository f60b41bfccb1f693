"""The first page: what is connected, what is in place, what comes next."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from stores import connect, registration
from stores.access import PanelRequest, panel_error, panel_page
from stores.views.answers import done
from stores.views.steps import setup_steps


@require_safe
@panel_page
def dashboard(request: PanelRequest) -> HttpResponse:
    store = request.store
    context = {
        "steps": setup_steps(store),
        "connections": store.connections.exclude(state="archived").order_by("deployment"),
        "merchants": connect.selling(store),
        "healthy": registration.is_healthy(store),
    }
    return render(request, "stores/dashboard.html", context)


@require_POST
@panel_page
def repair(request: PanelRequest) -> HttpResponse:
    """Put everything in place again; what BigCommerce still refuses stays on the page."""
    healthy = registration.register(request.store)
    return done(request, "dashboard", "repaired" if healthy else "")


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
