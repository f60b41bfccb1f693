"""How many calls a purchase costs at each API: the note of the release quotes these figures."""

import re
from collections import Counter
from typing import Any

import pytest

from tests.journeys.conftest import Visit
from tests.journeys.system import System, eventually

pytestmark = pytest.mark.xdist_group("stack")

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def shape(call: dict[str, Any]) -> str:
    """`GET /v2/orders/{id}`: a call without the numbers in it."""
    path = UUID.sub("{id}", call["path"].removeprefix("/stores/demo123"))
    return f"{call['method']} {re.sub(r'/[0-9]+', '/{id}', path)}"


PURCHASE = {
    "sequra": {
        "POST /orders": 1,
        "GET /orders/{id}/payment_methods": 1,
        "GET /orders/{id}/form_v2": 1,
        "PUT /orders/{id}": 2,  # confirmed, and again with the order's number
    },
    "bigcommerce": {
        "GET /v3/checkouts/{id}": 2,  # for the offer, and again when SeQura has approved
        "POST /v3/checkouts/{id}/token": 1,
        "POST /v3/checkouts/{id}/orders": 1,
        "GET /v2/orders/{id}": 1,
        "PUT /v2/orders/{id}": 1,
        "DELETE /v3/carts/{id}": 1,
    },
}


def test_calls_of_a_purchase(
    system: System, visit: Visit, capsys: pytest.CaptureFixture[str]
) -> None:
    """A guest's, from the payment step to the confirmation page; webhooks come afterwards."""
    system.sandbox.knobs(webhook_hold=True)
    before = system.sandbox.calls()[-1]["n"]
    shopper = visit()
    number = shopper.buy()
    sequra = system.sequra_order(number)
    gone = re.compile(f"/v3/carts/{shopper.checkout_id}")

    ours = re.compile(f"{shopper.checkout_id}|{sequra['uuid']}|/orders/{number}")

    def calls() -> list[dict[str, Any]]:
        """Those about this purchase: an earlier test may have left something to do."""
        found = system.sandbox.calls(since=before)
        return [call for call in found if call["system"] in PURCHASE and ours.search(str(call))]

    assert eventually(lambda: any(gone.search(call["path"]) for call in calls()))
    purchase = calls()
    end = next(n for n, call in enumerate(purchase) if gone.search(call["path"])) + 1
    counted: dict[str, Counter[str]] = {name: Counter() for name in PURCHASE}
    for call in purchase[:end]:
        counted[call["system"]][shape(call)] += 1
    with capsys.disabled():
        for name, shapes in counted.items():
            print(f"\ncalls of a purchase at {name}: {shapes.total()}")
            print("\n".join(f"  {times} × {what}" for what, times in shapes.items()))

    assert counted == PURCHASE
    system.sandbox.control("POST", "webhooks/release", {})
    assert eventually(lambda: shown_in_staff_notes(system, number))
    assert [shape(call) for call in calls()[end:] if call["system"] == "sequra"] == []


def shown_in_staff_notes(system: System, number: int) -> bool:
    """Our block in the staff notes is written last."""
    rows = system.sandbox.held("bigcommerce_orders")
    (order,) = (one["order"] for one in rows if one["order"]["id"] == number)
    return "SeQura" in order["staff_notes"]
