"""How a purchase came about, before its first entry in the log: what was told and heard."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from transaction_log.explanations import Text

TOLD, HEARD = _("Told to SeQura"), _("Heard from SeQura")
# Name, in words, and who spoke.
MOMENTS: dict[str, tuple[Text, Text]] = {
    "solicited": (_("Cart told, payment methods received"), TOLD),
    "form_shown": (_("Identification form shown to the shopper"), ""),
    "approved": (_("Payment approved"), HEARD),
    "needs_review": (_("Payment taken into review"), HEARD),
    "confirmed": (_("Payment confirmed"), TOLD),
    "on_hold": (_("Payment put on hold"), TOLD),
}


class Beginning(NamedTuple):
    """One moment of a purchase, as the timeline shows it."""

    what: Text
    source: Text
    at: datetime


def newest_first(moments: Iterable[tuple[str, str]]) -> list[Beginning]:
    """`Order.beginnings` in words; a name that an older release used is left out."""
    known = [(MOMENTS[name], parse_datetime(at)) for name, at in moments if name in MOMENTS]
    found = [Beginning(*words, at) for words, at in known if at]
    return sorted(found, key=lambda one: one.at, reverse=True)
