"""The pages about one order: BigCommerce's side panel, the comparison, retries and corrections.

The panel opens for every order of the store, most of which were not paid with SeQura. It makes no
call and three queries at most: the session with its store, the order, its entries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.validators import validate_email
from django.db.models import F, OuterRef, Subquery
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

import bigcommerce.api
import sequra.client
from bigcommerce.api import Rejected, Unavailable
from orders import corrections
from orders.corrections import brought_along, with_corrections
from orders.models import Correction, Order
from orders.sync.retry import retry
from orders.sync.snapshot import UNREADABLE, read_snapshot
from orders.sync.sync import reading_of
from panel.figures import mark_outrun, with_approved
from panel.notices import back
from panel.session import PanelRequest, panel_error, panel_page, waiting_page
from panel.templatetags.labels import label, newest_first
from payloads.codes import INCOMPLETE
from payloads.order.comparison import (
    Comparison,
    Update,
    as_accepted,
    cart_total,
    compare,
    parcels,
    standing,
)
from payloads.order.order_update import Held, Snapshot
from payloads.order.people import PATHS, value_at
from payments.models import Solicitation
from stores.clients import bigcommerce_for, sequra_for
from stores.encryption import Undecryptable
from stores.storefronts import order_link, portal_home, portal_link
from transaction_log.explanations import Text
from transaction_log.models import Entry

_MANY = 100
_DELAYED = Entry.Outcome.DELAYED
_TIMEOUT = (3.0, 8.0)  # seconds to connect, to answer: somebody is waiting for the page


@dataclass(frozen=True)
class _Amounts:
    """Cents: what SeQura financed, and how it stands by what SeQura last accepted."""

    financed: int
    shipped: int
    refunded: int
    owed: int


@require_safe
@panel_page
def order_panel(request: PanelRequest, order_id: int) -> HttpResponse:
    """Everything we know of an order."""
    order = _find(request, order_id)
    if order is None:
        context = {"order_id": order_id, "portal": portal_home(request.store.environment)}
        return render(request, "orders/not_sequra.html", context)
    context = _about(request, order)
    if "live" in request.GET:
        context["live"] = _live_state(order)
    return render(request, "orders/panel.html", context)


def _live_state(order: Order) -> Text:
    """Ask SeQura for the order's state now. Where it gives none, say so."""
    try:
        api = sequra_for(order.connection)
        state = api.order_state(order.merchant_ref, order.reference, timeout=_TIMEOUT)
    except (sequra.client.Rejected, sequra.client.Unavailable, Undecryptable):
        return _("SeQura didn't respond. Open the order in SeQura's portal instead.")
    if not state:
        return _("SeQura gives apps no current state. Open the order in SeQura's portal instead.")
    return _("SeQura's current state: %(state)s") % {"state": state}


def _find(request: PanelRequest, order_id: int) -> Order | None:
    """The store's order; its store is the session's, so that it costs no query."""
    payments = Solicitation.objects.filter(store=OuterRef("store"), reference=OuterRef("reference"))
    orders = with_corrections(Order.objects.select_related("connection")).annotate(
        risk_level=Subquery(payments.values("risk_level")[:1]),
        decision=Subquery(payments.values("state")[:1]),
        decided_at=Subquery(payments.values("notified_at")[:1]),
    )
    order = orders.filter(store=request.store, bigcommerce_id=order_id).first()
    if order:
        order.store = request.store
    return order


def _get(request: PanelRequest, order_id: int) -> Order:
    if order := _find(request, order_id):
        return order
    raise Http404


def _about(request: PanelRequest, order: Order) -> dict[str, Any]:
    entries = _entries(order)
    accepted = as_accepted(order.accepted_update, order.solicited)
    lines, rows = standing(order.solicited, accepted), brought_along(order)
    return {
        "order": order,
        "order_id": order.bigcommerce_id,
        "amounts": _amounts_of(order),
        "lines": lines,
        "parcels": parcels(accepted, order.ledger, lines),
        "entries": entries,
        # Corrections have a place of their own on the page, with both values.
        "problems": [one for one in entries if _is_for_the_merchant(one)],
        "retrying": [one for one in entries if one.is_open and one.outcome == _DELAYED],
        "purchase_is_listed": any(entry.event == "purchase" for entry in entries),
        "beginnings": newest_first(order.beginnings),
        "many": len(entries) == _MANY,
        "is_waiting": order.changed > order.synced,
        "portal": portal_link(order.connection.environment, order.reference),
        "shop": order_link(request.store, order.bigcommerce_id),
        "corrections": [row for row in rows if not row.decision],
        "decided": [
            {"row": row, "held": value_at(accepted, row.path)} for row in rows if row.decision
        ],
        "correction_form": _CorrectionForm(auto_id="correction_%s"),
    }


def _is_for_the_merchant(entry: Entry) -> bool:
    return entry.is_open and entry.outcome != _DELAYED and entry.event != "correction"


def _entries(order: Order) -> list[Entry]:
    """The order's entries, newest first; open ones are among them however old they are."""
    entries = with_approved(
        Entry.objects.filter(store=order.store, bigcommerce_id=order.bigcommerce_id)
    )
    found = list(entries.order_by(F("closed_at").desc(nulls_first=True), "-id")[:_MANY])
    mark_outrun(found)
    return sorted(found, key=lambda entry: (entry.at, entry.pk), reverse=True)


def _amounts_of(order: Order) -> _Amounts:
    """What SeQura no longer asks of the shopper was refunded, whatever the merchant called it."""
    update = order.accepted_update
    shipped = 0 if update is None else cart_total(update, "shipped_cart")
    unshipped = order.amount if update is None else cart_total(update, "unshipped_cart")
    if order.status == Order.Status.CANCELLED:
        unshipped = 0
    owed = shipped + unshipped
    return _Amounts(order.amount, shipped, max(0, order.amount - owed), owed)


@require_safe
@waiting_page
def order_comparison(request: PanelRequest, order_id: int) -> HttpResponse:
    """What BigCommerce has now, what SeQura last accepted, and what would be sent."""
    order = _get(request, order_id)
    comparison, problem, words = _compare(order)
    about = _about(request, order)
    context = {
        **about,
        "corrected": {one.path.partition(".")[0] for one in about["corrections"]},
        "comparison": comparison,
        "problem": problem,
        "words": words,
    }
    return render(request, "orders/comparison.html", context)


def _compare(order: Order) -> tuple[Comparison | None, str, str]:
    """The comparison; where it is not whole, why (a reason code) and somebody's words."""
    accepted = as_accepted(order.accepted_update, order.solicited)
    try:
        api = bigcommerce_for(order.store, _TIMEOUT)
        snapshot = read_snapshot(api, order.bigcommerce_id, has_shipments=order.has_shipments)
    except bigcommerce.api.Rejected as refusal:
        gone = refusal.status == 404
        return None, "archived" if gone else "bigcommerce_refused", refusal.message
    except bigcommerce.api.Unavailable as error:
        return None, "bigcommerce_unavailable", error.reason
    if order.status == Order.Status.CANCELLED:
        return _compare_shop(snapshot, accepted), "closed", ""
    try:
        return compare(snapshot, accepted, reading_of(order, snapshot).update), "", ""
    except Held as error:
        return _compare_shop(snapshot, accepted), error.reason, error.detail
    except UNREADABLE:
        return None, "unreadable", ""


def _compare_shop(snapshot: Snapshot, accepted: Update) -> Comparison | None:
    """Without what would be sent."""
    try:
        return compare(snapshot, accepted, None)
    except UNREADABLE:
        return None


@require_POST
@waiting_page
def retry_order(request: PanelRequest, order_id: int, *, in_doubt: bool = False) -> HttpResponse:
    """Send SeQura the order as it is now, and show how that ended.

    `in_doubt`: even where nothing seems to differ, because SeQura's portal may show otherwise.
    """
    order = _get(request, order_id)
    if in_doubt:
        # As after a failed attempt, the log shows how it ended though SeQura accepts the same.
        Order.objects.filter(pk=order.pk).update(unsure=True, attempts=F("attempts") + 1)
    return back(request, retry(order, person=request.panel_user.email), order_id)


@require_POST
@waiting_page
def finish_order(request: PanelRequest, order_id: int) -> HttpResponse:
    """Give an order that was paid and stayed Incomplete the status of paid ones."""
    order = _get(request, order_id)
    return back(request, _finish(order), order_id)


def _finish(order: Order) -> str:
    status = order.settings.status_approved
    if order.status != Order.Status.APPROVED or status is None:
        return "not_finished"
    try:
        api = bigcommerce_for(order.store)
        if api.order(order.bigcommerce_id)["status_id"] == INCOMPLETE:
            api.update_order(order.bigcommerce_id, {"status_id": status})
    except (Rejected, Unavailable):
        return "bigcommerce_failed"
    return "finished"


def _choices() -> list[tuple[str, str]]:
    return [(path, label(path)) for path in PATHS]


_Decide = Callable[[Order, Correction, str], str]  # returns a key of `panel.notices`


class _CorrectionForm(forms.Form):
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


@require_POST
@waiting_page
def apply_correction(request: PanelRequest, order_id: int, correction_id: int) -> HttpResponse:
    """Write SeQura's value into the BigCommerce order."""
    return _decide(request, order_id, correction_id, corrections.apply)


@require_POST
@waiting_page
def keep_correction(request: PanelRequest, order_id: int, correction_id: int) -> HttpResponse:
    """Keep BigCommerce's value and send it to SeQura."""
    return _decide(request, order_id, correction_id, corrections.keep_ours)


def _decide(
    request: PanelRequest, order_id: int, correction_id: int, decide: _Decide
) -> HttpResponse:
    order = _get(request, order_id)
    rows = corrections.open_rows(order.store, order.reference)
    found = next((row for row in rows if row.pk == correction_id), None)
    if found is None:
        return back(request, "settled", order_id)
    try:
        word = decide(order, found, request.panel_user.email)
    except (Rejected, Unavailable):
        word = "bigcommerce_failed"
    return back(request, word, order_id)


@require_POST
@waiting_page
def enter_correction(request: PanelRequest, order_id: int) -> HttpResponse:
    """SeQura told the merchant otherwise."""
    order = _get(request, order_id)
    form = _CorrectionForm(request.POST)
    if not form.is_valid():
        problems = " ".join(str(text) for texts in form.errors.values() for text in texts)
        return panel_error(
            request, 400, _("Your changes couldn't be saved"), problems, request.store
        )
    given, person = form.cleaned_data, request.panel_user.email
    new = corrections.enter(order, given["path"], given["value"], person)
    return back(request, "entered" if new else "no_news", order_id)
