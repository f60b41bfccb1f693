"""Old entries go; open and young ones stay."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from sequra_bc.celery import app
from stores.models import Store
from tests.stores.conftest import Panel
from tests.transaction_log.conftest import MakeEntry
from transaction_log import tasks
from transaction_log.models import Entry
from transaction_log.tasks import forget_closed_entries


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def test_closed_entries_go_after_the_time_the_store_chose(
    store: Store, stranger: Panel, make_entry: MakeEntry, make_rejected: MakeEntry
) -> None:
    make_entry(at=ago(91), closed_at=ago(91))
    kept = {
        make_entry(at=ago(89), closed_at=ago(89)).pk,
        make_rejected(at=ago(400)).pk,  # still open
        make_rejected(at=ago(400), closed_at=ago(5)).pk,  # closed the other day
    }
    other = {"store": stranger.store}
    stranger.store.log_retention_days = 400
    stranger.store.save()
    kept.add(make_entry(at=ago(399), closed_at=ago(399), **other).pk)
    make_entry(at=ago(401), closed_at=ago(401), **other)
    tasks._delete_closed_entries()
    assert set(Entry.objects.values_list("pk", flat=True)) == kept


def test_a_store_s_entries_are_looked_through_once_a_day_and_when_the_time_changes(
    store: Store, make_entry: MakeEntry
) -> None:
    tasks._delete_closed_entries()
    make_entry(at=ago(50), closed_at=ago(50))
    store.refresh_from_db()
    assert timezone.now() + timedelta(hours=23) < store.forget_due_at
    tasks._delete_closed_entries()
    assert Entry.objects.count() == 1

    store.log_retention_days = 30
    store.save(update_fields=["log_retention_days"])
    tasks._delete_closed_entries()
    assert not Entry.objects.exists()


def test_many_entries_go_in_batches(
    store: Store, make_entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.isolation._DELETED_AT_ONCE", 3)
    for _ in range(7):
        make_entry(at=ago(100), closed_at=ago(100))
    forget_closed_entries()
    assert Entry.objects.count() == 0


def test_beat_comes_by_itself() -> None:
    assert forget_closed_entries.name in app.conf.beat_schedule
