"""What a merchant writes: why an entry is ignored, and how long the log is kept."""

from django import forms
from django.utils.translation import gettext_lazy as _

LEAST_DAYS, MOST_DAYS = 7, 3650


class IgnoreForm(forms.Form):
    note = forms.CharField(label=_("Why can it be ignored?"), max_length=500)


class RetentionForm(forms.Form):
    days = forms.IntegerField(
        label=_("Days"),
        min_value=LEAST_DAYS,
        max_value=MOST_DAYS,
        widget=forms.NumberInput(attrs={"class": "input"}),
    )
