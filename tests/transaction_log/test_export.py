"""The CSV file: harmless, complete, streamed."""

import csv
import io
import uuid
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from panel import export
from panel.export import _BYTE_ORDER_MARK as BYTE_ORDER_MARK
from panel.export import _harmless as harmless
from panel.views import log
from stores.models import PanelUser
from tests.stores.conftest import Panel, panel_for
from tests.transaction_log.conftest import NOON, MakeEntry
from transaction_log.models import Entry

REFERENCE = uuid.UUID("0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a")


def rows(reply: Any) -> list[dict[str, str]]:
    text = b"".join(reply).decode()
    assert text.startswith(BYTE_ORDER_MARK)
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")))


def test_file_holds_what_the_page_shows(panel: Panel, make_rejected: MakeEntry) -> None:
    make_rejected(
        reference=REFERENCE,
        words='He said "no",\nthen left',
        unshipped=123456,
        shipped=5,
        attempts=2,
    )
    reply = panel.get("log/export.csv")
    assert reply["Content-Type"] == "text/csv; charset=utf-8"
    assert reply["Content-Disposition"].startswith('attachment; filename="sequra-abc123-20')
    assert reply["X-Export-Since"] == "2026-11-20T11:00:00+00:00"
    (row,) = rows(reply)
    assert row["Date and time"] == "2026-11-20T12:00:00+01:00"
    assert row["Order"] == "250"
    assert row["SeQura reference"] == str(REFERENCE)
    assert row["Event"] == "Shipment"
    assert row["Status"] == "Rejected"
    assert row["Reason"] == "sequra_409"
    assert row["SeQura's message"] == 'He said "no",\nthen left'
    assert (row["Still to ship"], row["Shipped"], row["Attempts"]) == ("1234.56", "0.05", "2")
    assert row["SeQura"] == f"https://portal-sandbox.sequra.com/orders/{REFERENCE}"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", " =1", "|cmd", "%0A", "＝1", "＠x"],
)
def test_formulas_become_text(panel: Panel, make_rejected: MakeEntry, text: str) -> None:
    make_rejected(words=text, payment_method=text, note=text, event=text)
    (row,) = rows(panel.get("log/export.csv"))
    for column in ("SeQura's message", "Payment method", "Note", "Event"):
        assert row[column] == f"'{text}"


@pytest.mark.parametrize("divider", "\t\r\n")
def test_formula_behind_a_divider_in_front_is_text_on_both_sides(divider: str) -> None:
    """A spreadsheet that divides the line there sees two cells."""
    assert harmless(f"{divider}=1") == f"'{divider}'=1"


@pytest.mark.parametrize("text", ["", "250", "a=b", "Paga en 3", "The sum is -1", "ñ"])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_filter_holds_for_the_file(panel: Panel, make_entry: MakeEntry) -> None:
    make_entry(bigcommerce_id=1)
    make_entry(bigcommerce_id=2)
    assert [row["Order"] for row in rows(panel.get("log/export.csv?q=2"))] == ["2"]
    assert panel.get("log/export.csv?q=25O").status_code == 400


def test_file_is_in_the_language_of_its_reader(panel: Panel, make_entry: MakeEntry) -> None:
    make_entry()
    PanelUser.objects.filter(pk=panel.user.pk).update(locale="es-ES")
    (row,) = rows(panel_for(panel.store).get("log/export.csv"))
    assert row["Estado"] == "Aceptado"


def test_rows_come_in_short_queries_as_they_are_read(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lines are there before the last ones were asked for; nothing is counted."""
    monkeypatch.setattr(log, "_chunks", partial(log._chunks, size=10))
    made = Entry.objects.bulk_create(
        Entry(store=panel.store, event="ship", outcome="accepted", at=NOON, closed_at=NOON)
        for _ in range(35)
    )
    stream = iter(panel.get("log/export.csv"))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        next(stream)
        assert len(queries) == 0
        next(stream)
        assert len(queries) == 1
        rest = b"".join(stream).decode()
        assert len(queries) == 4
    assert rest.count("\r\n") == len(made) - 10
    assert not [one for one in queries if "OFFSET" in one["sql"] or "COUNT" in one["sql"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("rest", ["=1+1", '"=1+1"', " -1", "'+1", "@SUM(1)", "＝1", '  ""=1'])
@pytest.mark.parametrize("divider", [";", "\t", "|", "\n", "\r", "\r\n", ";;"])
def test_no_cell_is_a_formula_however_a_spreadsheet_divides_the_line(
    divider: str, rest: str, delimiter: str
) -> None:
    line = export.csv_text([["250", f"Madrid{divider}{rest}{divider}x", "end"]])
    for row in csv.reader(line.splitlines(keepends=True), delimiter=delimiter):
        assert [cell for cell in row if cell.lstrip().startswith(export._FORMULA)] == []
