"""The page that records the refund of a return which SeQura reported."""

import re
from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from orders.models import Order
from orders.returns import NoOfflineRefund, quote, refund, refunded_returns
from panel.session import PanelRequest, waiting_page
from stores.clients import bigcommerce_for
from stores.storefronts import order_link
from transaction_log.explanations import Text
from transaction_log.models import Entry

_TIMEOUT = (3.0, 8.0)  # seconds to connect, to answer: somebody is waiting for the page
_LONGEST = 9  # digits of a number in the form
_UNITS = re.compile(r"units_([0-9]{1,18})")


def _find(request: PanelRequest, order_id: int, entry_id: int) -> tuple[Order, Entry] | None:
    """Return the store's order and its open return."""
    store = request.store
    order = Order.objects.filter(store=store, bigcommerce_id=order_id).first()
    found = Entry.objects.filter(
        store=store, bigcommerce_id=order_id, pk=entry_id, event="return", closed_at__isnull=True
    )
    entry = found.first()
    if order is None or entry is None:
        return None
    order.store = store
    return order, entry


@require_safe
@waiting_page
def order_return(request: PanelRequest, order_id: int, entry_id: int) -> HttpResponse:
    """Ask which products came back; with units in the address, show what they come to."""
    if (found := _find(request, order_id, entry_id)) is None:
        raise Http404
    order, entry = found
    context: dict[str, Any] = {
        "order_id": order_id, "entry": entry, "shop": order_link(request.store, order_id),
        "lines": [], "problem": "", "words": "", "refunded": refunded_returns(order),
    }  # fmt: skip
    context |= _shown(order, request.GET)
    return render(request, "orders/return.html", context)


def _shown(order: Order, given: QueryDict) -> dict[str, Any]:
    """Return the lines with the units to refund, and their quote or why there is none."""
    api = bigcommerce_for(order.store, _TIMEOUT)
    shown: dict[str, Any] = {}
    try:
        shown["lines"] = lines = _lines(api, order, given)
        units = {line["id"]: line["units"] for line in lines if line["units"]}
        if units:
            shown["quote"] = quote(api, order, units)
    except NoOfflineRefund:
        shown["problem"] = _by_hand()
    except Rejected as refusal:
        shown |= {"problem": _by_hand(), "words": refusal.message}
    except Unavailable:
        shown["problem"] = _("BigCommerce didn't respond. Try again in a moment.")
    return shown


def _by_hand() -> Text:
    return _(
        "BigCommerce doesn't let the app refund these products. Open the order in BigCommerce and"
        " refund them there; the refund is then sent to SeQura and resolves the return."
    )


def _lines(api: BigCommerce, order: Order, given: QueryDict) -> list[dict[str, Any]]:
    """Return the products of which something can be refunded, with the units from the form."""
    lines = []
    for product in api.order_products(order.bigcommerce_id):
        left = int(product["quantity"]) - int(product.get("quantity_refunded") or 0)
        if left > 0:
            units = min(left, _number(given, f"units_{product['id']}"))
            shown = {"id": product["id"], "name": product.get("name"), "sku": product.get("sku")}
            lines.append({**shown, "left": left, "units": units})
    return lines


def _number(given: QueryDict, name: str) -> int:
    text = given.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST else 0


@require_POST
@waiting_page
def refund_return(request: PanelRequest, order_id: int, entry_id: int) -> HttpResponse:
    """Record the refund of these units for the amount that the page showed."""
    if (found := _find(request, order_id, entry_id)) is None:
        return _to_order(request, order_id, "settled")
    order, entry = found
    units, word = _units(request.POST), "refund_changed"
    if units:
        expected = _number(request.POST, "cents")
        word = _refund(order, entry, units, expected, request.panel_user.email)
    if word in ("refund_changed", "bigcommerce_failed"):
        return _to_return(request, order_id, entry_id, units, word)
    return _to_order(request, order_id, word)


def _units(given: QueryDict) -> dict[int, int]:
    """Return the units of the form, by id of the order's product."""
    names = (_UNITS.fullmatch(name) for name in given)
    numbers = {int(name[1]): _number(given, name[0]) for name in names if name}
    return {line: count for line, count in numbers.items() if count}


def _refund(
    order: Order, entry: Entry, units: Mapping[int, int], expected: int, person: str
) -> str:
    try:
        return refund(order, entry, units, expected, person)
    except (NoOfflineRefund, Rejected):
        return "refund_changed"  # the page asks for the quote again, and shows why there is none
    except Unavailable:
        return "bigcommerce_failed"


def _to_return(
    request: PanelRequest, order_id: int, entry_id: int, units: Mapping[int, int], word: str
) -> HttpResponse:
    address = reverse("order_return", args=[request.panel_token, order_id, entry_id])
    query = "".join(f"&units_{line}={count}" for line, count in units.items())
    return redirect(f"{address}?done={word}{query}")


def _to_order(request: PanelRequest, order_id: int, word: str) -> HttpResponse:
    address = reverse("order_panel", args=[request.panel_token, order_id])
    return redirect(f"{address}?done={word}")
