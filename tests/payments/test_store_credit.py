"""Store credit pays its part once, SeQura finances the rest, whatever the conversion does."""

import pytest

from payments.confirm import confirm
from payments.models import Solicitation
from tests.payments.shop import Shop
from tests.payments.world import violations


@pytest.mark.parametrize("carried", [False, True])
def test_credit_is_really_used_and_sequra_finances_the_rest(shop: Shop, carried: bool) -> None:
    shop.sandbox.knobs(store_credit_carried=carried)
    solicitation = shop.approved_with_credit("20.00")

    confirm(solicitation.pk)

    solicitation.refresh_from_db()
    assert (solicitation.phase, solicitation.store_credit) == ("done", 2000)
    assert shop.credit_left(solicitation) == 0
    world = shop.sandbox.world()
    assert violations(world) == []
    [order] = [one["order"] for one in world["bigcommerce_orders"]]
    assert (order["store_credit_amount"], order["status_id"]) == ("20.0000", 11)
    credit = [line for line in solicitation.order["cart"]["items"] if line["total_with_tax"] < 0]
    assert [(line["type"], line["total_with_tax"]) for line in credit] == [("other_payment", -2000)]


def test_credit_for_everything_hides_sequra(shop: Shop) -> None:
    customer = shop.sandbox.control("POST", "customers", {"store_credit": "5000.00"})["id"]
    checkout = shop.sandbox.checkout(customer_id=customer, store_credit=True)

    offered = shop.offer(checkout["checkout_id"], applied=True, outstanding="0")

    assert (offered.solicitation, offered.reasons) == (None, ["nothing_left_to_pay"])
    assert shop.sandbox.world()["sequra_orders"] == []


def test_refused_credit_undoes_both_sides_and_takes_nothing(shop: Shop) -> None:
    solicitation = shop.approved_with_credit("20.00")
    refusal = {"status": 422, "title": "Not now", "type": "", "code": 30101}
    shop.sandbox.fault(r"/payments$", method="POST", status=422, body=refusal)

    confirm(solicitation.pk)
    confirm(solicitation.pk)

    solicitation.refresh_from_db()
    assert (solicitation.phase, solicitation.refusal) == ("refused", "credit_refused")
    assert shop.credit_left(solicitation) == 20
    world = shop.sandbox.world()
    assert violations(world) == []
    assert [one["state"] for one in world["sequra_orders"]] == ["cancelled"]


def test_credit_spent_elsewhere_meanwhile_refuses_before_sequra_is_told(shop: Shop) -> None:
    solicitation = shop.approved_with_credit("20.00")
    ref = int(solicitation.order["customer"]["ref"])
    shop.sandbox.control("POST", "customers", {"id": ref, "store_credit": "5.00"})

    confirm(solicitation.pk)

    solicitation = Solicitation.objects.get(pk=solicitation.pk)
    assert (solicitation.phase, solicitation.refusal) == ("refused", "cart_changed")
    assert shop.sandbox.world()["bigcommerce_orders"] == []
