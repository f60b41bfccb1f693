"""Every night at the store's hour in its own time zone, and what was missed is made good."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from orders.models import ReportRun
from orders.nightly import _JITTER_MINUTES, _last_moment, _moment_on, next_moment
from orders.reports.run import _REPORTS, _start_at_night
from stores.connect import choose
from stores.models import Connection, Merchant, Store

NIGHT = date(2026, 11, 21)


@pytest.fixture
def store(db: None) -> Store:
    """Sells in Spain since the first of the month."""
    store = Store.objects.create(
        hash="abc123",
        timezone="Europe/Madrid",
        reports_hour=4,
        installed_at=datetime(2026, 11, 1, tzinfo=UTC),
    )
    connection = Connection.objects.create(
        store=store, deployment="sequra", environment="sandbox", username="u", password="p"
    )
    Merchant.objects.create(store=store, connection=connection, country="ES", ref="demo_es")
    return store


def due(now: datetime) -> list[Store]:
    """Return the stores for which a run starts at that time, and take the runs back."""
    with time_machine.travel(now, tick=False):
        _REPORTS.start_due(Store.objects.exclude(state="uninstalled"), _start_at_night)
    runs = ReportRun.objects.filter(state="running")
    started = [run.store for run in runs.select_related("store")]
    runs.delete()
    return started


@pytest.mark.parametrize(
    ("zone", "utc_hour"),
    [("Europe/Madrid", 3), ("Atlantic/Canary", 4), ("America/New_York", 9), ("Nowhere/At_all", 4)],
)
def test_the_hour_is_the_stores(zone: str, utc_hour: int) -> None:
    moment = _moment_on(Store(hash="abc123", timezone=zone, reports_hour=4), NIGHT)
    assert moment.hour == utc_hour
    assert moment.minute < _JITTER_MINUTES


def test_stores_have_moments_of_their_own() -> None:
    moments = {_moment_on(Store(hash=f"store{n}", reports_hour=4), NIGHT) for n in range(60)}
    assert len(moments) > 20


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_the_nights_when_the_clocks_change_have_a_moment(day: date) -> None:
    store = Store(hash="abc123", timezone="Europe/Madrid", reports_hour=2)
    moment = _moment_on(store, day)
    assert _last_moment(store, moment) == moment
    assert _last_moment(store, moment - timedelta(seconds=1)) < moment
    assert timedelta(hours=22) < next_moment(store, moment) - moment < timedelta(hours=26)


def test_due_once_a_night(store: Store) -> None:
    moment = _moment_on(store, NIGHT)
    assert due(moment) == [store]

    ReportRun.objects.create(store=store, started_at=moment, state="done")
    assert due(moment + timedelta(hours=20)) == []
    assert due(_moment_on(store, NIGHT + timedelta(days=1))) == [store]


def test_a_missed_night_is_made_good(store: Store) -> None:
    moment = _moment_on(store, NIGHT)
    ReportRun.objects.create(store=store, started_at=moment - timedelta(days=1), state="done")
    assert due(moment + timedelta(hours=9)) == [store]


def test_a_new_store_waits_for_its_first_night(store: Store) -> None:
    moment = _moment_on(store, NIGHT)
    Store.objects.update(installed_at=moment + timedelta(minutes=1))
    assert due(moment + timedelta(hours=9)) == []
    assert due(_moment_on(store, NIGHT + timedelta(days=1))) == [store]


@pytest.mark.parametrize(
    "changes", [{"reports_enabled": False}, {"state": Store.State.UNINSTALLED}]
)
def test_nothing_by_itself_where_it_is_switched_off(
    store: Store, changes: dict[str, object]
) -> None:
    Store.objects.update(**changes)
    assert due(_moment_on(store, NIGHT)) == []


def test_nothing_without_a_selling_country(store: Store) -> None:
    Merchant.objects.update(selling=False)
    assert due(_moment_on(store, NIGHT)) == []


def test_automatic_reports_are_on_for_a_new_store() -> None:
    assert Store().reports_enabled


def test_a_night_under_way_from_before_is_followed_by_the_missed_one(store: Store) -> None:
    moment = _moment_on(store, NIGHT)
    run = ReportRun.objects.create(store=store, started_at=moment - timedelta(hours=1))
    with time_machine.travel(moment, tick=False):
        _REPORTS.start_due(Store.objects.all(), _start_at_night)
    assert ReportRun.objects.get() == run

    ReportRun.objects.update(state="done")
    assert due(moment + timedelta(minutes=5)) == [store]


def test_a_turn_is_the_next_night_s_moment_until_a_setting_of_the_night_changes(
    store: Store,
) -> None:
    moment = _moment_on(store, NIGHT)
    assert due(moment) == [store]
    store.refresh_from_db()
    assert store.report_due_at == _moment_on(store, NIGHT + timedelta(days=1))

    ReportRun.objects.create(store=store, started_at=moment, state="done")
    store.reports_hour = 6
    store.save(update_fields=["reports_hour"])
    assert due(moment + timedelta(hours=1)) == []  # the night of the new hour is still to come
    store.refresh_from_db()
    assert store.report_due_at == _moment_on(store, NIGHT)


def test_a_store_that_begins_to_sell_after_its_moment_makes_up_for_the_night(store: Store) -> None:
    moment = _moment_on(store, NIGHT)
    Merchant.objects.update(selling=False)
    assert due(moment) == []

    choose(store, {"ES": "demo_es"})
    assert due(moment + timedelta(hours=1)) == [store]
