"""The settings of a store as one JSON document, for `manage.py store_settings`.

Strict on the way in: nothing is coerced, and an unknown key is an error rather than ignored.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from rest_framework import serializers

from stores.countries import SELLING_COUNTRIES

# https://docs.bigcommerce.com order statuses: Incomplete (0) to Partially Refunded (14)
LAST_STATUS = 14
LARGEST_ID = 2**31 - 1


class Strict(serializers.Serializer[Any]):
    """Refuses keys that it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        if unknown:
            raise serializers.ValidationError({str(key): ["is not a setting"] for key in unknown})
        return super().to_internal_value(data)


class Integer(serializers.IntegerField):
    """An integer of JSON; "5", 5.0 and true are none."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            raise serializers.ValidationError("is not an integer")
        return super().to_internal_value(data)


class Boolean(serializers.BooleanField):
    """true or false of JSON."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError("is not true or false")
        return data


class Text(serializers.CharField):
    """A string of JSON; a number is none."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("is not a string")
        return super().to_internal_value(data)


def network(text: str) -> None:
    """Refuses what is neither an IP address nor a CIDR network."""
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise serializers.ValidationError(str(error)) from error


def selling_country(code: str) -> None:
    if code not in SELLING_COUNTRIES:
        raise serializers.ValidationError(f"SeQura does not sell in {code!r}")


class LoginPart(Strict):
    username = Text(max_length=255, required=False)
    password = Text(max_length=255, required=False)


class DeploymentsPart(serializers.DictField):
    child = LoginPart()


class ConnectionPart(Strict):
    environment = serializers.ChoiceField(["sandbox", "live"], required=False)
    deployments = DeploymentsPart(required=False)
    send_statistics = Boolean(required=False)


class CountriesPart(serializers.DictField):
    child = Text(max_length=255)

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        for code in found:
            selling_country(code)
        return found


class GeneralPart(Strict):
    allowed_ips = serializers.ListField(child=Text(validators=[network]), required=False)
    excluded_categories = serializers.ListField(
        child=Integer(min_value=1, max_value=LARGEST_ID), required=False
    )
    excluded_products = serializers.ListField(child=Text(max_length=255), required=False)


class Status(Integer):
    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=LAST_STATUS, **options)


class StatusesPart(Strict):
    approved = Status(allow_null=True, required=False)
    needs_review = Status(allow_null=True, required=False)
    cancelled = Status(allow_null=True, required=False)


class ReportsPart(Strict):
    enabled = Boolean(required=False)
    hour = Integer(min_value=0, max_value=23, required=False)
    trigger_url = serializers.JSONField(required=False, allow_null=True)  # exported, never imported


class SettingsFile(Strict):
    """Every part may be missing, and everything in it: what is left out keeps its value."""

    connection = ConnectionPart(required=False)
    countries = CountriesPart(required=False)
    general = GeneralPart(required=False)
    order_statuses = StatusesPart(required=False)
    shipped_statuses = serializers.ListField(child=Status(), required=False)
    cancelling_statuses = serializers.ListField(child=Status(), required=False)
    reports = ReportsPart(required=False)


def complaints(detail: Any, path: str = "") -> Iterator[str]:
    """DRF's nested errors, each as `general.allowed_ips.0: …`."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            own = "" if key == "non_field_errors" else str(key)
            yield from complaints(value, ".".join(filter(None, [path, own])))
    elif isinstance(detail, list):
        for value in detail:
            yield from complaints(value, path)
    else:
        yield f"{path}: {detail}" if path else str(detail)
