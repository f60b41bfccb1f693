"""Our block in the staff notes: current, and never at the cost of what staff wrote."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from orders.models import Order
from orders.sync import staff_notes
from orders.sync.staff_notes import _merged, block_of
from stores.clients import bigcommerce_for
from tests.orders.merchant import Merchant
from tests.transaction_log.conftest import MakeOrder


@pytest.fixture
def order(make_order: MakeOrder) -> Order:
    return make_order()


def lines(order: Order) -> list[str]:
    return [
        "[SeQura]",
        f"Referencia de SeQura: {order.reference}",
        "Estado: Aprobado",
        f"https://portal-sandbox.sequra.com/orders/{order.reference}",
        "[/SeQura]",
    ]


def test_block_says_reference_status_and_link_in_the_store_s_language(order: Order) -> None:
    assert block_of(order).split("\n") == lines(order)


@pytest.mark.parametrize("notes", ["", "  \n"])
def test_block_stands_alone_in_empty_notes(order: Order, notes: str) -> None:
    assert _merged(notes, block_of(order), order) == block_of(order)


@pytest.mark.parametrize("notes", ["Ring twice", "Ring twice\r\n", "a\n\nb\n"])
def test_block_comes_after_what_staff_wrote(order: Order, notes: str) -> None:
    assert _merged(notes, block_of(order), order) == f"{notes.rstrip()}\n\n{block_of(order)}"


@pytest.mark.parametrize(("before", "after"), [("", ""), ("above\n", "\nbelow"), ("x", "y\r\n z ")])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_the_block_changes(order: Order, before: str, after: str, newline: str) -> None:
    old = block_of(order).replace("\n", newline)
    order.status = Order.Status.CANCELLED
    new = block_of(order)
    assert "Estado: Cancelado" in new
    assert _merged(f"{before}{old}{after}", new, order) == f"{before}{new}{after}"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_current_block_is_left_as_it_stands(order: Order, newline: str) -> None:
    notes = f"above{newline}{block_of(order)}{newline}below".replace("\n", newline)
    assert _merged(notes, block_of(order), order) == notes


def test_lines_that_staff_wrote_inside_move_below(order: Order) -> None:
    begin, reference, status, link, end = lines(order)
    inside = "\n".join([begin, reference, "call Ana!", status, link, f"{link} ?", end])
    order.status = Order.Status.CANCELLED
    new = block_of(order)
    assert _merged(f"x\n{inside}\ny", new, order) == f"x\n{new}\ncall Ana!\n{link} ?\ny"


def test_block_of_another_language_is_replaced_whole(order: Order) -> None:
    spanish = block_of(order)
    order.store.language = "fr"
    assert _merged(spanish, block_of(order), order) == block_of(order)


def test_block_without_its_end_is_staff_s_text(order: Order) -> None:
    broken = "\n".join(lines(order)[:-1]) + "\nkeep me"
    assert _merged(broken, block_of(order), order) == f"{broken}\n\n{block_of(order)}"
    twice = _merged(broken, block_of(order), order)
    order.status = Order.Status.CANCELLED
    assert _merged(twice, block_of(order), order) == f"{broken}\n\n{block_of(order)}"


class Shop:
    """An order in BigCommerce: what is read and written, and who writes in between."""

    def __init__(self, notes: str = "") -> None:
        self.notes = notes
        self.calls: list[str] = []
        self.between: list[Callable[[], None]] = []
        self.refusals: list[Exception] = []

    def order(self, _id: int) -> dict[str, Any]:
        self.calls.append("read")
        seen = self.notes
        if self.between:
            self.between.pop(0)()
        return {"staff_notes": seen}

    def update_order(self, _id: int, fields: dict[str, Any]) -> None:
        self.calls.append("write")
        if self.refusals:
            raise self.refusals.pop(0)
        self.notes = fields["staff_notes"]
        assert list(fields) == ["staff_notes"]

    def staff_write(self, text: str) -> Callable[[], None]:
        def write() -> None:
            self.notes = f"{self.notes}\n{text}".strip()

        return write


def write(shop: Shop, order: Order) -> str:
    return staff_notes.write(cast(BigCommerce, shop), order)


def test_block_is_written_once(order: Order) -> None:
    shop = Shop("Ring twice")
    order.staff_note = write(shop, order)
    assert order.staff_note == block_of(order)
    assert shop.notes == f"Ring twice\n\n{block_of(order)}"
    assert shop.calls == ["read", "read", "write"]
    assert write(shop, order) == ""
    assert shop.calls == ["read", "read", "write"]


def test_block_that_staff_deleted_stays_deleted_until_the_status_changes(order: Order) -> None:
    order.staff_note = block_of(order)
    shop = Shop("")
    assert write(shop, order) == ""
    assert shop.calls == []
    order.status = Order.Status.CANCELLED
    assert write(shop, order) == block_of(order) == shop.notes


def test_block_that_is_there_already_is_not_written(order: Order) -> None:
    """We died after writing it, before remembering that."""
    shop = Shop(f"x\n\n{block_of(order)}")
    assert write(shop, order) == block_of(order)
    assert shop.calls == ["read"]


def test_note_written_between_our_reading_and_writing_survives(order: Order) -> None:
    shop = Shop("first")
    shop.between = [shop.staff_write("second")]
    assert write(shop, order) == block_of(order)
    assert shop.notes == f"first\nsecond\n\n{block_of(order)}"


def test_staff_who_write_all_the_time_are_left_alone(order: Order) -> None:
    shop = Shop()
    shop.between = [shop.staff_write(str(number)) for number in range(9)]
    assert write(shop, order) == ""
    assert "write" not in shop.calls
    assert len(shop.calls) == 3
    assert shop.notes == "0\n1\n2"


def test_conflict_is_tried_once_more_and_then_left(order: Order) -> None:
    shop = Shop("x")
    shop.refusals = [Rejected(409)]
    assert write(shop, order) == block_of(order)
    assert shop.notes == f"x\n\n{block_of(order)}"
    shop = Shop("x")
    shop.refusals = [Rejected(409), Rejected(409)]
    assert write(shop, order) == ""
    assert shop.notes == "x"
    assert shop.calls.count("write") == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_refusal_is_left(order: Order, status: int) -> None:
    shop = Shop("x")
    shop.refusals = [Rejected(status)]
    assert write(shop, order) == ""
    assert shop.calls.count("write") == 1


def test_order_without_reference_waits(order: Order) -> None:
    order.status = Order.Status.WITHOUT_REFERENCE
    shop = Shop()
    assert write(shop, order) == ""
    assert shop.calls == []


def test_outage_is_left(order: Order) -> None:
    shop = Shop("x")
    shop.refusals = [Unavailable("timed out")]
    assert write(shop, order) == ""
    assert shop.notes == "x"


def test_block_appears_with_the_purchase_and_follows_the_status(merchant: Merchant) -> None:
    """Through the sandbox: staff's own note stays, and our echo causes nothing."""
    order = merchant.order()
    order.refresh_from_db()
    notes = notes_of(merchant, order)
    assert order.staff_note in notes
    assert str(order.reference) in order.staff_note
    merchant.does("add_note", order, text="ring twice")
    writes = len(puts(merchant, order))
    merchant.notices(order)
    merchant.notices(order)
    assert len(puts(merchant, order)) == writes
    Order.objects.filter(pk=order.pk).update(status="cancelled")
    merchant.notices(order)
    order.refresh_from_db()
    after = notes_of(merchant, order)
    assert "ring twice" in after
    assert order.staff_note in after
    assert after.count("[SeQura]") == 1
    assert merchant.updates() == []


def notes_of(merchant: Merchant, order: Order) -> str:
    return str(bigcommerce_for(merchant.store).order(order.bigcommerce_id)["staff_notes"])


def puts(merchant: Merchant, order: Order) -> list[dict[str, Any]]:
    """Our writes of the order."""
    end = f"/v2/orders/{order.bigcommerce_id}"
    calls = merchant.sandbox.calls("bigcommerce")
    return [call for call in calls if call["method"] == "PUT" and call["path"].endswith(end)]
