"""Three views of one order, over the golden snapshots and by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from payloads.order.comparison import _Cell, as_accepted, compare

GOLDEN = sorted((Path(__file__).parents[1] / "payloads" / "orders").iterdir())
PLACED = GOLDEN[0].parent / "placed"


def read(case: Path, name: str) -> Any:
    return json.loads((case / name).read_text())


def documents(case: Path) -> Any:
    """The snapshot of a golden case, which may also hold facts of ours."""
    snapshot = read(case, "snapshot.json")
    return snapshot.get("snapshot", snapshot)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_a_statement_compared_with_itself_shows_no_difference(case: Path) -> None:
    update = read(case, "order_update.json")
    if "unshipped_cart" not in update:
        return
    comparison = compare(documents(case), update, update)
    assert (comparison.lines_differ, comparison.texts_differ) == (False, False)
    assert [row.mark for row in comparison.rows + comparison.totals] == [""] * (
        len(comparison.rows) + 3
    )
    owed = comparison.totals[-1]
    total = sum(update[key]["order_total_with_tax"] for key in ("unshipped_cart", "shipped_cart"))
    assert owed.wanted == owed.accepted == _Cell(total)
    assert sum(row.accepted.amount for row in comparison.rows if row.accepted) == total


def test_every_kind_of_difference_is_marked() -> None:
    accepted, wanted = (read(PLACED, "order_update.json") for _ in range(2))
    items = wanted["unshipped_cart"]["items"]
    items[0]["total_with_tax"] += 100
    removed = items.pop(1)
    items.append({**removed, "reference": "NEW", "name": "New"})
    wanted["customer"]["email"] = "otra@example.com"
    comparison = compare(documents(PLACED), accepted, wanted)
    marks = {row.reference: row.mark for row in comparison.rows}
    assert marks[items[0]["reference"]] == "changed"
    assert marks[removed["reference"]] == "removed"
    assert marks["NEW"] == "added"
    assert [text.name for text in comparison.texts if text.differs] == ["customer"]
    assert (comparison.lines_differ, comparison.texts_differ) == (True, True)
    differences = {row.reference: row.difference for row in comparison.rows if row.mark}
    assert differences[items[0]["reference"]] == 100
    assert differences["NEW"] == -differences[removed["reference"]]


def test_moving_units_into_the_shipped_cart_is_a_difference_without_money() -> None:
    accepted, wanted = (read(PLACED, "order_update.json") for _ in range(2))
    wanted["shipped_cart"], wanted["unshipped_cart"] = (
        wanted["unshipped_cart"],
        wanted["shipped_cart"],
    )
    comparison = compare(documents(PLACED), accepted, wanted)
    goods = [row for row in comparison.rows if row.wanted and row.wanted.units]
    assert goods
    assert {(row.mark, row.difference) for row in goods} == {("changed", 0)}
    assert [row.mark for row in comparison.totals] == ["changed", "changed", ""]


def test_order_that_cannot_be_told_marks_nothing() -> None:
    accepted = read(PLACED, "order_update.json")
    comparison = compare(documents(PLACED), accepted, None)
    assert not comparison.wanted
    assert (comparison.lines_differ, comparison.texts_differ) == (False, False)
    assert comparison.totals[-1].wanted is None
    assert comparison.totals[-1].shop


def test_before_the_first_update_sequra_knows_the_purchase() -> None:
    update = read(PLACED, "order_update.json")
    solicited = {"cart": update["unshipped_cart"], "customer": update["customer"]}
    accepted = as_accepted(None, solicited)
    comparison = compare(documents(PLACED), accepted, update)
    assert [row.mark for row in comparison.rows] == [""] * len(comparison.rows)
    assert as_accepted(update, solicited) == update
    assert compare(documents(PLACED), as_accepted(None, {}), update).lines_differ


def test_refund_stands_beside_the_lines_it_takes_from() -> None:
    case = PLACED.parent / "partially_refunded_before_shipping"
    update = read(case, "order_update.json")
    comparison = compare(documents(case), update, update)
    refunds = [row for row in comparison.rows if row.reference.startswith("r_") and row.shop]
    assert refunds
    assert all(row.shop and row.shop.amount < 0 for row in refunds)
    owed = comparison.totals[-1]
    assert owed.shop == owed.wanted
