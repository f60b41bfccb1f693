"""The registry of a store's settings, and the JSON document of `manage.py store_settings`.

`SETTINGS` feeds the document, the forms of the control panel and Django's admin. The document is
strict on the way in: nothing is coerced, and an unknown key is an error rather than ignored.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from payloads.order.services import is_end
from stores.channels import COUNTRIES, INHERIT
from stores.models import NOT_OFFERED_COUNTRIES, SELLING_COUNTRIES
from transport import outside

# What the statistics in a delivery report may hold of each order. Merchants may leave parts out.
#
# https://docs.sequra.com/docs/delivery-report-and-statistics
# Our name of a part, and what a merchant reads. Date and currency are always told.
STATISTICS = {
    "amount": _("Amount"),
    "payment_method": _("Payment method"),
    "country": _("Country"),
    "status": _("Order status"),
    "device": _("Device type"),
}


# What an alert is sent about, unless the merchant switched it off.
ALERTS = {
    "account": _("SeQura rejects your account"),
    "access": _("BigCommerce no longer accepts our access"),
    "setup": _("SeQura isn't fully set up in your store"),
    "payment": _("A payment needs your attention"),
    "rejected": _("SeQura rejected an order update or a delivery report"),
    "decision": _("An order needs your decision"),
}

# Where promotional widgets can be shown, and what a merchant may tell about each page's markup.
WIDGET_PLACES = {
    "product": _("Product page"),
    "cart": _("Cart"),
    "listing": _("Product lists"),
}
WIDGET_SELECTORS = {
    "product": _("Widget's place on the product page"),
    "product_price": _("Price on the product page"),
    "cart": _("Widget's place in the cart"),
    "cart_price": _("Total in the cart"),
    "listing": _("Product in a list"),
    "listing_price": _("Price of a product in a list"),
}
SELECTOR = r"[^{}<;]{1,200}"
# The look of SeQura's components, by the names that they have there, with their usual values.
# https://docs.sequra.com/docs/widgets
_HEX = r"#[0-9A-Fa-f]{6}"
WIDGET_THEME = {
    "type": (_("Style"), "banner|text|legacy", "banner"),
    "alignment": (_("Alignment"), "left|center|right", "center"),
    "size": (_("Size"), "S|M|L", "M"),
    "amount-font-size": (_("Text size of the amount (px)"), r"[1-9][0-9]?", "15"),
    "amount-font-bold": (_("Amount in bold"), "true|false", "true"),
    "link-underline": (_("Underlined link"), "true|false", "true"),
    "amount-font-color": (_("Colour of the amount"), _HEX, "#1C1C1C"),
    "font-color": (_("Text colour"), _HEX, "#1C1C1C"),
    "link-font-color": (_("Colour of the link"), _HEX, "#1C1C1C"),
    "background-color": (_("Background colour"), _HEX, "#FFFFFF"),
    "border-color": (_("Border colour"), _HEX, "#B1AEBA"),
    "border-radius": (_("Rounded corners (px)"), r"[0-9]{1,2}", "0"),
}

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# https://docs.bigcommerce.com order statuses: Incomplete (0) to Partially Refunded (14)
_LAST_STATUS = 14
_LARGEST_ID = 2**31 - 1
# What a storefront has of its own, in the document: {"channels": {"3": {"countries": {…}}}}.
CHANNELS = "channels"
_CHANNEL = re.compile(r"[1-9][0-9]{0,9}")
LEAST_LOG_DAYS, MOST_LOG_DAYS = 7, 3650


class _Strict(serializers.Serializer[Any]):
    """Refuses keys that it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        if unknown:
            raise serializers.ValidationError({str(key): ["is not a setting"] for key in unknown})
        return super().to_internal_value(data)


class _Integer(serializers.IntegerField):
    """Accept an integer of JSON, not "5", 5.0 or true."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            raise serializers.ValidationError("is not an integer")
        return super().to_internal_value(data)


class _Boolean(serializers.BooleanField):
    """Accept true or false of JSON."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError("is not true or false")
        return data


class _Text(serializers.CharField):
    """Accept a string of JSON, not a number."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("is not a string")
        return super().to_internal_value(data)


def _network(text: str) -> None:
    """Refuses what is neither an IP address nor a CIDR network."""
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise serializers.ValidationError(str(error)) from error


def _webhook(url: str) -> None:
    """Refuse an address to which no alert can be sent; empty means none is."""
    if url and (problem := outside.problem_of(url)):
        raise serializers.ValidationError(problem)


def _end_of_services(text: str) -> None:
    """Refuse what SeQura takes for no end of a service; empty means that none is sold."""
    if text and not is_end(text):
        raise serializers.ValidationError("is neither a date (2027-12-31) nor a duration (P1Y)")


def _selling_country(code: str) -> None:
    if code in NOT_OFFERED_COUNTRIES:
        offered = ", ".join(SELLING_COUNTRIES)
        sentence = f"{code} is not offered: this app sells in euros, in {offered}. Leave it out."
        raise serializers.ValidationError(sentence)
    if code not in SELLING_COUNTRIES:
        raise serializers.ValidationError(f"SeQura does not sell in {code!r}")


class _LoginPart(_Strict):
    username = _Text(max_length=255, required=False)
    password = _Text(max_length=255, required=False)


class _DeploymentsPart(serializers.DictField):
    child = _LoginPart()


class _CountriesPart(serializers.DictField):
    child = _Text(max_length=255)

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        for code in found:
            _selling_country(code)
        return found


class _Named(serializers.DictField):
    """A JSON object with some of these keys, each with a text that its pattern matches."""

    child = _Text(max_length=200)

    def __init__(self, patterns: Mapping[str, str], **options: Any) -> None:
        super().__init__(required=False, **options)
        self.patterns = patterns

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        wrong = {
            name: ["is not valid" if name in self.patterns else "is not a setting"]
            for name, value in found.items()
            if not re.fullmatch(self.patterns.get(name, r"(?!)"), value)
        }
        if wrong:
            raise serializers.ValidationError(wrong)
        return found


class _WidgetMethods(serializers.DictField):
    """Payment methods by place, each as `product` or `product/campaign`."""

    child = serializers.ListField(
        child=_Text(max_length=100, validators=[RegexValidator(r"\A[^\s/]{1,32}(/\S+)?\Z")]),
        max_length=50,
    )

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        if unknown := sorted(set(found) - set(WIDGET_PLACES)):
            raise serializers.ValidationError({name: ["is not a place"] for name in unknown})
        return found


class _Status(_Integer):
    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=_LAST_STATUS, **options)


def _listed(child: serializers.Field[Any, Any, Any, Any]) -> serializers.ListField:
    return serializers.ListField(child=child, required=False)


@dataclass(frozen=True)
class _Setting:
    """A column of Store that the merchant sets: its key in the document and its name on pages."""

    column: str
    key: str
    label: "StrPromise"
    field: serializers.Field[Any, Any, Any, Any]
    by_channel: bool = False  # may a storefront have a value of its own?

    @property
    def path(self) -> tuple[str, str]:
        """Return the part of the document, empty at its top, and the key in it."""
        part, _dot, name = self.key.rpartition(".")
        return part, name

    def export(self, document: dict[str, Any], value: Any) -> None:
        """Write the value to its place in a document, or in a storefront's part of one."""
        part, name = self.path
        (document.setdefault(part, {}) if part else document)[name] = value

    def found(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the column with its value where the document has one, else nothing."""
        part, name = self.path
        values = document.get(part, {}) if part else document
        return {self.column: values[name]} if name in values else {}


# Environment, accounts and countries are not here: SeQura has to agree to them (`stores.connect`).
SETTINGS = (
    _Setting(
        "send_statistics",
        "connection.send_statistics",
        _("Help improve SeQura by sending usage data"),
        _Boolean(required=False),
    ),
    _Setting(
        "allowed_ips",
        "general.allowed_ips",
        _("Allowed IP addresses"),
        _listed(_Text(validators=[_network])),
    ),
    _Setting(
        "excluded_categories",
        "general.excluded_categories",
        _("Excluded categories"),
        _listed(_Integer(min_value=1, max_value=_LARGEST_ID)),
        by_channel=True,
    ),
    _Setting(
        "excluded_products",
        "general.excluded_products",
        _("Excluded products"),
        _listed(_Text(max_length=255)),
        by_channel=True,
    ),
    _Setting(
        "disabled_channels",
        "general.disabled_channels",
        _("Storefronts"),
        _listed(_Integer(min_value=1, max_value=_LARGEST_ID)),
    ),
    _Setting(
        "offers_services",
        "general.offers_services",
        _("Offer SeQura for carts that contain only services"),
        _Boolean(required=False),
    ),
    _Setting(
        "offers_companies",
        "general.offers_companies",
        _("Offer SeQura to companies"),
        _Boolean(required=False),
    ),
    _Setting(
        "excluded_groups",
        "general.excluded_groups",
        _("Customer groups without SeQura"),
        _listed(_Integer(min_value=1, max_value=_LARGEST_ID)),
    ),
    _Setting(
        "corrects_customers",
        "general.corrects_customers",
        _("Also correct the customer's account and address book"),
        _Boolean(required=False),
    ),
    _Setting(
        "completes_digital",
        "general.completes_digital",
        _("Set paid orders of digital products alone to Completed"),
        _Boolean(required=False),
    ),
    _Setting(
        "services_end",
        "general.services_end",
        _("Services end"),
        _Text(allow_blank=True, max_length=32, required=False, validators=[_end_of_services]),
    ),
    _Setting(
        "status_approved",
        "order_statuses.approved",
        _("Paid"),
        _Status(allow_null=True, required=False),
        by_channel=True,
    ),
    _Setting(
        "status_needs_review",
        "order_statuses.needs_review",
        _("In review"),
        _Status(allow_null=True, required=False),
        by_channel=True,
    ),
    _Setting(
        "status_cancelled",
        "order_statuses.cancelled",
        _("Cancelled"),
        _Status(allow_null=True, required=False),
        by_channel=True,
    ),
    _Setting(
        "shipped_statuses",
        "shipped_statuses",
        _("Statuses that count as shipped"),
        _listed(_Status()),
        by_channel=True,
    ),
    _Setting(
        "cancelling_statuses",
        "cancelling_statuses",
        _("Statuses that cancel the order at SeQura"),
        _listed(_Status()),
        by_channel=True,
    ),
    _Setting(
        "refunded_status_refunds",
        "refunded_status_refunds",
        _("Refund the full order at SeQura when its status is set to Refunded"),
        _Boolean(required=False),
    ),
    _Setting(
        "reports_enabled",
        "reports.enabled",
        _("Send a delivery report every day"),
        _Boolean(required=False),
    ),
    _Setting(
        "reports_hour",
        "reports.hour",
        _("Time"),
        _Integer(min_value=0, max_value=23, required=False),
    ),
    _Setting(
        "statistics_without",
        "reports.statistics_without",
        _("Include for each order"),
        _listed(serializers.ChoiceField(list(STATISTICS))),
    ),
    _Setting(
        "alerts_without",
        "alerts.without",
        _("Send an alert when"),
        _listed(serializers.ChoiceField(list(ALERTS))),
    ),
    _Setting(
        "alerts_quiet_from",
        "alerts.quiet_from",
        _("Quiet hours from"),
        _Integer(min_value=0, max_value=23, required=False),
    ),
    _Setting(
        "alerts_quiet_until",
        "alerts.quiet_until",
        _("Quiet hours until"),
        _Integer(min_value=0, max_value=23, required=False),
    ),
    _Setting(
        "alert_webhook",
        "alerts.webhook",
        _("Webhook URL"),
        _Text(allow_blank=True, max_length=500, required=False, validators=[_webhook]),
    ),
    _Setting(
        "widget_methods",
        "widgets.methods",
        _("Payment methods"),
        _WidgetMethods(required=False),
    ),
    _Setting(
        "widget_selectors",
        "widgets.selectors",
        _("CSS selectors"),
        _Named(dict.fromkeys(WIDGET_SELECTORS, SELECTOR)),
    ),
    _Setting(
        "widget_theme",
        "widgets.theme",
        _("Look"),
        _Named({name: pattern for name, (_label, pattern, _usual) in WIDGET_THEME.items()}),
    ),
    _Setting(
        "log_retention_days",
        "log.retention_days",
        _("Days"),
        _Integer(min_value=LEAST_LOG_DAYS, max_value=MOST_LOG_DAYS, required=False),
    ),
)
LABELS = {setting.column: setting.label for setting in SETTINGS}
BY_CHANNEL = tuple(setting for setting in SETTINGS if setting.by_channel)


class _Own(serializers.Field[Any, Any, Any, Any]):
    """A storefront's own value of a setting, or "inherit"."""

    def __init__(self, field: serializers.Field[Any, Any, Any, Any]) -> None:
        super().__init__(required=False, allow_null=field.allow_null)
        self.own = field

    def to_internal_value(self, data: Any) -> Any:
        return data if data == INHERIT else self.own.run_validation(data)


def _channel_class() -> type[_Strict]:
    """Return the serializer of what one storefront has of its own."""
    parts: dict[str, dict[str, Any]] = {"": {COUNTRIES: _Own(_CountriesPart())}}
    for setting in BY_CHANNEL:
        part, name = setting.path
        parts.setdefault(part, {})[name] = _Own(setting.field)
    top = parts.pop("")
    return type("ChannelPart", (_Strict,), top | _nested(parts))


class _ChannelsPart(serializers.DictField):
    """What storefronts have of their own, by their ids."""

    def __init__(self) -> None:
        super().__init__(child=_channel_class()(), required=False)

    def to_internal_value(self, data: Any) -> Any:
        ids = data if isinstance(data, Mapping) else {}
        if odd := [str(key) for key in ids if not _is_channel(str(key))]:
            raise serializers.ValidationError({key: ["is not a storefront's id"] for key in odd})
        return super().to_internal_value(data)


def _is_channel(key: str) -> bool:
    return _CHANNEL.fullmatch(key) is not None and int(key) <= _LARGEST_ID


def _nested(parts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {part: type(part, (_Strict,), fields)(required=False) for part, fields in parts.items()}


def _document_class() -> type[_Strict]:
    """Return the document's serializer: the registry's parts, and what SeQura has to agree to.

    Every part may be missing, and everything in it: what is left out keeps its value.
    """
    own: dict[str, dict[str, Any]] = {
        "connection": {
            "environment": serializers.ChoiceField(["sandbox", "live"], required=False),
            "deployments": _DeploymentsPart(required=False),
        },
        # Exported, never imported.
        "reports": {"trigger_url": serializers.JSONField(required=False, allow_null=True)},
    }
    for setting in SETTINGS:
        part, name = setting.path
        own.setdefault(part, {})[name] = setting.field
    top = {COUNTRIES: _CountriesPart(required=False), CHANNELS: _ChannelsPart(), **own.pop("")}
    return type("SettingsFile", (_Strict,), top | _nested(own))


SettingsFile = _document_class()


def complaints(detail: Any, path: str = "") -> Iterator[str]:
    """Yield DRF's nested errors, each as `general.allowed_ips.0: …`."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            own = "" if key == "non_field_errors" else str(key)
            yield from complaints(value, ".".join(filter(None, [path, own])))
    elif isinstance(detail, list):
        for value in detail:
            yield from complaints(value, path)
    else:
        yield f"{path}: {detail}" if path else str(detail)


def parse_networks(text: str) -> list[str]:
    """Return the allowed addresses and networks that a merchant typed, by lines or commas.

    Raises ValidationError with a sentence for each that is none.
    """
    entries = list(dict.fromkeys(re.split(r"[\s,;]+", text.strip()))) if text.strip() else []
    complaints = [complaint for entry in entries if (complaint := _complaint(entry))]
    if complaints:
        raise ValidationError(complaints)
    return [entry for entry in entries if entry]


def _complaint(entry: str) -> str:
    """Return what is wrong; empty when `manage.py store_settings` would accept it too."""
    try:
        _network(entry)
    except serializers.ValidationError:
        return _meant(entry)
    return ""


def _meant(entry: str) -> str:
    try:
        guess = ip_network(entry, strict=False)
    except ValueError:
        return gettext("“%(entry)s” isn't a valid IP address or range.") % {"entry": entry[:60]}
    return gettext("“%(entry)s” is an address inside a range. Did you mean %(guess)s?") % {
        "entry": entry[:60],
        "guess": guess,
    }
