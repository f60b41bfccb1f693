"""Whether SeQura is live in a store: one sentence, or what keeps it from that and where to mend it.

Every page that describes the state reads it here, so that no two of them disagree.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from panel import figures
from panel.setup_steps import Step, named_steps
from panel.templatetags.panel import ago
from stores import channels, registration, statuses
from stores.models import Connection, Merchant, Store, country_name

_SEVERITY = ("error", "warning", "info")
_SETUP = "setup"  # the section of the overview that repairs what is registered in BigCommerce


@dataclass(frozen=True)
class _Finding:
    """One thing that hides SeQura. `kind`: error (from all), warning (from some), info (by choice).

    `page` is where it is mended; `setup` is the section of that name on the overview.
    """

    kind: str
    title: str
    text: str
    page: str = ""
    label: str = ""


@dataclass(frozen=True)
class _Setup:
    """Every step of the set-up, and one summary of them."""

    steps: Sequence[Step]
    needs_repair: bool  # registering again in BigCommerce may mend it

    @property
    def open(self) -> int:
        return sum(1 for step in self.steps if step.icon != "success")

    @property
    def summary(self) -> str:
        if self.needs_repair:
            return _("SeQura isn't fully set up in your store. Choose Fix.")
        if not self.open:
            return _("All set: every check passed.")
        sentence = ngettext("%(n)s check is still open.", "%(n)s checks are still open.", self.open)
        return sentence % {"n": self.open}


@dataclass(frozen=True)
class _State:
    """The sentence on top of the overview. `kind`: success, info, warning or error."""

    kind: str
    sentence: str
    findings: Sequence[_Finding]  # the worst first


@dataclass(frozen=True)
class _Facts:
    store: Store
    connections: Sequence[Connection]  # those in use
    merchants: Sequence[Merchant]
    steps: Mapping[str, Step]
    syncing: bool  # order updates are still sent, also through an account that is disconnected


def setup_of(
    store: Store, connections: Sequence[Connection], merchants: Sequence[Merchant]
) -> _Setup:
    """Return the set-up of a store; `connections` are those in use."""
    steps = list(named_steps(store, connections, merchants).values())
    return _Setup(steps, needs_repair=not registration.is_healthy(store))


def state_of(
    store: Store,
    connections: Sequence[Connection],
    merchants: Sequence[Merchant],
    last_order: datetime | None,
) -> _State:
    """Return whether SeQura is live. `connections` are all of the store, archived ones too."""
    in_use = [one for one in connections if one.state != Connection.State.ARCHIVED]
    syncing = any(one.stopped_at is None for one in connections)
    steps = named_steps(store, in_use, merchants)
    facts = _Facts(store, in_use, merchants, steps, syncing)
    found = [finding for look in _LOOKS for finding in look(facts)]
    found.sort(key=lambda one: _SEVERITY.index(one.kind))
    if found and found[0].kind != "info":
        return _State(found[0].kind, found[0].title, found)
    is_plain = store.environment == "live" and not found
    return _State("success" if is_plain else "info", _live(facts, last_order), found)


def _live(facts: _Facts, last: datetime | None) -> str:
    is_live = facts.store.environment == "live"
    n = len({one.country for one in facts.merchants})
    if is_live:
        where = ngettext("SeQura is live in %(n)s country", "SeQura is live in %(n)s countries", n)
    else:
        where = ngettext(
            "SeQura runs in sandbox mode in %(n)s country",
            "SeQura runs in sandbox mode in %(n)s countries",
            n,
        )
    if last is None:
        return _("%(where)s. No orders yet.") % {"where": where % {"n": n}}
    return _("%(where)s. Last order: %(ago)s.") % {"where": where % {"n": n}, "ago": ago(last)}


def _account(facts: _Facts) -> Iterator[_Finding]:
    settings = ("connection", _("Connection settings"))
    if not facts.store.is_installed:
        yield _Finding(
            "error",
            _("BigCommerce no longer accepts our access"),
            _(
                "SeQura doesn't appear in your checkout, and order updates aren't reaching SeQura."
                " Uninstall the app in the Apps menu and install it again. Your settings are kept."
            ),
        )
    if not facts.connections:
        text = _("SeQura doesn't appear in your checkout, and order updates aren't sent.")
        if facts.syncing and (n := figures.recent(facts.store)):
            sentence = ngettext(
                "SeQura doesn't appear in your checkout. %(n)s order from the last 60 days keeps"
                " syncing through the old account.",
                "SeQura doesn't appear in your checkout. %(n)s orders from the last 60 days keep"
                " syncing through the old account.",
                n,
            )
            text = sentence % {"n": n}
        yield _Finding("error", _("SeQura is disconnected"), text, *settings)
    elif any(one.is_refused for one in facts.connections):
        yield _Finding(
            "error",
            _("SeQura rejects your account"),
            _(
                "SeQura no longer accepts your account's username and password. SeQura is hidden"
                " from your checkout, and order updates wait. Enter both again in the connection"
                " settings, or contact SeQura."
            ),
            *settings,
        )
    elif not facts.merchants:
        yield _Finding(
            "error",
            _("SeQura is off in every country"),
            _("Choose the countries where you offer SeQura."),
            "countries",
            _("Edit countries"),
        )


def _storefronts(facts: _Facts) -> Iterator[_Finding]:
    store, link = facts.store, ("storefronts", _("View storefronts"))
    if new := [str(one["name"]) for one in store.channels if one.get("new")]:
        title = _("New storefront: %(names)s") % {"names": ", ".join(new)}
        yield _Finding("info", title, _("Decide whether to offer SeQura there."), *link)
    for key in store.channel_settings:
        if lost := channels.lost_merchants(store, int(key)):
            names = {"name": channels.name_of(store, int(key)), "refs": ", ".join(lost)}
            title = _("SeQura is hidden in countries of %(name)s") % names
            text = _("Its merchant IDs aren't in your SeQura account any more: %(refs)s.") % names
            yield _Finding("warning", title, text, *link)


def _visibility(facts: _Facts) -> Iterator[_Finding]:
    store, link = facts.store, ("settings", _("Edit storefronts"))
    off = [str(one["name"]) for one in store.channels if one["id"] in store.disabled_channels]
    if off and len(off) == len(store.channels):
        text = _("Turn on at least one storefront.")
        yield _Finding("error", _("SeQura is off in every storefront"), text, *link)
    elif off:
        title = _("SeQura is off in %(names)s") % {"names": ", ".join(off)}
        text = ngettext(
            "Customers of this storefront don't see SeQura.",
            "Customers of these storefronts don't see SeQura.",
            len(off),
        )
        yield _Finding("info", title, text, *link)
    if n := len(store.allowed_ips):
        text = ngettext(
            "%(n)s IP address or range is allowed. SeQura is hidden from everyone else.",
            "%(n)s IP addresses or ranges are allowed. SeQura is hidden from everyone else.",
            n,
        )
        title = _("Only the IP addresses on your list can see SeQura")
        yield _Finding("warning", title, text % {"n": n}, "settings", _("Edit IP list"))
    if n := len(store.excluded_categories) + len(store.excluded_products):
        text = ngettext(
            "%(n)s category or product is excluded.",
            "%(n)s categories or products are excluded.",
            n,
        )
        title = _("SeQura is hidden for carts with excluded items")
        yield _Finding("info", title, text % {"n": n}, "exclusions", _("Edit exclusions"))
    if store.currency and store.currency != "EUR":
        title = _("Your store's default currency is %(currency)s") % {"currency": store.currency}
        text = _(
            "SeQura only appears in checkouts in euros. Add the euro in BigCommerce under"
            " Settings › Currencies."
        )
        yield _Finding("warning", title, text)


def _registration(facts: _Facts) -> Iterator[_Finding]:
    titles = {
        "information": _("We couldn't read your store's details from BigCommerce"),
        "webhooks": _("BigCommerce doesn't notify us of order changes"),
        "script": _("The SeQura script isn't on your checkout page"),
        "panel": _("The order panel is missing from BigCommerce"),
        "widgets": _("The script of promotional widgets isn't in your store"),
        "page": _("The SeQura script may not load"),
        "checkout": _("SeQura may not appear on your checkout page"),
        "asked": _("No checkout has requested SeQura for 30 days"),
    }
    link = (_SETUP, _("Setup check"))
    for name in [one for one in titles if one in facts.steps]:
        step = facts.steps[name]
        if name == "asked" and step.icon == "todo":
            if facts.merchants:
                yield _Finding("info", step.text, "", *link)
        elif step.icon != "success":
            is_hidden = name == "script" or (step.icon == "error" and name == "page")
            text = " ".join([step.text, *step.details[:1]])
            yield _Finding("error" if is_hidden else "warning", titles[name], text, *link)


def _statuses(facts: _Facts) -> Iterator[_Finding]:
    store = facts.store
    if warnings := statuses.warnings(store):
        title = _("Check your order statuses")
        yield _Finding("warning", title, " ".join(warnings), "order_statuses", _("Edit statuses"))
    for number in map(int, store.channel_settings):
        own = channels.ChannelSettings(store, number)
        # What it inherits is said of the store.
        if new := [one for one in statuses.warnings(store, own) if one not in warnings]:
            title = _("Check the order statuses of %(name)s")
            names = {"name": channels.name_of(store, number)}
            link = ("storefronts", _("View storefronts"))
            yield _Finding("warning", title % names, " ".join(new), *link)


def _methods(facts: _Facts) -> Iterator[_Finding]:
    without = [
        country_name(one.country)
        for one in facts.merchants
        if one.payment_methods_at and not one.payment_methods
    ]
    if without:
        title = _("SeQura offers no payment method in %(countries)s")
        text = _("Refresh the payment methods, or contact SeQura.")
        names = {"countries": ", ".join(without)}
        link = ("payment_methods", _("View payment methods"))
        yield _Finding("warning", title % names, text, *link)


_LOOKS: tuple[Callable[[_Facts], Iterator[_Finding]], ...] = (
    _account,
    _visibility,
    _storefronts,
    _registration,
    _statuses,
    _methods,
)
