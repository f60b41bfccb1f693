"""The log as a page of the control panel, at any width, and as CSV.

Its pages are read by keyset: a page starts after an entry, not at a number. So every page costs the
same however deep it lies and however long the log is: nothing is counted and nothing is skipped.
The comparison of rows `(at, id) < (…, …)` is what an index can answer; the usual
`at < … OR (at = … AND id < …)` reads the whole store. The file is streamed: a reader who takes an
hour holds no query and no memory of ours.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from django import forms
from django.core.exceptions import BadRequest
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone, translation
from django.utils.dateparse import parse_date
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from panel.export import csv_file, csv_text, few_per_store
from panel.figures import mark_outrun, with_approved
from panel.forms import IgnoreForm
from panel.notices import back
from panel.session import PanelRequest, panel_error, panel_page
from panel.templatetags.labels import explained, outcome_name
from stores import channels
from stores.models import Store
from stores.replica import replica
from stores.storefronts import order_link, portal_link
from transaction_log import record
from transaction_log.explanations import event_choices, event_label, outcome_choices
from transaction_log.models import Entry
from transport.reading import number_of

PAGE = 50
_EXPORT_CHUNK = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MANY = 100
_NEEDS_YOU = "needs_you"
_OUTCOMES = [
    ("", gettext_lazy("All")),
    (_NEEDS_YOU, gettext_lazy("Needs action")),
    *outcome_choices(),
]
_EARLIEST, _LATEST = date(2000, 1, 1), date(2999, 12, 31)  # within what a database can compare
_INPUT = {"class": "input"}


@dataclass(frozen=True)
class Position:
    """Where an entry stands in the log; its text goes into addresses."""

    at: datetime
    id: int

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls(entry.at, entry.pk)

    @classmethod
    def parse(cls, text: str) -> Self:
        """ValueError when it is none of ours."""
        at, _, number = text.partition("-")
        try:
            return cls(_EPOCH + int(at) * _MICROSECOND, _id(number))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{text!r} is no place in the log") from error

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // _MICROSECOND}-{self.id}"


def _id(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError(text)
    return number


@dataclass(frozen=True)
class _Page:
    """Entries, newest first, and from where their neighbours are reached."""

    entries: list[Entry]
    newer: Position | None
    older: Position | None


def _newest_first(store: Store) -> QuerySet[Entry]:
    """A store's entries. Every query of the log begins here."""
    return Entry.objects.filter(store=store).order_by("-at", "-id")


def _before(entries: QuerySet[Entry], position: Position) -> QuerySet[Entry]:
    return entries.filter(TupleLessThan(Tuple("at", "id"), (position.at, position.id)))


def _after(entries: QuerySet[Entry], position: Position) -> QuerySet[Entry]:
    return entries.filter(TupleGreaterThan(Tuple("at", "id"), (position.at, position.id)))


def _first_page(entries: QuerySet[Entry]) -> _Page:
    found = list(entries[: PAGE + 1])
    return _Page(found[:PAGE], None, _last(found) if len(found) > PAGE else None)


def _older_page(entries: QuerySet[Entry], position: Position) -> _Page:
    """The entries that come below this position."""
    found = list(_before(entries, position)[: PAGE + 1])
    newer = Position.of(found[0]) if found else None
    return _Page(found[:PAGE], newer, _last(found) if len(found) > PAGE else None)


def _newer_page(entries: QuerySet[Entry], position: Position) -> _Page:
    """The entries that come just above this position; at the top it is the first page."""
    found = list(_after(entries, position).order_by("at", "id")[: PAGE + 1])
    if len(found) <= PAGE:
        return _first_page(entries)
    shown = found[:PAGE][::-1]
    return _Page(shown, Position.of(shown[0]), Position.of(shown[-1]))


def _last(found: list[Entry]) -> Position:
    return Position.of(found[PAGE - 1])


def _chunks(entries: QuerySet[Entry], size: int = _EXPORT_CHUNK) -> Iterator[list[Entry]]:
    """All of them, a short query at a time: nothing is held open while a slow reader reads."""
    chunk = list(entries[:size])
    while chunk:
        yield chunk
        last = Position.of(chunk[-1])
        chunk = list(_before(entries, last)[:size]) if len(chunk) == size else []


def _needing_somebody(store: Store, most: int) -> int:
    """How many rejected entries are open, counted no further than `most`."""
    rejected = _newest_first(store).filter(closed_at=None, outcome=Entry.Outcome.REJECTED)
    return len(rejected.values_list("pk")[:most])


class _DateInput(forms.DateInput):
    """A date as the panel's languages write it: a native field follows the browser's language."""

    def format_value(self, value: Any) -> str | None:
        if isinstance(value, str):
            with suppress(ValueError):  # what is no date is shown as it was entered
                value = parse_date(value) or value
        return super().format_value(value)


def _date(label: Any) -> forms.DateField:
    attrs = {**_INPUT, "placeholder": gettext_lazy("dd/mm/yyyy"), "autocomplete": "off"}
    widget = _DateInput(attrs=attrs, format="%d/%m/%Y")
    return forms.DateField(
        label=label,
        required=False,
        widget=widget,
        input_formats=["%d/%m/%Y", "%Y-%m-%d"],
        validators=[MinValueValidator(_EARLIEST), MaxValueValidator(_LATEST)],
    )


class ListFilter(forms.Form):
    """A GET form over a list of the store, whose `q` may name one order."""

    def __init__(self, store: Store, data: Any) -> None:
        self.store = store
        super().__init__(data, auto_id="filter-%s")

    @property
    def is_used(self) -> bool:
        return any(self.data.get(name) for name in self.fields)

    def _named(self) -> Q | None:
        """Return the order of this number (`250`, `#250`, SeQura's `abc123-250`) or whole uuid.

        Return everything for an empty field, and None for another text.
        """
        text = " ".join(self.cleaned_data["q"].split()).removeprefix("#")
        if not text:
            return Q()
        try:
            return Q(reference=UUID(text))
        except ValueError:
            number = number_of(text.removeprefix(f"{self.store.hash}-"))
        return Q(bigcommerce_id=number) if number and number < 2**63 else None


class _LogFilter(ListFilter):
    """A GET form. `entries()` are the store's entries that match, newest first."""

    q = forms.CharField(
        label=gettext_lazy("Order number or SeQura reference"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={**_INPUT, "type": "search", "autocomplete": "off"}),
    )
    outcome = forms.ChoiceField(
        label=gettext_lazy("Status"),
        choices=_OUTCOMES,
        required=False,
        widget=forms.Select(attrs=_INPUT),
    )
    event = forms.ChoiceField(
        label=gettext_lazy("Event"),
        choices=[("", gettext_lazy("All")), *event_choices()],
        required=False,
        widget=forms.Select(attrs=_INPUT),
    )
    since = _date(gettext_lazy("From"))
    until = _date(gettext_lazy("To"))

    def clean_q(self) -> Q:
        if (named := self._named()) is None:
            raise forms.ValidationError(_("Enter an order number or a full SeQura reference."))
        return named

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", _("“To” must be after “From”."))
        return cleaned

    def entries(self) -> QuerySet[Entry]:
        """Nothing while the form is not valid: a filter that was misread must not show all."""
        entries = _newest_first(self.store)
        return entries.filter(self._wanted()) if self.is_valid() else entries.none()

    def _wanted(self) -> Q:
        wanted: Q = self.cleaned_data["q"]
        outcome, event = self.cleaned_data["outcome"], self.cleaned_data["event"]
        if outcome == _NEEDS_YOU:
            wanted &= Q(outcome=Entry.Outcome.REJECTED, closed_at=None)
        elif outcome:
            wanted &= Q(outcome=outcome)
        if event:
            wanted &= Q(event=event)
        return wanted & self._dates()

    def _dates(self) -> Q:
        """Whole days in the store's time zone."""
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        wanted = Q(at__gte=_midnight(since)) if since else Q()
        return wanted & Q(at__lt=_midnight(until + timedelta(days=1))) if until else wanted


def _midnight(day: date) -> datetime:
    """When a day begins, in the current time zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


@require_safe
@panel_page
def transaction_log(request: PanelRequest) -> HttpResponse:
    """Newest first, a page at a time. Three queries with the session's, at any length."""
    filters = _LogFilter(request.store, request.GET)
    try:
        page = _page(request, filters)
    except ValueError:
        return _unknown_place(request)
    mark_outrun(page.entries)
    context = {
        "filters": filters,
        "page": page,
        "query": _query(request),
        "is_first": not {"before", "after"} & set(request.GET),
        "needing": _needing_somebody(request.store, _MANY),
        "many": _MANY,
    }
    return render(request, "transaction_log/log.html", context)


def _page(request: PanelRequest, filters: _LogFilter) -> _Page:
    entries = with_approved(filters.entries())
    if before := request.GET.get("before"):
        return _older_page(entries, Position.parse(before))
    if after := request.GET.get("after"):
        return _newer_page(entries, Position.parse(after))
    return _first_page(entries)


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
def export_csv(request: PanelRequest) -> HttpResponseBase:
    """Everything that matches the filter, as a file that grows while it is being read."""
    filters = _LogFilter(request.store, request.GET)
    if not filters.is_valid():
        raise BadRequest
    entries = with_approved(filters.entries())
    lines = _csv_lines(request.store, entries, get_language() or "en")
    response = csv_file(f"sequra-{request.store.hash}-{timezone.localdate():%Y-%m-%d}.csv", lines)
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
    entry = get_object_or_404(Entry, store=request.store, pk=entry_id)
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


def _csv_lines(store: Store, entries: QuerySet[Entry], language: str) -> Iterator[str]:
    """The file, some hundred lines at a time, in this language and the current time zone.

    It is read after the view has returned, so both are fixed now.
    """
    return _lines(store, entries.using(replica()), language, timezone.get_current_timezone())


def _lines(store: Store, entries: QuerySet[Entry], language: str, zone: tzinfo) -> Iterator[str]:
    yield csv_text([_heading(language)])
    for chunk in _chunks(entries):
        with translation.override(language):
            text = csv_text(_row(store, entry, zone) for entry in chunk)
        yield text


def _heading(language: str) -> list[str]:
    with translation.override(language):
        return [
            _("Date and time"),
            _("Order"),
            _("SeQura reference"),
            _("Environment"),
            _("Payment method"),
            _("Event"),
            _("Status"),
            _("Reason"),
            _("SeQura's message"),
            _("What happened"),
            _("What to do"),
            _("Still to ship"),
            _("Shipped"),
            _("Attempts"),
            _("Last attempt"),
            _("Closed"),
            _("Dismissed by"),
            _("Note"),
            "BigCommerce",
            "SeQura",
            _("Storefront"),
        ]


def _row(store: Store, entry: Entry, zone: tzinfo) -> list[object]:
    explanation = explained(entry)
    return [
        _moment(entry.at, zone),
        "" if entry.bigcommerce_id is None else entry.bigcommerce_id,
        entry.reference or "",
        entry.environment,
        entry.payment_method,
        event_label(entry.event),
        outcome_name(entry),
        entry.reason,
        entry.words,
        explanation.what,
        explanation.todo,
        _euros(entry.unshipped),
        _euros(entry.shipped),
        entry.attempts,
        _moment(entry.last_at, zone),
        _moment(entry.closed_at, zone),
        entry.ignored_by,
        entry.note,
        order_link(store, entry.bigcommerce_id),
        portal_link(entry.environment, entry.reference),
        _storefront(store, getattr(entry, "channel_id", None)),
    ]


def _storefront(store: Store, channel_id: int | None) -> str:
    """Return the storefront of the entry's order; empty for an entry about none."""
    return channels.name_of(store, channel_id) if channel_id else ""


def _euros(cents: int | None) -> str:
    """An amount that a spreadsheet reads as a number, whatever the language."""
    return "" if cents is None else f"{Decimal(cents) / 100:.2f}"


def _moment(at: datetime | None, zone: tzinfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds") if at else ""
