"""Connecting SeQura: environment, deployments, credentials, and the health of all of it."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from panel import figures
from panel.answers import done
from panel.forms import ConnectionForm, DisconnectForm
from panel.session import PanelRequest, panel_page
from panel.setup_steps import guide, setup_steps
from sequra.documents import Deployment
from sequra.errors import Rejected, Unavailable
from stores import connect, payment_methods, registration
from stores.deployments import deployments


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def connection(request: PanelRequest) -> HttpResponse:
    known = _deployments()
    if known is None:
        return render(request, "stores/connection.html", {"form": None}, status=503)
    data = request.POST if request.method == "POST" else None
    form = ConnectionForm(request.store, known, data)
    if data is not None and form.is_valid() and _connect(request, form):
        return done(request, "countries" if not form.connected else "connection", "connected")
    context = _about(request, form)
    return render(request, "stores/connection.html", context, status=400 if form.errors else 200)


def _about(request: PanelRequest, form: ConnectionForm) -> dict[str, object]:
    store, connections = request.store, list(form.connected.values())
    merchants = connect.selling(store)
    return {
        "form": form,
        "connected": bool(connections),
        "orders": figures.recent(store) if connections else 0,
        "steps": setup_steps(store, connections, merchants),
        "healthy": registration.is_healthy(store),
        "guide": guide(connections, merchants),
        "page": "connection",
    }


def _deployments() -> list[Deployment] | None:
    try:
        return deployments()
    except (Rejected, Unavailable):
        return None


def _connect(request: PanelRequest, form: ConnectionForm) -> bool:
    """True when SeQura accepted everything; else the form says what to do."""
    try:
        connect.connect(request.store, form.cleaned_data["environment"], form.logins())
    except connect.Refused as refusal:
        form.refusals = refusal.problems
        form.add_error(None, refusal.problems.get("") or _("Nothing was changed."))
        return False
    form.save(request.store)
    payment_methods.refresh(request.store)
    return True


@require_POST
@panel_page
def disconnect(request: PanelRequest) -> HttpResponse:
    """Open orders stay in step, unless the merchant chose to stop that too."""
    form = DisconnectForm(request.POST)
    stop = form.is_valid() and form.cleaned_data["orders"] == "stop"
    connect.disconnect(request.store, stop=stop)
    return done(request, "connection", "stopped" if stop else "disconnected")


@require_POST
@panel_page
def repair(request: PanelRequest) -> HttpResponse:
    """Put everything in place again; what BigCommerce still refuses stays on the page."""
    healthy = registration.register(request.store, wait=0)
    page = "connection" if request.POST.get("page") == "connection" else "dashboard"
    return done(request, page, "repaired" if healthy else "not_repaired")
