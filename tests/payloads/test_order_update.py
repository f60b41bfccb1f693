"""When there is no order update, and what is remembered of an order."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from payloads.order.carts import parcel_units
from payloads.order.comparison import _Parcel, parcels, standing
from payloads.order.ledger import Ledger, known_goods, written
from payloads.order.lines import Charge, Goods, rounding
from payloads.order.order_update import Held, compute, shipped_at
from payloads.order.refunds import Remains, after_refunds
from tests.payloads.orders_golden import CASES, facts

MUG = Goods(9, 42, "MUG", "Mug", 2, 3000)
PEN = Goods(10, 43, "PEN", "Pen", 1, 500)
BEFORE: Ledger = {"lines": {"7": [43, 3, 2], "8": [42, 1, 1]}}
SHIPPING = Charge("shipping", "shipping", "Shipping", 500)


def case(name: str, **order: Any) -> Any:
    snapshot = json.loads((CASES / name / "snapshot.json").read_text())
    snapshot.pop("known", None)
    snapshot.pop("solicited", None)
    return {**snapshot, "order": {**snapshot["order"], **order}}


def test_an_order_without_products_is_held_unless_it_is_cancelled_or_free() -> None:
    empty = case("awkward_rounding") | {"products": []}
    with pytest.raises(Held) as held:
        compute(empty, facts({}, {}))
    assert (held.value.reason, held.value.detail) == ("no_products", "")

    cancelled: Any = {**empty, "order": {**empty["order"], "status_id": 5}}
    free: Any = {**empty, "order": {**empty["order"], "total_inc_tax": "0.0000"}}
    assert compute(cancelled, facts({}, {})).update["unshipped_cart"]["items"] == []
    assert compute(free, facts({}, {})).update["shipped_cart"]["items"] == []


def test_an_order_in_another_currency_than_the_purchase_is_held() -> None:
    with pytest.raises(Held) as held:
        compute(case("awkward_rounding", default_currency_code="USD"), facts({}, {}))

    assert (held.value.reason, held.value.detail) == ("currency_changed", "USD")


def test_an_order_was_reopened_when_an_accepted_cancellation_is_undone() -> None:
    def ledger(status: int, before: Ledger) -> Ledger:
        known = replace(facts({}, {}), ledger=before)
        return compute(case("awkward_rounding", status_id=status), known).ledger

    found = [fresh := ledger(11, {}), gone := ledger(5, fresh), back := ledger(11, gone)]
    found.append(ledger(11, back))
    assert [(one["cancelled"], one["reopened"]) for one in found] == [
        (False, False),
        (True, False),
        (False, True),
        (False, True),
    ]


def test_what_refunds_leave_is_what_was_owed_less_the_money_to_the_cent() -> None:
    item = {"item_type": "PRODUCT", "item_id": MUG.id, "quantity": 1}
    refund = {"id": 1, "total_amount": "15.01", "items": [item]}

    remains = after_refunds([MUG, PEN], [SHIPPING, rounding(2)], [refund])

    assert remains.charges == [SHIPPING, rounding(1)]
    assert remains.amounts == []
    assert remains.owed == 3000 + 500 + 500 + 2 - 1501


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


@pytest.mark.parametrize(("credit", "units", "amount"), [("0.01", 1, 0), ("0.02", 0, -1500)])
def test_a_refund_shared_with_store_credit_by_more_than_rounding_settles_no_line(
    credit: str, units: int, amount: int
) -> None:
    payments = [("sequra", "15.00"), ("storecredit", credit)]
    refund = {
        "id": 1,
        "total_amount": f"15.{credit[-2:]}",
        "items": [{"item_type": "PRODUCT", "item_id": MUG.id, "quantity": 1}],
        "payments": [{"provider_id": name, "amount": paid} for name, paid in payments],
    }

    remains = after_refunds([MUG, PEN], [SHIPPING], [refund])

    assert remains.units[MUG.id] == units
    assert sum(one.amount for one in remains.amounts) == amount
    assert remains.owed == 3000 + 500 + 500 - 1500


def test_units_are_counted_in_each_parcel_that_a_line_travels_in() -> None:
    shipments: list[dict[str, Any]] = [
        {"id": 12, "items": [{"order_product_id": 9, "product_id": 42, "quantity": 1}]},
        {
            "id": 11,
            "items": [
                {"order_product_id": 9, "product_id": 42, "quantity": 1},
                {"order_product_id": 10, "product_id": 43, "quantity": 1},
                {"order_product_id": 7, "product_id": 43, "quantity": 2},  # an edit renumbered it
                {"order_product_id": 6, "product_id": 41, "quantity": 3},  # an edit removed it
            ],
        },
        {"id": 13, "items": None},
    ]

    found = parcel_units([MUG, PEN], shipments)

    assert found == {"11": {"MUG": 1, "PEN": 3, "41": 3}, "12": {"MUG": 1}, "13": {}}
    assert list(found) == ["11", "12", "13"]


def test_a_parcel_is_shown_with_its_tracking_and_its_lines_by_name() -> None:
    followed = {"type": "postal", "reference": "9", "carrier": "seur", "tracking_number": "ES1"}
    foreign = {"type": "postal", "reference": "100", "carrier": "ups"}  # of an earlier version
    accepted = {"trackings": [foreign, followed]}
    items = [{"reference": "MUG", "name": "Mug", "total_with_tax": 3000}]
    rows = standing({"cart": {"items": items}}, accepted)

    found = parcels(accepted, {"parcels": {"10": {"MUG": 1, "GONE": 2}, "9": {"MUG": 1}}}, rows)

    assert found == [
        _Parcel(followed, [("Mug", 1)]),
        _Parcel({}, [("Mug", 1), ("GONE", 2)]),
        _Parcel(foreign, []),
    ]
