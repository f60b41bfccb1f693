"""Stores for operators. Secrets are never shown."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from stores.looking import LookingAdmin
from stores.models import Connection, Merchant, PanelUser, Store
from stores.settings_file import SETTINGS


@admin.register(Store)
class StoreAdmin(LookingAdmin):
    list_display = ("hash", "name", "state", "environment", "installed_at", "uninstalled_at")
    list_filter = ("state", "environment")
    exclude = ("access_token", "webhook_secret", "report_token")
    text_columns = ("hash", "name")
    uuid_columns = ("public_id",)

    def get_fieldsets(self, request: HttpRequest, obj: Store | None = None) -> Any:
        """What the merchant sets stands by itself, in the order of the registry."""
        settings = ["environment", *(setting.column for setting in SETTINGS)]
        shown = self.get_fields(request, obj)
        return [
            (None, {"fields": [name for name in shown if name not in settings]}),
            ("Settings", {"fields": [name for name in settings if name in shown]}),
        ]


@admin.register(Connection)
class ConnectionAdmin(LookingAdmin):
    list_display = ("store", "deployment", "environment", "username", "state", "refused_at")
    list_filter = ("state", "environment", "deployment")
    list_select_related = ("store",)
    exclude = ("password",)
    text_columns = ("username", "store__hash")


@admin.register(Merchant)
class MerchantAdmin(LookingAdmin):
    list_display = ("ref", "store", "country", "selling", "payment_methods_at")
    list_filter = ("selling", "country")
    list_select_related = ("store",)
    text_columns = ("ref", "store__hash")


@admin.register(PanelUser)
class PanelUserAdmin(LookingAdmin):
    list_display = ("email", "store", "locale", "is_owner", "seen_at")
    list_select_related = ("store",)
    text_columns = ("email", "store__hash")
