"""The log of all stores, for operators."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from stores.looking import LookingAdmin
from transaction_log.models import Entry


class OpenFilter(admin.SimpleListFilter):
    """Open entries are few and have an index of their own; other outcomes are searched by store."""

    title = "settled"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("rejected", "needs the merchant"), ("delayed", "is tried again")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:  # noqa: ARG002
        if self.value() is None:
            return queryset
        return queryset.filter(closed_at=None, outcome=self.value())


@admin.register(Entry)
class EntryAdmin(LookingAdmin):
    list_display = (
        "at",
        "store",
        "bigcommerce_id",
        "event",
        "outcome",
        "reason",
        "attempts",
        "closed_at",
    )
    list_filter = (OpenFilter,)
    list_select_related = ("store",)
    search_help_text = "An order number, or a SeQura reference in full"
    number_column = "bigcommerce_id"
    uuid_columns = ("reference",)
