"""Answers to a form of the control panel."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from panel.session import PanelRequest


def done(request: PanelRequest, page: str, word: str = "") -> HttpResponse:
    """Back to a page, with the notice that `word` stands for (`panel.notices`)."""
    address = reverse(page, args=[request.panel_token])
    return redirect(f"{address}?done={word}" if word else address)
