"""One-line answers to a form, carried over the redirect as a word in the address.

Django's messages need a cookie, and browsers refuse ours inside the control panel.
"""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from panel.session import PanelRequest

NOTICES = {
    "saved": _("Changes saved successfully."),
    "connected": _("SeQura accepted your credentials."),
    "disconnected": _("SeQura is disconnected. Shoppers no longer see it in your checkout."),
    "repaired": _("Everything SeQura needs in your store is in place."),
    "refreshed": _("Payment methods were fetched from SeQura again."),
    "stopped": _("SeQura is disconnected, and is told nothing more about your orders."),
    "excluded": _("SeQura is no longer offered for it."),
    "allowed": _("SeQura is offered for it again."),
    "address": _("The old address no longer works. Give the new one to whoever calls it."),
    "ready": _("Everything is set up: shoppers can pay with SeQura."),
}


PROBLEMS = {
    "not_refreshed": _("SeQura did not answer for every country. What it told us before stays."),
    "not_repaired": _("Something is still missing. The set-up says what, and why."),
}


def text_of(word: str) -> str:
    """The sentence for a word of `?done=`; nothing for a word we did not coin."""
    return str({**NOTICES, **PROBLEMS}.get(word, ""))


def kind_of(word: str) -> str:
    """How the sentence looks: as good news or as bad."""
    return "warning" if word in PROBLEMS else "success"


# Answers to a form of the control panel.
def done(request: PanelRequest, page: str, word: str = "") -> HttpResponse:
    """Back to a page, with the notice that `word` stands for (`panel.notices`)."""
    address = reverse(page, args=[request.panel_token])
    return redirect(f"{address}?done={word}" if word else address)
