"""SeQura wants to look at a payment first: the notice, and what becomes of the order."""

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import Visit
from tests.journeys.merchant import Merchant
from tests.journeys.shopper import Shopper
from tests.journeys.system import System, eventually

pytestmark = pytest.mark.xdist_group("stack")

REVIEW_LASTS = 3600  # seconds: as long as this test needs


def under_review(shopper: Shopper, persona: str) -> int:
    """A purchase that ends with the notice and then the confirmation; the order's number."""
    page = shopper.page
    form = shopper.open_form()
    shopper.identify(form, given_names=persona, surnames=persona)
    form.get_by_role("button", name="Volver a la tienda").click()
    page.wait_for_url("**/return/*")
    expect(page.get_by_role("heading", name="SeQura está revisando tu pago")).to_be_visible()
    page.get_by_role("link", name="Continuar a tu pedido").click()
    number = shopper.confirmed()
    expect(page.get_by_text("We are reviewing your payment")).to_be_visible()
    return number


@pytest.mark.parametrize(
    ("persona", "verb", "status", "state"),
    [
        ("Review Test Approve", "approve", "Ready to pack", "confirmed"),
        ("Review Test Cancel", "cancel", "Cancelled by us", "cancelled"),
    ],
    ids=["approved", "cancelled"],
)
def test_a_review_moves_the_same_order_on(
    system: System,
    visit: Visit,
    merchant: Merchant,
    persona: str,
    verb: str,
    status: str,
    state: str,
) -> None:
    system.sequra_knobs(review_seconds=REVIEW_LASTS)
    shopper = visit("lang=es")
    number = under_review(shopper, persona)
    sequra = system.sequra_order(number)
    assert (merchant.status_of(number), sequra["state"]) == (
        "Manual Verification Required",
        "on_hold",
    )

    system.sandbox.drive(verb, sequra["uuid"])

    assert eventually(lambda: merchant.status_of(number) == status)
    assert eventually(lambda: system.sequra_order(number)["state"] == state)
    assert [order["id"] for order in system.orders(shopper.checkout_id)] == [number]
