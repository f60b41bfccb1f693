"""The way from installing to selling, as a list of steps with their state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from stores import registration
from stores.models import Connection, Merchant, Store


@dataclass(frozen=True)
class Step:
    """One line of the list. `icon`: success, warning, error or todo."""

    icon: str
    title: str
    text: str = ""
    details: tuple[str, ...] = ()
    link: str = ""
    label: str = ""


@dataclass(frozen=True)
class Milestone:
    """One of the few stations between installing and selling. `state`: done, current or ahead."""

    title: str
    state: str
    link: str = ""


def guide(connections: Sequence[Connection], merchants: Sequence[Merchant]) -> list[Milestone]:
    """The way to the first sale; nothing once the merchant has gone it."""
    if not connections:
        return milestones("connection")
    return [] if merchants else milestones("countries")


def milestones(current: str) -> list[Milestone]:
    """The whole way, seen from the page `current`."""
    connected = current == "countries"
    return [
        Milestone(_("Install the app"), "done"),
        Milestone(_("Connect SeQura"), "done" if connected else "current", "connection"),
        Milestone(
            _("Choose selling countries"),
            "current" if connected else "ahead",
            "countries" if connected else "",
        ),
        Milestone(_("Start selling with SeQura"), "ahead"),
    ]


def setup_steps(
    store: Store, connections: Sequence[Connection], merchants: Sequence[Merchant]
) -> list[Step]:
    """The health of everything; `connections` are those in use."""
    parts = [_part(store, part) for part in registration.PARTS]
    return [*parts, _connected(connections), _selling(connections, merchants)]


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


def _connected(connections: Sequence[Connection]) -> Step:
    title = _("Connection with SeQura")
    if not connections:
        text = _("Enter the username and password that SeQura sent you by email.")
        return Step("todo", title, text, link="connection", label=_("Connect SeQura"))
    if any(connection.is_refused for connection in connections):
        text = _(
            "SeQura refuses the username and password of your account. Enter them again, or ask"
            " SeQura why. We ask every three minutes whether SeQura accepts them again."
        )
        return Step("error", title, text, link="connection", label=_("Connection settings"))
    return Step("success", title, _("SeQura accepted your credentials."))


def _selling(connections: Sequence[Connection], merchants: Sequence[Merchant]) -> Step:
    title = _("Selling countries")
    if merchants:
        return Step("success", title, _("Shoppers in these countries can pay with SeQura."))
    text = _("Choose the countries in which you offer SeQura.")
    return Step("todo", title, text, link="countries" if connections else "", label=title)
