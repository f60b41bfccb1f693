"""Purchases, from the payment step to the order on both sides."""

import pytest

from tests.journeys.conftest import Visit
from tests.journeys.system import System

pytestmark = pytest.mark.xdist_group("stack")


@pytest.mark.parametrize(
    ("product", "campaign"), [("i1", ""), ("pp5", "temporary"), ("sp1", ""), ("pp3", "")]
)
def test_every_method_and_campaign_pays(
    system: System, visit: Visit, product: str, campaign: str
) -> None:
    shopper = visit()
    number = shopper.buy(product, campaign)

    order, sequra = system.order(shopper.checkout_id), system.sequra_order(number)
    assert (order["id"], order["status_id"]) == (number, 11)
    assert (sequra["product"], sequra["campaign"]) == (product, campaign)
    assert sequra["state"] == "confirmed"
