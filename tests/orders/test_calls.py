"""How many calls a merchant's change costs, and what a reading does without."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from orders.models import Order
from orders.sync import snapshot
from orders.sync.snapshot import read_snapshot
from orders.sync.sync import reading_of
from orders.sync.worker import drain
from payloads.order.lines import Document
from payments.models import Solicitation
from payments.steps.place_order import show_approved
from stores.clients import bigcommerce_for
from tests.orders.merchant import Merchant

WHOLE = "GET /v2/orders/{id}"
REFUNDS = "GET /v3/orders/{id}/payment_actions/refunds"
UPDATE = "PUT /merchants/demo_es/orders/{id}"
Calls = Callable[[], list[str]]


@pytest.fixture
def order(merchant: Merchant) -> Order:
    return merchant.order()


@pytest.fixture
def calls(merchant: Merchant) -> Calls:
    """Return the calls since the last look, in their order."""
    looked = {"n": 0}

    def since() -> list[str]:
        found = merchant.sandbox.calls(since=looked["n"])
        looked["n"] = max([looked["n"], *(call["n"] for call in found)])
        ours = [call for call in found if call["system"] in ("bigcommerce", "sequra")]
        return [shape(call) for call in ours]

    return since


def shape(call: dict[str, Any]) -> str:
    path = call["path"].removeprefix("/stores/demo123")
    return f"{call['method']} {re.sub(r'/[0-9]+', '/{id}', path)}"


def settles() -> None:
    """Let the order's next reading be due."""
    assert Order.objects.filter(settle_at__isnull=False).update(settle_at=timezone.now())
    drain()


@pytest.fixture
def pauses(settings: Settings) -> None:
    settings.SETTLE_SECONDS = [600, 600, 600]


def test_a_change_costs_three_calls_and_one_to_make_sure(
    merchant: Merchant, order: Order, calls: Calls, pauses: None
) -> None:
    line, _ = merchant.lines(order)
    calls()
    merchant.does("edit_order", order, lines=[{"id": line["id"], "price": "1.00"}])
    assert calls() == [WHOLE, REFUNDS, UPDATE]
    settles()
    assert calls() == [WHOLE]
    order.refresh_from_db()
    assert (order.settle_at, order.changed) == (None, order.synced)


def test_a_webhook_that_changed_nothing_costs_two_calls_and_one_each_time(
    merchant: Merchant, order: Order, calls: Calls, pauses: None
) -> None:
    calls()
    merchant.notices(order)
    assert calls() == [WHOLE, REFUNDS]
    for _ in range(3):
        settles()
        assert calls() == [WHOLE]
    order.refresh_from_db()
    assert order.settle_at is None


def test_a_late_change_is_found_when_making_sure(
    merchant: Merchant, order: Order, calls: Calls, pauses: None
) -> None:
    merchant.notices(order)
    line, _ = merchant.lines(order)
    merchant.acts("edit_order", order, lines=[{"id": line["id"], "price": "1.00"}])
    calls()
    settles()
    assert calls() == [WHOLE, REFUNDS, UPDATE]


@pytest.mark.parametrize("what", ["refund", "ship"])
def test_what_the_order_does_not_show_is_read_again_as_well(
    merchant: Merchant, order: Order, calls: Calls, pauses: None, what: str
) -> None:
    merchant.does(what, order, **({"amount": 1} if what == "refund" else {}))
    calls()
    settles()
    assert calls()[:2] == [WHOLE, REFUNDS]


def test_an_announced_refund_that_is_not_shown_yet_is_looked_for(
    merchant: Merchant, order: Order, calls: Calls, pauses: None
) -> None:
    Order.objects.update(has_refunds=True)  # its webhook came before the refund can be read
    merchant.notices(order)
    calls()
    settles()
    assert calls() == [WHOLE, REFUNDS]


@pytest.mark.parametrize("what", ["unsure", "refused"])
def test_what_is_not_settled_is_read_whole(
    merchant: Merchant, order: Order, calls: Calls, pauses: None, what: str
) -> None:
    merchant.notices(order)
    Order.objects.update(**{what: True if what == "unsure" else "digest"})
    calls()
    settles()
    assert calls()[:2] == [WHOLE, REFUNDS]


def test_a_store_that_leaves_the_parts_out_is_read_part_by_part(
    merchant: Merchant, order: Order, calls: Calls
) -> None:
    api, number = bigcommerce_for(merchant.store), order.bigcommerce_id
    whole = reading_of(order, read_snapshot(api, number, has_shipments=True))
    merchant.sandbox.knobs(include_ignored=True)
    calls()
    in_parts = reading_of(order, read_snapshot(api, number, has_shipments=True))
    assert calls() == [
        WHOLE,
        "GET /v2/orders/{id}/products",
        REFUNDS,
        "GET /v2/orders/{id}/shipments",
        "GET /v2/orders/{id}/shipping_addresses",
    ]
    assert in_parts == whole


def test_a_refused_statement_is_sent_again_when_the_order_s_state_changes(
    merchant: Merchant, order: Order, pauses: None
) -> None:
    """A reading to make sure skips what SeQura holds, and it does not hold what it refused."""
    merchant.notices(order)
    settles()
    merchant.sandbox.fault(r"/merchants/[^/]+/orders/.*", method="PUT", status=409)
    line, _ = merchant.lines(order)
    merchant.does("edit_order", order, lines=[{"id": line["id"], "price": "1.00"}])
    assert merchant.entries(order)[-1][1] == "rejected"
    Order.objects.update(settle_step=1)  # between two readings to make sure

    show_approved(Solicitation.objects.get(reference=order.reference))
    drain()

    assert len(merchant.updates()) == 2
    assert merchant.entries(order)[-1] == ("edit", "accepted", "")


def test_a_document_whose_total_is_not_that_of_its_lines_is_read_again(
    merchant: Merchant, order: Order, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BigCommerce was saving it: the total is new, the products are old."""
    api, number = bigcommerce_for(merchant.store), order.bigcommerce_id
    before: Any = api.whole_order(number)[0]
    line, _ = merchant.lines(order)
    merchant.acts("edit_order", order, lines=[{"id": line["id"], "price": "1.00"}])
    read, first = api.whole_order, [True]

    def whole_order(number: int) -> tuple[Any, str]:
        found, digest = read(number)
        if not first:
            return found, digest
        first.clear()
        return {**found, "consignments": before["consignments"]}, "torn"

    monkeypatch.setattr(api, "whole_order", whole_order)
    calls()
    found = read_snapshot(api, number, has_shipments=False)
    assert calls() == [WHOLE, REFUNDS, WHOLE, REFUNDS]
    assert found == read_snapshot(bigcommerce_for(merchant.store), number, has_shipments=False)


def test_a_total_that_nothing_explains_is_read_twice_and_believed(
    merchant: Merchant, order: Order, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, number = bigcommerce_for(merchant.store), order.bigcommerce_id
    read = api.whole_order

    def whole_order(number: int) -> tuple[Any, str]:
        document, digest = read(number)
        return {**document, "total_inc_tax": "1.0000"}, digest

    monkeypatch.setattr(api, "whole_order", whole_order)
    calls()
    found = read_snapshot(api, number, has_shipments=False)
    assert calls() == [WHOLE, REFUNDS, WHOLE]
    assert found["order"]["total_inc_tax"] == "1.0000"


@pytest.mark.parametrize("what", ["ship", "refund"])
def test_a_part_about_a_line_that_the_order_has_not_yet_is_read_with_it(
    merchant: Merchant, order: Order, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The merchant added the line and shipped or refunded it while the order was being read."""
    api, number = bigcommerce_for(merchant.store), order.bigcommerce_id
    read, first = api.refunds, [True]

    def refunds(number: int) -> Any:
        if first:
            first.clear()
            merchant.acts("edit_order", order, lines=[{"product_id": 103, "quantity": 1}])
            *_, line = merchant.lines(order)
            merchant.acts(what, order, items=[{"order_product_id": line["id"], "quantity": 1}])
        return read(number)

    monkeypatch.setattr(api, "refunds", refunds)
    found = read_snapshot(api, number, has_shipments=True)
    assert found == read_snapshot(bigcommerce_for(merchant.store), number, has_shipments=True)
    assert len(found["products"]) == 3


LINE, OTHER = {"id": 1, "quantity": 2}, {"id": 2, "quantity": 1}
LINK = {"url": "https://api.example.com/v2/orders/1/products/1", "resource": "/orders/1/products/1"}


def by_way(**ways: Any) -> dict[str, Any]:
    """An order of three units, whose consignments these are."""
    return {"items_total": 3, "consignments": {"pickups": [], "shipping": [], **ways}}


@pytest.mark.parametrize(
    "whole",
    [
        by_way(shipping=[{"line_items": [LINE, OTHER]}]),
        by_way(pickups=[{"line_items": [LINE]}], downloads=[{"line_items": [OTHER]}]),
        by_way(
            shipping=[{"line_items": [LINE]}],
            email={"gift_certificates": [{"line_items": [OTHER]}]},
        ),
    ],
)
def test_products_come_with_whatever_brings_them(whole: Document) -> None:
    assert snapshot._products(whole) == [LINE, OTHER]


@pytest.mark.parametrize(
    "partial",
    [
        {"items_total": 3},
        {"items_total": 3, "consignments": LINK},
        {"items_total": 3, "consignments": [LINK]},
        by_way(),
        by_way(shipping=[{"line_items": [LINE]}]),  # one is missing
        by_way(shipping=[{"line_items": [LINE, LINE, OTHER]}]),
        by_way(shipping=[{"line_items": [LINE, OTHER, OTHER]}]),
        by_way(shipping=[{"line_items": [LINK, LINK]}]),
        by_way(shipping=[{"line_items": LINK}]),
        by_way(shipping=[{"line_items": [LINE, OTHER]}, {"line_items": None}]),
        by_way(shipping=[{"line_items": [LINE, {"id": 2, "quantity": None}]}]),
        {**by_way(shipping=[{"line_items": [LINE, OTHER]}]), "items_total": None},
    ],
)
def test_products_that_are_not_all_there_are_asked_for(partial: Document) -> None:
    assert snapshot._products(partial) is None


def test_addresses_are_as_many_as_the_order_counts() -> None:
    shipping = [{"id": 7, "line_items": []}]
    order = by_way(shipping=shipping) | {"shipping_address_count": 1}
    assert snapshot._addresses(order) == shipping
    assert snapshot._addresses(order | {"shipping_address_count": 2}) is None
    assert snapshot._addresses({"consignments": LINK, "shipping_address_count": 1}) is None


@pytest.mark.parametrize(
    ("fees", "found"), [([], []), ({"fees": [LINE]}, [LINE]), (LINK, None), (None, None)]
)
def test_fees_are_a_list_or_in_fees(fees: object, found: object) -> None:
    assert snapshot._fees({"fees": fees}) == found


def test_errors_of_ours_are_no_unreadable_documents(
    merchant: Merchant, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are retried and logged with their place; the merchant cannot mend them."""

    def fails(*_: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr("orders.sync.sync._known", fails)
    merchant.notices(order)
    assert merchant.entries(order)[-1] == ("edit", "delayed", "internal")
