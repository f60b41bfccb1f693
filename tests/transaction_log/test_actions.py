"""Ignoring, keeping, retrying: what changes, and what must not."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from orders.models import Order
from orders.queue.claim import mark_changed
from orders.sync import retry as retrying
from panel.notices import _NOTICES
from tests.orders.merchant import is_paused
from tests.stores.conftest import Panel
from tests.transaction_log.conftest import MakeEntry, MakeOrder
from transaction_log import record
from transaction_log.models import Entry


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs here, so nobody waits for one."""
    monkeypatch.setattr(retrying.retry, "__defaults__", (0.0,))
    monkeypatch.setattr(retrying, "wake_worker", lambda: None)


def test_ignored_entry_stays_in_the_log_with_its_reason(
    panel: Panel, make_rejected: MakeEntry
) -> None:
    panel.user.email = "ana@example.com"
    panel.user.save()
    entry = make_rejected()
    reply = panel.post(f"log/{entry.pk}/ignore", {"note": "Settled by phone", "query": "q=250"})
    assert reply.url == f"/s/{panel.token}/log/?q=250&done=ignored&about=250"
    entry.refresh_from_db()
    assert (entry.outcome, entry.note, entry.ignored_by) == (
        "ignored",
        "Settled by phone",
        "ana@example.com",
    )
    assert entry.closed_at
    html = panel.get("log/?done=ignored&about=250").content.decode()
    assert "<strong>Order 250</strong>" in html
    assert "Dismissed. You can still find it in the log." in html
    assert "Dismissed by ana@example.com:" in html
    assert "Settled by phone" in html
    assert "needs your attention" not in html.split("<form")[0]


@pytest.mark.parametrize("note", ["", "   ", "x" * 501])
def test_ignoring_needs_a_reason(panel: Panel, make_rejected: MakeEntry, note: str) -> None:
    entry = make_rejected()
    assert panel.post(f"log/{entry.pk}/ignore", {"note": note}).status_code == 400
    entry.refresh_from_db()
    assert entry.outcome == "rejected"


def test_entry_that_was_settled_meanwhile_stays_settled(
    panel: Panel, make_rejected: MakeEntry, make_order: MakeOrder
) -> None:
    entry = make_rejected()
    record.accepted(make_order().subject, "ship")
    reply = panel.post(f"log/{entry.pk}/ignore", {"note": "x", "page": "order_panel"})
    assert reply.url == f"/s/{panel.token}/orders/250/?done=settled"
    entry.refresh_from_db()
    assert (entry.outcome, entry.note) == ("rejected", "")


def test_ignored_statement_stays_ignored_when_it_is_refused_again(make_order: MakeOrder) -> None:
    subject = make_order().subject
    first = record.rejected(subject, "edit", "sequra_409", words="no", statement="s1")
    assert record.ignore(first, "ana@example.com", "known")
    again = record.rejected(subject, "edit", "sequra_409", words="no!", statement="s1")
    assert (again.pk, again.outcome, again.attempts, again.words) == (first.pk, "ignored", 2, "no!")
    other = record.rejected(subject, "edit", "sequra_409", words="no", statement="s2")
    assert (other.outcome, other.is_open) == ("rejected", True)


def test_two_sequra_orders_of_one_cart_are_two_entries(make_order: MakeOrder) -> None:
    """A cart may be paid twice before it becomes an order: the fingerprint is the same."""
    payment = replace(make_order().subject, bigcommerce_id=None)
    twice = [replace(payment, reference=uuid4()) for _ in range(2)]
    for subject in (*twice, *twice):
        record.rejected(subject, "purchase", "conversion_refused", statement="cart")
    found = Entry.objects.order_by("id").values_list("reference", "attempts")
    assert list(found) == [(subject.reference, 2) for subject in twice]

    assert record.ignore(Entry.objects.earliest("id"), "ana@example.com", "seen")
    third = record.rejected(
        replace(payment, reference=uuid4()), "purchase", "conversion_refused", statement="cart"
    )
    assert (third.outcome, third.is_open) == ("rejected", True)


def test_payment_that_becomes_an_order_stays_one_entry(make_order: MakeOrder) -> None:
    subject = make_order().subject
    before = replace(subject, bigcommerce_id=None)
    record.delayed(before, "purchase", "order_delayed", statement="cart")
    record.delayed(subject, "purchase", "order_delayed", statement="cart")
    found = Entry.objects.values_list("bigcommerce_id", "attempts")
    assert list(found) == [(subject.bigcommerce_id, 2)]


def test_the_database_keeps_payments_without_an_order_apart(make_order: MakeOrder) -> None:
    payment = replace(make_order().subject, bigcommerce_id=None)
    entry = record.delayed(payment, "purchase", "order_delayed", statement="cart")
    entry.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        entry.save(force_insert=True)
    entry.reference = uuid4()
    entry.save(force_insert=True)


def test_what_is_late_is_named_as_it_stands_now(make_order: MakeOrder) -> None:
    subject = make_order().subject
    record.delayed(subject, "edit", "sequra_unavailable", totals=record.CartTotals(10000, 0))
    record.delayed(subject, "ship", "sequra_unavailable", totals=record.CartTotals(0, 10000))
    found = Entry.objects.values_list("event", "unshipped", "shipped", "attempts")
    assert list(found) == [("ship", 0, 10000, 2)]


def test_later_success_closes_what_is_open(make_order: MakeOrder) -> None:
    subject = make_order().subject
    record.delayed(subject, "edit", "sequra_unavailable")
    record.rejected(subject, "edit", "sequra_409", statement="s1")
    record.accepted(subject, "edit")
    assert not Entry.objects.filter(closed_at=None).exists()
    assert Entry.objects.count() == 3


def test_a_success_settles_only_what_it_is_about(make_order: MakeOrder) -> None:
    subject = make_order().subject
    for event in ("edit", "review_approved", "cancelled_by_sequra", "correction", "report"):
        record.rejected(subject, event, f"{event} refused", statement=event)
    still_open = Entry.objects.filter(closed_at=None).order_by("id").values_list("event", flat=True)

    record.close(subject)
    assert list(still_open) == ["review_approved", "cancelled_by_sequra", "correction", "report"]
    record.accepted(subject, "cancel_requested")
    assert len(still_open.all()) == 4
    record.accepted(subject, "review_approved")
    assert list(still_open.all()) == ["correction", "report"]


def test_retry_without_a_worker_says_queued(panel: Panel, make_order: MakeOrder) -> None:
    order = make_order()
    reply = panel.post("orders/250/retry", {"page": "order_panel"})
    assert reply.url == f"/s/{panel.token}/orders/250/?done=queued"
    order.refresh_from_db()
    assert order.changed > order.synced


Ending = tuple[str, dict[str, Any], str]
ENDINGS: list[Ending] = [
    ("accepted", {}, "accepted"),
    ("rejected", {"reason": "sequra_409", "statement": "s"}, "rejected"),
    ("delayed", {"reason": "sequra_unavailable"}, "delayed"),
    ("", {}, "unchanged"),
]


@pytest.mark.parametrize(("outcome", "fields", "word"), ENDINGS)
def test_retry_says_what_came_of_it(
    make_order: MakeOrder,
    monkeypatch: pytest.MonkeyPatch,
    outcome: str,
    fields: dict[str, Any],
    word: str,
) -> None:
    order = make_order()

    def worker() -> None:
        if outcome:
            getattr(record, outcome)(order.subject, "edit", **fields)
        done = {"attempts": 1} if outcome == "delayed" else {"synced": 1}
        Order.objects.filter(pk=order.pk).update(**done)

    monkeypatch.setattr(retrying, "wake_worker", worker)
    assert retrying.retry(order, patience=1) == word


def test_retry_says_what_is_in_the_way_and_keeps_the_order_due(make_order: MakeOrder) -> None:
    order = make_order()
    order.connection.stopped_at = timezone.now()
    assert retrying.retry(order) == "not_connected"
    order.store.needs_reauthorisation()
    order.store.refresh_from_db()
    assert retrying.retry(order) == "no_access"
    order.refresh_from_db()
    assert order.changed == 2 > order.synced
    assert {"not_connected", "no_access"} <= set(_NOTICES)


def test_retry_asks_an_account_that_had_refused_us(make_order: MakeOrder) -> None:
    order = make_order()
    order.connection.pause()
    assert retrying.retry(order, patience=0) == "queued"
    order.connection.refresh_from_db()
    assert not is_paused(order.connection)


def test_retry_waits_for_the_change_it_made(make_order: MakeOrder) -> None:
    """An earlier change that was just finished is not ours."""
    order = make_order()
    mark_changed(pk=order.pk)
    Order.objects.filter(pk=order.pk).update(synced=1)
    assert retrying.retry(order, patience=0.3) == "queued"


@pytest.mark.parametrize("page", ["https://evil.example", "//evil.example", "dashboard", ""])
def test_answer_never_leads_elsewhere(panel: Panel, make_order: MakeOrder, page: str) -> None:
    make_order()
    reply = panel.post("orders/250/retry", {"page": page, "query": "//evil.example\r\nX: y"})
    assert reply.url.startswith(f"/s/{panel.token}/log/?")
    assert "\r" not in reply.url


def test_word_we_did_not_coin_says_nothing(panel: Panel) -> None:
    html = panel.get("log/?done=<b>hello</b>").content.decode()
    assert "hello" not in html


@pytest.mark.parametrize("about", ["<b>1</b>", "x", "-1", "²", "9" * 40])
def test_a_notice_names_an_order_and_nothing_else(panel: Panel, about: str) -> None:
    html = panel.get(f"log/?done=ignored&about={about}").content.decode()
    assert "Dismissed. You can still find it in the log." in html
    assert "<strong>Order" not in html


def test_retention_is_a_setting(panel: Panel) -> None:
    assert panel.post("settings/", {"log_days": "30"}).status_code == 302
    panel.store.refresh_from_db()
    assert panel.store.log_retention_days == 30
    for days in ("0", "6", "3651", "x", "1e3"):
        assert panel.post("settings/", {"log_days": days}).status_code == 400
    assert panel.post("settings/", {"log_days": ""}).status_code == 302
    panel.store.refresh_from_db()
    assert panel.store.log_retention_days == 30


@pytest.mark.parametrize("path", ["log/1/ignore", "orders/250/retry"])
def test_actions_want_post_and_the_form_s_secret(
    panel: Panel, make_order: MakeOrder, path: str
) -> None:
    order = make_order()
    assert panel.get(path).status_code == 405
    assert panel.post(path, csrf="wrong").status_code == 403
    order.refresh_from_db()
    assert order.changed == 0


def test_pages_want_a_session(db: None) -> None:
    for path in ("log/", "log/export.csv", "orders/250/", "orders/250/compare/"):
        assert Client().get(f"/s/nobody/{path}").status_code == 401
