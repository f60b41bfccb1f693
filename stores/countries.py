"""The countries SeQura sells in, by ISO 3166 code, and their names."""

from django.utils.translation import gettext_lazy as _

SELLING_COUNTRIES = {
    "ES": _("Spain"),
    "FR": _("France"),
    "IT": _("Italy"),
    "PT": _("Portugal"),
    "CO": _("Colombia"),
    "PE": _("Peru"),
}


def country_name(code: str) -> str:
    """The name in the reader's language; the code when SeQura does not sell there."""
    return str(SELLING_COUNTRIES.get(code, code))
