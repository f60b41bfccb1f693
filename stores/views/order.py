"""The side panel of an order."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from stores.access import PanelRequest, panel_page


@require_safe
@panel_page
def order_panel(request: PanelRequest, order_id: int) -> HttpResponse:
    """BigCommerce opens it for every order; most of them were not paid with SeQura."""
    order = request.store.orders.filter(bigcommerce_id=order_id).first()
    return render(request, "stores/order.html", {"order": order, "order_id": order_id})
