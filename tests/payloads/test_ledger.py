"""What is remembered of an order: lines that an edit replaced, and when goods left."""

from datetime import UTC, datetime
from typing import Any

import pytest

from payloads.order.ledger import Ledger, known_goods, written
from payloads.order.lines import Goods
from payloads.order.order_update import shipped_at
from payloads.order.refunds import Remains

MUG = Goods(9, 42, "MUG", "Mug", 2, 3000)
PEN = Goods(10, 43, "PEN", "Pen", 1, 500)
BEFORE: Ledger = {"lines": {"7": [43, 3, 2], "8": [42, 1, 1]}}


@pytest.mark.parametrize(("column", "units"), [(1, [3, 1]), (2, [2, 1])])
def test_accepted_lines_are_named_as_a_shipment_names_them(column: int, units: list[int]) -> None:
    assert known_goods(BEFORE, column) == [
        {"order_product_id": 7, "product_id": 43, "quantity": units[0]},
        {"order_product_id": 8, "product_id": 42, "quantity": units[1]},
    ]


def test_a_replaced_line_keeps_its_product_and_no_units_while_a_refund_names_it() -> None:
    refunds: list[dict[str, Any]] = [{"id": 1, "items": [{"item_id": 7}]}, {"id": 2}]

    ledger = written(BEFORE, [MUG, PEN], {9: 1}, {}, refunds, cancelled=False)

    assert ledger == {
        "lines": {"7": [43, 0, 0], "9": [42, 2, 1], "10": [43, 1, 0]},
        "refunds": {},
        "cancelled": False,
    }


def test_a_refund_of_a_replaced_line_is_of_its_product_while_units_are_left() -> None:
    remains = Remains([MUG, PEN], [], {7: 43, 8: 42})

    assert [remains.line(id_) for id_ in (9, 7, 8, 6, None)] == [MUG, PEN, MUG, None, None]

    remains.units[PEN.id] = 1
    assert remains.line(7) is None
    assert remains.line(10) is PEN


@pytest.mark.parametrize(
    ("parcels", "status", "day"),
    [
        (["Mon, 02 Nov 2026 10:00:00 +0000", "Wed, 04 Nov 2026 10:00:00 +0000"], 5, 4),
        (["Wed, 04 Nov 2026 10:00:00 +0000", "Mon, 02 Nov 2026 10:00:00 +0000"], None, 4),
        (["", "soon"], 5, 5),
        ([], 5, 5),
        ([], None, None),
    ],
)
def test_goods_left_with_the_last_parcel_or_with_the_status(
    parcels: list[str], status: int | None, day: int | None
) -> None:
    written_at = f"Thu, 0{status} Nov 2026 10:00:00 +0000" if status else ""
    snapshot: Any = {
        "order": {"date_shipped": written_at},
        "shipments": [{"date_created": one} for one in parcels],
    }

    assert shipped_at(snapshot) == (datetime(2026, 11, day, 10, tzinfo=UTC) if day else None)
