"""The merchant's settings: who sees SeQura, what order statuses mean, when reports go."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from panel.answers import done
from panel.forms import GeneralForm, ReportsForm, StatusesForm
from panel.session import PanelRequest, panel_page
from stores import connect, statuses
from stores.models import new_secret

# What a contract with SeQura may hold that concerns carts in which nothing is shipped.
SERVICES = "services"


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def general(request: PanelRequest) -> HttpResponse:
    merchants = connect.selling(request.store)
    countries = [one.country for one in merchants if SERVICES in one.contract_options]
    data = request.POST if request.method == "POST" else None
    form = GeneralForm(request.store, data, services=bool(countries))
    if data is not None and form.is_valid():
        form.save(request.store)
        return done(request, "settings", "saved")
    context = {"form": form, "services": countries}
    return render(request, "stores/general.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def order_statuses(request: PanelRequest) -> HttpResponse:
    store = request.store
    known = bool(store.status_labels) or statuses.refresh(store)
    data = request.POST if request.method == "POST" else None
    form = StatusesForm(store, data)
    if data is not None and form.is_valid():
        form.save(store)
        return done(request, "order_statuses", "saved")
    context = {
        "form": form,
        "known": known,
        "mapping_warnings": statuses.mapping_warnings(store),
        "shipped_warnings": statuses.shipped_warnings(store),
        "cancelling_warnings": statuses.cancelling_warnings(store),
    }
    status = 400 if form.errors else 200
    return render(request, "stores/order_statuses.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def report_settings(request: PanelRequest) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form = ReportsForm(request.store, data)
    if data is not None and form.is_valid():
        form.save(request.store)
        return done(request, "report_settings", "saved")
    return render(
        request, "stores/reports.html", {"form": form}, status=400 if form.errors else 200
    )


@require_POST
@panel_page
def new_report_address(request: PanelRequest) -> HttpResponse:
    """The address is a secret; a new one makes the old one useless."""
    request.store.report_token = new_secret()
    request.store.save(update_fields=["report_token"])
    return done(request, "report_settings", "address")
