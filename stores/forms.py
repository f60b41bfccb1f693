"""The forms of the control panel. Every value is checked here; no model is filled by name."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sequra.documents import Deployment
from stores.connect import Login
from stores.countries import country_name
from stores.models import Connection, Merchant, Store

ENVIRONMENTS = [("live", _("Live")), ("sandbox", _("Sandbox"))]


class DeploymentFields:
    """The two boxes of one deployment, for the template."""

    def __init__(self, form: "ConnectionForm", deployment: Deployment) -> None:
        self.id, self.name = deployment.id, deployment.name
        self.username = form[f"{deployment.id}-username"]
        self.password = form[f"{deployment.id}-password"]
        self.connected = deployment.id in form.connected
        self.error = form.refusals.get(deployment.id, "")


class ConnectionForm(forms.Form):
    """Environment and credentials. A password is never sent back; left empty it stays as it is."""

    environment = forms.ChoiceField(
        label=_("Environment"), choices=ENVIRONMENTS, widget=forms.RadioSelect
    )
    send_statistics = forms.BooleanField(
        label=_("Help improve SeQura by sending usage data"), required=False
    )

    def __init__(self, store: Store, deployments: list[Deployment], data: Any = None) -> None:
        connections = store.connections.exclude(state="archived")
        self.store, self.deployments = store, deployments
        self.connected: dict[str, Connection] = {one.deployment: one for one in connections}
        self.refusals: dict[str, str] = {}
        super().__init__(data, initial=self._initial(), auto_id="%s")
        for deployment in deployments:
            self._add_fields(deployment)

    def _initial(self) -> dict[str, Any]:
        usernames = {f"{name}-username": one.username for name, one in self.connected.items()}
        return {
            "environment": self.store.environment,
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
                strip=name == "username",
                widget=widget(attrs=attributes),
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for deployment in self.deployments:
            self._clean_login(deployment.id, cleaned)
        if not self.errors and not self.logins():
            self.add_error(None, _("Enter the username and password of at least one account."))
        return cleaned

    def _clean_login(self, name: str, cleaned: dict[str, Any]) -> None:
        username, password = cleaned.get(f"{name}-username"), cleaned.get(f"{name}-password")
        if password and not username:
            self.add_error(f"{name}-username", _("This field is required."))
        if username and not password and not self._keeps(name, username):
            self.add_error(f"{name}-password", _("This field is required."))

    def _keeps(self, name: str, username: str) -> bool:
        """The stored password is only for the user name and environment it was stored with."""
        known = self.connected.get(name)
        environment = self.cleaned_data.get("environment")
        return known is not None and (known.username, known.environment) == (username, environment)

    def logins(self) -> dict[str, Login]:
        """What was typed in, by deployment; a deployment without user name is disconnected."""
        found = {}
        for deployment in self.deployments:
            username = self.cleaned_data.get(f"{deployment.id}-username")
            password = self.cleaned_data.get(f"{deployment.id}-password")
            if username:
                kept = password or self.connected[deployment.id].password
                found[deployment.id] = Login(username, kept)
        return found

    def boxes(self) -> list[DeploymentFields]:
        return [DeploymentFields(self, deployment) for deployment in self.deployments]


class CountriesForm(forms.Form):
    """A merchant id per country; an empty choice means SeQura is not offered there."""

    def __init__(self, available: dict[str, list[Merchant]], data: Any = None) -> None:
        super().__init__(data, auto_id="%s")
        for country, merchants in available.items():
            choices = [("", _("Do not offer SeQura")), *((one.ref, one.ref) for one in merchants)]
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
