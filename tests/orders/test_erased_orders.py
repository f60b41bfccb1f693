"""Orders whose personal data was erased: shown, changed, approved and adopted all the same."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings
from time_machine import travel

from orders.models import Order
from orders.sync.worker import drain
from payments.confirm import confirm
from payments.models import Solicitation
from payments.notifications import record_state
from stores.models import AT_ONCE, Store
from stores.privacy.personal_data import erase_due
from tests.orders.merchant import Merchant
from tests.orders.test_adoption import command, known
from tests.stores.conftest import panel_for
from transaction_log.models import Entry

PEOPLE = ("customer", "delivery_address", "invoice_address")


@pytest.fixture(autouse=True)
def nothing_is_kept(settings: Settings) -> None:
    settings.ERASE_PURCHASES_AFTER_DAYS = 0


def erase() -> None:
    Store.objects.update(erased_at=None, erase_due_at=AT_ONCE)
    with travel(timezone.now() + timedelta(seconds=1), tick=False):
        erase_due(time.monotonic() + 3600)


def people(statement: dict[str, Any]) -> dict[str, Any]:
    return {part: statement[part] for part in PEOPLE if part in statement}


def test_a_shipment_of_an_erased_order_reaches_sequra_whole(merchant: Merchant) -> None:
    order = merchant.order()
    asked = Solicitation.objects.get(reference=order.reference).order
    erase()
    order = known(order)
    assert order.erased_at
    assert order.solicited.keys() & {*PEOPLE} == set()

    merchant.does("ship", order)

    again, told = known(order), merchant.at_sequra(order)
    assert told["unshipped_cart"]["items"] == []
    assert told["shipped_cart"]["order_total_with_tax"] == order.amount
    assert people(told)["delivery_address"] == people(asked)["delivery_address"]
    customer = again.accepted_update["customer"] if again.accepted_update else {}
    assert customer["email"] == asked["customer"]["email"]
    assert {"language_code", "ip_number", "user_agent", "logged_in"} <= customer.keys()
    assert (again.erased_at, again.changed - again.synced) == (None, 0)
    assert merchant.entries(order)[-1] == ("ship", "accepted", "")
    assert again.shipment != again.reported_shipment  # the next delivery report has it

    erase()
    assert known(order).erased_at
    assert people(known(order).accepted_update or {}) == {}


def test_the_nightly_look_restores_an_erased_order_once(merchant: Merchant) -> None:
    order = merchant.order()
    erase()
    for updates in (1, 1):
        command(merchant.store.hash)
        drain()
        assert len(merchant.updates()) == updates
    assert known(order).erased_at is None


def test_the_pages_of_an_erased_order_answer(merchant: Merchant) -> None:
    order = merchant.order()
    merchant.does("ship", order)
    erase()
    panel = panel_for(merchant.store, side_panel_of=order.bigcommerce_id)
    whole = panel_for(merchant.store)
    assert panel.get(f"orders/{order.bigcommerce_id}/").status_code == 200
    for page in (f"orders/{order.bigcommerce_id}/compare/", "shipping/", "reconciliation/"):
        assert whole.get(page).status_code == 200, page


def test_an_erased_payment_leads_to_its_order(merchant: Merchant) -> None:
    """The row of the order was lost, and what was solicited was erased."""
    order = merchant.order()
    erase()
    known(order).delete()
    command(merchant.store.hash)
    drain()
    again = known(order)
    assert (again.reference, again.amount, again.unsure) == (order.reference, order.amount, False)
    assert again.solicited["customer"]["email"]


def test_an_approval_after_the_erasure_asks_the_merchant(merchant: Merchant) -> None:
    attempt = merchant.shop.solicited()
    merchant.shop.review(attempt)
    record_state(attempt, Solicitation.State.NEEDS_REVIEW, "pp3")
    confirm(attempt.pk)
    erase()
    attempt.refresh_from_db()
    record_state(attempt, Solicitation.State.APPROVED, "pp3")
    confirm(attempt.pk)
    entry = Entry.objects.get(reason="approval_refused", closed_at=None)
    assert "erased" in entry.words
    attempt.refresh_from_db()
    assert (attempt.phase, attempt.accepted_state) == ("done", "on_hold")


def test_a_cancellation_after_the_erasure_reaches_the_shop(merchant: Merchant) -> None:
    order = merchant.order()
    erase()
    attempt = Solicitation.objects.get(reference=order.reference)
    record_state(attempt, Solicitation.State.CANCELLED)
    confirm(attempt.pk)
    assert known(order).status == Order.Status.CANCELLED
