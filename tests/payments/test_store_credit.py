"""Store credit pays its part once, SeQura finances the rest, whatever the conversion does."""

import time

import pytest
from pytest_django.fixtures import Settings

from payments.confirm import STEPS, confirm
from payments.models import Solicitation
from payments.progress import progress_of
from payments.steps.outcomes import Refused
from stores.install import uninstall
from tests.payments.shop import Shop
from tests.payments.world import violations
from transaction_log.models import Entry

NOT_CHARGED = "No se te ha cobrado nada"  # the shopper of these tests is Spanish


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
    assert shop.sandbox.held("sequra_orders") == []


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
    assert shop.sandbox.held("bigcommerce_orders") == []


def reasons() -> set[str]:
    return set(Entry.objects.filter(closed_at=None).values_list("reason", flat=True))


def test_credit_that_the_conversion_took_is_not_called_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is refused; until it was looked at again, and afterwards, the credit is gone."""

    def refused(_: Solicitation) -> None:
        raise Refused("amount_changed", "1 cent more")

    monkeypatch.setitem(STEPS, Solicitation.Phase.CREATED, refused)
    shop.sandbox.knobs(store_credit_carried=True)
    solicitation = shop.approved_with_credit("20.00")
    shop.sandbox.fault(r"/v2/orders/\d+$", method="GET", status=503)

    for taken_back in (False, True):
        confirm(solicitation.pk)
        found = Solicitation.objects.get(pk=solicitation.pk)
        assert (found.undone_at is not None, int(shop.credit_left(found))) == (taken_back, 0)
        assert NOT_CHARGED not in progress_of(found)["message"]
    assert reasons() == {"amount_changed", "credit_to_return"}


@pytest.mark.parametrize("carried", [False, True])
def test_credit_of_a_payment_that_an_uninstallation_ended_is_shown(
    shop: Shop, carried: bool
) -> None:
    shop.sandbox.knobs(store_credit_carried=carried)
    solicitation = shop.approved_with_credit("20.00")
    path, method = (r"/v2/orders/\d+$", "GET") if carried else (r"/payments$", "POST")
    shop.sandbox.fault(path, method=method, status=503, effect="before")
    confirm(solicitation.pk)
    uninstall(shop.store)

    confirm(solicitation.pk)

    found = Solicitation.objects.get(pk=solicitation.pk)
    assert (found.refusal, found.undone_at is None) == ("uninstalled", False)
    assert reasons() == {"uninstalled", "credit_unseen" if carried else "credit_to_return"}
    assert NOT_CHARGED not in progress_of(found)["message"]


def test_credit_that_a_stray_order_took_is_shown(shop: Shop, settings: Settings) -> None:
    """BigCommerce shows the first order later than we wait, and the second one has no credit."""
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    shop.sandbox.knobs(store_credit_carried=True, lookup_lag=0.5)
    solicitation = shop.approved_with_credit("20.00")
    shop.sandbox.fault(r"/orders$", method="POST", status=503, effect="before")
    confirm(solicitation.pk)
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.2
    Solicitation.objects.update(create_intent_at=solicitation.created_at)

    while not (found := Solicitation.objects.get(pk=solicitation.pk)).strays_voided_at:
        assert found.undone_at is None or NOT_CHARGED not in progress_of(found)["message"]
        confirm(solicitation.pk)
        time.sleep(0.05)

    assert violations(shop.sandbox.world()) == []
    assert reasons() == {"credit_refused", "credit_to_return"}
    assert NOT_CHARGED not in progress_of(found)["message"]
