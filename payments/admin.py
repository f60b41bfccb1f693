"""Attempts to pay, for operators. Tokens and personal data stay out."""

from django.contrib import admin

from payments.models import Solicitation
from stores.looking import LookingAdmin


@admin.register(Solicitation)
class SolicitationAdmin(LookingAdmin):
    list_display = ("created_at", "store", "reference", "order_id", "state", "phase", "refusal")
    list_select_related = ("store",)
    exclude = ("token", "token_digest", "signature", "told_addresses", "checkout_token")
    search_help_text = "A SeQura reference, or an id of ours, in full"
    uuid_columns = ("reference", "public_id")
