"""The page "Why is SeQura not shown?"."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from panel import why_not_shown
from panel.session import PanelRequest, panel_page
from panel.why_forms import WhatIfForm

LONGEST = 300


@require_safe
@panel_page
def why_not(request: PanelRequest) -> HttpResponse:
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    asks = "amount" in request.GET
    form = WhatIfForm(request.GET if asks else None)
    context = {
        "text": text,
        "found": why_not_shown.find(request.store, text) if text else None,
        "form": form,
        "answer": why_not_shown.what_if(request.store, form) if asks and form.is_valid() else None,
    }
    return render(request, "payments/why.html", context)
