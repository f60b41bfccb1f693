"""Selling countries: which merchant id serves which country."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from panel.answers import done
from panel.forms import CountriesForm
from panel.session import PanelRequest, panel_page
from panel.setup_steps import milestones
from stores import connect


@require_http_methods(["GET", "HEAD", "POST"])
@panel_page
def countries(request: PanelRequest) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form = CountriesForm(connect.available(request.store), data)
    guided = request.GET.get("done") == "connected" or "guided" in request.POST
    if data is not None and form.is_valid():
        connect.choose(request.store, form.choice())
        ready = guided and form.choice()
        return done(request, "dashboard" if ready else "countries", "ready" if ready else "saved")
    context = {"form": form, "guide": milestones("countries") if guided else []}
    return render(request, "stores/countries.html", context, status=400 if form.errors else 200)
