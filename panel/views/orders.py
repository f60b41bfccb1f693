"""The list of the store's orders: searched by an index, page by page, whatever their number."""

from typing import Any

from django import forms
from django.core.validators import MinLengthValidator
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.fields.json import KT
from django.db.models.fields.tuple_lookups import Tuple, TupleLessThan
from django.db.models.functions import Coalesce, Concat
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from orders.models import Order, customer, searchable
from panel.session import PanelRequest, panel_page
from panel.views.log import PAGE, ListFilter, Position
from transaction_log.models import Entry

_LEAST = 3  # letters of a name or an e-mail address: fewer match too much
_STATES: dict[str, Any] = {
    "": _("All"),
    "needs_you": _("Needs action"),
    "in_review": _("In review"),
    "unsynced": _("Not synced"),
    "reported": _("In a delivery report"),
}


_CUSTOMER = {f"customer_{part}": customer(part) for part in ("email", "name", "surnames")}
_LAST = "\U0010ffff"


def _begins(part: str, text: str) -> Q:
    """Match what begins with this text: a range of the index, in its byte order."""
    start, column = Value(text[:99]), f"customer_{part}"
    beyond = Concat(searchable(start), Value(_LAST))
    return Q(**{f"{column}__gte": searchable(start), f"{column}__lt": beyond})


class _OrderFilter(ListFilter):
    """A GET form. `orders()` are the store's orders that match, the newest first."""

    q = forms.CharField(
        label=_("Customer, email, order number or SeQura reference"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"class": "input", "type": "search", "autocomplete": "off"}),
    )
    state = forms.ChoiceField(
        label=_("Status"),
        choices=list(_STATES.items()),
        required=False,
        widget=forms.Select(attrs={"class": "input"}),
    )

    def clean_q(self) -> Q:
        """Return one order, or those whose customer's name or e-mail address begins like this."""
        if (named := self._named()) is not None:
            return named
        text = " ".join(self.cleaned_data["q"].split())
        MinLengthValidator(_LEAST)(text)
        if "@" in text:
            return _begins("email", text)
        return _begins("name", text) | _begins("surnames", text)

    @property
    def moment(self) -> str:
        """Return the column that the list is sorted by: the one that its index is sorted by."""
        state = self.cleaned_data["state"] if self.is_valid() else ""
        return {"reported": "reported_at", "unsynced": "due_at"}.get(state, "placed_at")

    def orders(self) -> QuerySet[Order]:
        """Nothing while the form is not valid: a filter that was misread must not show all."""
        orders = Order.objects.filter(store=self.store).alias(**_CUSTOMER)
        if not self.is_valid():
            return orders.none()
        wanted = orders.filter(self.cleaned_data["q"]).filter(self._in_state())
        return wanted.order_by(f"-{self.moment}", "-id")

    def _in_state(self) -> Q:
        open_ones = Entry.objects.filter(
            store=self.store, closed_at=None, outcome=Entry.Outcome.REJECTED
        )
        states = {
            "needs_you": Q(bigcommerce_id__in=open_ones.values("bigcommerce_id")),
            "in_review": Q(status=Order.Status.IN_REVIEW),
            "unsynced": Q(changed__gt=F("synced")),
            "reported": Q(reported_at__isnull=False),
        }
        return states.get(self.cleaned_data["state"], Q())


@require_safe
@panel_page
def orders(request: PanelRequest) -> HttpResponse:
    """Show a page of orders: two queries with the session's, at any length of the list."""
    filters = _OrderFilter(request.store, request.GET)
    found, is_first = filters.orders(), True
    try:
        place = Position.parse(request.GET.get("before", ""))
    except ValueError:
        pass
    else:
        found = found.filter(TupleLessThan(Tuple(filters.moment, "id"), (place.at, place.id)))
        is_first = False
    rows = list(_with_columns(found)[: PAGE + 1])
    query = request.GET.copy()
    query.pop("before", None)
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    context = {
        "filters": filters,
        "orders": rows[:PAGE],
        "older": Position(getattr(last, filters.moment), last.pk) if last else None,
        "is_first": is_first,
        "query": query.urlencode(),
        "by_report": filters.moment == "reported_at",
    }
    return render(request, "orders/list.html", context)


def _with_columns(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Return the orders with what the table shows of them, without their documents."""
    open_ones = Entry.objects.filter(
        store=OuterRef("store"),
        bigcommerce_id=OuterRef("bigcommerce_id"),
        closed_at=None,
        outcome=Entry.Outcome.REJECTED,
    )
    return orders.annotate(
        given_names=_of_customer("given_names"),
        surnames=_of_customer("surnames"),
        email=_of_customer("email"),
        shipped=F("accepted_update__shipped_cart__order_total_with_tax"),
        unshipped=F("accepted_update__unshipped_cart__order_total_with_tax"),
        needs_action=Exists(open_ones),
    ).only(
        "bigcommerce_id", "channel_id", "amount", "status", "payment_method", "placed_at",
        "changed", "synced", "reported_at",
    )  # fmt: skip


def _of_customer(name: str) -> Coalesce:
    """Return a detail as SeQura last accepted it, else as the shopper entered it."""
    path = f"customer__{name}"
    return Coalesce(KT(f"accepted_update__{path}"), KT(f"solicited__{path}"))
