"""The database has lost its last commits: what BigCommerce and SeQura remember decides."""

from payments.confirm import confirm
from payments.finished import finished, finished_order
from payments.models import Solicitation
from tests.payments.shop import Shop


def again(solicitation: Solicitation) -> Solicitation:
    return Solicitation.objects.select_related("store", "connection").get(pk=solicitation.pk)


def test_finished_order_is_found_in_any_status_and_never_for_another_payment(shop: Shop) -> None:
    paid, other = shop.approved(), shop.solicited()
    assert finished_order(shop.store, paid.checkout_id, paid.sequra_order) is None
    confirm(paid.pk)
    order_id = again(paid).bigcommerce_order

    for status in (11, 2, 14, 5):
        shop.sandbox.control(
            "POST", "merchant/set_status", {"order_id": order_id, "status_id": status}
        )
        found = finished_order(shop.store, paid.checkout_id, paid.sequra_order)
        assert found
        assert (found["id"], found["status_id"]) == (order_id, status)
    shop.sandbox.control("POST", "merchant/archive", {"order_id": order_id})

    found = finished_order(shop.store, paid.checkout_id, paid.sequra_order)
    assert found
    assert found["id"] == order_id
    assert finished_order(shop.store, paid.checkout_id, other.sequra_order) is None
    assert finished([{**found, "status_id": 0}], paid.sequra_order) is None
