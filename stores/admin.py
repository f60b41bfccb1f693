"""Stores for operators. Secrets are never shown."""

from django.contrib import admin

from stores.looking import LookingAdmin
from stores.models import Connection, Merchant, PanelUser, Store


@admin.register(Store)
class StoreAdmin(LookingAdmin):
    list_display = ("hash", "name", "state", "environment", "installed_at", "uninstalled_at")
    list_filter = ("state", "environment")
    exclude = ("access_token", "webhook_secret", "report_token")
    text_columns = ("hash", "name")
    uuid_columns = ("public_id",)


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
