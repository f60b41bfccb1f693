"""What a merchant may ask of the log."""

import uuid
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from panel.views.log import _LogFilter
from tests.stores.conftest import Panel
from tests.transaction_log.conftest import MakeEntry
from transaction_log.models import Entry

REFERENCE = uuid.UUID("0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a")


def found(panel: Panel, **asked: str) -> list[Entry]:
    filters = _LogFilter(panel.store, asked)
    assert filters.errors == {}
    return list(filters.entries())


@pytest.mark.parametrize("text", ["250", "#250", " 250 ", "abc123-250"])
def test_search_finds_an_order(panel: Panel, make_entry: MakeEntry, text: str) -> None:
    wanted = make_entry(bigcommerce_id=250)
    make_entry(bigcommerce_id=2500)
    make_entry(bigcommerce_id=None)
    assert found(panel, q=text) == [wanted]


@pytest.mark.parametrize("text", [str(REFERENCE), REFERENCE.hex, str(REFERENCE).upper()])
def test_search_finds_a_reference(panel: Panel, make_entry: MakeEntry, text: str) -> None:
    wanted = make_entry(reference=REFERENCE)
    make_entry(reference=uuid.uuid4())
    assert found(panel, q=text) == [wanted]


@pytest.mark.parametrize("text", ["0b9a4c6e", "25O", "9" * 19, "²", "a\0b", "other9-250", "'; --"])
def test_search_for_anything_else_says_what_it_wants(
    panel: Panel, make_entry: MakeEntry, text: str
) -> None:
    make_entry()
    filters = _LogFilter(panel.store, {"q": text})
    assert list(filters.entries()) == []
    assert "q" in filters.errors


def test_refused_search_shows_its_reason_and_no_entry(panel: Panel, make_entry: MakeEntry) -> None:
    make_entry(bigcommerce_id=987654)
    html = panel.get("log/?q=25O").content.decode()
    assert "Enter an order number or a full SeQura reference." in html
    assert "987654" not in html


def test_outcome_event_and_needs_you_filter(
    panel: Panel, make_entry: MakeEntry, make_rejected: MakeEntry
) -> None:
    accepted = make_entry()
    refund = make_entry(event="refund")
    settled = make_rejected(closed_at=timezone.now())
    needs_you = make_rejected(event="refund")
    delayed = make_rejected(outcome="delayed", reason="sequra_unavailable")
    assert found(panel, outcome="accepted") == [refund, accepted]
    assert found(panel, outcome="rejected") == [needs_you, settled]
    assert found(panel, outcome="needs_you") == [needs_you]
    assert found(panel, outcome="delayed") == [delayed]
    assert found(panel, event="refund") == [needs_you, refund]
    assert found(panel, event="refund", outcome="accepted") == [refund]
    assert found(panel, outcome="ignored") == []


def test_dates_are_whole_days_of_the_store(panel: Panel, make_entry: MakeEntry) -> None:
    """Madrid is an hour ahead of UTC in November."""
    late = make_entry(at=datetime(2026, 11, 19, 22, 59, 59, tzinfo=UTC))
    early = make_entry(at=datetime(2026, 11, 19, 23, 0, tzinfo=UTC))
    html = panel.get("log/?since=2026-11-20&until=2026-11-20").content.decode()
    assert f'id="entry-{early.pk}"' in html
    assert f'id="entry-{late.pk}"' not in html
    html = panel.get("log/?until=2026-11-19").content.decode()
    assert f'id="entry-{late.pk}"' in html
    assert f'id="entry-{early.pk}"' not in html


def test_dates_the_wrong_way_round_are_refused(panel: Panel) -> None:
    html = panel.get("log/?since=2026-11-20&until=2026-11-19").content.decode()
    assert "“To” must be after “From”." in html


def test_dates_are_written_as_the_page_writes_them(panel: Panel) -> None:
    for day in ("05/11/2026", "2026-11-05"):
        html = panel.get(f"log/?since={day}").content.decode()
        assert 'value="05/11/2026"' in html
        assert 'placeholder="dd/mm/yyyy"' in html


@pytest.mark.parametrize("query", ["outcome=x", "event=x", "since=x", "until=2026-13-01"])
def test_unknown_values_find_nothing(panel: Panel, make_entry: MakeEntry, query: str) -> None:
    make_entry(bigcommerce_id=987654)
    reply = panel.get(f"log/?{query}")
    assert reply.status_code == 200
    assert b"987654" not in reply.content


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1999-12-31", "3000-01-01"])
def test_days_beyond_every_calendar_are_refused_kindly(panel: Panel, day: str) -> None:
    for query in (f"since={day}", f"until={day}"):
        reply = panel.get(f"log/?{query}")
        assert reply.status_code == 200
        assert "Check your filters" in reply.content.decode()
        assert panel.get(f"log/export.csv?{query}").status_code == 400
