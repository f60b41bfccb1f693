"""Deciding about SeQura's corrections, on the order's panel."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.validators import validate_email
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from bigcommerce.errors import Rejected, Unavailable
from orders import corrections
from orders.models import Correction, Order
from panel.labels import label
from panel.notices import back
from panel.session import PanelRequest, panel_error, panel_page
from panel.views.log import no_such_thing
from payloads.order.corrections import PATHS


def _choices() -> list[tuple[str, str]]:
    return [(path, label(path)) for path in PATHS]


_Decide = Callable[[Order, Correction, str], None]


class CorrectionForm(forms.Form):
    """Record a value that SeQura gave by phone or email."""

    path = forms.ChoiceField(
        label=gettext_lazy("Detail"),
        choices=_choices,
        widget=forms.Select(attrs={"class": "input"}),
    )
    value = forms.CharField(
        label=gettext_lazy("SeQura's value"),
        max_length=255,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("path", "").endswith(".email") and given.get("value"):
            validate_email(given["value"])
        return given


def _order(request: PanelRequest, order_id: int) -> Order | None:
    orders = Order.objects.select_related("store", "connection")
    return orders.filter(store=request.store, bigcommerce_id=order_id).first()


@require_POST
@panel_page
def apply_correction(request: PanelRequest, order_id: int, correction_id: int) -> HttpResponse:
    """Write SeQura's value into the BigCommerce order."""
    return _decide(request, order_id, correction_id, corrections.apply, "applied")


@require_POST
@panel_page
def keep_correction(request: PanelRequest, order_id: int, correction_id: int) -> HttpResponse:
    """Keep BigCommerce's value and send it to SeQura."""
    return _decide(request, order_id, correction_id, corrections.keep_ours, "kept")


def _decide(
    request: PanelRequest, order_id: int, correction_id: int, decide: _Decide, word: str
) -> HttpResponse:
    order = _order(request, order_id)
    if order is None:
        return no_such_thing(request)
    rows = corrections.open_rows(order.store, order.reference)
    found = next((row for row in rows if row.pk == correction_id), None)
    if found is None:
        return back(request, "settled", order_id)
    try:
        decide(order, found, request.panel_user.email)
    except (Rejected, Unavailable):
        word = "bigcommerce_failed"
    return back(request, word, order_id)


@require_POST
@panel_page
def enter_correction(request: PanelRequest, order_id: int) -> HttpResponse:
    """SeQura told the merchant otherwise."""
    order = _order(request, order_id)
    if order is None:
        return no_such_thing(request)
    form = CorrectionForm(request.POST)
    if not form.is_valid():
        problems = " ".join(str(text) for texts in form.errors.values() for text in texts)
        return panel_error(
            request, 400, _("Your changes couldn't be saved"), problems, request.store
        )
    given, person = form.cleaned_data, request.panel_user.email
    new = corrections.enter(order, given["path"], given["value"], person)
    return back(request, "entered" if new else "no_news", order_id)
