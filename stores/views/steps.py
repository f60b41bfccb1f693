"""The way from installing to selling, as a list of steps with their state."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from stores import connect, registration
from stores.models import Store


@dataclass(frozen=True)
class Step:
    """One line of the list. `icon`: success, warning, error or todo."""

    icon: str
    title: str
    text: str = ""
    details: tuple[str, ...] = ()
    link: str = ""
    label: str = ""


def setup_steps(store: Store) -> list[Step]:
    parts = [_part(store, part) for part in registration.PARTS]
    return [*parts, _connected(store), _selling(store)]


def _titles(part: str) -> tuple[str, str]:
    return {
        "information": (
            _("Store information"),
            _("Name, time zone and storefronts are known."),
        ),
        "webhooks": (
            _("Order changes reach SeQura"),
            _("BigCommerce tells us about edits, shipments and refunds."),
        ),
        "script": (
            _("SeQura in your checkout"),
            _("The checkout script is installed on every storefront."),
        ),
        "panel": (
            _("SeQura in your orders"),
            _("The Action menu of an order opens its SeQura panel."),
        ),
    }[part]


def _part(store: Store, part: str) -> Step:
    title, text = _titles(part)
    health = store.registration.get(part)
    if health is None:
        return Step("todo", title, _("Not set up yet. Choose Repair."))
    if health["ok"]:
        return Step("success", title, text)
    problems = tuple(_sentence(problem) for problem in health["problems"])
    return Step("error", title, _("Choose Repair to put this right."), problems)


def _sentence(problem: dict[str, Any]) -> str:
    sentence = {
        "missing": _("Missing: %(name)s"),
        "changed": _("Changed by somebody: %(name)s"),
        "outdated": _("From an older version: %(name)s"),
        "surplus": _("There twice, or out of date: %(name)s"),
        "unauthorised": _("BigCommerce no longer accepts our access. Reinstall the app."),
        "failed": _("%(name)s: BigCommerce answered “%(words)s”"),
    }[problem["kind"]]
    names = {"name": problem["name"] or "BigCommerce", "words": problem["words"]}
    return sentence % names


def _connected(store: Store) -> Step:
    title = _("Connection with SeQura")
    connections = list(store.connections.exclude(state="archived"))
    if not connections:
        text = _("Enter the username and password that SeQura sent you by email.")
        return Step("todo", title, text, link="connection", label=_("Connect SeQura"))
    if any(connection.is_paused for connection in connections):
        text = _("SeQura refuses your password at the moment. Enter it again.")
        return Step("error", title, text, link="connection", label=_("Connection settings"))
    return Step("success", title, _("SeQura accepted your credentials."))


def _selling(store: Store) -> Step:
    title = _("Selling countries")
    merchants = connect.selling(store)
    if merchants:
        return Step("success", title, _("Shoppers in these countries can pay with SeQura."))
    text = _("Choose the countries in which you offer SeQura.")
    linked = store.connections.exclude(state="archived").exists()
    return Step("todo", title, text, link="countries" if linked else "", label=title)
