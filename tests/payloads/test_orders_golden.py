"""Every golden case of the order update, and that its carts add up."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from payloads.money import to_cents
from payloads.order.order_update import Computed, compute
from tests.payloads.orders_golden import CASES, facts, folders, update_of

PART_REFUNDED = CASES / "awkward_rounding_part_shipped_part_refunded"


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_order_update_is_the_golden_one(folder: Path) -> None:
    assert update_of(folder) == json.loads((folder / "order_update.json").read_text())


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_carts_of_an_uncancelled_order_are_what_the_shopper_owes(folder: Path) -> None:
    snapshot, update = json.loads((folder / "snapshot.json").read_text()), update_of(folder)
    order = snapshot["order"]
    paid_otherwise = ("store_credit_amount", "gift_certificate_amount")
    owed = to_cents(order["total_inc_tax"]) - sum(to_cents(order[key]) for key in paid_otherwise)
    for payment in (p for refund in snapshot["refunds"] for p in refund["payments"]):
        if payment["provider_id"] == "custom" and not payment["is_declined"]:
            owed -= to_cents(payment["amount"])
    if order["status_id"] == 5 or snapshot.get("known", {}).get("refunded_status_refunds"):
        owed = update["shipped_cart"]["order_total_with_tax"]
    carts = (update["unshipped_cart"], update["shipped_cart"])
    assert sum(cart["order_total_with_tax"] for cart in carts) == max(0, owed)
    for cart in carts:
        total = sum(item["total_with_tax"] for item in cart["items"])
        assert cart["order_total_with_tax"] == total >= 0


def of_many_lines(count: int, renumbered: int = 0) -> Any:
    """An order whose lines were each shipped in part and refunded in part, before an edit."""
    snapshot: dict[str, Any] = json.loads((PART_REFUNDED / "snapshot.json").read_text())
    (shipment, *_), (refund, *_) = snapshot["shipments"], snapshot["refunds"]
    product, sent, back = snapshot["products"][0], shipment["items"][0], refund["items"][0]
    lines, worth = range(1000, 1000 + count), f"{10 * count}.00"
    earlier = [(line + renumbered, 50_000 + line) for line in lines]
    return {
        **snapshot,
        "order": {**snapshot["order"], "total_inc_tax": f"{20 * count}.00"},
        "products": [
            {**product, "id": line, "product_id": 50_000 + line, "quantity": 2} for line in lines
        ],
        "shipments": [
            {
                **shipment,
                "items": [
                    {**sent, "order_product_id": line, "product_id": product, "quantity": 1}
                    for line, product in earlier
                ],
            }
        ],
        "refunds": [
            {
                **refund,
                "total_amount": worth,
                "payments": [{**refund["payments"][0], "amount": worth}],
                "items": [{**back, "item_id": line, "quantity": 1} for line, _ in earlier],
            }
        ],
    }


def steps_of(work: Callable[[], object]) -> int:
    """How many instructions run: unlike time, the same on every machine."""
    steps = 0

    def count(frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps


@pytest.mark.parametrize("renumbered", [0, 1_000_000], ids=["as before", "after an edit"])
def test_an_order_costs_no_more_than_its_lines(renumbered: int) -> None:
    """Eight times the lines: eight times the work, where looking through all takes far more."""

    def work(count: int) -> Callable[[], object]:
        first = compute(of_many_lines(count), facts({}, {}))
        assert isinstance(first, Computed)
        known = replace(facts({}, {}), ledger=first.ledger)
        return partial(compute, of_many_lines(count, renumbered), known)

    assert isinstance(work(100)(), Computed)
    assert steps_of(work(800)) < 10 * steps_of(work(100))
