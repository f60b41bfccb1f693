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


_NOTICES = {
    "saved": Notice("success", _("Your changes have been saved.")),
    "asked": Notice(
        "success",
        _(
            "Address added. We're sending it a confirmation link, and alerts start once it's"
            " confirmed."
        ),
    ),
    "asked_too_often": Notice(
        "warning", _("Too many confirmation emails were sent. Try again tomorrow.")
    ),
    "tested": Notice("info", _("We're sending a test request. Its result appears below.")),
    "tested_too_often": Notice("warning", _("Too many tests in the last hour. Try again later.")),
    "removed": Notice("success", _("Address removed. It no longer receives alerts.")),
    "undone": Notice("success", _("Setting restored.")),
    "not_undone": Notice(
        "warning",
        _(
            "Nothing was changed: the setting has changed since then, or its earlier value is"
            " no longer valid."
        ),
    ),
    "storefront_on": Notice("success", _("SeQura is on in the new storefront.")),
    "storefront_off": Notice("success", _("SeQura stays off in the new storefront.")),
    "connected": Notice("success", _("SeQura accepted your credentials.")),
    "disconnected": Notice(
        "success", _("SeQura is disconnected. It no longer appears in your checkout.")
    ),
    "repaired": Notice("success", _("SeQura's script, order panel and webhooks are in place.")),
    "refreshed": Notice("success", _("Payment methods updated.")),
    "stopped": Notice(
        "success", _("SeQura is disconnected. Order updates are no longer sent to SeQura.")
    ),
    "excluded": Notice("success", _("Item excluded. SeQura is hidden for carts that contain it.")),
    "allowed": Notice("success", _("Exclusion removed. SeQura is available for this item again.")),
    "address": Notice(
        "success", _("The old URL no longer works. Enter the new one in your scheduler.")
    ),
    "ready": Notice("success", _("All set: customers can pay with SeQura.")),
    "ready_to_test": Notice("success", _("All set: pay for a test order in your store.")),
    "not_refreshed": Notice(
        "warning", _("SeQura didn't respond for some countries. Showing the last known data.")
    ),
    "not_repaired": Notice(
        "warning", _("Some steps still fail. The setup check shows which ones and why.")
    ),
    "accepted": Notice("success", _("SeQura accepted the update.")),
    "unchanged": Notice(
        "success",
        _("Nothing to send: SeQura already has the latest version."),
    ),
    "rejected": Notice(
        "error", _("SeQura rejected the order again. Fix the problem below before you retry.")
    ),
    "still_ignored": Notice("warning", _("SeQura rejected it again. The entry stays dismissed.")),
    "delayed": Notice(
        "warning", _("We couldn't send the update this time. We'll keep retrying automatically.")
    ),
    "archived": Notice("warning", REASONS["archived"].what),
    "closed": Notice("info", REASONS["closed"].what),
    "queued": Notice(
        "info",
        _("The update is queued and will be sent shortly. Reload this page to see the result."),
    ),
    "not_connected": Notice(
        "warning",
        _(
            "Nothing was sent: this order's SeQura account isn't connected. Connect that"
            " account again and we'll send it."
        ),
    ),
    "no_access": Notice(
        "warning",
        _(
            "Nothing was sent: BigCommerce no longer accepts our access to your store."
            " Reinstall the app and we'll send it. Your settings are kept."
        ),
    ),
    "ignored": Notice("success", _("Dismissed. You can still find it in the log.")),
    "settled": Notice("info", _("This was already resolved.")),
    "sending": Notice("info", _("Sending the report…")),
    "under_way": Notice("info", _("A report is already being sent.")),
    "checking": Notice("info", _("Comparing all open orders with SeQura…")),
    "check_under_way": Notice("info", _("A check is already running.")),
    "finished": Notice("success", _("The order now has the status for paid orders.")),
    "not_finished": Notice("warning", _("The order isn't approved, so its status wasn't changed.")),
    "applied": Notice("success", _("BigCommerce now has SeQura's value.")),
    "applied_to_order": Notice(
        "warning",
        _(
            "The order now has SeQura's value, but the customer's account or address book doesn't."
            " The page shows why."
        ),
    ),
    "refund_recorded": Notice(
        "success", _("The refund was recorded in BigCommerce and is sent to SeQura.")
    ),
    "refund_under_way": Notice("info", _("This refund is already being recorded.")),
    "refund_in_doubt": Notice(
        "warning",
        _(
            "BigCommerce didn't confirm the refund and may have recorded it. Press the button again"
            " in three minutes: we then look for the refund before we record another one."
        ),
    ),
    "refund_changed": Notice(
        "warning",
        _("Nothing was refunded: the amount has changed. Check the new amount, then record it."),
    ),
    "kept": Notice("success", _("We kept BigCommerce's value and will send it to SeQura.")),
    "entered": Notice("success", _("Correction saved. Choose which value to keep.")),
    "no_news": Notice("info", _("SeQura already has this value, so there's nothing to record.")),
    "bigcommerce_failed": Notice(
        "error", _("BigCommerce didn't complete the change. Try again: nothing is changed twice.")
    ),
}

# Pages that show entries; the panel and the comparison are about one order.
_PAGES_OF_ORDER = ("order_panel", "order_comparison")
_PAGES_OF_STORE = ("shipping", "reconciliation")


def notice_of(done: str) -> Notice | None:
    """Return the notice of this name; None for a name that is not ours."""
    return _NOTICES.get(done)


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
    is_listed = page in _PAGES_OF_STORE
    query = QueryDict("" if is_listed else request.POST.get("query", "")[:500], mutable=True)
    query["done"] = done
    if order_id is not None:
        query["about"] = str(order_id)
    address = reverse(page if is_listed else "transaction_log", args=[request.panel_token])
    return redirect(f"{address}?{query.urlencode()}")
