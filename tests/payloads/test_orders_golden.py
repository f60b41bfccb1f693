"""Every golden case of the order update, and that its carts add up."""

import json
from pathlib import Path

import pytest

from payloads.money import to_cents
from tests.payloads.orders_golden import folders, update_of


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
