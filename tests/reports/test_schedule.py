"""Every night at the store's hour in its own time zone, and what was missed is made good."""

from datetime import UTC, date, datetime, timedelta

import pytest

from orders.models import ReportRun
from orders.reports.schedule import JITTER_MINUTES, due_stores, last_moment, moment_on, next_moment
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
    return list(due_stores(now))


@pytest.mark.parametrize(
    ("zone", "utc_hour"),
    [("Europe/Madrid", 3), ("Atlantic/Canary", 4), ("America/New_York", 9), ("Nowhere/At_all", 4)],
)
def test_the_hour_is_the_stores(zone: str, utc_hour: int) -> None:
    moment = moment_on(Store(hash="abc123", timezone=zone, reports_hour=4), NIGHT)
    assert moment.hour == utc_hour
    assert moment.minute < JITTER_MINUTES


def test_stores_have_moments_of_their_own() -> None:
    moments = {moment_on(Store(hash=f"store{n}", reports_hour=4), NIGHT) for n in range(60)}
    assert len(moments) > 20


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_the_nights_when_the_clocks_change_have_a_moment(day: date) -> None:
    store = Store(hash="abc123", timezone="Europe/Madrid", reports_hour=2)
    moment = moment_on(store, day)
    assert last_moment(store, moment) == moment
    assert last_moment(store, moment - timedelta(seconds=1)) < moment
    assert timedelta(hours=22) < next_moment(store, moment) - moment < timedelta(hours=26)


def test_due_once_a_night(store: Store) -> None:
    moment = moment_on(store, NIGHT)
    assert due(moment) == [store]

    ReportRun.objects.create(store=store, started_at=moment)
    assert due(moment + timedelta(hours=20)) == []
    assert due(moment_on(store, NIGHT + timedelta(days=1))) == [store]


def test_a_missed_night_is_made_good(store: Store) -> None:
    moment = moment_on(store, NIGHT)
    ReportRun.objects.create(store=store, started_at=moment - timedelta(days=1))
    assert due(moment + timedelta(hours=9)) == [store]


def test_a_new_store_waits_for_its_first_night(store: Store) -> None:
    moment = moment_on(store, NIGHT)
    Store.objects.update(installed_at=moment + timedelta(minutes=1))
    assert due(moment + timedelta(hours=9)) == []
    assert due(moment_on(store, NIGHT + timedelta(days=1))) == [store]


@pytest.mark.parametrize(
    "changes", [{"reports_enabled": False}, {"state": Store.State.UNINSTALLED}]
)
def test_nothing_by_itself_where_it_is_switched_off(
    store: Store, changes: dict[str, object]
) -> None:
    Store.objects.update(**changes)
    assert due(moment_on(store, NIGHT)) == []


def test_nothing_without_a_selling_country(store: Store) -> None:
    Merchant.objects.update(selling=False)
    assert due(moment_on(store, NIGHT)) == []


def test_automatic_reports_are_on_for_a_new_store() -> None:
    assert Store().reports_enabled
