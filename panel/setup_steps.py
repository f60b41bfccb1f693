"""The way from installing to selling, as a list of steps with their state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from panel.templatetags.panel import moment
from stores import registration
from stores.models import Connection, Merchant, Store
from stores.storefronts import origin_of

_LONG_AGO = timedelta(days=30)  # without a question from a checkout; every shop has shoppers


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
class _Milestone:
    """One of the few stations between installing and selling. `state`: done, current or ahead."""

    title: str
    state: str
    link: str = ""


def guide(connections: Sequence[Connection], merchants: Sequence[Merchant]) -> list[_Milestone]:
    """The way to the first sale; nothing once the merchant has gone it."""
    if not connections:
        return milestones("connection")
    return [] if merchants else milestones("countries")


def milestones(current: str) -> list[_Milestone]:
    """The whole way, seen from the page `current`."""
    connected = current == "countries"
    return [
        _Milestone(_("Install the app"), "done"),
        _Milestone(_("Connect SeQura"), "done" if connected else "current", "connection"),
        _Milestone(
            _("Choose selling countries"),
            "current" if connected else "ahead",
            "countries" if connected else "",
        ),
        _Milestone(_("Start selling with SeQura"), "ahead"),
    ]


def named_steps(
    store: Store, connections: Sequence[Connection], merchants: Sequence[Merchant]
) -> dict[str, Step]:
    """The health of everything, by name; `connections` are those in use."""
    found = {part: _part(store, part) for part in registration.PARTS}
    if store.widget_places and "widgets" in store.registration:
        found["widgets"] = _part(store, "widgets")
    if page := store.registration.get("page"):
        found["page"] = _script_answers(page)
    if store.channels:
        found["checkout"] = _checkout_page(store, connections)
    found["asked"] = _asked(store)
    found["account"] = _connected(connections)
    found["countries"] = _selling(connections, merchants)
    return found


def _script_answers(page: dict[str, Any]) -> Step:
    """Whether a browser gets the script that BigCommerce puts on the checkout page."""
    title = _("Checkout script address")
    problems = tuple(_sentence(one) for one in page["problems"] if one["kind"] != "foreign")
    if {problem["kind"] for problem in page["problems"]} & {"failed", "unauthorised"}:
        text = _("We couldn't read from BigCommerce which script is installed.")
        return Step("warning", title, text, problems)
    if {problem["kind"] for problem in page["problems"]} & {"unreached"}:
        text = _(
            "The app couldn't reach its own public address. Customers may still reach it:"
            " “Checkout requests” below shows whether they do."
        )
        return Step("warning", title, text, problems)
    if problems:
        remedy = _(
            "Browsers don't run the script, so SeQura doesn't appear. Choose Run check and fix."
            " If this persists, send these lines to the app's support."
        )
        return Step("error", title, remedy, problems)
    at = moment(localtime(datetime.fromisoformat(page["at"])))
    text = _("Checked %(time)s: the script at this address is the one registered in BigCommerce.")
    return Step("success", title, text % {"time": at})


def _asked(store: Store) -> Step:
    """The one proof that the script runs on the checkout page: a checkout asked."""
    title, last = _("Checkout requests"), store.checkout_asked_at
    remedy = _(
        "Add a product to the cart in your store and go to the payment step. If SeQura doesn't"
        " appear, check in BigCommerce under Storefront › Script Manager that “SeQura checkout”"
        " is on and that no other checkout footer script blocks it. BigCommerce shows this app"
        " only its own scripts."
    )
    if last is None:
        return Step("todo", title, _("No checkout has requested SeQura yet."), (remedy,))
    text = _("Last request from a checkout: %(time)s.") % {"time": moment(localtime(last))}
    if timezone.now() - last > _LONG_AGO:
        return Step("warning", title, text, (remedy,))
    return Step("success", title, text)


def _checkout_page(store: Store, connections: Sequence[Connection]) -> Step:
    """What the merchant set for the checkout, as far as SeQura's options depend on it."""
    title = _("Checkout page")
    warnings = tuple(sentence for channel in store.channels for sentence in _warnings(channel))
    policy = _("If your store uses a Content Security Policy, add these hosts to it:")
    hosts = (policy, *_hosts_of_the_checkout(connections)) if connections else ()
    others = _scripts_of_others(store)
    if warnings:
        return Step("warning", title, _("SeQura may not appear there."), warnings + others + hosts)
    text = _("SeQura's options appear below your payment methods in BigCommerce's own checkout.")
    required = any(channel.get("terms") for channel in store.channels)
    return Step("success", title, text, (*(_terms() if required else ()), *others, *hosts))


def _terms() -> tuple[str, str]:
    return (
        _("Customers must accept your terms before they pay with SeQura."),
        _(
            "BigCommerce shows the checkbox for your terms only next to one of its own payment"
            " methods. Keep one turned on. Without the checkbox, SeQura doesn't appear."
        ),
    )


def _scripts_of_others(store: Store) -> tuple[str, ...]:
    page = store.registration.get("page") or {"problems": []}
    return tuple(_sentence(one) for one in page["problems"] if one["kind"] == "foreign")


def _warnings(channel: dict[str, Any]) -> list[str]:
    """Why SeQura may not be seen on this storefront, and what to do."""
    name, kind = channel["name"] or "BigCommerce", channel.get("checkout_type") or ""
    found = []
    if kind and not kind.startswith("optimized"):
        found.append(
            _(
                "%(name)s doesn't use BigCommerce's optimized one-page checkout, so SeQura"
                " doesn't appear. Choose it under Settings › Checkout."
            )
            % {"name": name}
        )
    if channel.get("custom_checkout"):
        found.append(
            _(
                "%(name)s has a custom checkout. If SeQura doesn't appear, its developer can"
                " add it by following our developer guide."
            )
            % {"name": name}
        )
    return found


def _hosts_of_the_checkout(connections: Sequence[Connection]) -> list[str]:
    """The lines of a Content Security Policy that our script and SeQura's form need."""
    addresses = {url for one in connections for url in (one.api_url, one.assets_url)}
    sequra = " ".join(sorted({origin_of(address) for address in addresses} - {""}))
    return [
        f"script-src {settings.APP_URL} {sequra}",
        f"connect-src {settings.APP_URL}",
        f"frame-src {sequra}",
        "img-src data:",
    ]


def _titles(part: str) -> tuple[str, str]:
    return {
        "information": (
            _("Store information"),
            _("We have your store's name, time zone and storefronts."),
        ),
        "webhooks": (
            _("Order sync"),
            _("BigCommerce notifies us of edits, shipments and refunds."),
        ),
        "script": (
            _("Checkout script"),
            _("The checkout script is installed on every storefront."),
        ),
        "widgets": (
            _("Widget script"),
            _("The widget script is installed on every storefront with widgets."),
        ),
        "panel": (
            _("Order panel"),
            _("Open it from an order's Action menu."),
        ),
    }[part]


def _part(store: Store, part: str) -> Step:
    title, text = _titles(part)
    health = store.registration.get(part)
    if health is None:
        return Step("todo", title, _("Not set up yet. Choose Fix."))
    if health["ok"]:
        return Step("success", title, text)
    sentence = _script_sentence if part == "script" else _sentence
    problems = tuple(sentence(problem) for problem in health["problems"])
    return Step("error", title, _("Choose Fix to repair it."), problems)


def _script_sentence(problem: dict[str, Any]) -> str:
    """What a merchant finds in BigCommerce's Script Manager, and did there."""
    fields = set(problem["words"].split())
    if problem["kind"] == "missing":
        sentence = _("The checkout of %(name)s has no SeQura script.")
    elif problem["kind"] != "changed":
        return _sentence(problem)
    elif "enabled" in fields:
        sentence = _("The SeQura script of %(name)s is turned off in the Script Manager.")
    elif fields & {"location", "visibility"}:
        sentence = _(
            "The SeQura script of %(name)s is assigned to the wrong pages or placed in the"
            " wrong location."
        )
    elif "consent_category" in fields:
        sentence = _("The SeQura script of %(name)s only runs after cookie consent.")
    else:
        return _sentence(problem)
    return sentence % {"name": problem["name"]}


def _sentence(problem: dict[str, Any]) -> str:
    sentence = {
        "unreached": _("%(name)s isn't responding: %(words)s"),
        "silent": _("%(name)s isn't responding: %(words)s"),
        "altered": _("The script at %(name)s differs from the one registered in BigCommerce."),
        "foreign": _(
            "Another script runs on your checkout page: %(name)s. If SeQura doesn't appear or"
            " is in the wrong place, turn that script off under Storefront › Script Manager and"
            " check again."
        ),
        "missing": _("Missing: %(name)s"),
        "changed": _("Changed in BigCommerce: %(name)s"),
        "outdated": _("Outdated: %(name)s"),
        "surplus": _("Duplicate or outdated: %(name)s"),
        "unauthorised": _("BigCommerce no longer accepts our access. Reinstall the app."),
        "failed": _("%(name)s: BigCommerce answered “%(words)s”"),
    }[problem["kind"]]
    names = {"name": problem["name"] or "BigCommerce", "words": problem["words"]}
    return sentence % names


def _connected(connections: Sequence[Connection]) -> Step:
    title = _("SeQura account")
    if not connections:
        text = _("Enter the username and password that SeQura sent you by email.")
        return Step("todo", title, text, link="connection", label=_("Connect SeQura"))
    if any(connection.is_refused for connection in connections):
        text = _(
            "SeQura rejects your account's username and password. Enter them again, or contact"
            " SeQura. We check every three minutes whether SeQura accepts them again."
        )
        return Step("error", title, text, link="connection", label=_("Connection settings"))
    return Step("success", title, _("SeQura accepted your credentials."))


def _selling(connections: Sequence[Connection], merchants: Sequence[Merchant]) -> Step:
    title = _("Selling countries")
    if merchants:
        return Step("success", title, _("Customers in these countries can pay with SeQura."))
    text = _("Choose the countries where you offer SeQura.")
    return Step("todo", title, text, link="countries" if connections else "", label=title)
