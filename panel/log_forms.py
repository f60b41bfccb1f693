"""What a merchant writes: why an entry is ignored, and how long the log is kept."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from panel.forms import SettingsForm
from stores.settings_file import LABELS, LEAST_LOG_DAYS, MOST_LOG_DAYS


class IgnoreForm(forms.Form):
    note = forms.CharField(label=_("Why can it be ignored?"), max_length=500)


class RetentionForm(SettingsForm):
    columns = ("log_retention_days",)
    days = forms.IntegerField(
        label=LABELS["log_retention_days"],
        min_value=LEAST_LOG_DAYS,
        max_value=MOST_LOG_DAYS,
        widget=forms.NumberInput(attrs={"class": "input"}),
    )

    def values(self) -> dict[str, Any]:
        return {"log_retention_days": self.cleaned_data["days"]}
