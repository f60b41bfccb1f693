"""What the storefront script may say. Everything that costs money is read server to server."""

from rest_framework import serializers


class CheckoutClaim(serializers.Serializer[object]):
    """`POST payment-methods`: which checkout, and the one claim that no server API tells."""

    checkout_id = serializers.RegexField(r"^[A-Za-z0-9-]{8,64}$")
    store_credit_applied = serializers.BooleanField(default=False)
    outstanding_balance = serializers.DecimalField(
        max_digits=12, decimal_places=4, allow_null=True, default=None, min_value=0
    )
    layout = serializers.ChoiceField(["desktop", "smartphone"], default="desktop")
    locale = serializers.RegexField(
        r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$", max_length=35, default="es-ES"
    )


class MethodChoice(serializers.Serializer[object]):
    """`POST form`: which payment method of which solicitation, and were the terms accepted."""

    solicitation = serializers.UUIDField()
    product = serializers.CharField(max_length=32)
    campaign = serializers.CharField(max_length=64, allow_null=True, allow_blank=True, default=None)
    # null: the page has no checkbox, which is right only where the shop asks for none.
    terms_accepted = serializers.BooleanField(allow_null=True, default=None)


class ScriptError(serializers.Serializer[object]):
    """`POST errors`: what went wrong in the storefront script, cut short."""

    message = serializers.CharField(max_length=300)
    where = serializers.CharField(max_length=100, allow_blank=True, default="")
