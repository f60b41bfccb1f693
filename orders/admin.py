"""Orders and the inbox, for operators. Personal data stays out: see `stores.personal_data`."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from orders.models import Order, WebhookEvent
from orders.queue import claim
from orders.queue.wakeup import ring
from stores.looking import LookingAdmin


@admin.register(Order)
class OrderAdmin(LookingAdmin):
    list_display = (
        "bigcommerce_id",
        "store",
        "reference",
        "status",
        "changed",
        "synced",
        "due_at",
        "attempts",
    )
    list_select_related = ("store",)
    actions = ("synchronise",)
    exclude = ("ledger", "left_by_status")
    search_help_text = "An order number, or a SeQura reference in full"
    number_column = "bigcommerce_id"
    uuid_columns = ("reference",)

    def has_synchronise_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.change_order")

    @admin.action(description="Tell SeQura again", permissions=["synchronise"])
    def synchronise(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        """Make these orders due."""
        orders.update(refused="")
        marked = claim.mark_changed(pk__in=list(orders.values_list("pk", flat=True)))
        ring()
        self.message_user(request, f"{marked} orders are due.", messages.SUCCESS)


@admin.register(WebhookEvent)
class WebhookEventAdmin(LookingAdmin):
    list_display = ("received_at", "store", "scope", "bigcommerce_order_id", "outcome")
    list_select_related = ("store",)
    search_help_text = "An order number"
    number_column = "bigcommerce_order_id"
