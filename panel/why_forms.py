"""What a merchant may ask: about a checkout or an order that was, or about one that might be."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from payloads.money import to_cents
from stores.countries import SELLING_COUNTRIES

MOST_PRODUCTS = 5


class WhatIfForm(forms.Form):
    """A cart that nobody has: the same rules as in the checkout answer for it."""

    country = forms.ChoiceField(label=_("Country of delivery"))
    amount = forms.DecimalField(
        label=_("Amount"), min_value=0, max_value=1_000_000, decimal_places=2, localize=True
    )
    currency = forms.RegexField(label=_("Currency"), regex=r"^[A-Za-z]{3}$", initial="EUR")
    ip = forms.GenericIPAddressField(
        label=_("IP address of the shopper"),
        required=False,
        help_text=_("Leave it empty for an address that is allowed."),
    )
    products = forms.CharField(
        label=_("Products"),
        required=False,
        max_length=600,
        help_text=_("Up to five SKUs, divided by commas. Leave it empty for any product."),
    )
    digital = forms.BooleanField(label=_("Nothing in the cart is shipped"), required=False)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, auto_id="if-%s", initial={"country": "ES", "amount": "100"})
        countries = [*SELLING_COUNTRIES.items(), ("", _("Another country"))]
        field: Any = self.fields["country"]
        field.required, field.choices = False, countries
        for name in ("country", "amount", "currency", "products", "ip"):
            self.fields[name].widget.attrs["class"] = "input"

    @property
    def cents(self) -> int:
        return to_cents(self.cleaned_data["amount"])

    @property
    def skus(self) -> list[str]:
        found = (sku.strip() for sku in self.cleaned_data["products"].split(","))
        return list(dict.fromkeys(sku for sku in found if sku))[:MOST_PRODUCTS]
