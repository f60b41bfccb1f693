"""Django's admin for operators: read-only, nothing is counted, no secret and no person is shown.

At ten million rows a `COUNT(*)` takes longer than everything else on the page, so the paginator
counts up to a thousand rows and offers no more pages than that. What is further away is searched.
"""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from orders.models import Order, WebhookEvent
from orders.queue import claim
from orders.queue.wakeup import wake_worker
from payments.models import Solicitation
from stores.models import Connection, Merchant, PanelUser, Store
from stores.privacy.personal_data import TABLES
from stores.settings_file import SETTINGS
from transaction_log.models import Entry

_CAP = 1000
_MOST_DIGITS = 18


# Generic for the type checker only: Django subscripts neither of these at run time.
class _CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Knows of at most `_CAP` rows."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows.order_by().values_list("pk")[:_CAP])


# Unused arguments in these classes are part of the signatures that Django calls.
class _ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A model as operators see it. Subclasses say in which columns what is typed is searched."""

    actions: Any = None
    list_per_page = 50
    list_max_show_all = 50
    ordering = ("-id",)
    paginator = _CappedPaginator
    show_full_result_count = False
    sortable_by = ()
    # Without any, the admin shows no search field; what is typed in is read below.
    search_fields = ("pk",)
    number_column = ""
    uuid_columns: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ()

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Hide every column with personal data that is not in the list on purpose."""
        hidden = {*(super().get_exclude(request, obj) or ())}
        hidden |= {*TABLES[self.model._meta.label].people}.difference(map(str, self.list_display))
        return sorted(hidden)

    # Django passes these arguments.
    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_search_results(
        self,
        # Django passes it.
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Whole numbers, uuids and texts only: each is found by an index."""
        text = search_term.strip().replace("\0", "")
        return (queryset.filter(self._wanted(text)) if text else queryset), False

    def _wanted(self, text: str) -> Q:
        wanted = Q(pk__in=[])
        for column in self.text_columns:
            wanted |= Q(**{column: text})
        if self.number_column and text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS:
            wanted |= Q(**{self.number_column: int(text)}) & self._any_store()
        if as_uuid := _uuid(text):
            for column in self.uuid_columns:
                wanted |= Q(**{column: as_uuid})
        return wanted

    def _any_store(self) -> Q:
        """Indexes begin with the store: asking each of them is quicker than reading all rows."""
        model: type[Model] = self.model
        names = {field.name for field in model._meta.get_fields()}
        return Q(store__in=Store.objects.values("pk")) if "store" in names else Q()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@admin.register(Store)
class _StoreAdmin(_ReadOnlyAdmin):
    list_display = ("hash", "name", "state", "environment", "installed_at", "uninstalled_at")
    list_filter = ("state", "environment")
    exclude = ("access_token", "webhook_secret", "report_token", "alert_secrets")
    text_columns = ("hash", "name")
    uuid_columns = ("public_id",)

    def get_fieldsets(self, request: HttpRequest, obj: Store | None = None) -> Any:
        """Show the merchant's settings in a section of their own, in the order of the registry."""
        columns = (setting.column for setting in SETTINGS)
        settings = ["environment", *columns, "channel_settings"]
        shown = self.get_fields(request, obj)
        return [
            (None, {"fields": [name for name in shown if name not in settings]}),
            ("Settings", {"fields": [name for name in settings if name in shown]}),
        ]


@admin.register(Connection)
class _ConnectionAdmin(_ReadOnlyAdmin):
    list_display = ("store", "deployment", "environment", "username", "state", "refused_at")
    list_filter = ("state", "environment", "deployment")
    list_select_related = ("store",)
    exclude = ("password",)
    text_columns = ("username", "store__hash")


@admin.register(Merchant)
class _MerchantAdmin(_ReadOnlyAdmin):
    list_display = ("ref", "store", "country", "selling", "payment_methods_at")
    list_filter = ("selling", "country")
    list_select_related = ("store",)
    text_columns = ("ref", "store__hash")


@admin.register(PanelUser)
class _PanelUserAdmin(_ReadOnlyAdmin):
    list_display = ("email", "store", "locale", "is_owner", "seen_at")
    list_select_related = ("store",)
    text_columns = ("email", "store__hash")


@admin.register(Order)
class _OrderAdmin(_ReadOnlyAdmin):
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

    @admin.action(description="Send to SeQura again", permissions=["synchronise"])
    def synchronise(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        """Make these orders due."""
        orders.update(refused="")
        marked = claim.mark_changed(pk__in=list(orders.values_list("pk", flat=True)))
        wake_worker()
        self.message_user(request, f"{marked} orders are due.", messages.SUCCESS)


@admin.register(WebhookEvent)
class _WebhookEventAdmin(_ReadOnlyAdmin):
    list_display = ("received_at", "store", "scope", "bigcommerce_order_id", "outcome")
    list_select_related = ("store",)
    search_help_text = "An order number"
    number_column = "bigcommerce_order_id"


@admin.register(Solicitation)
class _SolicitationAdmin(_ReadOnlyAdmin):
    list_display = ("created_at", "store", "reference", "order_id", "state", "phase", "refusal")
    list_select_related = ("store",)
    exclude = (
        "token", "token_digest", "signature", "told_addresses", "checkout_token", "certificates",
    )  # fmt: skip
    search_help_text = "A SeQura reference, or an id of ours, in full"
    uuid_columns = ("reference", "public_id")


class _OpenFilter(admin.SimpleListFilter):
    """Open entries are few and have an index of their own; other outcomes are searched by store."""

    title = "settled"
    parameter_name = "open"

    # Django passes these arguments.
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("rejected", "needs the merchant"), ("delayed", "is tried again")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:  # noqa: ARG002
        if self.value() is None:
            return queryset
        return queryset.filter(closed_at=None, outcome=self.value())


@admin.register(Entry)
class _EntryAdmin(_ReadOnlyAdmin):
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
    list_filter = (_OpenFilter,)
    list_select_related = ("store",)
    search_help_text = "An order number, or a SeQura reference in full"
    number_column = "bigcommerce_id"
    uuid_columns = ("reference",)
