"""Digital products complete themselves, and are sold as services where the merchant says so."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from orders.models import Order
from payloads.order.services import agreed_terms
from stores import connect
from stores.connect import Login
from tests.orders.merchant import Merchant
from tests.orders.test_erased_orders import erase
from tests.payments.world import violations

COURSE = {"product_id": 108, "quantity": 2}
ALL = ["services", "with_registration", "allow_first_instalment_delay"]
COMPLETED, AWAITING = 10, 11


@pytest.fixture
def services(merchant: Merchant) -> Merchant:
    """A merchant whose contract holds services with everything that belongs to them."""
    merchant.sandbox.control("POST", "sequra/knobs", {"contract_options": {"demo_es": ALL}})
    connect._connect(merchant.store, "sandbox", {"sequra": Login("demo", "demo-secret")})
    return merchant


def sells(merchant: Merchant, **settings: Any) -> None:
    for name, value in settings.items():
        setattr(merchant.store, name, value)
    merchant.store.save()


def status(merchant: Merchant, order: Order) -> int:
    orders = merchant.sandbox.held("bigcommerce_orders")
    found = next(one["order"] for one in orders if one["order"]["id"] == order.bigcommerce_id)
    return int(found["status_id"])


def test_a_digital_order_completes_itself_and_is_reported_once(services: Merchant) -> None:
    order = services.order(lines=[COURSE])

    assert status(services, order) == COMPLETED
    services.notices(order)
    services.notices(order)
    [update] = services.updates()
    assert update["body"]["order"]["unshipped_cart"]["items"] == []
    assert services.at_sequra(order)["state"] == "shipped"
    assert violations(services.sandbox.world()) == []


@pytest.mark.parametrize(
    "wishes",
    [
        {"completes_digital": False},
        {"shipped_statuses": [2]},
        {"lines": [COURSE, {"product_id": 104}]},
    ],
    ids=["off", "Completed does not ship", "something to ship"],
)
def test_other_orders_get_the_status_of_the_mapping(
    services: Merchant, wishes: dict[str, Any]
) -> None:
    lines = wishes.get("lines", [COURSE])
    sells(services, **{name: value for name, value in wishes.items() if name != "lines"})

    order = services.order(lines=lines)

    assert status(services, order) == AWAITING
    assert services.updates() == []


def test_a_status_that_is_none_is_left_alone(services: Merchant) -> None:
    sells(services, status_approved=None)

    assert status(services, services.order(lines=[COURSE])) != COMPLETED


def test_services_are_sold_on_the_terms_of_their_product(services: Merchant) -> None:
    fields = [
        {"id": 1, "name": "sequra_registration", "value": "5.00"},
        {"id": 2, "name": "sequra_first_charge", "value": "2027-01-15"},
    ]
    services.sandbox.control("POST", "products", {"id": 108, "custom_fields": fields})
    sells(services, services_end="P6M", completes_digital=False)
    order = services.order(lines=[COURSE])
    services.does("set_status", order, status_id=COMPLETED)

    sent = next(
        call["body"]["order"]
        for call in services.sandbox.calls("sequra")
        if call["method"] == "POST" and call["path"] == "/orders"
    )
    assert sent["merchant"]["options"] == {"desired_first_charge_on": "2027-01-15"}
    goods = [one for one in sent["cart"]["items"] if one["type"] != "handling"]
    assert [(one["type"], one["total_with_tax"]) for one in goods] == [
        ("registration", 1000),
        ("service", 8000),
    ]
    assert goods[1]["ends_in"] == "P6M"
    [update] = services.updates()
    assert update["body"]["order"]["shipped_cart"]["items"] == goods
    assert update["status"] < 300
    assert violations(services.sandbox.world()) == []


def test_a_refund_of_a_service_keeps_its_terms(services: Merchant) -> None:
    sells(services, services_end="2030-12-31")
    order = services.order(lines=[COURSE])
    [line] = services.lines(order)

    items = [{"order_product_id": line["id"], "quantity": 1}]
    services.does("refund", order, items=items)

    update = services.updates()[-1]
    [service] = update["body"]["order"]["shipped_cart"]["items"]
    assert (service["type"], service["quantity"], service["ends_on"]) == (
        "service",
        1,
        "2030-12-31",
    )
    assert services.entries(order)[-1][1] == "accepted"


@pytest.mark.parametrize(
    ("key", "end"), [("ends_in", "P6M"), ("ends_on", "2030-12-31")], ids=["duration", "day"]
)
def test_the_end_of_a_service_outlives_the_erasure_of_its_shopper(
    services: Merchant, settings: Settings, key: str, end: str
) -> None:
    settings.ERASE_PURCHASES_AFTER_DAYS = 0
    sells(services, services_end=end, completes_digital=False)
    order = services.order(lines=[COURSE])
    erase()
    order.refresh_from_db()
    assert order.erased_at

    services.does("set_status", order, status_id=COMPLETED)

    update = services.updates()[-1]
    [service] = update["body"]["order"]["shipped_cart"]["items"]
    assert (update["status"] < 300, service["type"], service.get(key)) == (True, "service", end)
    endless = [{"type": "service", "reference": "A", "quantity": 1, "total_with_tax": 1}]
    assert agreed_terms(endless) == {}


def test_without_the_setting_no_custom_field_is_read(services: Merchant) -> None:
    services.order(lines=[COURSE])

    asked = services.sandbox.calls("bigcommerce", in_path="/catalog/products")
    assert asked == []
