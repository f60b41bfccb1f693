"""What a mail server does, and that no mail is lost, repeated or kept back by another."""

import os
import signal
import subprocess
import sys
from ast import literal_eval
from datetime import timedelta

import pytest
from django.conf import settings as project
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from alerts import compose, tasks
from alerts.models import Alert, Mail, Recipient
from local.processes import environment
from local.servers import ROOT, create_database
from stores.models import Store
from tests.alerts.conftest import MailServer, text_of
from tests.alerts.test_alerts import ADDRESS, DUE, found_and_mailed, recipient, run
from tests.panel.test_settings import Panel
from tests.panel.world import filled_store
from transaction_log.models import Entry

pytestmark = pytest.mark.django_db


def test_a_server_that_is_away_loses_nothing(
    store: Store, mail_server: MailServer, settings: Settings
) -> None:
    recipient(store)
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1  # nothing listens there
    found_and_mailed()
    assert Mail.objects.get().sent_at is None
    settings.EMAIL_PORT = port

    run(later=timedelta(minutes=14))

    assert len(mail_server.take()) == 1
    assert Mail.objects.get().next_at is None


def test_an_address_that_is_refused_for_good_is_shown_and_not_tried_again(
    panel: Panel, mail_server: MailServer
) -> None:
    recipient(panel.store)
    mail_server.to_recipients = ["550 no such user"]
    found_and_mailed()
    run(later=timedelta(hours=2))

    assert mail_server.take() == []
    assert Mail.objects.get().next_at is None
    assert ">Not delivered<" in panel.get("settings/alerts/").content.decode()


def test_an_address_that_is_refused_for_now_is_tried_again(
    store: Store, mail_server: MailServer
) -> None:
    recipient(store)
    mail_server.to_recipients = ["451 greylisted"]
    found_and_mailed()
    assert mail_server.take() == []
    assert Recipient.objects.get().failed_at is None

    run(later=timedelta(minutes=20))

    assert len(mail_server.take()) == 1


def test_one_refused_address_does_not_stop_the_others(
    store: Store, mail_server: MailServer
) -> None:
    for name in ("a", "b", "c"):
        recipient(store, f"{name}@example.com")
    mail_server.to_recipients = ["550 no such user"]
    found_and_mailed()

    assert len(mail_server.take()) == 2
    assert Recipient.objects.exclude(failed_at=None).count() == 1


def test_two_processes_never_send_the_same_row(store: Store, mail_server: MailServer) -> None:
    recipient(store).mails.create(kind=Mail.CONFIRM)
    first, second = tasks._due_mails().get(), tasks._due_mails().get()

    assert [tasks._claim(first), tasks._claim(second)] == [True, False]
    run()
    assert mail_server.take() == []


def test_a_store_that_fails_does_not_stop_the_others(
    store: Store, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = filled_store("broken9", alerts_quiet_from=0, alerts_quiet_until=0)
    recipient(broken, "broken@example.com")
    recipient(store)
    Entry.objects.filter(store=store, closed_at=None).exclude(bigcommerce_id=1001).delete()

    def concerns(one: Store) -> list[compose._Concern]:
        if one.hash == "broken9":
            raise LookupError
        return compose.concerns(one)

    monkeypatch.setattr(tasks, "concerns", concerns)
    found_and_mailed()

    assert [str(mail["To"]) for mail in mail_server.take()] == [ADDRESS]


def test_a_mail_that_nobody_can_write_is_put_off_and_given_up(
    store: Store, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def compose(_: Mail) -> None:
        nonlocal tries
        tries += 1
        raise LookupError

    asked = Recipient.objects.create(store=store, address=ADDRESS)
    asked.mails.create(kind=Mail.CONFIRM)
    monkeypatch.setattr(tasks, "compose", compose)

    for minutes in (0, 1, 3, 20):
        run(later=timedelta(minutes=minutes))
    assert tries == 3  # the pauses grow
    run(later=timedelta(days=4))
    run(later=timedelta(days=5))

    assert (tries, Mail.objects.get().next_at, mail_server.take()) == (4, None, [])


def work(server: str, database: str) -> subprocess.CompletedProcess[str]:
    """All that is due, once, in a process of its own."""
    env = environment(DATABASE_URL=database, EMAIL_URL=server)
    command = [sys.executable, "manage.py", "work"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.django_db(transaction=True)
def test_a_process_that_dies_between_sending_and_marking_sends_the_same_mail_again(
    mail_server: MailServer,
) -> None:
    """At least once: the repetition has the Message-ID of the first."""
    store = filled_store(alerts_quiet_from=0, alerts_quiet_until=0)
    recipient(store)
    run()
    Alert.objects.update(found_at=timezone.now() - DUE)
    Store.objects.update(alert_due_at=timezone.now())
    database = create_database(os.environ["DATABASE_URL"], str(connection.settings_dict["NAME"]))
    env = environment(DATABASE_URL=database, EMAIL_URL=project.EMAIL_URL)
    command = [sys.executable, "manage.py", "work"]
    with subprocess.Popen(command, cwd=ROOT, env=env) as process:
        mail_server.before_answer.append(process.kill)
        assert process.wait(timeout=400) == -signal.SIGKILL
    (first,) = mail_server.take()
    assert Mail.objects.get().sent_at is None

    work(project.EMAIL_URL, database)
    assert mail_server.take() == []  # the row is taken for ten minutes
    Mail.objects.update(next_at=timezone.now())
    work(project.EMAIL_URL, database)
    (second,) = mail_server.take()
    assert second["Message-ID"] == first["Message-ID"]
    assert text_of(second) == text_of(first)

    Mail.objects.filter(sent_at=None).update(next_at=timezone.now())
    work(project.EMAIL_URL, database)
    assert mail_server.take() == []


# --- The operator ---------------------------------------------------------------------------------


def test_without_a_mail_server_the_page_says_so_and_nothing_is_written(panel: Panel) -> None:
    recipient(panel.store)
    page = panel.get("settings/alerts/").content.decode()
    assert "The operator of this app hasn't set up a mail server." in page
    assert "Add address" not in page
    panel.post("settings/alerts/add", address="ben@example.com", language="en")
    found_and_mailed()

    assert panel.store.recipients.count() == 1
    assert (Alert.objects.count(), Mail.objects.count()) == (0, 0)


CONFIGURED = "from django.conf import settings as s; print([{}])"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", [False, "localhost", 25, False, False, ""]),
        ("smtp://mail.example.com:25", [True, "mail.example.com", 25, False, False, ""]),
        (
            "smtp+tls://u:p%40/#x@m.example.com:587",
            [True, "m.example.com", 587, True, False, "p@/#x"],
        ),
        ("smtp+ssl://u:p@m.example.com:465", [True, "m.example.com", 465, False, True, "p"]),
    ],
)
def test_the_mail_server_is_one_variable(url: str, expected: list[object]) -> None:
    names = ("HOST", "PORT", "USE_TLS", "USE_SSL", "HOST_PASSWORD")
    code = CONFIGURED.format(
        ", ".join(["bool(s.EMAIL_URL)", *(f"s.EMAIL_{name}" for name in names)])
    )
    env = environment(EMAIL_URL=url)
    found = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert literal_eval(found.stdout) == expected


@pytest.mark.parametrize("url", ["mail.example.com", "http://m.example.com", "memorymail://"])
def test_what_is_no_mail_server_is_named_at_the_start(url: str) -> None:
    env = environment(EMAIL_URL=url)
    found = subprocess.run(
        [sys.executable, "-c", "from django.conf import settings; settings.DEBUG"],
        env=env, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert found.returncode != 0
    assert "EMAIL_URL is no address" in found.stderr
