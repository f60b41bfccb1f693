"""Find what needs a person, write its mails and requests, and send what is due.

At least once: a message is a row from the moment its alerts count as mailed, and it is marked as
sent after the mail server, or the store's webhook, took it. A process that dies between the two
leaves a row that is due again, and what is sent twice has the same id. Two processes never send one
row at once: each takes it by moving its time.
"""

import smtplib
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from celery import shared_task
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone
from requests import Session

from alerts import webhook
from alerts.compose import compose, concerns
from alerts.models import Alert, Delivery, Mail, Recipient
from stores.isolation import delete_in_batches, in_turn, isolated
from stores.models import Store
from stores.storefronts import time_zone_of
from transport.stopping import stopping

log = structlog.get_logger(__name__)
_SECONDS = 60.0  # for looking, as many for mails, and again for requests
_MOST = 500  # messages of one run
# Webhooks are strangers': some stores' at a time, a few requests of each, none after a failure.
_STORES_AT_ONCE, _MOST_OF_A_STORE = 8, 5
_LOOK_EVERY = timedelta(minutes=5)
_WITHOUT_RECIPIENTS = timedelta(days=1)  # a confirmation makes the turn due
# More may follow what has just happened, and a failing check may be mended in its next run.
_WAIT, _WAIT_FOR_CHECK = timedelta(minutes=10), timedelta(hours=1)
_BETWEEN = timedelta(hours=4)  # two mails of one kind
# Not needed here, and takes time to decrypt.
_SECRETS = ("access_token", "webhook_secret", "report_token", "alert_secrets")
_LEASE = timedelta(minutes=10)  # longer than a mail server may take
_PAUSES = [timedelta(minutes=minutes) for minutes in (2, 10, 30, 60, 180, 360)]  # then the last
_GIVE_UP_AFTER = timedelta(days=3)
_KEPT, _UNCONFIRMED_FOR = timedelta(days=30), timedelta(days=7)


@shared_task
def send_alerts() -> None:
    """Find what needs a person and send what is due; without a mail server only to webhooks."""
    _forget()
    stores = Store.objects.exclude(state=Store.State.UNINSTALLED).defer(*_SECRETS)
    in_turn("alerts", stores, "alert_due_at", _look, time.monotonic() + _SECONDS)
    if settings.EMAIL_URL:
        _send_due(time.monotonic() + _SECONDS)
    _send_requests(time.monotonic() + _SECONDS)


def _look(store: Store) -> datetime:
    """Bring the alerts of a store up to date, and write the messages about new ones."""
    now = timezone.now()
    confirmed = store.recipients.exclude(confirmed_at=None)
    recipients = list(confirmed) if settings.EMAIL_URL else []
    if not (recipients or store.alert_webhook):
        return now + _WITHOUT_RECIPIENTS
    _note(store, now)
    if not _is_quiet(store, now):
        _write_messages(store, recipients, now)
    return now + _LOOK_EVERY


def _note(store: Store, now: datetime) -> None:
    """Store an alert for each new topic, and end those whose topic is over."""
    found = {one.topic: one.kind for one in concerns(store) if one.kind not in store.alerts_without}
    still_open = Alert.objects.filter(store=store, ended_at=None)
    still_open.exclude(topic__in=found).update(ended_at=now)
    known = set(still_open.values_list("topic", flat=True))
    new = [
        Alert(store=store, kind=kind, topic=topic, found_at=now)
        for topic, kind in found.items()
        if topic not in known
    ]
    Alert.objects.bulk_create(new, ignore_conflicts=True)


def _is_quiet(store: Store, now: datetime) -> bool:
    """Return whether the store's quiet hours are now. They may go over midnight."""
    zone: ZoneInfo = time_zone_of(store)
    hour, start, end = now.astimezone(zone).hour, store.alerts_quiet_from, store.alerts_quiet_until
    return start <= hour < end if start <= end else hour >= start or hour < end


@transaction.atomic
def _write_messages(store: Store, recipients: Sequence[Recipient], now: datetime) -> None:
    """Write one message per kind and recipient about what none was written about."""
    new = Alert.objects.filter(store=store, ended_at=None, mailed_at=None).select_for_update()
    by_kind: dict[str, list[Alert]] = {}
    for alert in new.order_by("pk"):
        by_kind.setdefault(alert.kind, []).append(alert)
    last = dict(
        Alert.objects.filter(store=store, kind__in=by_kind, mailed_at__isnull=False)
        .values_list("kind")
        .annotate(at=Max("mailed_at"))
    )
    for kind, alerts in by_kind.items():
        wait = _WAIT_FOR_CHECK if kind == "setup" else _WAIT
        if alerts[0].found_at > now - wait or (kind in last and last[kind] > now - _BETWEEN):
            continue
        keys = [alert.pk for alert in alerts]
        Mail.objects.bulk_create(
            Mail(recipient=recipient, kind=kind, alerts=keys) for recipient in recipients
        )
        if store.alert_webhook:
            Delivery.objects.create(store=store, kind=kind, alerts=keys)
        Alert.objects.filter(pk__in=keys).update(mailed_at=now)


def _send_due(until: float) -> None:
    """Send the mails that are due, over one connection, until the time is up."""
    due = _due_mails()[:_MOST]
    with closing(_Server()) as server:
        for mail in due:
            if stopping() or time.monotonic() > until or server.is_away:
                return
            work = partial(_send, server, mail)
            if _claim(mail) and not isolated("alerts", mail.recipient.store, work):
                _settle(mail, "later")


def _due_mails() -> QuerySet[Mail]:
    due = Mail.objects.filter(next_at__lte=timezone.now()).order_by("next_at")
    secrets = (f"recipient__store__{name}" for name in _SECRETS)
    return due.select_related("recipient__store").defer(*secrets)


def _claim(message: Mail | Delivery) -> bool:
    """Take a message by moving its time, unless another process took it."""
    taken = timezone.now() + _LEASE
    mine = type(message).objects.filter(pk=message.pk, next_at=message.next_at)
    return bool(mine.update(next_at=taken, attempts=F("attempts") + 1))


def _settle(message: Mail | Delivery, outcome: str, **columns: str) -> None:
    """Store what became of a message: sent, over, or tried again after a growing pause.

    After some days nobody needs it any more.
    """
    now = timezone.now()
    pause = _PAUSES[min(message.attempts, len(_PAUSES) - 1)]
    waits = outcome == "later" and now - message.created_at < _GIVE_UP_AFTER
    type(message).objects.filter(pk=message.pk).update(
        next_at=now + pause if waits else None,
        sent_at=now if outcome == "sent" else None,
        **columns,
    )


class _Server:
    """The mail server, over one connection that is opened when it is needed."""

    def __init__(self) -> None:
        self.is_away = False  # the rest of the mails waits for the next run
        self._connection: BaseEmailBackend = get_connection()

    def close(self) -> None:
        self._connection.close()

    def take(self, mail: Mail) -> str:
        """Hand a mail over. Return `sent`, `refused` for good, `later`, or `over` without one."""
        message = compose(mail)
        if message is None:
            return "over"
        message.connection = self._connection
        try:
            message.send()
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _text in error.recipients.values()]
            return "refused" if all(code >= 500 for code in codes) else "later"
        except smtplib.SMTPException as error:
            log.warning("mail_server_failed", reason=type(error).__name__)
            self._connection.close()
            self.is_away = not isinstance(error, smtplib.SMTPDataError)
            return "later"
        except OSError as error:
            log.warning("mail_server_away", reason=type(error).__name__)
            self._connection.close()
            self.is_away = True
            return "later"
        return "sent"


def _send(server: _Server, mail: Mail) -> None:
    now, store = timezone.now(), mail.recipient.store
    waits = mail.kind != Mail.CONFIRM and _is_quiet(store, now)
    outcome = "later" if waits else server.take(mail)
    _settle(mail, outcome)
    recipient = Recipient.objects.filter(pk=mail.recipient_id)
    if outcome == "sent":
        recipient.update(reached_at=now, failed_at=None)
    elif outcome == "refused":
        recipient.update(failed_at=now)
    log.info("alert_mail", store=store.hash, kind=mail.kind, outcome=outcome)


def _send_requests(until: float) -> None:
    """Send the requests that are due, to several webhooks at once, until the time is up."""
    by_store: dict[int, list[Delivery]] = {}
    due = Delivery.objects.filter(next_at__lte=timezone.now()).order_by("next_at", "pk")
    for delivery in due.select_related("store")[:_MOST]:
        by_store.setdefault(delivery.store_id, []).append(delivery)
    sending = partial(_send_to_store, webhook.new_session(), until)
    with ThreadPoolExecutor(_STORES_AT_ONCE) as threads:
        prepared = (_prepare(rows[:_MOST_OF_A_STORE]) for rows in by_store.values())
        for answers in threads.map(sending, prepared):
            for delivery, answer in answers:
                isolated("alerts", delivery.store, partial(_sent, delivery, answer))


def _prepare(rows: Sequence[Delivery]) -> list[webhook.Request]:
    """Take a store's requests, and compose them: no thread needs the database."""
    ready: list[webhook.Request] = []
    for delivery in rows:
        work = partial(_compose, delivery, ready)
        if _claim(delivery) and not isolated("alerts", delivery.store, work):
            _settle(delivery, "later")
    return ready


def _compose(delivery: Delivery, ready: list[webhook.Request]) -> None:
    if delivery.kind != Delivery.TEST and _is_quiet(delivery.store, timezone.now()):
        _settle(delivery, "later")
    elif request := webhook.compose(delivery):
        ready.append(request)
    else:
        _settle(delivery, "over")


def _send_to_store(
    session: Session, until: float, requests: Sequence[webhook.Request]
) -> list[tuple[Delivery, webhook.Answer]]:
    """Send a store's requests one after the other. After a failure the others wait, too."""
    answers: list[tuple[Delivery, webhook.Answer]] = []
    failed: webhook.Answer | None = None
    for request in requests:
        is_over = stopping() or time.monotonic() > until
        answer = failed or (webhook.Answer("later") if is_over else webhook.send(session, request))
        failed = answer if answer.outcome == "later" else None
        answers.append((request.delivery, answer))
    return answers


def _sent(delivery: Delivery, answer: webhook.Answer) -> None:
    _settle(delivery, answer.outcome, failure=answer.failure)
    store = delivery.store.hash
    log.info("alert_request", store=store, kind=delivery.kind, outcome=answer.outcome)


def send_test(store: Store) -> None:
    """Write a request that only shows whether the store's webhook takes one."""
    Delivery.objects.create(store=store, kind=Delivery.TEST)


def ask_for_confirmation(recipient: Recipient) -> None:
    """Write the mail that asks whether the address wants alerts, in place of one that waits."""
    with transaction.atomic():
        recipient.mails.filter(kind=Mail.CONFIRM).exclude(next_at=None).delete()
        recipient.mails.create(kind=Mail.CONFIRM)


def confirm(recipient: Recipient) -> None:
    """Send alerts to this address from now on, beginning with what is open."""
    Recipient.objects.filter(pk=recipient.pk, confirmed_at=None).update(confirmed_at=timezone.now())
    recipient.store.look_for_alerts()


def _forget() -> None:
    """Delete addresses that were never confirmed, and old mails and alerts."""
    now = timezone.now()
    old: Iterable[QuerySet[Any]] = (
        Recipient.objects.filter(confirmed_at=None, added_at__lt=now - _UNCONFIRMED_FOR),
        Mail.objects.filter(created_at__lt=now - _KEPT),
        Delivery.objects.filter(created_at__lt=now - _KEPT),
        Alert.objects.filter(ended_at__lt=now - _KEPT),
    )
    for rows in old:
        delete_in_batches(rows)
