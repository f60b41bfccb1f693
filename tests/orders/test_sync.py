"""Native actions in BigCommerce, each seen in SeQura."""

from typing import Any

import pytest
from django.http import QueryDict
from django.utils import timezone

from orders.models import Order
from panel import figures
from payments import events
from payments.confirm import confirm
from payments.models import Solicitation
from payments.notifications import record_state
from stores.models import Store
from tests.orders.merchant import Merchant
from transaction_log import record
from transaction_log.models import Entry

Document = dict[str, Any]


def items(cart: Document) -> dict[str, tuple[int, int]]:
    """Units and cents by reference; charges have no units."""
    return {
        item["reference"]: (item.get("quantity", 0), item["total_with_tax"])
        for item in cart["items"]
    }


def carts(merchant: Merchant, order: Order) -> tuple[Document, Document]:
    """What SeQura believes is waiting, and what is shipped."""
    told = merchant.at_sequra(order)
    return items(told["unshipped_cart"]), items(told["shipped_cart"])


LAMP, CUPS, SHIPPING = (1, 8995), (1, 5490), (0, 495)


@pytest.fixture
def order(merchant: Merchant) -> Order:
    return merchant.order()


def test_purchase_causes_no_order_update(merchant: Merchant, order: Order) -> None:
    order.refresh_from_db()
    assert (order.status, order.changed - order.synced) == ("approved", 0)
    assert order.accepted_update is not None
    assert merchant.updates() == []
    assert merchant.entries(order) == [("purchase", "accepted", "")]


def test_note_of_staff_causes_no_order_update(merchant: Merchant, order: Order) -> None:
    merchant.does("add_note", order, text="ring twice")
    assert merchant.updates() == []


def test_edited_lines_reach_sequra(merchant: Merchant, order: Order) -> None:
    lamp, cups = merchant.lines(order)
    edits = [
        {"id": lamp["id"], "price": "80.00"},
        {"id": cups["id"], "quantity": 0},
        {"name": "Engraving", "price": "5.00", "quantity": 2},
    ]
    merchant.does("edit_order", order, lines=edits)
    waiting = {"LAMP-01": (1, 8000), "Engraving": (2, 1000), "shipping": SHIPPING}
    assert carts(merchant, order) == (waiting, {})
    assert merchant.entries(order)[1:] == [("edit", "accepted", "")]


def test_edited_shipping_cost_and_discount_reach_sequra(merchant: Merchant, order: Order) -> None:
    merchant.does("edit_order", order, shipping_cost="9.99", discount="10.00")
    told = merchant.at_sequra(order)["unshipped_cart"]
    assert told["order_total_with_tax"] == 8995 + 5490 + 999 - 1000
    assert items(told)["shipping"] == (0, 999)


def test_edited_addresses_reach_sequra(merchant: Merchant, order: Order) -> None:
    merchant.acts("edit_billing_address", order, email="otra@example.com", city="Girona")
    merchant.does("edit_shipping_address", order, street_1="Rambla, 1", phone="93 123 45 67")
    (update,) = merchant.updates()
    told = update["body"]["order"]
    assert told["delivery_address"]["address_line_1"] == "Rambla, 1"
    assert told["delivery_address"]["phone"] == "93 123 45 67"
    assert told["invoice_address"]["city"] == "Girona"
    assert told["customer"]["email"] == "otra@example.com"
    assert told["customer"]["language_code"] == "es-ES"
    assert merchant.entries(order)[1:] == [("address", "accepted", "")]


def test_parcels_reach_sequra_one_by_one(merchant: Merchant, order: Order) -> None:
    lamp, _ = merchant.lines(order)
    merchant.does(
        "ship",
        order,
        items=[{"order_product_id": lamp["id"], "quantity": 1}],
        tracking_number="ES123",
        carrier="seur",
    )
    waiting, sent = carts(merchant, order)
    assert (waiting["CUP-6"], sent["LAMP-01"]) == (CUPS, LAMP)
    assert waiting["shipping"][1] + sent["shipping"][1] == 495
    tracking = merchant.updates()[-1]["body"]["order"]["trackings"][0]
    assert (tracking["carrier"], tracking["tracking_number"]) == ("SEUR", "ES123")
    merchant.does("ship", order)
    assert carts(merchant, order) == ({}, {"LAMP-01": LAMP, "CUP-6": CUPS, "shipping": SHIPPING})
    assert merchant.entries(order)[1:] == [("ship", "accepted", "")] * 2


def test_the_log_holds_what_each_update_said(merchant: Merchant, order: Order) -> None:
    lamp, cups = merchant.lines(order)
    some = [{"order_product_id": lamp["id"], "quantity": 1}]
    merchant.does("ship", order, items=some)
    shipping = carts(merchant, order)[1]["shipping"][1]
    merchant.does("refund", order, items=[{"order_product_id": cups["id"], "quantity": 1}])
    merchant.sandbox.fault(r"/merchants/[^/]+/orders/", method="PUT", status=409)
    merchant.does("refund", order)

    told = list(order.store.entries.order_by("id").values_list("event", "unshipped", "shipped"))
    assert told == [
        ("purchase", 14980, 0),
        ("ship", 14980 - 8995 - shipping, 8995 + shipping),
        ("refund", 0, 14980 - 5490),  # with nothing left to ship, all of the shipping cost went
        ("refund", 0, 0),
    ]


def test_edited_tracking_reaches_sequra(merchant: Merchant, order: Order) -> None:
    shipment = merchant.does("ship", order, tracking_number="OLD", carrier="ups")
    merchant.does("edit_shipment", order, shipment_id=shipment["id"], tracking_number="NEW")
    first, second = merchant.updates()
    assert first["body"]["order"]["trackings"][0]["tracking_number"] == "OLD"
    assert second["body"]["order"]["trackings"][0]["tracking_number"] == "NEW"


def test_deleted_shipment_of_a_part_puts_the_goods_back(merchant: Merchant, order: Order) -> None:
    lamp, _ = merchant.lines(order)
    some = [{"order_product_id": lamp["id"], "quantity": 1}]
    shipment = merchant.does("ship", order, items=some)
    merchant.does("unship", order, shipment_id=shipment["id"])
    assert carts(merchant, order) == ({"LAMP-01": LAMP, "CUP-6": CUPS, "shipping": SHIPPING}, {})


def test_shipped_by_status_is_remembered_when_the_status_moves_on(
    merchant: Merchant, order: Order
) -> None:
    merchant.does("set_status", order, status_id=10)
    everything = {"LAMP-01": LAMP, "CUP-6": CUPS, "shipping": SHIPPING}
    assert carts(merchant, order) == ({}, everything)
    merchant.does("refund", order, shipping=True)
    assert carts(merchant, order) == ({}, {"LAMP-01": LAMP, "CUP-6": CUPS})


def test_refund_of_a_line_before_shipping(merchant: Merchant, order: Order) -> None:
    lamp, _ = merchant.lines(order)
    merchant.does("refund", order, items=[{"order_product_id": lamp["id"], "quantity": 1}])
    assert carts(merchant, order) == ({"CUP-6": CUPS, "shipping": SHIPPING}, {})
    assert merchant.entries(order)[1:] == [("refund", "accepted", "")]


def test_refund_of_an_amount_after_shipping(merchant: Merchant, order: Order) -> None:
    merchant.does("ship", order)
    refund = merchant.does("refund", order, amount=20)
    _, sent = carts(merchant, order)
    assert sent[f"r_{refund['id']}"] == (0, -2000)
    assert merchant.at_sequra(order)["total"] == 14980 - 2000


def test_refund_to_store_credit_is_not_told(merchant: Merchant) -> None:
    customer = merchant.sandbox.control("POST", "customers", {"store_credit": "0"})["id"]
    order = merchant.order(customer_id=customer)
    merchant.does("refund", order, amount=20, provider="storecredit")
    assert merchant.updates() == []


def test_full_refund_leaves_nothing(merchant: Merchant, order: Order) -> None:
    merchant.does("refund", order)
    assert carts(merchant, order) == ({}, {})


def test_cancellation_leaves_what_was_shipped(merchant: Merchant, order: Order) -> None:
    lamp, _ = merchant.lines(order)
    merchant.does("ship", order, items=[{"order_product_id": lamp["id"], "quantity": 1}])
    merchant.does("cancel", order)
    waiting, sent = carts(merchant, order)
    assert (waiting, sent["LAMP-01"]) == ({}, LAMP)
    assert merchant.entries(order)[-1] == ("cancel", "accepted", "")


def test_several_changes_become_one_update(merchant: Merchant, order: Order) -> None:
    lamp, cups = merchant.lines(order)
    merchant.acts("edit_order", order, lines=[{"id": cups["id"], "quantity": 2}])
    merchant.acts("ship", order, items=[{"order_product_id": lamp["id"], "quantity": 1}])
    merchant.does("edit_billing_address", order, city="Girona")
    assert len(merchant.updates()) == 1


def test_lines_renumbered_by_an_edit_stay_shipped(merchant: Merchant, order: Order) -> None:
    merchant.sandbox.knobs(edit_renumbers_lines=True)
    lamp, cups = merchant.lines(order)
    merchant.does("ship", order, items=[{"order_product_id": lamp["id"], "quantity": 1}])
    merchant.does("edit_order", order, lines=[{"id": cups["id"], "price": "40.00"}])
    waiting, sent = carts(merchant, order)
    assert (waiting["CUP-6"], sent["LAMP-01"]) == ((1, 4000), LAMP)


def test_archived_order_is_left_alone(merchant: Merchant, order: Order) -> None:
    merchant.does("archive", order)
    assert merchant.updates() == []


def test_order_that_bigcommerce_does_not_know_is_told_to_nobody(merchant: Merchant) -> None:
    order = merchant.order()
    Order.objects.filter(pk=order.pk).update(bigcommerce_id=999_999)
    merchant.notices(order)
    order.refresh_from_db()
    assert merchant.entries(order)[-1:] == [("archived", "ignored", "archived")]
    assert order.changed == order.synced


def test_store_credit_at_the_purchase_stays_what_sequra_does_not_pay(merchant: Merchant) -> None:
    from payments.confirm import confirm

    solicitation = merchant.shop.approved_with_credit("20.00")
    confirm(solicitation.pk)
    assert solicitation.reference
    order = Order.objects.get(reference=solicitation.reference)
    merchant.notices(order)
    assert merchant.updates() == []
    merchant.does("ship", order)
    assert carts(merchant, order)[1]["store_credit"] == (0, -2000)


def test_declined_order_owes_nothing(merchant: Merchant, order: Order) -> None:
    merchant.does("set_status", order, status_id=6)
    assert carts(merchant, order) == ({}, {})
    assert merchant.entries(order)[1:] == [("cancel", "accepted", "")]


def test_which_statuses_cancel_is_the_merchants_choice(merchant: Merchant, order: Order) -> None:
    Store.objects.update(cancelling_statuses=[5, 13])
    merchant.does("set_status", order, status_id=6)
    assert merchant.updates() == []
    merchant.does("set_status", order, status_id=13)
    assert carts(merchant, order) == ({}, {})


@pytest.mark.parametrize("status_id", [5, 6])
def test_dashboard_counts_no_order_that_the_shop_cancelled(
    merchant: Merchant, order: Order, status_id: int
) -> None:
    def figures_now() -> tuple[int, int]:
        days = figures.last_days(merchant.store, [order.connection_id])
        return sum(day.amount for day in days), figures.recent(merchant.store)

    assert figures_now() == (14980, 1)
    merchant.does("set_status", order, status_id=status_id)
    assert figures_now() == (0, 0)
    merchant.does("set_status", order, status_id=11)
    assert figures_now() == (14980, 1)


def decisions(order: Order) -> dict[str, str]:
    """What the merchant is asked about the order, and the amount that it is about."""
    still_open = Entry.objects.filter(
        bigcommerce_id=order.bigcommerce_id, event="decision", closed_at=None
    )
    return dict(still_open.values_list("reason", "words"))


def test_refund_of_what_is_cancelled_is_taken_once(merchant: Merchant, order: Order) -> None:
    lamp, cups = merchant.lines(order)
    merchant.does("ship", order, items=[{"order_product_id": lamp["id"], "quantity": 1}])
    merchant.does("refund", order, amount=cups["total_inc_tax"])
    shipped = merchant.at_sequra(order)["shipped_cart"]
    assert shipped["order_total_with_tax"] > 8995
    merchant.does("set_status", order, status_id=6)
    told = merchant.at_sequra(order)
    assert (told["unshipped_cart"]["items"], told["shipped_cart"]) == ([], shipped)


@pytest.mark.parametrize("language", ["es", "ca"])  # who reads Catalan reads Spanish here
def test_cancelled_after_shipping_asks_the_merchant(
    merchant: Merchant, order: Order, language: str
) -> None:
    Store.objects.update(language=language)
    merchant.does("ship", order)
    assert decisions(order) == {}
    merchant.does("cancel", order)
    assert decisions(order) == {"shipped_before_cancelling": "149,80\u00a0€"}
    merchant.notices(order)
    assert [entry for entry in merchant.entries(order) if entry[0] == "decision"] == [
        ("decision", "rejected", "shipped_before_cancelling")
    ]
    merchant.does("set_status", order, status_id=2)
    assert decisions(order) == {}


def test_question_that_the_merchant_ignores_is_not_asked_again(
    merchant: Merchant, order: Order
) -> None:
    merchant.does("set_status", order, status_id=10)
    merchant.does("cancel", order)
    record.ignore(Entry.objects.get(event="decision"), "ana@example.com", "Settled by phone")
    merchant.notices(order)
    merchant.does("edit_billing_address", order, street_1="Calle Mayor, 7")
    assert decisions(order) == {}


def test_line_added_after_a_shipped_status_waits(merchant: Merchant, order: Order) -> None:
    merchant.sandbox.control("POST", "sequra/knobs", {"increase": "accepted"})
    merchant.does("set_status", order, status_id=2)
    merchant.does("edit_order", order, lines=[{"product_id": 103, "quantity": 1}])
    waiting, sent = carts(merchant, order)
    assert {"LAMP-01", "CUP-6"} <= set(sent)
    assert len([units for units, _ in waiting.values() if units]) == 1
    assert set(decisions(order)) == {"added_after_shipping"}
    *_, added = merchant.lines(order)
    merchant.does("ship", order, items=[{"order_product_id": added["id"], "quantity": 1}])
    assert (carts(merchant, order)[0], decisions(order)) == ({}, {})


def test_refused_update_is_no_fact(merchant: Merchant, order: Order) -> None:
    """The refund that SeQura refused is placed afresh, and by then nothing waits to be shipped."""
    merchant.sandbox.fault(r"/merchants/[^/]+/orders/.*", status=409, times=9)
    merchant.does("refund", order, amount=20)
    order.refresh_from_db()
    assert (order.ledger["refunds"], order.refused == "") == ({}, False)
    merchant.sandbox.clear_faults()
    merchant.does("ship", order)
    told = merchant.at_sequra(order)
    assert told["shipped_cart"]["order_total_with_tax"] == 14980 - 2000


@pytest.mark.parametrize("status_id", [13, 14])
def test_sequra_asks_too_late_once_goods_left_by_status(
    merchant: Merchant, order: Order, status_id: int
) -> None:
    merchant.does("set_status", order, status_id=2)
    merchant.does("set_status", order, status_id=status_id)
    rows = Solicitation.objects.select_related("store", "connection")
    solicitation = rows.get(reference=order.reference)
    status, answer = events.handle("cancel", solicitation, QueryDict())
    # The answer is a document here, which only this event gives.
    assert (status, dict(answer)["result"]) == (200, "toolate")  # type: ignore[arg-type]
    record_state(solicitation, Solicitation.State.CANCELLED)
    Solicitation.objects.update(next_at=timezone.now())
    confirm(solicitation.pk)
    open_now = Entry.objects.filter(closed_at=None).values_list("reason", flat=True)
    assert set(open_now) == {"cancelled_after_shipping"}
