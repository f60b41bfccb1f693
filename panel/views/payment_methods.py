"""What SeQura lets the merchant sell, country by country."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from panel.answers import done
from panel.session import PanelRequest, panel_page
from stores import connect
from stores import payment_methods as methods


@require_safe
@panel_page
def payment_methods(request: PanelRequest) -> HttpResponse:
    merchants = connect.selling(request.store)
    asked = request.GET.get("country", "")
    merchant = next((one for one in merchants if one.country == asked), None)
    merchant = merchant or next(iter(merchants), None)
    rows = [_row(method) for method in merchant.payment_methods] if merchant else []
    context = {"merchants": merchants, "merchant": merchant, "rows": rows}
    return render(request, "stores/payment_methods.html", context)


def _row(method: dict[str, Any]) -> dict[str, Any]:
    name = " · ".join(filter(None, [method["product"], method["campaign"]]))
    dates = {key: _moment(method[key]) for key in ("starts_at", "ends_at")}
    return {**method, **dates, "name": name, "icon": ""}


def _moment(text: str | None) -> datetime | None:
    try:
        return parse_datetime(text or "")
    except ValueError:
        return None


@require_POST
@panel_page
def refresh(request: PanelRequest) -> HttpResponse:
    failed = methods.refresh(request.store)
    return done(request, "payment_methods", "not_refreshed" if failed else "refreshed")
