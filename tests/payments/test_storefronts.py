"""A storefront with settings of its own: merchant ids, exclusions, statuses, and what stays."""

from typing import Any

import pytest
from django.db import connection
from django.db.migrations import RunSQL
from django.db.migrations.loader import MigrationLoader
from django.db.models import F

from orders.models import Order
from orders.queue.claim import mark_changed
from orders.reports.pages import addressees
from orders.sync.worker import drain
from payments.confirm import confirm
from payments.models import Offer, Solicitation
from payments.notifications import record_state
from stores import channels
from stores.channels import INHERIT
from stores.clients import bigcommerce_for
from stores.connect import Login, _connect, choose
from stores.models import Store
from stores.registration.parts import read_information
from stores.store_settings import import_settings
from tests.payments.shop import Shop

SHOP, OUTLET = 1, 3
AWAITING_FULFILLMENT, AWAITING_SHIPMENT, AWAITING_PICKUP = 11, 9, 8
ACCOUNTS = {"sequra": Login("demo", "demo-secret"), "svea": Login("svea-demo", "svea-secret")}


@pytest.fixture
def outlet(shop: Shop) -> Shop:
    """The outlet sells in France alone, with SVEA's merchant id; the shop with SeQura's."""
    outlet = {"id": OUTLET, "name": "Outlet", "url": shop.sandbox.origin("outlet")}
    shop.sandbox.control("POST", "channels", outlet)
    _connect(shop.store, "sandbox", ACCOUNTS)
    choose(shop.store, {"ES": "demo_es", "FR": "demo_fr"})
    read_information(bigcommerce_for(shop.store), shop.store)
    shop.store.save()
    own(shop, countries={"FR": "svea_fr"})
    return shop


def own(shop: Shop, **part: Any) -> None:
    import_settings(shop.store, {"channels": {str(OUTLET): part}})
    shop.store = Store.objects.get(pk=shop.store.pk)


def reasons(shop: Shop, **wishes: Any) -> list[str]:
    offered = shop.offer(shop.sandbox.checkout(**wishes)["checkout_id"])
    assert list(Offer.objects.latest("pk").reasons) == offered.reasons
    return [str(reason) for reason in offered.reasons]


def bought(shop: Shop, **wishes: Any) -> Solicitation:
    solicitation = shop.solicited(**wishes)
    [method, *_] = [one["product"] for one in solicitation.payment_methods]
    shop.approve(solicitation, method)
    record_state(solicitation, Solicitation.State.APPROVED, method)
    confirm(solicitation.pk)
    return Solicitation.objects.get(pk=solicitation.pk)


def at_sequra(shop: Shop, solicitation: Solicitation) -> dict[str, Any]:
    held = shop.sandbox.held("sequra_orders")
    return next(one for one in held if one["uuid"] == str(solicitation.reference))


def in_shop(shop: Shop, solicitation: Solicitation) -> dict[str, Any]:
    held = [one["order"] for one in shop.sandbox.held("bigcommerce_orders")]
    return next(one for one in held if one["id"] == solicitation.order_id)


def test_each_storefront_sells_in_its_countries_with_its_merchant_ids(outlet: Shop) -> None:
    here = outlet.solicited(country="FR", channel_id=SHOP)
    there = outlet.solicited(country="FR", channel_id=OUTLET)

    assert (here.merchant_ref, here.channel_id) == ("demo_fr", SHOP)
    assert (there.merchant_ref, there.channel_id) == ("svea_fr", OUTLET)
    assert [there.connection.deployment, here.connection.deployment] == ["svea", "sequra"]
    assert reasons(outlet, country="ES", channel_id=OUTLET) == ["country"]
    assert Offer.objects.latest("pk").detail == "Outlet"
    assert reasons(outlet, country="ES", channel_id=SHOP) == []


def test_a_merchant_id_that_the_account_lost_is_replaced_by_no_other(outlet: Shop) -> None:
    _connect(outlet.store, "sandbox", {"sequra": ACCOUNTS["sequra"]})
    outlet.store = Store.objects.get(pk=outlet.store.pk)

    assert reasons(outlet, country="FR", channel_id=OUTLET) == ["country"]
    assert reasons(outlet, country="FR", channel_id=SHOP) == []


def test_a_store_may_sell_in_one_storefront_only(outlet: Shop) -> None:
    choose(outlet.store, {})

    assert reasons(outlet, country="FR", channel_id=SHOP) == ["country"]
    assert reasons(outlet, country="FR", channel_id=OUTLET) == []
    assert [one.merchant_ref for one in addressees(outlet.store)] == ["svea_fr"]


def test_a_storefront_excludes_what_it_wants(outlet: Shop) -> None:
    outlet.store.excluded_products = ["SKU-OF-ALL"]
    outlet.store.save()
    own(outlet, countries=INHERIT, general={"excluded_products": ["MINE"]})
    lines = {sku: [{"name": "Lamp", "sku": sku, "price": 90}] for sku in ("SKU-OF-ALL", "MINE")}

    assert reasons(outlet, lines=lines["MINE"], channel_id=OUTLET) == ["excluded_product"]
    assert reasons(outlet, lines=lines["SKU-OF-ALL"], channel_id=OUTLET) == []
    assert reasons(outlet, lines=lines["MINE"], channel_id=SHOP) == []
    own(outlet, general={"excluded_products": INHERIT})
    assert reasons(outlet, lines=lines["MINE"], channel_id=OUTLET) == []
    assert reasons(outlet, lines=lines["SKU-OF-ALL"], channel_id=OUTLET) == ["excluded_product"]


def test_an_order_gets_the_status_of_its_storefront(outlet: Shop) -> None:
    own(outlet, order_statuses={"approved": AWAITING_SHIPMENT})

    here = bought(outlet, country="FR", channel_id=SHOP)
    there = bought(outlet, country="FR", channel_id=OUTLET)

    assert in_shop(outlet, here)["status_id"] == AWAITING_FULFILLMENT
    assert in_shop(outlet, there)["status_id"] == AWAITING_SHIPMENT
    rows = Order.objects.order_by("channel_id").values_list("channel_id", "merchant_ref")
    assert list(rows) == [(SHOP, "demo_fr"), (OUTLET, "svea_fr")]


def test_an_order_keeps_the_merchant_id_it_was_bought_with(outlet: Shop) -> None:
    there = bought(outlet, country="FR", channel_id=OUTLET)
    own(outlet, countries={"FR": "demo_fr"})
    order_id = there.order_id
    outlet.sandbox.control("POST", "merchant/ship", {"order_id": order_id})
    Order.objects.update(has_shipments=True)
    mark_changed(bigcommerce_id=order_id)
    Order.objects.update(due_at=F("placed_at"))
    drain()

    sequra = at_sequra(outlet, there)
    assert sequra["shipped_cart"]["items"]
    assert (sequra["merchant"], Order.objects.get().merchant_ref) == ("svea_fr", "svea_fr")
    reported = {(one.connection.deployment, one.merchant_ref) for one in addressees(outlet.store)}
    assert ("svea", "svea_fr") in reported
    assert outlet.solicited(country="FR", channel_id=OUTLET).merchant_ref == "demo_fr"


def test_orders_from_before_their_storefront_was_stored_get_that_of_their_payment(
    outlet: Shop,
) -> None:
    paid = [bought(outlet, country="FR", channel_id=channel) for channel in (SHOP, OUTLET)]
    Order.objects.update(channel_id=SHOP)
    name = ("payments", "0005_storefronts_of_orders")
    [operation] = MigrationLoader(connection).disk_migrations[name].operations
    assert isinstance(operation, RunSQL)

    with connection.cursor() as cursor:
        cursor.execute(str(operation.sql))

    found = dict(Order.objects.values_list("reference", "channel_id"))
    assert found == {one.reference: one.channel_id for one in paid}
    assert sorted(found.values()) == [SHOP, OUTLET]


def test_a_status_ships_where_the_order_was_bought(outlet: Shop) -> None:
    own(outlet, shipped_statuses=[AWAITING_PICKUP, 2, 10])
    orders = [bought(outlet, country="FR", channel_id=channel) for channel in (SHOP, OUTLET)]
    for one in orders:
        body = {"order_id": one.order_id, "status_id": AWAITING_PICKUP}
        outlet.sandbox.control("POST", "merchant/set_status", body)
        mark_changed(bigcommerce_id=one.order_id)
    Order.objects.update(due_at=F("placed_at"))
    drain()

    shipped = [bool(at_sequra(outlet, one)["shipped_cart"]["items"]) for one in orders]
    assert shipped == [False, True]


def test_a_store_without_own_settings_costs_no_more(
    shop: Shop, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        found = list(channels.in_use(shop.store))
    with django_assert_num_queries(0):
        assert channels.selling_in(shop.store, SHOP, found)["ES"].ref == "demo_es"
