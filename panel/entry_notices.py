"""What became of a merchant's action on an entry, carried over the redirect as a word."""

from typing import NamedTuple

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from panel.session import PanelRequest
from transaction_log.explanations import REASONS, Text


class Notice(NamedTuple):
    kind: str  # of the message box: success, warning, error, info
    text: Text


NOTICES = {
    "accepted": Notice("success", _("SeQura accepted the order as it is now in BigCommerce.")),
    "unchanged": Notice(
        "success",
        _("Nothing had to be sent: SeQura already knows the order as it is now in BigCommerce."),
    ),
    "rejected": Notice(
        "error", _("SeQura refused it again. Its words are below; correct the order first.")
    ),
    "still_ignored": Notice("warning", _("SeQura refused it again. The entry stays ignored.")),
    "delayed": Notice(
        "warning", _("It did not get through this time. We go on trying by ourselves.")
    ),
    "archived": Notice("warning", REASONS["archived"].what),
    "closed": Notice("info", REASONS["closed"].what),
    "queued": Notice(
        "info",
        _("The order is queued and is sent in a moment. Reload this page to see how it went."),
    ),
    "not_connected": Notice(
        "warning",
        _(
            "Nothing was sent: the SeQura account of this order is not connected."
            " It is sent once you connect that account again in the connection settings."
        ),
    ),
    "no_access": Notice(
        "warning",
        _(
            "Nothing was sent: BigCommerce no longer accepts our access to your store."
            " It is sent once you have installed the app again; your settings stay."
        ),
    ),
    "ignored": Notice("success", _("The entry is off your list. It stays in the log.")),
    "settled": Notice("info", _("This entry was settled in the meantime.")),
    "retention": Notice("success", _("Changes saved successfully.")),
    "sending": Notice("info", _("The report is being sent. This page shows how far it is.")),
    "under_way": Notice("info", _("A report is already under way.")),
    "checking": Notice("info", _("Every open order is being compared with SeQura.")),
    "check_under_way": Notice("info", _("A check is already under way.")),
    "finished": Notice("success", _("The order has the status of paid orders now.")),
    "not_finished": Notice("warning", _("The order is not approved, so its status stays.")),
    "applied": Notice("success", _("SeQura's data is in the BigCommerce order now.")),
    "kept": Notice("success", _("Your data stays, and SeQura is told so.")),
    "entered": Notice("success", _("Noted. Decide below which of the two is right.")),
    "no_news": Notice("info", _("SeQura was told the same already, so there is nothing to note.")),
    "bigcommerce_failed": Notice(
        "error", _("BigCommerce did not take the change. Nothing was changed; try again.")
    ),
}


def notice_of(word: str) -> Notice | None:
    """The sentence for a word of `?said=`; nothing for a word we did not coin."""
    return NOTICES.get(word)


# Back to the page where a merchant pressed a button of an entry.
# Pages that show entries; the panel and the comparison are about one order.
PAGES_OF_ORDER = ("order_panel", "order_comparison")
PAGES_OF_STORE = ("shipping", "reconciliation")


def back(request: PanelRequest, word: str, order_id: int | None) -> HttpResponse:
    """Where the form says it stood: never anywhere but one of our own pages."""
    page = request.POST.get("page", "")
    if page in PAGES_OF_ORDER and order_id is not None:
        address = reverse(page, args=[request.panel_token, order_id])
        return redirect(f"{address}?said={word}")
    if page in PAGES_OF_STORE:
        return redirect(f"{reverse(page, args=[request.panel_token])}?said={word}")
    query = QueryDict(request.POST.get("query", "")[:500], mutable=True)
    query["said"] = word
    address = reverse("transaction_log", args=[request.panel_token])
    return redirect(f"{address}?{query.urlencode()}")
