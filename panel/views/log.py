"""The log as a page of the control panel, at any width."""

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from panel.export import csv_lines, few_per_store
from panel.forms import IgnoreForm, RetentionForm
from panel.log_filters import LogFilter
from panel.log_query import (
    Page,
    Position,
    first_page,
    needing_somebody,
    newer_page,
    older_page,
    with_approved,
)
from panel.notices import back
from panel.session import PanelRequest, bad_form, panel_error, panel_page
from stores.models import Store
from transaction_log import record
from transaction_log.models import Entry

_MANY = 100


@require_safe
@panel_page
def transaction_log(request: PanelRequest) -> HttpResponse:
    """Newest first, a page at a time. Three queries with the session's, at any length."""
    filters = LogFilter(request.store, request.GET)
    try:
        page = _page(request, filters)
    except ValueError:
        return _unknown_place(request)
    context = {
        "filters": filters,
        "page": page,
        "query": _query(request),
        "is_first": not {"before", "after"} & set(request.GET),
        "needing": needing_somebody(request.store, _MANY),
        "many": _MANY,
        "retention": RetentionForm({"days": request.store.log_retention_days}),
    }
    return render(request, "transaction_log/log.html", context)


def _page(request: PanelRequest, filters: LogFilter) -> Page:
    entries = with_approved(filters.entries())
    if before := request.GET.get("before"):
        return older_page(entries, Position.parse(before))
    if after := request.GET.get("after"):
        return newer_page(entries, Position.parse(after))
    return first_page(entries)


def _query(request: PanelRequest) -> str:
    """The filter as it stands in the address, without the place in the list."""
    query = request.GET.copy()
    for name in ("before", "after", "done"):
        query.pop(name, None)
    return query.urlencode()


def _unknown_place(request: PanelRequest) -> HttpResponse:
    text = _("This URL isn't a valid transaction log page. Open the log again.")
    return panel_error(request, 400, _("Something's not right"), text, request.store)


@require_safe
@panel_page
@few_per_store
def export_csv(request: PanelRequest) -> HttpResponse | StreamingHttpResponse:
    """Everything that matches the filter, as a file that grows while it is being read."""
    filters = LogFilter(request.store, request.GET)
    if not filters.is_valid():
        return bad_form(request)
    entries = with_approved(filters.entries())
    lines = csv_lines(request.store, entries, get_language() or "en")
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"sequra-{request.store.hash}-{timezone.localdate():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    # Between these two moments lie the entries: what a progress bar needs to know.
    response["X-Export-Since"] = _oldest(request.store)
    return response


def _oldest(store: Store) -> str:
    oldest = Entry.objects.filter(store=store).order_by("at", "id").first()
    return oldest.at.isoformat() if oldest else ""


@require_POST
@panel_page
def ignore_entry(request: PanelRequest, entry_id: int) -> HttpResponse:
    """Take an entry off the list, with a reason that stays with it."""
    entry = Entry.objects.filter(store=request.store, pk=entry_id).first()
    if entry is None:
        return no_such_thing(request)
    form = IgnoreForm(request.POST)
    if not form.is_valid():
        return panel_error(
            request,
            400,
            _("Enter a reason"),
            _("Go back and enter a short reason for dismissing this entry."),
            request.store,
        )
    done = record.ignore(entry, request.panel_user.email, form.cleaned_data["note"])
    return back(request, "ignored" if done else "settled", entry.bigcommerce_id)


def no_such_thing(request: PanelRequest) -> HttpResponse:
    """The same answer for what is not there and for what is another store's."""
    text = _(
        "The address may be wrong or out of date. Open SeQura again from the Apps menu of your"
        " control panel."
    )
    return panel_error(request, 404, _("Page not found"), text, request.store)


@require_POST
@panel_page
def keep_log(request: PanelRequest) -> HttpResponse:
    """How long closed entries are kept."""
    form = RetentionForm(request.POST)
    if not form.is_valid():
        days = form.errors["days"]
        return panel_error(
            request,
            400,
            _("Your changes couldn't be saved"),
            " ".join(map(str, days)),
            request.store,
        )
    form.save(request.store, request.author)
    return back(request, "retention", None)
