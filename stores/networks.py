"""The list of allowed IP addresses, as a merchant types it."""

import re
from ipaddress import ip_network

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from rest_framework import serializers

from stores.settings_file import network


def parse(text: str) -> list[str]:
    """Addresses and networks, one a line or divided by commas. Raises ValidationError."""
    entries = list(dict.fromkeys(re.split(r"[\s,;]+", text.strip()))) if text.strip() else []
    complaints = [complaint for entry in entries if (complaint := _complaint(entry))]
    if complaints:
        raise ValidationError(complaints)
    return [entry for entry in entries if entry]


def _complaint(entry: str) -> str:
    """What is wrong with it; nothing when `manage.py store_settings` would take it too."""
    try:
        network(entry)
    except serializers.ValidationError:
        return _meant(entry)
    return ""


def _meant(entry: str) -> str:
    try:
        guess = ip_network(entry, strict=False)
    except ValueError:
        return _("“%(entry)s” is no IP address or network.") % {"entry": entry[:60]}
    return _("“%(entry)s” is an address inside a network. Did you mean %(guess)s?") % {
        "entry": entry[:60],
        "guess": guess,
    }
