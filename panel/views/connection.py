"""Connecting SeQura: environment, deployments, credentials, and the health of all of it."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from panel import figures
from panel.forms import ConnectionForm, CountriesForm, DisconnectForm
from panel.notices import show
from panel.session import PanelRequest, panel_page, waiting_page
from panel.setup_steps import guide, milestones
from panel.state import setup_of
from panel.views.dashboard import gaps
from sequra.client import Rejected, Unavailable
from sequra.documents import Deployment, PaymentMethod
from stores import channels, connect, registration
from stores import connect as methods
from stores.clients import deployments
from stores.store_settings import recorded

_FAR_YEARS = 10


@require_http_methods(["GET", "HEAD", "POST"])
@waiting_page
def connection(request: PanelRequest) -> HttpResponse:
    known = _deployments()
    if known is None:
        return render(request, "stores/connection.html", {"form": None}, status=503)
    data = request.POST if request.method == "POST" else None
    wanted = (data or request.GET).get("environment")
    goes_live = wanted == "live" and request.store.environment == "sandbox"
    form = ConnectionForm(request.store, known, data, goes_live=goes_live)
    if data is not None and form.is_valid() and _connect(request, form):
        return show(request, "countries" if not form.connected else "connection", "connected")
    context = _about(request, form)
    return render(request, "stores/connection.html", context, status=400 if form.errors else 200)


def _about(request: PanelRequest, form: ConnectionForm) -> dict[str, object]:
    store, connections = request.store, list(form.connected.values())
    merchants = connect.selling_anywhere(store)
    going = form.goes_live and bool(connections)
    return {
        "form": form,
        "gaps": gaps(store) if going else [],
        "goes_live": going,
        "connected": bool(connections),
        "orders": figures.recent(store) if connections else 0,
        "setup": setup_of(store, connections, merchants),
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
        accounts = connect.ask_sequra(form.cleaned_data["environment"], form.logins())
    except connect.Refused as refusal:
        form.refusals = refusal.problems
        form.add_error(None, refusal.problems.get("") or _("Nothing was changed."))
        return False
    with recorded(request.store, request.author):
        connect.save(request.store, form.cleaned_data["environment"], accounts)
    form.save(request.store, request.author)
    connect.refresh(request.store)
    return True


@require_POST
@panel_page
def disconnect(request: PanelRequest) -> HttpResponse:
    """Open orders stay in step, unless the merchant chose to stop that too."""
    form = DisconnectForm(request.POST)
    stop = form.is_valid() and form.cleaned_data["orders"] == "stop"
    with recorded(request.store, request.author):
        connect.disconnect(request.store, stop=stop)
    return show(request, "connection", "stopped" if stop else "disconnected")


@require_POST
@waiting_page
def repair(request: PanelRequest) -> HttpResponse:
    """Put everything in place again; what BigCommerce still refuses stays on the page."""
    healthy = registration.register(request.store, wait=0)
    page = "connection" if request.POST.get("page") == "connection" else "dashboard"
    return show(request, page, "repaired" if healthy else "not_repaired")


# Selling countries: which merchant id serves which country.
@require_http_methods(["GET", "HEAD", "POST"])
@waiting_page
def countries(request: PanelRequest) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form = CountriesForm(connect.available(request.store), data)
    guided = request.GET.get("done") == "connected" or "guided" in request.POST
    if data is not None and form.is_valid():
        with recorded(request.store, request.author):
            connect.choose(request.store, form.choice())
        if not (guided and form.choice()):
            return show(request, "countries", "saved")
        is_live = request.store.environment == "live"
        return show(request, "dashboard", "ready" if is_live else "ready_to_test")
    context = {
        "form": form,
        "guide": milestones("countries") if guided else [],
        "not_offered": connect.not_offered(request.store),
        "own": channels.names_with_own(request.store, channels.COUNTRIES),
    }
    return render(request, "stores/countries.html", context, status=400 if form.errors else 200)


# What SeQura lets the merchant sell, country by country.
@require_safe
@waiting_page
def payment_methods(request: PanelRequest) -> HttpResponse:
    merchants = connect.selling_anywhere(request.store)
    asked, ref = request.GET.get("country", ""), request.GET.get("merchant", "")
    of_country = [one for one in merchants if one.country == asked]
    # Storefronts may sell in one country with different merchant ids.
    merchant = next((one for one in of_country if one.ref == ref), next(iter(of_country), None))
    merchant = merchant or next(iter(merchants), None)
    rows = [_row(method) for method in merchant.payment_methods] if merchant else []
    context = {"merchants": merchants, "merchant": merchant, "rows": rows}
    return render(request, "stores/payment_methods.html", context)


def _row(method: PaymentMethod) -> dict[str, Any]:
    dates = {key: _moment(method[key]) for key in ("starts_at", "ends_at")}
    return {"method": method, **dates}


def _moment(text: str | None) -> datetime | None:
    """Return a date that says something: SeQura writes the year 2222 for "always"."""
    try:
        moment = parse_datetime(text or "")
    except ValueError:
        return None
    return moment if moment and abs(moment.year - timezone.now().year) < _FAR_YEARS else None


@require_POST
@waiting_page
def refresh(request: PanelRequest) -> HttpResponse:
    failed = methods.refresh(request.store)
    return show(request, "payment_methods", "not_refreshed" if failed else "refreshed")
