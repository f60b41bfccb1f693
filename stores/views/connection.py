"""Connecting SeQura: environment, deployments, credentials."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from sequra.documents import Deployment
from sequra.errors import Rejected, Unavailable
from stores import connect, payment_methods
from stores.access import PanelRequest, panel_page
from stores.deployments import deployments
from stores.forms import ConnectionForm
from stores.views.answers import done


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
    context = {"form": form, "connected": bool(form.connected)}
    return render(request, "stores/connection.html", context, status=400 if form.errors else 200)


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
    request.store.send_statistics = form.cleaned_data["send_statistics"]
    request.store.save(update_fields=["send_statistics"])
    payment_methods.refresh(request.store)
    return True


@require_POST
@panel_page
def disconnect(request: PanelRequest) -> HttpResponse:
    connect.disconnect(request.store)
    return done(request, "connection", "disconnected")
