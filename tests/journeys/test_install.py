"""From the install button of the control panel to the order's side panel."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from local.stack import Stack
from tests.journeys.merchant import Merchant
from tests.journeys.shopper import Shopper
from tests.journeys.system import System, cents

pytestmark = pytest.mark.xdist_group("production")


@pytest.fixture
def fresh(worker_id: str) -> Iterator[System]:
    """A system whose store has never heard of us."""
    with Stack(name=f"fresh_{worker_id}", redis_database=10, copies=True) as stack:
        yield System(stack)


def test_install_to_confirmation(fresh: System, browsers: Callable[..., BrowserContext]) -> None:
    merchant = Merchant(browsers().new_page(), fresh)
    merchant.install()
    merchant.open_app_from_there()
    merchant.follow_the_guide("Connect SeQura")
    merchant.connect("demo", "wrong-password")
    expect(merchant.app.get_by_text("rejected this username and password")).to_be_visible()
    merchant.connect("demo", "demo-secret")
    for country in ("Spain", "France", "Italy", "Portugal"):
        expect(merchant.app.get_by_label(country)).not_to_have_value("")
    merchant.app.get_by_role("button", name="Save and finish").click()
    merchant.go_to("Payment methods")
    expect(merchant.app.get_by_role("cell", name="Paga Fraccionado")).to_be_visible()

    merchant.go_to("Overview")
    checks = merchant.app.locator("section[aria-labelledby=setup] li")
    expect(checks.filter(has_text="Checkout script address")).to_contain_text("(Done)")
    expect(checks.filter(has_text="Checkout requests")).to_contain_text("(To do)")

    shopper = Shopper(browsers().new_page(), fresh)
    shopper.put_into_cart("Lamp Montseny", "Coffee set Terra, 6 pieces")
    shopper.check_out()
    number = shopper.buy("pp3")
    merchant.go_to("Overview")
    expect(checks.filter(has_text="Checkout requests")).to_contain_text("(Done)")

    order, sequra = fresh.order(shopper.checkout_id), fresh.sequra_order(number)
    assert (order["status"], order["total_inc_tax"]) == ("Awaiting Fulfillment", "149.8000")
    assert (sequra["state"], sequra["merchant"]) == ("confirmed", "demo_es")
    assert sequra["unshipped_cart"]["order_total_with_tax"] == cents(order["total_inc_tax"])
    assert sequra["solicited"]["delivery_address"]["city"] == "Barcelona"

    row = merchant.order(number)
    expect(row.locator(".cell-payment")).to_have_text("SeQura - Paga Fraccionado")
    side = merchant.open_side_panel(number)
    expect(side.get_by_role("heading", name=f"Order {number}")).to_be_visible()
    expect(side.get_by_text(sequra["uuid"])).to_be_visible()
    expect(side.get_by_text("149.80").first).to_be_visible()
