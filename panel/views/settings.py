"""The merchant's settings: who sees SeQura, what order statuses mean, when reports go."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bigcommerce.errors import Rejected, Unavailable
from orders.nightly import next_moment
from panel.forms import ExclusionForm, GeneralForm, ReportsForm, StatusesForm
from panel.notices import show
from panel.session import PanelRequest, panel_error, panel_page
from stores import catalogue, connect, statuses
from stores.models import new_secret

# What a contract with SeQura may hold that concerns carts in which nothing is shipped.
_SERVICES = "services"


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def general(request: PanelRequest) -> HttpResponse:
    merchants = connect.selling(request.store)
    countries = [one.country for one in merchants if _SERVICES in one.contract_options]
    data = request.POST if request.method == "POST" else None
    form = GeneralForm(request.store, data, services=bool(countries))
    if data is not None and form.is_valid():
        form.save(request.store)
        return show(request, "settings", "saved")
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
        return show(request, "order_statuses", "saved")
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
        return show(request, "report_settings", "saved")
    next_at = next_moment(request.store, timezone.now()) if request.store.reports_enabled else None
    context = {"form": form, "next_at": next_at}
    return render(request, "stores/reports.html", context, status=400 if form.errors else 200)


@require_POST
@panel_page
def new_report_address(request: PanelRequest) -> HttpResponse:
    """The address is a secret; a new one makes the old one useless."""
    request.store.report_token = new_secret()
    request.store.save(update_fields=["report_token"])
    return show(request, "report_settings", "address")


# Categories and products for which SeQura is not offered, found by name in the catalogue.
_LONGEST = 100


@require_safe
@panel_page
def exclusions(request: PanelRequest) -> HttpResponse:
    text = request.GET.get("q", "").replace("\0", "").strip()[:_LONGEST]
    found, problem = _search(request, text) if text else ([], "")
    context = {
        "text": text,
        "found": found,
        "problem": problem,
        "categories": catalogue.excluded(request.store, "category"),
        "products": catalogue.excluded(request.store, "product"),
    }
    return render(request, "stores/exclusions.html", context)


def _search(request: PanelRequest, text: str) -> tuple[list[catalogue.Thing], str]:
    try:
        return catalogue.search(request.store, text), ""
    except Rejected as refusal:
        words = _("BigCommerce rejected the search: %(words)s") % {"words": refusal.message}
        return [], words
    except Unavailable:
        return [], _("BigCommerce didn't respond. Search again in a moment.")


@require_POST
@panel_page
def change_exclusions(request: PanelRequest) -> HttpResponse:
    form = ExclusionForm(request.POST)
    if not form.is_valid():
        return panel_error(
            request,
            400,
            _("Something's not right"),
            _("Go back and try again."),
            request.store,
        )
    kind, key = form.cleaned_data["kind"], form.cleaned_data["key"]
    if form.cleaned_data["action"] == "exclude":
        catalogue.exclude(request.store, kind, key, form.cleaned_data["name"])
        return _back(request, "excluded")
    catalogue.allow(request.store, kind, key)
    return _back(request, "allowed")


def _back(request: PanelRequest, word: str) -> HttpResponse:
    """To the page with the search as it stood."""
    query = {"done": word}
    if text := request.POST.get("q", "")[:_LONGEST]:
        query["q"] = text
    address = reverse("exclusions", args=[request.panel_token])
    return redirect(f"{address}?{urlencode(query)}")
