"""What needs a person in a store now: each is one topic of one kind, in the reader's language."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from stores import registration
from stores.models import Connection, Store
from stores.storefronts import order_link
from transaction_log.explanations import (
    DECISION,
    UPDATES,
    Text,
    event_label,
    explain,
)
from transaction_log.models import Entry

# Open entries of a store that are looked at: the oldest, because one that is pushed out by others
# would end its alert, and be mailed again when it is back.
_MOST = 1000
_UPDATES = UPDATES | {"report"}
_DECISIONS = frozenset({"correction", DECISION})
_PARTS: dict[str, Text] = {
    "information": gettext_lazy("Store details"),
    "webhooks": gettext_lazy("Order sync"),
    "script": gettext_lazy("Checkout script"),
    "panel": gettext_lazy("Order panel"),
}


@dataclass(frozen=True)
class Concern:
    """One thing that needs a person: what happened, and what to do."""

    kind: str
    topic: str  # it stays the same while the thing is the same
    title: str
    what: str
    todo: str
    link: str = ""


def concerns(store: Store) -> list[Concern]:
    """Return what needs a person now. Its sentences are in the language that is active."""
    return [concern for look in _LOOKS for concern in look(store)]


def _access(store: Store) -> Iterator[Concern]:
    if store.state != Store.State.NEEDS_REAUTHORISATION:
        return
    yield Concern(
        "access",
        "access",
        _("BigCommerce no longer accepts our access"),
        _("SeQura doesn't appear in your checkout, and order updates aren't reaching SeQura."),
        _("Uninstall the app in the Apps menu and install it again. Your settings are kept."),
    )


def _account(store: Store) -> Iterator[Concern]:
    refused = store.connections.filter(
        state=Connection.State.CONNECTED, refused_at__isnull=False
    ).only("pk", "username")
    for account in refused.order_by("pk"):
        yield Concern(
            "account",
            f"account {account.pk}",
            _("SeQura rejects your account"),
            _(
                "SeQura no longer accepts the username and password of %(username)s. SeQura is"
                " hidden from your checkout, and order updates wait."
            )
            % {"username": account.username},
            _("Enter both again in the connection settings, or contact SeQura."),
        )


def _setup(store: Store) -> Iterator[Concern]:
    """A check fails. What was never checked is under way."""
    if store.state != Store.State.INSTALLED or not store.registration:
        return
    if registration.is_healthy(store):
        return
    failing = [
        str(name) for part, name in _PARTS.items() if not store.registration.get(part, {}).get("ok")
    ]
    yield Concern(
        "setup",
        "setup",
        _("SeQura isn't fully set up in your store"),
        _("These checks fail: %(names)s.") % {"names": ", ".join(failing)},
        _("Open SeQura and choose Run check and fix."),
    )


def _entries(store: Store) -> Iterator[Concern]:
    """The merchant's to-do list: what was rejected, or waits for a decision."""
    rejected = Entry.objects.filter(
        store=store, closed_at=None, outcome=Entry.Outcome.REJECTED
    ).only("pk", "bigcommerce_id", "event", "reason")
    for entry in reversed(rejected.order_by("at", "id")[:_MOST]):
        explanation = explain(entry.reason, entry.event)
        label = str(event_label(entry.event))
        order = entry.bigcommerce_id
        yield Concern(
            _kind_of(entry.event),
            f"entry {entry.pk}",
            _("Order %(id)s: %(event)s") % {"id": order, "event": label} if order else label,
            str(explanation.what),
            str(explanation.todo),
            order_link(store, order),
        )


def _kind_of(event: str) -> str:
    if event in _DECISIONS:
        return "decision"
    return "rejected" if event in _UPDATES else "payment"


_LOOKS: tuple[Callable[[Store], Iterator[Concern]], ...] = (_access, _account, _setup, _entries)


def subject(kind: str, found: Sequence[Concern]) -> str:
    """Return the subject of the mail about these."""
    n = len(found)
    if kind == "rejected":
        sentence = ngettext(
            "SeQura rejected %(n)s order update", "SeQura rejected %(n)s order updates", n
        )
    elif kind == "decision":
        sentence = ngettext("%(n)s order needs your decision", "%(n)s orders need your decision", n)
    elif kind == "payment":
        sentence = ngettext(
            "%(n)s payment needs your attention", "%(n)s payments need your attention", n
        )
    else:
        return found[0].title
    return sentence % {"n": n}
