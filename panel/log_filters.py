"""What a merchant may ask of the log: order or reference, outcome, event, dates."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from panel.log_query import newest_first
from stores.models import Store
from transaction_log.explanations import event_choices, outcome_choices
from transaction_log.models import Entry

_NEEDS_YOU = "needs_you"
_OUTCOMES = [("", _("All")), (_NEEDS_YOU, _("Needs action")), *outcome_choices()]
_MOST_DIGITS = 18
_EARLIEST, _LATEST = date(2000, 1, 1), date(2999, 12, 31)  # within what a database can compare
_INPUT = {"class": "input"}


class _DateInput(forms.DateInput):
    input_type = "date"


def _date(label: Any) -> forms.DateField:
    widget = _DateInput(attrs=_INPUT, format="%Y-%m-%d")
    return forms.DateField(
        label=label,
        required=False,
        widget=widget,
        input_formats=["%Y-%m-%d"],
        validators=[MinValueValidator(_EARLIEST), MaxValueValidator(_LATEST)],
    )


class LogFilter(forms.Form):
    """A GET form. `entries()` are the store's entries that match, newest first."""

    q = forms.CharField(
        label=_("Order number or SeQura reference"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={**_INPUT, "type": "search", "autocomplete": "off"}),
    )
    outcome = forms.ChoiceField(
        label=_("Status"), choices=_OUTCOMES, required=False, widget=forms.Select(attrs=_INPUT)
    )
    event = forms.ChoiceField(
        label=_("Event"),
        choices=[("", _("All")), *event_choices()],
        required=False,
        widget=forms.Select(attrs=_INPUT),
    )
    since = _date(_("From"))
    until = _date(_("To"))

    def __init__(self, store: Store, data: Any) -> None:
        self.store = store
        super().__init__(data, auto_id="filter-%s")

    def clean_q(self) -> Q:
        """An order number (`250`, `#250`, as SeQura knows it `abc123-250`) or a whole uuid."""
        text = self.cleaned_data["q"].strip().removeprefix("#")
        number = text.removeprefix(f"{self.store.hash}-")
        if not text:
            return Q()
        if number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS:
            return Q(bigcommerce_id=int(number))
        try:
            return Q(reference=UUID(text))
        except ValueError:
            raise forms.ValidationError(
                _("Enter an order number or a full SeQura reference.")
            ) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", _("“To” must be after “From”."))
        return cleaned

    @property
    def is_used(self) -> bool:
        return any(self.data.get(name) for name in self.fields)

    def entries(self) -> QuerySet[Entry]:
        """Nothing while the form is not valid: a filter that was misread must not show all."""
        entries = newest_first(self.store)
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
