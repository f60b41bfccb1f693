"""One mail as text and HTML, in its recipient's language, of what is still open."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from alerts.find import concerns, subject
from alerts.models import Alert, Mail
from stores.models import Store
from stores.storefronts import app_link, time_zone_of
from transport.reading import clean_text

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


def _alert(mail: Mail) -> dict[str, object] | None:
    store = mail.recipient.store
    open_ones = Alert.objects.filter(pk__in=mail.alerts, ended_at=None)
    topics = set(open_ones.values_list("topic", flat=True))
    found = [one for one in concerns(store) if one.topic in topics]
    if not found:
        return None
    return {
        "title": subject(mail.kind, found),
        "items": found[:_LISTED],
        "more": max(0, len(found) - _LISTED),
    }
