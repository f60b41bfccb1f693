"""POST /orders: one good order, and every way to break it."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.tests.sequra_shop import UUID, Client, Document, cart, product, solicitation

Break = Callable[[Document], Any]


def post(sequra: Client, order: Any) -> tuple[int, list[str]]:
    answer = sequra.call("POST", "orders", {"order": order})
    return answer.status_code, answer.json()["errors"]


def test_a_good_order_gets_an_address(sequra: Client) -> None:
    answer = sequra.call("POST", "orders", {"order": solicitation()})

    assert (answer.status_code, answer.content) == (204, b"")
    assert re.fullmatch(f"{sequra.url}/orders/{UUID}", answer.headers["Location"])
    uuid = answer.headers["Location"][-36:]
    found = sequra.order(uuid)
    assert (found["state"], found["total"], found["solicited"]) == (
        "solicited",
        11089,
        solicitation(),
    )


def test_the_same_order_twice_is_two_orders(sequra: Client) -> None:
    assert sequra.solicit(solicitation()) != sequra.solicit(solicitation())


def test_the_sum_is_refused_in_sequras_own_words(sequra: Client) -> None:
    order = solicitation()
    order["cart"]["order_total_with_tax"] = 11131

    words = (
        "Invalid data: items' total_with_tax add up to 11089 (4998+8995+495+-1399+-2000) "
        "but order_total_with_tax is 11131. The diff is 42."
    )
    assert post(sequra, order) == (409, [words])


def drop(*path: str | int) -> Break:
    def change(order: Document) -> None:
        *parents, name = path
        holder: Any = order
        for part in parents:
            holder = holder[part]
        del holder[name]

    return change


def put(value: Any, *path: str | int) -> Break:
    def change(order: Document) -> None:
        *parents, name = path
        holder: Any = order
        for part in parents:
            holder = holder[part]
        holder[name] = value

    return change


def item(**changes: Any) -> Break:
    return lambda order: order["cart"]["items"][0].update(changes)


LINE = "order.cart.items[0]"
BROKEN: list[tuple[Break, str]] = [
    *(
        (drop(part), f"order.{part} is missing")
        for part in (
            "merchant",
            "cart",
            "customer",
            "gui",
            "platform",
            "delivery_method",
            "delivery_address",
            "invoice_address",
        )
    ),
    *(
        (drop("merchant", part), f"order.merchant.{part} is missing")
        for part in ("id", "notify_url", "return_url")
    ),
    *(
        (drop("cart", part), f"order.cart.{part} is missing")
        for part in ("currency", "order_total_with_tax", "items")
    ),
    *(
        (drop("customer", part), f"order.customer.{part} is missing")
        for part in ("email", "language_code", "ip_number", "user_agent", "logged_in")
    ),
    *(
        (drop("delivery_address", part), f"order.delivery_address.{part} is missing")
        for part in ("company", "address_line_2", "postal_code", "city", "country_code")
    ),
    *(
        (drop("platform", part), f"order.platform.{part} is missing")
        for part in ("name", "version", "uname", "db_name", "db_version")
    ),
    *(
        (drop("cart", "items", 0, part), f"{LINE}.{part} is missing")
        for part in (
            "reference",
            "name",
            "price_with_tax",
            "quantity",
            "total_with_tax",
            "downloadable",
        )
    ),
    (put("confirmed", "state"), "order.state 'confirmed' is not included in the list"),
    (put("USD", "cart", "currency"), "order.cart.currency 'USD' is not included in the list"),
    (put("/ipn", "merchant", "notify_url"), "order.merchant.notify_url is not a valid URL"),
    (put("return", "merchant", "return_url"), "order.merchant.return_url is not a valid URL"),
    (
        put(7, "merchant", "notification_parameters", "store"),
        "order.merchant.notification_parameters.store must be a string",
    ),
    (
        put({"parameters": {}}, "merchant", "events_webhook"),
        "order.merchant.events_webhook.url is missing",
    ),
    (
        put("es", "delivery_address", "country_code"),
        "order.delivery_address.country_code must be an ISO 3166-1 alpha-2 code in upper case",
    ),
    (
        put("DE", "delivery_address", "country_code"),
        "order.delivery_address.country_code 'DE' is not served by merchant 'demo_es'",
    ),
    (put(None, "delivery_address", "state"), "order.delivery_address.state must be a string"),
    (put("fulano", "customer", "email"), "order.customer.email is not an e-mail address"),
    (put("unknown", "customer", "ip_number"), "order.customer.ip_number is not an IP address"),
    (
        put("spanish", "customer", "language_code"),
        "order.customer.language_code must be a language such as es-ES",
    ),
    (put("yes", "customer", "logged_in"), "order.customer.logged_in 'yes' is not included"),
    (put("1.1.2000", "customer", "date_of_birth"), "order.customer.date_of_birth is not a date"),
    (
        put("2026-03-02T10:11:12", "cart", "created_at"),
        "order.cart.created_at has no time zone offset",
    ),
    (put("mobile", "gui", "layout"), "order.gui.layout 'mobile' is not included in the list"),
    (put(1, "unexpected"), "order.unexpected is unknown"),
    (item(sku="A"), f"{LINE}.sku is unknown"),
    (item(total_with_tax=49.98), f"{LINE}.total_with_tax must be an integer"),
    (item(total_with_tax="4998"), f"{LINE}.total_with_tax must be an integer"),
    (item(quantity=1.5), f"{LINE}.quantity must be an integer"),
    (item(quantity=0), f"{LINE}.quantity must be greater than or equal to 1"),
    (item(downloadable=0), f"{LINE}.downloadable must be a boolean"),
    (item(reference="x" * 256), f"{LINE}.reference is too long (maximum is 255 characters)"),
    (item(total_with_tax=10**30), f"{LINE}.total_with_tax must be an integer"),
    (item(reference=""), f"{LINE}.reference can't be blank"),
    (item(url="/shirt"), f"{LINE}.url is not a valid URL"),
    (item(type="gift"), f"{LINE}.type 'gift' is not included in the list"),
    (
        put(-495, "cart", "items", 2, "total_with_tax"),
        "order.cart.items[2].total_with_tax must be greater than or equal to 1",
    ),
    (
        put(1399, "cart", "items", 3, "total_with_tax"),
        "order.cart.items[3].total_with_tax must be less than or equal to -1",
    ),
    (
        put(2000, "cart", "items", 4, "total_with_tax"),
        "order.cart.items[4].total_with_tax must be less than or equal to -1",
    ),
    (drop("cart", "items", 2, "name"), "order.cart.items[2].name is missing"),
    (put(cart(), "cart"), "order.cart.order_total_with_tax must be greater than 0"),
]


@pytest.mark.parametrize(("change", "words"), BROKEN, ids=[words for _, words in BROKEN])
def test_a_broken_order_is_refused_with_its_reason(
    sequra: Client, change: Break, words: str
) -> None:
    order = solicitation()
    change(order)

    status, errors = post(sequra, order)

    assert status == 409
    assert any(error.startswith(f"Invalid data: {words}") for error in errors), errors


SERVICE = {
    **product("YOGA", 6000),
    "type": "service",
    "ends_in": "P1Y",
}


@pytest.mark.parametrize(
    ("merchant_options", "items", "words"),
    [
        ([], [SERVICE], "the contract of merchant 'demo_es' has no 'services'"),
        (
            ["services"],
            [{**SERVICE, "ends_on": "2027-01-01"}],
            "order.cart.items[0]: Exactly one of ends_on or ends_in should be set",
        ),
        (["services"], [{**SERVICE, "ends_in": "PT"}], "order.cart.items[0].ends_in must be an"),
        (
            ["services"],
            [
                SERVICE,
                {
                    "type": "registration",
                    "reference": "YOGA-reg",
                    "name": "Reg. YOGA",
                    "total_with_tax": 500,
                },
            ],
            "the contract of merchant 'demo_es' has no 'with_registration'",
        ),
    ],
)
def test_services_need_a_contract_and_one_end(
    sequra: Client, merchant_options: list[str], items: list[Document], words: str
) -> None:
    sequra.control("sequra/knobs", {"contract_options": {"demo_es": merchant_options}})
    order = {**solicitation(), "cart": cart(*items)}

    status, errors = post(sequra, order)

    assert (status, len(errors)) == (409, 1)
    assert errors[0].startswith(f"Invalid data: {words}")


def test_a_service_merchant_may_leave_addresses_out(sequra: Client) -> None:
    sequra.control("sequra/knobs", {"contract_options": {"demo_es": ["services"]}})
    order = {**solicitation(), "cart": cart(SERVICE)}
    order["merchant"]["options"] = {"addresses_may_be_missing": True}
    del order["delivery_address"], order["invoice_address"]

    assert sequra.order(sequra.solicit(order))["state"] == "solicited"


@pytest.mark.parametrize(
    ("header", "merchant", "words"),
    [
        ("demo_es", "demo_fr", "Bad merchant id 'demo_fr' for demo"),
        ("demo_es", "test", "Bad merchant id 'test' for demo"),
        ("svea_fr", "svea_fr", "Bad merchant id 'svea_fr' for demo"),
    ],
)
def test_the_order_must_be_the_headers_merchants(
    sequra: Client, header: str, merchant: str, words: str
) -> None:
    order = solicitation()
    order["merchant"]["id"] = merchant

    answer = sequra.call("POST", "orders", {"order": order}, Sequra_Merchant_Id=header)

    assert (answer.status_code, answer.json()) == (403, {"errors": [words]})


@pytest.mark.parametrize("body", [[], {}, {"order": []}, {"order": {}, "more": 1}, "order"])
def test_a_request_without_an_order_is_bad(sequra: Client, body: Any) -> None:
    assert sequra.call("POST", "orders", body).status_code == 400


@pytest.mark.parametrize(
    "text", ["{", "", '{"order": NaN}', '{"order": "\\u0000"}', '{"a": "\\ud800"}']
)
def test_what_is_no_json_is_bad(sequra: Client, text: str) -> None:
    headers = {"Sequra-Merchant-Id": "demo_es", "Content-Type": "application/json"}

    answer = sequra.session.post(
        f"{sequra.url}/orders",
        text,
        headers=headers,
        auth=(sequra.username, sequra.password),
        timeout=60,
    )

    assert (answer.status_code, len(answer.json()["errors"])) == (400, 1)


def test_a_form_is_not_json(sequra: Client) -> None:
    answer = sequra.session.post(
        f"{sequra.url}/orders",
        {"order": "1"},
        headers={"Sequra-Merchant-Id": "demo_es"},
        auth=(sequra.username, sequra.password),
        timeout=60,
    )

    assert answer.status_code == 415
