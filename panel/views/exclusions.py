"""Categories and products for which SeQura is not offered, found by name in the catalogue."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from bigcommerce.errors import Rejected, Unavailable
from panel.forms import ExclusionForm
from panel.session import PanelRequest, panel_error, panel_page
from stores import catalogue

LONGEST = 100


@require_safe
@panel_page
def exclusions(request: PanelRequest) -> HttpResponse:
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
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
        words = _("BigCommerce did not let us search: %(words)s") % {"words": refusal.words}
        return [], words
    except Unavailable:
        return [], _("BigCommerce did not answer. Search again in a moment.")


@require_POST
@panel_page
def change_exclusions(request: PanelRequest) -> HttpResponse:
    form = ExclusionForm(request.POST)
    if not form.is_valid():
        return panel_error(
            request,
            400,
            _("We did not understand that"),
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
    if text := request.POST.get("q", "")[:LONGEST]:
        query["q"] = text
    address = reverse("exclusions", args=[request.panel_token])
    return redirect(f"{address}?{urlencode(query)}")
