"""Seven days of all the store's orders, read with few calls."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orders.models import RecentOrders
from orders.queue import throttle
from orders.reports import statistics
from orders.reports.statistics import statistics_of
from payloads.reports import row_of
from tests.orders.merchant import Merchant


def listings(merchant: Merchant) -> list[dict[str, object]]:
    """The lists of orders that BigCommerce was asked for."""
    calls = merchant.sandbox.calls("bigcommerce")
    return [call["query"] for call in calls if call["path"].endswith("/v2/orders")]


def cash_order(merchant: Merchant) -> int:
    """An order that was paid otherwise."""
    checkout = merchant.sandbox.checkout()["checkout_id"]
    given = {"checkout_id": checkout, "method": "Cash on Delivery"}
    return int(merchant.sandbox.control("POST", "shopper/place_order", given)["order_id"])


def test_all_orders_of_the_store_however_they_were_paid(merchant: Merchant) -> None:
    order = merchant.order()
    other = cash_order(merchant)

    lines = {one["merchant_reference"]["order_ref_1"]: one for one in _lines(merchant)}

    ours, theirs = lines[str(order.bigcommerce_id)], lines[str(other)]
    assert ours["payment_method"] == "SQ"
    assert ours["amount"] == order.amount
    assert ours["merchant_reference"]["order_ref_2"] == str(order.reference)
    assert ours["status"] == "processing"
    assert ours["country"] == "ES"
    assert theirs["payment_method"] == "COD"
    assert "sequra_offered" not in theirs


def _lines(merchant: Merchant) -> list[dict[str, Any]]:
    lines = statistics_of(merchant.store)
    assert lines is not None
    return lines


def test_only_what_changed_is_read_again(merchant: Merchant) -> None:
    order = merchant.order()
    before = len(listings(merchant))
    _lines(merchant)
    _lines(merchant)
    assert len(listings(merchant)) == before + 1

    merchant.acts("set_status", order, status_id=5)
    RecentOrders.objects.update(until=timezone.now() - timedelta(hours=1))
    (line,) = _lines(merchant)

    assert "min_date_modified" in listings(merchant)[-1]
    assert line["status"] == "cancelled"


def test_many_pages_wait_for_the_stores_calls(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(statistics, "PAGE", 1)
    monkeypatch.setattr(throttle, "_QUARTER", 1)
    monkeypatch.setattr(throttle, "pause", waits.append)
    for _ in range(3):
        merchant.order()

    assert len(_lines(merchant)) == 3
    until_the_window_ends = [wait for wait in waits if wait > 1]
    assert len(until_the_window_ends) == 3
    assert max(until_the_window_ends) <= 30


def test_nothing_is_read_where_the_merchant_sends_none(merchant: Merchant) -> None:
    merchant.order()
    merchant.store.send_statistics = False
    before = len(listings(merchant))

    assert statistics_of(merchant.store) is None
    assert len(listings(merchant)) == before


def test_without_bigcommerce_the_report_goes_out_with_what_is_known(merchant: Merchant) -> None:
    merchant.order()
    assert len(_lines(merchant)) == 1
    RecentOrders.objects.update(until=timezone.now() - timedelta(hours=1))
    merchant.sandbox.fault("/v2/orders$", method="GET", status=503, times=5)

    assert len(_lines(merchant)) == 1


def test_parts_that_are_switched_off_are_left_out(merchant: Merchant) -> None:
    merchant.order()
    merchant.store.statistics_without = ["amount", "country", "device", "payment_method", "status"]

    (line,) = _lines(merchant)

    assert set(line) == {"completed_at", "currency", "merchant_reference"}


ODD: list[dict[str, Any]] = [
    {"date_created": "yesterday"},
    {"date_created": 5},
    {"total_inc_tax": "n/a"},
    {"billing_address": "Calle Mayor 1"},
]


@pytest.mark.parametrize("odd", ODD)
def test_an_order_that_makes_no_sense_is_left_out(odd: dict[str, Any]) -> None:
    order = {"id": 1, "date_created": "Fri, 27 Nov 2026 10:00:00 +0000", "status_id": 11}
    readable: Any = statistics._readable
    assert readable(order)["completed_at"] == "2026-11-27T10:00:00+00:00"
    assert readable(order | odd) is None


def test_a_date_without_its_zone_is_utc() -> None:
    for written in ("Fri, 27 Nov 2026 10:00:00 -0000", "2026-11-27T10:00:00"):
        row = row_of({"id": 1, "date_created": written, "status_id": 11})
        assert row
        assert row["completed_at"] == "2026-11-27T10:00:00+00:00"
