"""Pages of Django's admin for looking at things: nothing is counted, nothing is changed.

At ten million rows a `COUNT(*)` takes longer than everything else on the page, so the paginator
counts up to a thousand rows and offers no more pages than that. What is further away is searched.
"""

from functools import cached_property, wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase

from stores.budget import LIMITS, OverBudget, caller, spend
from stores.models import Store
from stores.personal_data import TABLES

CAP = 1000
MOST_DIGITS = 18


class OperatorsSite(admin.AdminSite):
    """Django's admin: not there unless ADMIN_ENABLED, and nobody guesses passwords for long."""

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        guarded = super().admin_view(view, cacheable)

        @wraps(view)
        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            _there_at_all()
            answer: HttpResponseBase = guarded(request, *args, **kwargs)
            return answer

        return page

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The login, ten times in ten minutes for an address and for a name."""
        _there_at_all()
        if request.method == "POST":
            name = request.POST.get("username", "")[:64]
            network = caller(request.META["REMOTE_ADDR"])
            try:
                spend(f"operator from {network}", **LIMITS["operator"])
                spend(f"operator {name}", **LIMITS["operator"])
            except OverBudget as budget:
                return HttpResponse(status=429, headers={"Retry-After": str(budget.retry_after)})
        return super().login(request, extra_context)


def _there_at_all() -> None:
    if not settings.ADMIN_ENABLED:
        raise Http404


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Knows of at most `CAP` rows."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows.order_by().values_list("pk")[:CAP])


class LookingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A model as operators see it. Subclasses say in which columns what is typed is searched."""

    actions: Any = None
    list_per_page = 50
    list_max_show_all = 50
    ordering = ("-id",)
    paginator = CappedPaginator
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

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_search_results(
        self,
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
        if self.number_column and text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS:
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
