"""One-line answers to a form, carried over the redirect as a name in the address: `?done=saved`.

Django's messages need a cookie, and browsers refuse ours inside the control panel.
"""

from typing import NamedTuple

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from panel.session import PanelRequest
from transaction_log.explanations import REASONS, Text


class Notice(NamedTuple):
    """A sentence, and how its box looks: success, info, warning or error."""

    kind: str
    text: Text


NOTICES = {
    "saved": Notice("success", _("Changes saved successfully.")),
    "connected": Notice("success", _("SeQura accepted your credentials.")),
    "disconnected": Notice(
        "success", _("SeQura is disconnected. Shoppers no longer see it in your checkout.")
    ),
    "repaired": Notice("success", _("Everything SeQura needs in your store is in place.")),
    "refreshed": Notice("success", _("Payment methods were fetched from SeQura again.")),
    "stopped": Notice(
        "success", _("SeQura is disconnected, and is told nothing more about your orders.")
    ),
    "excluded": Notice("success", _("SeQura is no longer offered for it.")),
    "allowed": Notice("success", _("SeQura is offered for it again.")),
    "address": Notice(
        "success", _("The old address no longer works. Give the new one to whoever calls it.")
    ),
    "ready": Notice("success", _("Everything is set up: shoppers can pay with SeQura.")),
    "not_refreshed": Notice(
        "warning", _("SeQura did not answer for every country. What it told us before stays.")
    ),
    "not_repaired": Notice(
        "warning", _("Something is still missing. The set-up says what, and why.")
    ),
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

# Pages that show entries; the panel and the comparison are about one order.
_PAGES_OF_ORDER = ("order_panel", "order_comparison")
_PAGES_OF_STORE = ("shipping", "reconciliation")


def notice_of(done: str) -> Notice | None:
    """Return the notice of this name; None for a name that is not ours."""
    return NOTICES.get(done)


def show(request: PanelRequest, page: str, done: str = "") -> HttpResponse:
    """Redirect to a page of the app, with a notice."""
    address = reverse(page, args=[request.panel_token])
    return redirect(f"{address}?done={done}" if done else address)


def back(request: PanelRequest, done: str, order_id: int | None) -> HttpResponse:
    """Where the form says it stood: never anywhere but one of our own pages."""
    page = request.POST.get("page", "")
    if page in _PAGES_OF_ORDER and order_id is not None:
        address = reverse(page, args=[request.panel_token, order_id])
        return redirect(f"{address}?done={done}")
    if page in _PAGES_OF_STORE:
        return redirect(f"{reverse(page, args=[request.panel_token])}?done={done}")
    query = QueryDict(request.POST.get("query", "")[:500], mutable=True)
    query["done"] = done
    address = reverse("transaction_log", args=[request.panel_token])
    return redirect(f"{address}?{query.urlencode()}")
