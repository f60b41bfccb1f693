"""Back to the page where a merchant pressed a button of an entry."""

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from panel.session import PanelRequest

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
