"""What needs a person in a store now, and the mail about it, in its reader's language."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alerts.models import Alert, Mail
from orders.models import Order
from stores import registration
from stores.models import Connection, Store
from stores.storefronts import app_link, order_link, time_zone_of
from transaction_log.explanations import (
    DECISION,
    UPDATES,
    Text,
    event_label,
    explain_amounts,
)
from transaction_log.models import Entry
from transport.reading import clean_text

# Open entries of a store that are looked at: the oldest, because one that is pushed out by others
# would end its alert, and be mailed again when it is back.
_MOST = 1000
_UPDATES = UPDATES | {"report"}
_DECISIONS = frozenset({"correction", "customer", "return", DECISION})
_PARTS: dict[str, Text] = {
    "information": gettext_lazy("Store details"),
    "webhooks": gettext_lazy("Order sync"),
    "script": gettext_lazy("Checkout script"),
    "panel": gettext_lazy("Order panel"),
}


@dataclass(frozen=True)
class _Concern:
    """One thing that needs a person: what happened, and what to do."""

    kind: str
    topic: str  # it stays the same while the thing is the same
    title: str
    what: str
    todo: str
    link: str = ""
    order: int | None = None


def concerns(store: Store) -> list[_Concern]:
    """Return what needs a person now. Its sentences are in the language that is active."""
    return [concern for look in _LOOKS for concern in look(store)]


def _access(store: Store) -> Iterator[_Concern]:
    if store.state != Store.State.NEEDS_REAUTHORISATION:
        return
    yield _Concern(
        "access",
        "access",
        _("BigCommerce no longer accepts our access"),
        _("SeQura doesn't appear in your checkout, and order updates aren't reaching SeQura."),
        _("Uninstall the app in the Apps menu and install it again. Your settings are kept."),
    )


def _account(store: Store) -> Iterator[_Concern]:
    refused = store.connections.filter(
        state=Connection.State.CONNECTED, refused_at__isnull=False
    ).only("pk", "username")
    for account in refused.order_by("pk"):
        yield _Concern(
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


def _setup(store: Store) -> Iterator[_Concern]:
    """A check fails. What was never checked is under way."""
    if store.state != Store.State.INSTALLED or not store.registration:
        return
    if registration.is_healthy(store):
        return
    failing = [
        str(name) for part, name in _PARTS.items() if not store.registration.get(part, {}).get("ok")
    ]
    yield _Concern(
        "setup",
        "setup",
        _("SeQura isn't fully set up in your store"),
        _("These checks fail: %(names)s.") % {"names": ", ".join(failing)},
        _("Open SeQura and choose Run check and fix."),
    )


def _entries(store: Store) -> Iterator[_Concern]:
    """The merchant's to-do list: what was rejected, or waits for a decision."""
    rejected = Entry.objects.filter(
        store=store, closed_at=None, outcome=Entry.Outcome.REJECTED
    ).only("pk", "bigcommerce_id", "event", "reason", "unshipped", "shipped")
    found = list(reversed(rejected.order_by("at", "id")[:_MOST]))
    approved = _approved(store, [entry.bigcommerce_id for entry in found if entry.total])
    for entry in found:
        order = entry.bigcommerce_id
        explanation = explain_amounts(
            entry.reason, entry.event, entry.total, approved.get(order or 0)
        )
        label = str(event_label(entry.event))
        yield _Concern(
            _kind_of(entry.event),
            f"entry {entry.pk}",
            _("Order %(id)s: %(event)s") % {"id": order, "event": label} if order else label,
            str(explanation.what),
            str(explanation.todo),
            order_link(store, order),
            order,
        )


def _approved(store: Store, numbers: Collection[int | None]) -> dict[int, int]:
    """Return the cents that SeQura approved, by order."""
    if not numbers:
        return {}
    orders = Order.objects.filter(store=store, bigcommerce_id__in=set(numbers))
    return dict(orders.values_list("bigcommerce_id", "amount"))


def _kind_of(event: str) -> str:
    if event in _DECISIONS:
        return "decision"
    return "rejected" if event in _UPDATES else "payment"


_LOOKS: tuple[Callable[[Store], Iterator[_Concern]], ...] = (_access, _account, _setup, _entries)


def subject(kind: str, found: Sequence[_Concern]) -> str:
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


_LISTED = 10
_NAME = 60  # letters of a store's name: its owner wrote it, and it goes to addresses of others


def compose(mail: Mail) -> EmailMultiAlternatives | None:
    """Return the mail; None where nothing that it was written about is open any more."""
    recipient, store = mail.recipient, mail.recipient.store
    with translation.override(recipient.language), timezone.override(time_zone_of(store)):
        parts = _question(store) if mail.kind == Mail.CONFIRM else _alert(mail)
        if parts is None:
            return None
        stop = settings.APP_URL + reverse("alerts_stop", args=[recipient.key])
        context = {
            "store": name_of(store),
            "link": app_link(store),
            "stop": stop,
            "confirm": settings.APP_URL + reverse("alerts_confirm", args=[recipient.key]),
            "address": recipient.address,
            **parts,
        }
        return _message(mail, context)


def _message(mail: Mail, context: dict[str, object]) -> EmailMultiAlternatives:
    host = urlsplit(settings.APP_URL).hostname or "localhost"
    message = EmailMultiAlternatives(
        subject=_("%(title)s · %(store)s") % context,
        body=render_to_string("alerts/mail.txt", context),
        to=[mail.recipient.address],
        headers={
            "Message-ID": f"<{mail.key}@{host}>",
            # https://www.rfc-editor.org/rfc/rfc8058: mail programs show a button for it.
            "List-Unsubscribe": f"<{context['stop']}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            # https://www.rfc-editor.org/rfc/rfc3834: no answers from absence assistants.
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string("alerts/mail.html", context), "text/html")
    return message


def name_of(store: Store) -> str:
    """Return the store's name as mails show it: one short line."""
    name = " ".join(clean_text(str(store)).split())
    return Truncator(name).chars(_NAME)


def _question(store: Store) -> dict[str, object]:
    return {
        "title": _("Confirm your address for SeQura alerts"),
        "intro": _(
            "Someone at the online store %(store)s added this address to receive an email when"
            " SeQura needs attention there. Confirm it if you agree. If you don't know this"
            " store, ignore this email: alerts are only sent to confirmed addresses."
        )
        % {"store": name_of(store)},
        "question": True,
    }


def open_concerns(store: Store, alerts: Collection[int]) -> list[_Concern]:
    """Return what is still open of these alerts of a store."""
    open_ones = Alert.objects.filter(store=store, pk__in=alerts, ended_at=None)
    topics = set(open_ones.values_list("topic", flat=True))
    return [one for one in concerns(store) if one.topic in topics]


def _alert(mail: Mail) -> dict[str, object] | None:
    found = open_concerns(mail.recipient.store, mail.alerts)
    if not found:
        return None
    return {
        "title": subject(mail.kind, found),
        "items": found[:_LISTED],
        "more": max(0, len(found) - _LISTED),
    }
