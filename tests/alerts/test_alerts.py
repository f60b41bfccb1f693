"""Who receives alerts, what they say, and that none is lost, repeated or sent to a stranger."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings as project
from django.test import Client
from django.utils import timezone

from alerts import compose, tasks
from alerts.models import Alert, Mail, Recipient
from payloads.money import euros
from stores import install
from stores.models import Store
from stores.settings_file import ALERTS
from tests.alerts.conftest import MailServer, link_of, subject_of, text_of
from tests.panel.test_settings import Panel
from tests.panel.world import filled_store
from transaction_log import record
from transaction_log.models import Entry

pytestmark = pytest.mark.django_db
ADDRESS = "ana@example.com"
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
DUE = timedelta(minutes=11)  # what happened is mailed after ten minutes


def recipient(store: Store, address: str = ADDRESS, language: str = "en") -> Recipient:
    """An address that was confirmed."""
    return Recipient.objects.create(
        store=store, address=address, language=language, confirmed_at=timezone.now()
    )


def run(*, later: timedelta = timedelta()) -> None:
    """Run the task, and its turns, at a later time."""
    with time_machine.travel(timezone.now() + later, tick=True):
        Store.objects.update(alert_due_at=timezone.now())
        tasks.send_alerts()


def found_and_mailed() -> None:
    """One run finds what is open, one after ten minutes writes and sends the mails."""
    run()
    run(later=DUE)


def reject(store: Store, order: int = 1007, statement: str = "z") -> Entry:
    subject = store.orders.select_related("connection").get(bigcommerce_id=order).subject
    record.rejected(subject, "edit", "sequra_409", words="secret words", statement=statement)
    return store.entries.get(bigcommerce_id=order, statement=statement)


# --- Addresses ------------------------------------------------------------------------------------


def test_an_address_receives_alerts_once_its_reader_confirmed_it(
    panel: Panel, mail_server: MailServer
) -> None:
    panel.post("settings/alerts/add", address=ADDRESS, language="es")
    run()
    (question,) = mail_server.take()
    assert str(question["To"]) == ADDRESS
    assert "Confirma tu dirección" in str(question["Subject"])
    assert "Calzados Marina" in text_of(question)

    found_and_mailed()
    assert mail_server.take() == []

    page = link_of(question, "confirm")
    assert "<button" in Client().get(page).content.decode()  # a program that looks at links
    assert panel.store.recipients.get().confirmed_at is None
    assert "Tu dirección está confirmada" in Client().post(page).content.decode()
    found_and_mailed()
    assert {str(mail["To"]) for mail in mail_server.take()} == {ADDRESS}


def test_the_page_shows_addresses_with_their_state_and_removes_them(
    panel: Panel, mail_server: MailServer
) -> None:
    panel.post("settings/alerts/add", address=ADDRESS, language="en")
    assert ">Sending<" in panel.get("settings/alerts/").content.decode()
    run()
    assert ">Not confirmed<" in panel.get("settings/alerts/").content.decode()
    Client().post(link_of(mail_server.take()[0], "confirm"))
    page = panel.get("settings/alerts/").content.decode()
    assert (">Confirmed<" in page, ">Send again<" in page) == (True, False)

    key = panel.store.recipients.get().pk
    assert panel.post(f"settings/alerts/{key}")["Location"].endswith("?done=removed")
    found_and_mailed()
    assert mail_server.take() == []


def test_an_address_of_another_store_is_out_of_reach(panel: Panel) -> None:
    other = recipient(filled_store("other9"))

    assert panel.post(f"settings/alerts/{other.pk}").status_code == 404
    assert ADDRESS not in panel.get("settings/alerts/").content.decode()
    assert Recipient.objects.filter(pk=other.pk).exists()


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("nobody", "Enter a valid email address."),
        ("a@b.example, c@d.example", "Enter a valid email address."),
        ("a@b.example\nBcc: c@d.example", "Enter a valid email address."),
        ("a@" + 60 * "ü" + ".example", "Enter a valid email address."),  # too long as ASCII
        ("", "This field is required."),
        ("ANA@example.com", "This address is already on the list."),
    ],
)
def test_what_is_no_address_is_refused(
    panel: Panel, mail_server: MailServer, address: str, problem: str
) -> None:
    recipient(panel.store)
    answer = panel.post("settings/alerts/add", address=address, language="en")

    assert answer.status_code == 400
    assert problem in answer.content.decode()
    run()
    assert mail_server.take() == []


def test_a_stranger_is_not_mailed_again_and_again(panel: Panel, mail_server: MailServer) -> None:
    others = [Panel(filled_store(f"other{number}")) for number in range(2)]
    for one in (panel, *others):
        one.post("settings/alerts/add", address="Stranger@example.com", language="en")
    run()
    assert len(mail_server.take()) == 2  # a day, whoever asks

    key = panel.store.recipients.get().pk
    answer = panel.post(f"settings/alerts/{key}", again="1")
    assert answer["Location"].endswith("?done=asked_too_often")
    for _ in range(3):
        panel.post(f"settings/alerts/{panel.store.recipients.get().pk}")
        panel.post("settings/alerts/add", address="Stranger@example.com", language="en")
        panel.store.recipients.create(address="stranger@example.com")
    run()
    assert mail_server.take() == []


def test_a_store_has_five_addresses_and_asks_ten_times_a_day(
    panel: Panel, mail_server: MailServer
) -> None:
    for number in range(7):
        panel.post("settings/alerts/add", address=f"a{number}@example.com", language="en")
    assert panel.store.recipients.count() == 5
    asked = []
    for _ in range(3):
        Recipient.objects.all().delete()
        for number in range(3):
            panel.post("settings/alerts/add", address=f"b{number}@example.com", language="en")
        asked.append(Mail.objects.count())
    assert asked == [3, 2, 0]


def test_an_address_that_nobody_confirms_is_forgotten(panel: Panel) -> None:
    panel.store.recipients.create(address=ADDRESS)
    recipient(panel.store, "ben@example.com")
    run(later=timedelta(days=6))
    assert panel.store.recipients.count() == 2
    run(later=timedelta(days=8))

    assert [one.address for one in panel.store.recipients.all()] == ["ben@example.com"]
    answer = Client().get(f"/alerts/{Recipient(store=panel.store).key}/confirm")
    assert answer.status_code == 404
    assert "no longer valid" in answer.content.decode()


def test_a_link_in_each_mail_and_its_program_ends_the_alerts(
    panel: Panel, mail_server: MailServer
) -> None:
    recipient(panel.store)
    found_and_mailed()
    mail = mail_server.take()[0]
    stop = link_of(mail, "stop")
    assert mail["List-Unsubscribe"].strip() == f"<{project.APP_URL}{stop}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    reject(panel.store)
    found_and_mailed()

    assert "<button" in Client().get(stop).content.decode()
    answer = Client(enforce_csrf_checks=True).post(stop, {"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert (Recipient.objects.count(), Mail.objects.count()) == (0, 0)
    assert "no longer receive" in Client().get(stop).content.decode()


def test_an_uninstallation_removes_addresses_and_mails(
    panel: Panel, mail_server: MailServer
) -> None:
    recipient(panel.store)
    panel.store.recipients.create(address="ben@example.com")
    run()
    assert Alert.objects.exists()

    install.uninstall(panel.store)

    left = [model.objects.count() for model in (Recipient, Mail, Alert)]
    assert left == [0, 0, 0]


# --- What they say --------------------------------------------------------------------------------


def test_one_mail_per_kind_collects_what_is_open(panel: Panel, mail_server: MailServer) -> None:
    recipient(panel.store)
    reject(panel.store)
    panel.store.connections.get().pause()
    found_and_mailed()

    mails = {subject_of(mail): mail for mail in mail_server.take()}
    assert set(mails) == {
        "SeQura rejected 3 order updates · Calzados Marina",
        "SeQura rejects your account · Calzados Marina",
    }
    rejected = mails["SeQura rejected 3 order updates · Calzados Marina"]
    for kind in ("plain", "html"):
        text = text_of(rejected, kind)
        assert re.findall(r"Order (\d+):", text) == ["1007", "1001", "1002"]
        assert "https://store-abc123.mybigcommerce.com/manage/orders/1002" in text
        assert "https://store-abc123.mybigcommerce.com/manage/app/12345" in text
    assert "A refund can't be undone in BigCommerce." in text_of(rejected)
    assert "secret words" not in text_of(rejected) + text_of(rejected, "html")


def test_a_mail_says_in_euros_what_is_wrong_in_the_reader_s_language(
    panel: Panel, mail_server: MailServer
) -> None:
    recipient(panel.store, language="es")
    entry = reject(panel.store)
    approved = panel.store.orders.get(bigcommerce_id=1007).amount
    Entry.objects.filter(pk=entry.pk).update(unshipped=approved + 11_100, shipped=0)
    found_and_mailed()

    (mail,) = mail_server.take()
    sentence = f"supera en {euros(11_100, 'es')} los {euros(approved, 'es')} que aprobó SeQura."
    for kind in ("plain", "html"):
        assert sentence in text_of(mail, kind)
    assert "Reduce el total en 111,00" in text_of(mail)


def test_nothing_is_mailed_twice_and_news_waits_for_the_digest(
    panel: Panel, mail_server: MailServer
) -> None:
    recipient(panel.store)
    found_and_mailed()
    assert len(mail_server.take()) == 1
    run(later=timedelta(hours=5))
    assert mail_server.take() == []

    now = timezone.now()
    with time_machine.travel(now + timedelta(hours=6), tick=True):
        reject(panel.store)
        found_and_mailed()
        (mail,) = mail_server.take()
        assert subject_of(mail).startswith("SeQura rejected 1 order update ·")
        reject(panel.store, 1008)
        found_and_mailed()
        assert mail_server.take() == []  # four hours lie between two mails of a kind
        run(later=timedelta(hours=4, minutes=15))
        (mail,) = mail_server.take()
        assert "Order 1008" in text_of(mail)


def test_what_is_over_before_its_mail_is_sent_is_left_out(
    panel: Panel, mail_server: MailServer
) -> None:
    recipient(panel.store)
    run()
    panel.store.entries.filter(bigcommerce_id=1001).update(closed_at=timezone.now())
    run(later=DUE)
    (mail,) = mail_server.take()
    assert re.findall(r"Order (\d+):", text_of(mail)) == ["1002"]

    account = panel.store.connections.get()
    account.pause()
    run()
    account.resume()
    run(later=DUE)
    assert mail_server.take() == []
    account.pause()  # once more is something new
    run()
    run(later=DUE)
    assert [subject_of(mail) for mail in mail_server.take()] == [
        "SeQura rejects your account · Calzados Marina"
    ]


def test_a_part_that_is_missing_is_mailed_when_it_still_is_after_an_hour(
    store: Store, mail_server: MailServer
) -> None:
    recipient(store)
    Entry.objects.filter(store=store).delete()
    whole, broken = store.registration, {**store.registration, "script": {"ok": False}}
    Store.objects.update(registration=broken)
    found_and_mailed()
    assert mail_server.take() == []
    Store.objects.update(registration=whole)
    run(later=timedelta(minutes=30))
    Store.objects.update(registration=broken)
    now = timezone.now()
    run(later=timedelta(minutes=40))
    run(later=timedelta(minutes=80))
    assert mail_server.take() == []  # an hour of its own
    with time_machine.travel(now, tick=True):
        run(later=timedelta(minutes=110))
    (mail,) = mail_server.take()
    assert subject_of(mail) == "SeQura isn't fully set up in your store · Calzados Marina"
    assert "These checks fail: Checkout script." in text_of(mail)


def test_lost_access_is_mailed_with_what_to_do(store: Store, mail_server: MailServer) -> None:
    recipient(store)
    Entry.objects.filter(store=store).delete()
    store.needs_reauthorisation()
    found_and_mailed()

    (mail,) = mail_server.take()
    assert subject_of(mail) == "BigCommerce no longer accepts our access · Calzados Marina"
    assert text_of(mail).count("BigCommerce no longer accepts our access") == 1
    assert "Uninstall the app in the Apps menu and install it again." in text_of(mail)


def test_what_is_pushed_out_by_others_is_not_mailed_again(
    store: Store, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "_MOST", 2)
    recipient(store)
    found_and_mailed()
    assert len(mail_server.take()) == 1
    reject(store)
    now = timezone.now()
    with time_machine.travel(now + timedelta(hours=5), tick=True):
        found_and_mailed()
        assert mail_server.take() == []
        store.entries.filter(bigcommerce_id=1002).update(closed_at=now)
        found_and_mailed()
    (mail,) = mail_server.take()
    assert re.findall(r"Order (\d+):", text_of(mail)) == ["1007"]


def test_each_kind_can_be_switched_off_and_only_that(panel: Panel, mail_server: MailServer) -> None:
    recipient(panel.store)
    panel.store.connections.get().pause()
    kinds = [kind for kind in ALERTS if kind != "rejected"]
    answer = panel.post("settings/alerts/", kinds=kinds, quiet_from="0", quiet_until="0")
    assert answer["Location"].endswith("?done=saved")
    found_and_mailed()

    assert [subject_of(mail) for mail in mail_server.take()] == [
        "SeQura rejects your account · Calzados Marina"
    ]
    assert "No alert when" in panel.get("settings/history/").content.decode()


@pytest.mark.parametrize(
    ("quiet", "hour", "sent"),
    [
        ((21, 8), 20, True),
        ((21, 8), 21, False),
        ((21, 8), 3, False),
        ((21, 8), 8, True),
        ((9, 17), 12, False),
        ((9, 17), 18, True),
        ((6, 6), 6, True),
    ],
)
def test_quiet_hours_are_the_store_s_own_and_may_go_over_midnight(
    store: Store, mail_server: MailServer, quiet: tuple[int, int], hour: int, sent: bool
) -> None:
    store.alerts_quiet_from, store.alerts_quiet_until = quiet
    store.save()
    recipient(store)
    # Madrid is an hour ahead of UTC in November.
    with time_machine.travel(NOON.replace(hour=(hour - 1) % 24, minute=20), tick=True):
        found_and_mailed()
        assert bool(mail_server.take()) is sent


def test_a_mail_that_is_late_waits_for_the_end_of_the_quiet_hours(
    store: Store, mail_server: MailServer
) -> None:
    recipient(store)
    with time_machine.travel(NOON, tick=True):
        found = Alert.objects.create(store=store, kind="rejected", topic="entry 0")
        rejected = store.entries.get(bigcommerce_id=1001, outcome="rejected")
        topic = f"entry {rejected.pk}"
        Alert.objects.filter(pk=found.pk).update(topic=topic, mailed_at=NOON)
        Mail.objects.create(recipient=Recipient.objects.get(), kind="rejected", alerts=[found.pk])
        Store.objects.update(alerts_quiet_from=12, alerts_quiet_until=15)
        run()
        assert mail_server.take() == []
        run(later=timedelta(hours=3))
        assert len(mail_server.take()) == 1


@pytest.mark.parametrize(
    ("language", "subject", "todo"),
    [
        ("en", "SeQura rejected 2 order updates", "What to do:"),
        ("es", "SeQura ha rechazado 2 cambios de pedidos", "Qué hacer:"),
        ("fr", "SeQura a rejeté 2 modifications de commandes", "Que faire :"),
        ("it", "SeQura ha rifiutato 2 modifiche di ordini", "Cosa fare:"),
        ("pt", "A SeQura rejeitou 2 alterações de encomendas", "O que fazer:"),
    ],
)
def test_a_mail_is_in_its_reader_s_language(
    store: Store, mail_server: MailServer, language: str, subject: str, todo: str
) -> None:
    recipient(store, language=language)
    found_and_mailed()

    (mail,) = mail_server.take()
    assert subject_of(mail) == f"{subject} · Calzados Marina"
    assert f'<html lang="{language}">' in text_of(mail, "html")
    assert todo in text_of(mail, "html")


def test_a_hostile_name_of_a_store_stays_one_short_line_of_text(
    mail_server: MailServer,
) -> None:
    name = "Win <b>money</b>\r\nBcc: victim@example.com " + "long " * 40
    panel = Panel(filled_store())
    Store.objects.update(name=name[:255])
    panel.post("settings/alerts/add", address=ADDRESS, language="en")
    run()

    (mail,) = mail_server.take()
    assert mail["Bcc"] is None
    assert len(subject_of(mail)) < 120
    assert "<b>money" not in text_of(mail, "html")


# --- Delivery -------------------------------------------------------------------------------------
