"""Pages by keyset: complete, without repetition, in both directions, whatever the moments are."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from panel.views.log import (
    PAGE,
    Position,
    _chunks,
    _first_page,
    _newer_page,
    _newest_first,
    _older_page,
)
from stores.models import Store
from tests.stores.conftest import Panel
from tests.transaction_log.conftest import NOON, MakeEntry
from transaction_log.models import Entry


def many(store: Store, count: int, apart: int) -> list[int]:
    """Entries `apart` microseconds from each other; ids from the newest to the oldest."""
    rows = [
        Entry(
            store=store,
            bigcommerce_id=n,
            event="ship",
            outcome="accepted",
            at=NOON + timedelta(microseconds=n * apart),
            closed_at=NOON,
        )
        for n in range(count)
    ]
    return [row.pk for row in Entry.objects.bulk_create(rows)][::-1]


@pytest.mark.parametrize("apart", [0, 1, 10**6])
def test_pages_show_every_entry_once_newest_first(store: Store, apart: int) -> None:
    expected = many(store, 3 * PAGE + 7, apart)
    page, shown = _first_page(_newest_first(store)), []
    sizes = []
    while True:
        shown += [entry.pk for entry in page.entries]
        sizes.append(len(page.entries))
        if page.older is None:
            break
        page = _older_page(_newest_first(store), page.older)
    assert shown == expected
    assert sizes == [PAGE, PAGE, PAGE, 7]


def test_newer_leads_back_the_way_we_came(store: Store) -> None:
    many(store, 3 * PAGE, 1)
    entries = _newest_first(store)
    first = _first_page(entries)
    assert first.older
    second = _older_page(entries, first.older)
    assert second.older
    third = _older_page(entries, second.older)
    assert third.older is None
    assert third.newer
    back = _newer_page(entries, third.newer)
    assert back.entries == second.entries
    assert back.newer
    assert _newer_page(entries, back.newer) == first


def test_newer_shows_what_came_meanwhile(store: Store, make_entry: MakeEntry) -> None:
    many(store, PAGE + 1, 1)
    entries = _newest_first(store)
    first = _first_page(entries)
    assert first.older
    second = _older_page(entries, first.older)
    fresh = make_entry(at=NOON + timedelta(hours=1))
    assert second.newer
    between = _newer_page(entries, second.newer)
    assert between.newer
    assert _newer_page(entries, between.newer).entries[0] == fresh


def test_full_last_page_offers_no_empty_one(store: Store) -> None:
    many(store, PAGE, 1)
    assert _first_page(_newest_first(store)).older is None


def test_position_survives_an_address(make_entry: MakeEntry) -> None:
    entry = make_entry(at=NOON + timedelta(microseconds=123456))
    position = Position.of(entry)
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text", ["", "-", "x-1", "1-", "1-x", "1--1", f"{10**40}-1", f"1-{10**30}"]
)
def test_positions_of_others_are_refused(panel: Panel, text: str) -> None:
    if text:
        for direction in ("before", "after"):
            reply = panel.get(f"log/?{direction}={text}")
            assert reply.status_code == 400
            assert b"a valid transaction log page" in reply.content
    with pytest.raises(ValueError, match="no place in the log"):
        Position.parse(text)


def test_chunks_hold_every_entry_once(store: Store) -> None:
    expected = many(store, 25, 0)
    found = list(_chunks(_newest_first(store), 10))
    assert [len(chunk) for chunk in found] == [10, 10, 5]
    assert [entry.pk for chunk in found for entry in chunk] == expected


def test_every_page_is_reached_by_plain_links(panel: Panel) -> None:
    expected = many(panel.store, 4 * PAGE, 1)
    path, shown = f"/s/{panel.token}/log/", []
    while path:
        html = Client().get(path).content.decode()
        shown += [int(number) for number in re.findall(r'<tr id="entry-(\d+)"', html)]
        found = re.search(r'href="(\?[^"]*before=[^"]+)" rel="next"', html)
        path = f"/s/{panel.token}/log/{found[1]}" if found else ""
    assert shown == expected


def test_links_keep_the_filter(panel: Panel) -> None:
    many(panel.store, PAGE + 1, 1)
    html = panel.get("log/?event=ship&outcome=accepted").content.decode()
    assert re.search(r'href="\?event=ship&amp;outcome=accepted&amp;before=\d+-\d+"', html)
