"""The notification is late, the shopper is gone, or the order stays Incomplete."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import Visit
from tests.journeys.shopper import CONFIRMATION
from tests.journeys.system import SETTINGS, System, eventually

pytestmark = pytest.mark.xdist_group("stack")


def test_the_waiting_page_polls_and_moves_on(system: System, visit: Visit) -> None:
    system.sequra_knobs(notification={"delay": 12})
    shopper = visit("lang=es")
    shopper.identify(shopper.open_form())
    expect(shopper.form().locator('[data-step="waiting"]')).to_be_visible()
    (sequra,) = system.sequra_orders(shopper.checkout_id)
    shopper.page.goto(sequra["solicited"]["merchant"]["return_url"])

    expect(shopper.page.get_by_role("heading", name="Estamos terminando tu pedido")).to_be_visible()
    number = shopper.confirmed()
    assert system.sequra_order(number)["state"] == "confirmed"


def test_bigcommerce_takes_its_time_with_the_order(system: System, visit: Visit) -> None:
    """SeQura has its answer in 8 seconds, and lets the shopper go before the order exists."""
    system.sandbox.fault("/v3/checkouts/[^/]+/orders", method="POST", delay=10)
    shopper = visit()
    shopper.identify(shopper.open_form())

    shopper.page.wait_for_url("**/return/*")
    expect(shopper.page.get_by_role("heading", name="We are finishing your order")).to_be_visible()
    number = shopper.confirmed()
    assert [order["id"] for order in system.orders(shopper.checkout_id)] == [number]


def test_a_shopper_who_closes_the_tab_has_the_order_all_the_same(
    system: System, visit: Visit
) -> None:
    system.sequra_knobs(notification={"delay": 1})
    shopper = visit()
    shopper.identify(shopper.open_form())
    expect(shopper.form().locator('[data-step="waiting"]')).to_be_visible()
    shopper.page.close()

    order = system.order(shopper.checkout_id)
    assert order["status_id"] == 11
    assert system.sequra_order(order["id"])["state"] == "confirmed"


@pytest.fixture
def unmapped(system: System) -> Iterator[None]:
    """The merchant maps SeQura's approval to "None"."""
    system.configure({"order_statuses": {"approved": None}})
    yield
    system.configure({"order_statuses": SETTINGS["order_statuses"]})


@pytest.mark.usefixtures("unmapped")
def test_without_a_status_we_confirm_on_our_own_page(system: System, visit: Visit) -> None:
    shopper = visit("lang=es")
    shopper.identify(shopper.open_form())
    page = shopper.page

    page.wait_for_url("**/return/*")
    expect(page.get_by_role("heading", name="Gracias, hemos recibido tu pedido")).to_be_visible()
    (order,) = system.orders(shopper.checkout_id)
    expect(page.get_by_text(f"Número de pedido: {order['id']}")).to_be_visible()
    assert not CONFIRMATION.search(page.url)
    assert order["status_id"] == 0
    assert eventually(lambda: system.sequra_order(order["id"])["state"] == "confirmed")
    page.get_by_role("link", name="Volver a la tienda").click()
    page.wait_for_url(f"{shopper.shop}/")
