"""The forms of the control panel. Every value is checked here; no model is filled by name."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail.message import sanitize_address
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from panel import figures
from payloads.checkout.eligibility import plain_title
from payloads.money import to_cents
from payloads.order.services import is_end
from payments.widgets import method_key, widget_methods
from sequra.documents import Deployment
from stores import channels, settings_file, statuses
from stores.connect import Login
from stores.encryption import readable
from stores.models import (
    SELLING_COUNTRIES,
    Connection,
    Merchant,
    PanelUser,
    SettingChange,
    Store,
    country_name,
)
from stores.settings_file import (
    ALERTS,
    LABELS,
    LEAST_LOG_DAYS,
    MOST_LOG_DAYS,
    SELECTOR,
    STATISTICS,
    WIDGET_PLACES,
    WIDGET_SELECTORS,
    WIDGET_THEME,
)
from stores.store_settings import Author, recorded
from stores.storefronts import language_of
from transport import outside

_SOMEBODY = Author(SettingChange.Source.PAGE)
_HOURS = [(hour, f"{hour:02d}:00") for hour in range(24)]
_IN_BOTH = _(
    "A status can't both ship and cancel an order. Remove %(labels)s from one of the two lists."
)
# The values of the widgets' look that are words.
_CHOICES = {
    "banner": _("Banner"),
    "text": _("Text only"),
    "legacy": _("Classic"),
    "left": _("Left"),
    "center": _("Centre"),
    "right": _("Right"),
    "S": _("Small"),
    "M": _("Medium"),
    "L": _("Large"),
}
_TRUTHS = ("True", "False")
_ENVIRONMENTS = [("live", _("Live")), ("sandbox", _("Sandbox"))]


class _SettingsForm(forms.Form):
    """A form for settings of the registry; `columns` are those of Store that it writes."""

    columns: ClassVar[tuple[str, ...]]

    def values(self) -> dict[str, Any]:
        """Return what was chosen, by column. What the form does not show is left out."""
        raise NotImplementedError(f"{type(self).__name__} has to say what was chosen")

    def save(self, store: Store, author: Author = _SOMEBODY) -> None:
        values = self.values()
        for column, value in values.items():
            setattr(store, column, value)
        with recorded(store, author):
            store.save(update_fields=list(values))


class _DeploymentFields:
    """The two boxes of one deployment, for the template."""

    def __init__(self, form: "ConnectionForm", deployment: Deployment) -> None:
        self.id, self.name = deployment.id, deployment.name
        self.username = form[f"{deployment.id}-username"]
        self.password = form[f"{deployment.id}-password"]
        self.connected = deployment.id in form.connected and not form.goes_live
        self.error = form.refusals.get(deployment.id, "")


class ConnectionForm(_SettingsForm):
    """Environment and credentials. A password is never sent back; left empty it stays as it is."""

    columns = ("send_statistics",)
    environment = forms.ChoiceField(
        label=_("Environment"), choices=_ENVIRONMENTS, widget=forms.RadioSelect
    )
    send_statistics = forms.BooleanField(label=LABELS["send_statistics"], required=False)
    replace = forms.BooleanField(label=_("Yes, replace the connected account"), required=False)

    def __init__(
        self,
        store: Store,
        deployments: list[Deployment],
        data: Any = None,
        *,
        goes_live: bool = False,
    ) -> None:
        connections = store.connections.exclude(state="archived")
        self.goes_live = goes_live  # from the sandbox, with another account
        self.store, self.deployments = store, deployments
        self.connected: dict[str, Connection] = {one.deployment: one for one in connections}
        self.refusals: dict[str, str] = {}
        super().__init__(data, initial=self._initial(), auto_id="%s")
        for deployment in deployments:
            self._add_fields(deployment)

    def _initial(self) -> dict[str, Any]:
        known = {} if self.goes_live else self.connected
        usernames = {f"{name}-username": one.username for name, one in known.items()}
        return {
            "environment": "live" if self.goes_live else self.store.environment,
            "send_statistics": self.store.send_statistics,
            **usernames,
        }

    def _add_fields(self, deployment: Deployment) -> None:
        for name, label, widget in [
            ("username", _("Username"), forms.TextInput),
            ("password", _("Password"), forms.PasswordInput),
        ]:
            attributes = {"class": "input", "autocomplete": "off", "spellcheck": "false"}
            self.fields[f"{deployment.id}-{name}"] = forms.CharField(
                label=label,
                required=False,
                max_length=255,
                widget=widget(attrs=attributes),
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for deployment in self.deployments:
            self._clean_login(deployment.id, cleaned)
        if not self.errors and not self.logins():
            first = next((f"{one.id}-username" for one in self.deployments), None)
            self.add_error(first, _("Enter the username and password of at least one account."))
        if not self.errors and self._replaces() and not cleaned["replace"]:
            self.add_error(
                "replace",
                _(
                    "This is a different account. Confirm that you want to replace the connected"
                    " one."
                ),
            )
        return cleaned

    def _replaces(self) -> bool:
        """Would an account that is connected now be so no longer?"""
        environment = self.cleaned_data["environment"]
        return any(
            (self.cleaned_data.get(f"{name}-username"), environment)
            != (one.username, one.environment)
            for name, one in self.connected.items()
        )

    def _clean_login(self, name: str, cleaned: dict[str, Any]) -> None:
        username, password = cleaned.get(f"{name}-username"), cleaned.get(f"{name}-password")
        if password and not username:
            self.add_error(f"{name}-username", _("This field is required."))
        if username and not password and not self._keeps(name, username):
            self.add_error(f"{name}-password", _("This field is required."))

    def _keeps(self, name: str, username: str) -> bool:
        """The stored password is only for the user name and environment it was stored with.

        One that no key decrypts any more has to be entered again.
        """
        known = self.connected.get(name)
        environment = self.cleaned_data.get("environment")
        if known is None or (known.username, known.environment) != (username, environment):
            return False
        return bool(readable(known, "password"))

    def logins(self) -> dict[str, Login]:
        """What was typed in, by deployment; a deployment without user name is disconnected."""
        found = {}
        for deployment in self.deployments:
            username = self.cleaned_data.get(f"{deployment.id}-username")
            password = self.cleaned_data.get(f"{deployment.id}-password")
            if username:
                kept = password or readable(self.connected[deployment.id], "password")
                found[deployment.id] = Login(username, kept)
        return found

    def values(self) -> dict[str, Any]:
        return {"send_statistics": self.cleaned_data["send_statistics"]}

    def boxes(self) -> list[_DeploymentFields]:
        return [_DeploymentFields(self, deployment) for deployment in self.deployments]


class CountriesForm(forms.Form):
    """A merchant id per country; an empty choice means SeQura is not offered there."""

    def __init__(self, available: dict[str, list[Merchant]], data: Any = None) -> None:
        super().__init__(data, auto_id="%s")
        for country, merchants in available.items():
            choices = [("", _("Don't offer SeQura")), *((one.ref, one.ref) for one in merchants)]
            selling = next((one.ref for one in merchants if one.selling), "")
            self.fields[country] = forms.ChoiceField(
                label=country_name(country),
                choices=choices,
                required=False,
                initial=selling,
                widget=forms.Select(attrs={"class": "input"}),
            )

    def choice(self) -> dict[str, str]:
        return {country: ref for country, ref in self.cleaned_data.items() if ref}


class GeneralForm(_SettingsForm):
    """Who sees SeQura: shoppers' addresses, storefronts, services; how long the log is kept."""

    columns = (
        "allowed_ips", "disabled_channels", "offers_services", "services_end", "completes_digital",
        "corrects_customers", "log_retention_days",
    )  # fmt: skip
    allowed_ips = forms.CharField(
        label=LABELS["allowed_ips"],
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"class": "input mono", "rows": 4, "spellcheck": "false"}),
        help_text=_(
            "Only show SeQura to these IP addresses, for testing. Leave blank to show it to"
            " everyone. One per line, e.g. 203.0.113.7 or 203.0.113.0/24."
        ),
    )
    channels = forms.MultipleChoiceField(
        label=LABELS["disabled_channels"], required=False, widget=forms.CheckboxSelectMultiple
    )
    services = forms.BooleanField(label=LABELS["offers_services"], required=False)
    corrects_customers = forms.BooleanField(label=LABELS["corrects_customers"], required=False)
    log_days = forms.IntegerField(
        label=_("Keep resolved entries for (days)"),
        required=False,
        min_value=LEAST_LOG_DAYS,
        max_value=MOST_LOG_DAYS,
        widget=forms.NumberInput(attrs={"class": "input input-short"}),
        help_text=_("Open entries are kept until they are resolved."),
    )
    services_end = forms.CharField(
        label=LABELS["services_end"],
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={"class": "input mono", "spellcheck": "false"}),
        help_text=_(
            "A date such as 2027-12-31, or a duration such as P1Y for a year or P6M for six months."
            " Leave blank to sell digital products as downloads."
        ),
    )
    completes_digital = forms.BooleanField(label=LABELS["completes_digital"], required=False)

    def __init__(self, store: Store, data: Any = None, *, services: bool = False) -> None:
        self.names = {str(number): name for number, name in channels.names(store).items()}
        disabled = {str(one) for one in store.disabled_channels}
        initial = {
            "allowed_ips": "\n".join(store.allowed_ips),
            "channels": [one for one in self.names if one not in disabled],
            "services": store.offers_services,
            "corrects_customers": store.corrects_customers,
            "log_days": store.log_retention_days,
            "services_end": store.services_end,
            "completes_digital": store.completes_digital,
        }
        super().__init__(data, initial=initial, auto_id="%s")
        field: Any = self.fields["channels"]
        field.choices = list(self.names.items())
        if len(self.names) < 2:
            del self.fields["channels"]
        if not services:
            for name in ("services", "services_end", "completes_digital"):
                del self.fields[name]

    def clean_allowed_ips(self) -> list[str]:
        return settings_file.parse_networks(self.cleaned_data["allowed_ips"])

    def clean_services_end(self) -> str:
        end = str(self.cleaned_data["services_end"]).strip()
        if end and not is_end(end):
            raise ValidationError(_("Enter a date such as 2027-12-31 or a duration such as P1Y."))
        return end

    def values(self) -> dict[str, Any]:
        values = {name: self.cleaned_data[name] for name in ("allowed_ips", "corrects_customers")}
        if self.cleaned_data["log_days"] is not None:
            values["log_retention_days"] = self.cleaned_data["log_days"]
        if "channels" in self.fields:
            chosen = self.cleaned_data["channels"]
            values["disabled_channels"] = [int(one) for one in self.names if one not in chosen]
        if "services" in self.fields:
            values["offers_services"] = self.cleaned_data["services"]
            values["services_end"] = self.cleaned_data["services_end"]
            values["completes_digital"] = self.cleaned_data["completes_digital"]
        return values


class AudienceForm(_SettingsForm):
    """Who of the customers does not see SeQura: companies, and groups of customers."""

    columns = ("offers_companies", "excluded_groups")
    companies = forms.BooleanField(label=LABELS["offers_companies"], required=False)
    groups = forms.TypedMultipleChoiceField(
        label=LABELS["excluded_groups"],
        required=False,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Customers in these groups don't see SeQura. Guests are in no group."),
    )

    def __init__(self, store: Store, groups: Mapping[int, str], data: Any = None) -> None:
        initial = {"companies": store.offers_companies, "groups": store.excluded_groups}
        super().__init__(data, initial=initial, auto_id="%s")
        # A group that BigCommerce does not list is kept until the merchant removes it.
        unlisted = {one: _("Group %(id)s") % {"id": one} for one in store.excluded_groups}
        field: Any = self.fields["groups"]
        field.choices = list((unlisted | dict(groups)).items())
        if not field.choices:
            del self.fields["groups"]

    def values(self) -> dict[str, Any]:
        values = {"offers_companies": self.cleaned_data["companies"]}
        if "groups" in self.fields:
            values["excluded_groups"] = sorted(self.cleaned_data["groups"])
        return values


def _with_orders(label: str, orders: int | None) -> str:
    if not orders:
        return label
    names = {"status": label, "n": orders}
    return ngettext("%(status)s: %(n)s open order", "%(status)s: %(n)s open orders", orders) % names


class StatusesForm(_SettingsForm):
    """SeQura's answers → BigCommerce's statuses; which of these ship, cancel or refund."""

    columns = (
        "status_approved", "status_needs_review", "status_cancelled",
        "shipped_statuses", "cancelling_statuses", "refunded_status_refunds",
    )  # fmt: skip
    shipped = forms.TypedMultipleChoiceField(
        label=LABELS["shipped_statuses"],
        required=False,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )
    cancelling = forms.TypedMultipleChoiceField(
        label=LABELS["cancelling_statuses"],
        required=False,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )
    refunded_status_refunds = forms.BooleanField(
        label=LABELS["refunded_status_refunds"], required=False
    )
    MAPPED = (
        ("status_approved", _("Payment approved by SeQura.")),
        ("status_needs_review", _("Payment under review.")),
        ("status_cancelled", _("Payment cancelled by SeQura.")),
    )

    def __init__(self, store: Store, data: Any = None) -> None:
        initial = {
            "shipped": store.shipped_statuses,
            "cancelling": store.cancelling_statuses,
            "refunded_status_refunds": store.refunded_status_refunds,
        }
        super().__init__(data, initial=initial, auto_id="%s")
        self.store, found = store, statuses.choices(store)
        lists: Any = self.fields
        # How many open orders a change affects is seen before it is saved.
        counted = figures.by_status(store)
        with_orders = [
            (status, _with_orders(label, counted.get(status))) for status, label in found
        ]
        lists["shipped"].choices = lists["cancelling"].choices = with_orders
        for name, help_text in self.MAPPED:
            self.fields[name] = forms.TypedChoiceField(
                label=LABELS[name],
                help_text=help_text,
                choices=[("", _("None (don't change the status)")), *found],
                coerce=int,
                empty_value=None,
                required=False,
                initial=getattr(store, name),
                widget=forms.Select(attrs={"class": "input"}),
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        both = statuses.in_both(cleaned.get("shipped", ()), cleaned.get("cancelling", ()))
        if both:
            labels = ", ".join(f"“{statuses.label(self.store, one)}”" for one in both)
            self.add_error("cancelling", _IN_BOTH % {"labels": labels})
        return cleaned

    def mapped(self) -> list[forms.BoundField]:
        return [self[name] for name, _help in self.MAPPED]

    def values(self) -> dict[str, Any]:
        chosen = self.cleaned_data
        return {
            **{name: chosen[name] for name, _help in self.MAPPED},
            "shipped_statuses": chosen["shipped"],
            "cancelling_statuses": chosen["cancelling"],
            "refunded_status_refunds": chosen["refunded_status_refunds"],
        }


def _as_in_the_store(values: Iterable[object]) -> str:
    """Return what a storefront inherits, for people."""
    return _("As in the store: %(values)s") % {"values": ", ".join(map(str, values)) or "–"}


class StorefrontForm(forms.Form):
    """What one storefront sets for itself. What it does not, it inherits from the store."""

    LISTS = (
        ("shipped_statuses", _("Other statuses count as shipped here")),
        ("cancelling_statuses", _("Other statuses cancel the order here")),
    )
    EXCLUSIONS = ("excluded_categories", "excluded_products")
    own_countries = forms.BooleanField(
        label=_("Other countries or merchant IDs here"), required=False
    )
    own_exclusions = forms.BooleanField(
        label=_("Other categories and products are excluded here"), required=False
    )

    def __init__(
        self,
        store: Store,
        channel_id: int,
        available: Mapping[str, list[Merchant]],
        data: Any = None,
    ) -> None:
        self.store, self.own = store, channels.own(store, channel_id)
        super().__init__(data, auto_id="%s")
        self._add_countries(available)
        self._add_statuses()
        self.fields["own_exclusions"].initial = any(name in self.own for name in self.EXCLUSIONS)

    def _add_countries(self, available: Mapping[str, list[Merchant]]) -> None:
        chosen = self.own.get(channels.COUNTRIES)
        self.fields["own_countries"].initial = chosen is not None
        # A merchant id that the account lost is kept until the merchant removes it.
        available = {**{country: [] for country in chosen or {}}, **available}
        self.countries = list(available)
        sold = (one for merchants in available.values() for one in merchants if one.selling)
        self.inherited_countries = _as_in_the_store(
            f"{country_name(one.country)} ({one.ref})" for one in sold
        )
        for country, merchants in available.items():
            selling = next((one.ref for one in merchants if one.selling), "")
            initial = selling if chosen is None else chosen.get(country, "")
            refs = dict.fromkeys([*(one.ref for one in merchants), *filter(None, [initial])])
            self.fields[f"country_{country}"] = forms.ChoiceField(
                label=country_name(country),
                choices=[("", _("Don't offer SeQura")), *((ref, ref) for ref in refs)],
                required=False,
                initial=initial,
                widget=forms.Select(attrs={"class": "input"}),
            )

    def _add_statuses(self) -> None:
        found = statuses.choices(self.store)
        none = _("None (don't change the status)")
        for name, _help in StatusesForm.MAPPED:
            of_store = getattr(self.store, name)
            label = none if of_store is None else statuses.label(self.store, of_store)
            inherited = _as_in_the_store([label])
            self.fields[name] = forms.TypedChoiceField(
                label=LABELS[name],
                choices=[(channels.INHERIT, inherited), ("", none), *found],
                coerce=lambda value: value if value == channels.INHERIT else int(value),
                empty_value=None,
                required=False,
                initial=self.own.get(name, channels.INHERIT),
                widget=forms.Select(attrs={"class": "input"}),
            )
        for name, label in self.LISTS:
            self.fields[f"own_{name}"] = forms.BooleanField(
                label=label, required=False, initial=name in self.own
            )
            self.fields[name] = forms.TypedMultipleChoiceField(
                label=LABELS[name],
                choices=found,
                required=False,
                coerce=int,
                initial=self.own.get(name, getattr(self.store, name)),
                widget=forms.CheckboxSelectMultiple,
            )

    def clean(self) -> dict[str, Any]:
        """Refuse a status that would ship and cancel, be it chosen here or in the store."""
        cleaned = super().clean() or {}
        lists = (
            cleaned.get(name, ()) if cleaned.get(f"own_{name}") else getattr(self.store, name)
            for name, _label in self.LISTS
        )
        if both := statuses.in_both(*lists):
            labels = ", ".join(f"“{statuses.label(self.store, one)}”" for one in both)
            self.add_error("cancelling_statuses", _IN_BOTH % {"labels": labels})
        return cleaned

    def country_fields(self) -> list[forms.BoundField]:
        return [self[f"country_{country}"] for country in self.countries]

    def mapped(self) -> list[forms.BoundField]:
        return [self[name] for name, _help in StatusesForm.MAPPED]

    def lists(self) -> list[tuple[forms.BoundField, forms.BoundField, str]]:
        """Return each list with the box that makes it the storefront's own, and the store's."""
        return [
            (self[f"own_{name}"], self[name], _as_in_the_store(self._labels(name)))
            for name, _label in self.LISTS
        ]

    def _labels(self, name: str) -> list[str]:
        return [statuses.label(self.store, status) for status in getattr(self.store, name)]

    def values(self) -> dict[str, Any]:
        """Return the storefront's own settings by column; INHERIT for the others."""
        chosen = self.cleaned_data
        countries = {
            one: ref for one in self.countries if (ref := chosen[f"country_{one}"])
        }  # fmt: skip
        return {
            channels.COUNTRIES: countries if chosen["own_countries"] else channels.INHERIT,
            **{name: chosen[name] for name, _help in StatusesForm.MAPPED},
            **{
                name: chosen[name] if chosen[f"own_{name}"] else channels.INHERIT
                for name, _label in self.LISTS
            },
            **self._exclusions(),
        }

    def _exclusions(self) -> dict[str, Any]:
        """Begin with the store's exclusions; they are changed on a page of their own."""
        if not self.cleaned_data["own_exclusions"]:
            return dict.fromkeys(self.EXCLUSIONS, channels.INHERIT)
        missing = (
            channels.of_store(self.store, name) for name in self.EXCLUSIONS if name not in self.own
        )
        return {name: value for copied in missing for name, value in copied.items()}


class ReportsForm(_SettingsForm):
    """When SeQura gets its delivery report, and what the statistics in it hold."""

    columns = ("reports_enabled", "reports_hour", "send_statistics", "statistics_without")
    enabled = forms.BooleanField(label=LABELS["reports_enabled"], required=False)
    hour = forms.TypedChoiceField(
        label=LABELS["reports_hour"],
        coerce=int,
        choices=_HOURS,
        widget=forms.Select(attrs={"class": "input"}),
    )
    send_statistics = forms.BooleanField(label=LABELS["send_statistics"], required=False)
    parts = forms.MultipleChoiceField(
        label=LABELS["statistics_without"],
        required=False,
        choices=list(STATISTICS.items()),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, store: Store, data: Any = None) -> None:
        initial = {
            "enabled": store.reports_enabled,
            "hour": store.reports_hour,
            "send_statistics": store.send_statistics,
            "parts": [part for part in STATISTICS if part not in store.statistics_without],
        }
        super().__init__(data, initial=initial, auto_id="%s")

    def values(self) -> dict[str, Any]:
        chosen = self.cleaned_data["parts"]
        return {
            "reports_enabled": self.cleaned_data["enabled"],
            "reports_hour": self.cleaned_data["hour"],
            "send_statistics": self.cleaned_data["send_statistics"],
            "statistics_without": [part for part in STATISTICS if part not in chosen],
        }


class AlertsForm(_SettingsForm):
    """What email is sent about, and the hours without any."""

    columns = ("alerts_without", "alerts_quiet_from", "alerts_quiet_until")
    kinds = forms.MultipleChoiceField(
        label=LABELS["alerts_without"],
        required=False,
        choices=list(ALERTS.items()),
        widget=forms.CheckboxSelectMultiple,
    )
    quiet_from, quiet_until = (
        forms.TypedChoiceField(
            label=LABELS[f"alerts_{name}"],
            coerce=int,
            choices=_HOURS,
            widget=forms.Select(attrs={"class": "input"}),
        )
        for name in ("quiet_from", "quiet_until")
    )

    def __init__(self, store: Store, data: Any = None) -> None:
        initial = {
            "kinds": [kind for kind in ALERTS if kind not in store.alerts_without],
            "quiet_from": store.alerts_quiet_from,
            "quiet_until": store.alerts_quiet_until,
        }
        super().__init__(data, initial=initial, auto_id="%s")

    def values(self) -> dict[str, Any]:
        chosen = self.cleaned_data
        return {
            "alerts_without": [kind for kind in ALERTS if kind not in chosen["kinds"]],
            "alerts_quiet_from": chosen["quiet_from"],
            "alerts_quiet_until": chosen["quiet_until"],
        }


def _theme_field(name: str) -> forms.Field:
    """Return the field of one part of the widgets' look, by what its values are."""
    label, pattern, usual = WIDGET_THEME[name]
    if pattern == "true|false":
        return forms.BooleanField(label=label, required=False, initial=usual == "true")
    if "|" in pattern:
        chosen = [(value, _CHOICES.get(value, value)) for value in pattern.split("|")]
        widget: forms.Widget = forms.Select(attrs={"class": "input"})
        return forms.ChoiceField(label=label, choices=chosen, initial=usual, widget=widget)
    kind = "color" if name.endswith("color") else "number"
    widget = forms.TextInput(attrs={"class": f"input input-{kind}", "type": kind})
    return forms.RegexField(rf"\A{pattern}\Z", label=label, initial=usual, widget=widget)


class WidgetsForm(_SettingsForm):
    """Which instalments the shop's pages show, where, and how they look."""

    columns = ("widget_methods", "widget_selectors", "widget_theme")

    def __init__(self, store: Store, data: Any = None) -> None:
        super().__init__(data, auto_id="%s")
        for place, label in WIDGET_PLACES.items():
            chosen = store.widget_methods.get(place, [])
            self.fields[place] = forms.MultipleChoiceField(
                label=label,
                required=False,
                initial=chosen,
                choices=_widget_choices(store, place, chosen),
                widget=forms.CheckboxSelectMultiple,
            )
        for name, label in WIDGET_SELECTORS.items():
            self.fields[f"at-{name}"] = forms.RegexField(
                rf"\A{SELECTOR}\Z",
                label=label,
                required=False,
                initial=store.widget_selectors.get(name, ""),
                error_messages={"invalid": _("Enter a CSS selector, such as .product-price.")},
                widget=forms.TextInput(
                    attrs={"class": "input mono", "spellcheck": "false", "autocomplete": "off"}
                ),
            )
        for name in WIDGET_THEME:
            field = self.fields[f"theme-{name}"] = _theme_field(name)
            if known := store.widget_theme.get(name):
                field.initial = known == "true" if known in ("true", "false") else known

    def part(self, prefix: str) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(prefix)]

    def places(self) -> list[forms.BoundField]:
        return [self[place] for place in WIDGET_PLACES]

    def selectors(self) -> list[forms.BoundField]:
        return self.part("at-")

    def theme(self) -> list[forms.BoundField]:
        return self.part("theme-")

    def values(self) -> dict[str, Any]:
        """Return what differs from the usual: then a later release may improve that."""
        given = self.cleaned_data
        methods = {place: given[place] for place in WIDGET_PLACES if given[place]}
        selectors = {name: given[f"at-{name}"].strip() for name in WIDGET_SELECTORS}
        theme = {name: str(given[f"theme-{name}"]) for name in WIDGET_THEME}
        theme |= {name: value.lower() for name, value in theme.items() if value in _TRUTHS}
        return {
            "widget_methods": methods,
            "widget_selectors": {name: one for name, one in selectors.items() if one},
            "widget_theme": {
                name: value for name, value in theme.items() if value != WIDGET_THEME[name][2]
            },
        }


def _widget_choices(store: Store, place: str, chosen: list[str]) -> list[tuple[str, str]]:
    """Return the methods that a place can show: those that SeQura has, and those chosen before.

    Only methods of one name show SeQura's own codes: nothing else tells them apart.
    """
    named: dict[str, str] = {}
    merchants = sorted(channels.in_use(store), key=lambda one: one.country != store.country)
    for merchant in merchants:
        for method in widget_methods(merchant.payment_methods, place):
            named.setdefault(method_key(method), plain_title(method))
    often = Counter(named.values())
    choices = {key: f"{name} ({key})" if often[name] > 1 else name for key, name in named.items()}
    return [*choices.items(), *((key, key) for key in chosen if key not in named)]


class WebhookForm(_SettingsForm):
    """Where alerts are sent as signed requests."""

    columns = ("alert_webhook",)
    url = forms.CharField(
        label=LABELS["alert_webhook"],
        help_text=_("Leave blank to send no requests."),
        required=False,
        max_length=500,
        widget=forms.URLInput(
            attrs={"class": "input", "autocomplete": "off", "placeholder": "https://"}
        ),
    )

    def __init__(self, store: Store, data: Any = None) -> None:
        super().__init__(data, initial={"url": store.alert_webhook}, auto_id="webhook_%s")

    def clean_url(self) -> str:
        """Refuse an address to which no request would be sent."""
        url: str = self.cleaned_data["url"]
        problem = outside.problem_of(url) if url else ""
        if problem == "not_https":
            raise forms.ValidationError(_("Enter an address that begins with https://."))
        if problem == "not_public":
            raise forms.ValidationError(_("This address isn't on the public internet."))
        if problem:
            raise forms.ValidationError(_("Enter a valid URL without a password."))
        return url

    def values(self) -> dict[str, Any]:
        return {"alert_webhook": self.cleaned_data["url"]}


class RecipientForm(forms.Form):
    """An address for alerts, and the language of its mails."""

    address = forms.EmailField(
        label=_("Email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"class": "input", "autocomplete": "email"}),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=settings.LANGUAGES,
        widget=forms.Select(attrs={"class": "input"}),
    )

    def __init__(self, user: PanelUser, data: Any = None) -> None:
        initial = {"language": language_of(user.locale)}
        super().__init__(data, initial=initial, auto_id="%s")

    def clean_address(self) -> str:
        """Refuse what Django takes for an address and no mail can be sent to: a domain too long."""
        address: str = self.cleaned_data["address"]
        try:
            sanitize_address(address, "utf-8")
        except ValueError as error:
            raise forms.ValidationError(EmailValidator.message) from error
        return address


class ExclusionForm(forms.Form):
    """One thing to keep from SeQura, or to offer it for again."""

    kind = forms.ChoiceField(choices=[("category", "category"), ("product", "product")])
    key = forms.CharField(max_length=255)
    name = forms.CharField(max_length=255, required=False)
    storefront = forms.IntegerField(required=False)
    action = forms.ChoiceField(choices=[("exclude", "exclude"), ("allow", "allow")])

    def clean(self) -> dict[str, Any]:
        """Category ids are numbers from 1 on, as `settings_file.GeneralPart` has them."""
        cleaned = super().clean() or {}
        if cleaned.get("kind") == "category":
            key = str(cleaned.get("key", ""))
            if not key.isascii() or not key.isdigit() or not 0 < int(key[:19]) < 2**63:
                self.add_error("key", _("This isn't a valid category."))
            else:
                cleaned["key"] = int(key[:19])
        return cleaned


class DisconnectForm(forms.Form):
    """What becomes of the orders that are still open."""

    orders = forms.ChoiceField(choices=[("keep", "keep"), ("stop", "stop")], required=False)


class IgnoreForm(forms.Form):
    """Why an entry of the transaction log needs no action."""

    note = forms.CharField(label=_("Reason for dismissing"), max_length=500)


_MOST_PRODUCTS = 5


class WhatIfForm(forms.Form):
    """A made-up cart: the same rules as in the checkout answer for it."""

    country = forms.ChoiceField(label=_("Shipping country"))
    amount = forms.DecimalField(
        label=_("Amount"), min_value=0, max_value=1_000_000, decimal_places=2, localize=True
    )
    # The two fields with a hint stand beside each other.
    ip = forms.GenericIPAddressField(
        label=_("Customer's IP address"),
        required=False,
        help_text=_("Leave blank to test with an allowed address."),
    )
    products = forms.CharField(
        label=_("Products"),
        required=False,
        max_length=600,
        help_text=_("Up to 5 SKUs, separated by commas (optional)"),
    )
    currency = forms.RegexField(label=_("Currency"), regex=r"^[A-Za-z]{3}$", initial="EUR")
    digital = forms.BooleanField(label=_("Digital products or services only"), required=False)
    company = forms.BooleanField(label=_("The customer is a company"), required=False)
    storefront = forms.TypedChoiceField(
        label=_("Storefront"),
        coerce=int,
        required=False,
        widget=forms.Select(attrs={"class": "input"}),
    )

    def __init__(self, store: Store, data: Any = None) -> None:
        super().__init__(data, auto_id="if-%s", initial={"country": "ES", "amount": "100"})
        storefronts: Any = self.fields["storefront"]
        storefronts.choices = list(channels.names(store).items())
        # Without a choice it is one in which SeQura is on.
        on = [one for one in channels.names(store) if one not in store.disabled_channels]
        self.usual: int = next(iter([*on, *channels.names(store)]), 1)
        if len(storefronts.choices) < 2:
            del self.fields["storefront"]
        countries = [*SELLING_COUNTRIES.items(), ("", _("Another country"))]
        field: Any = self.fields["country"]
        field.required, field.choices = False, countries
        for name in ("country", "amount", "currency", "products", "ip"):
            self.fields[name].widget.attrs["class"] = "input"

    @property
    def cents(self) -> int:
        return to_cents(self.cleaned_data["amount"])

    @property
    def channel(self) -> int:
        return self.cleaned_data.get("storefront") or self.usual

    @property
    def skus(self) -> list[str]:
        found = (sku.strip() for sku in self.cleaned_data["products"].split(","))
        return list(dict.fromkeys(sku for sku in found if sku))[:_MOST_PRODUCTS]
