"""After the sale: order updates, delivery reports, store integrations."""

from copy import deepcopy
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sandbox.tests.sequra_shop import (
    ADDRESS,
    COUPON,
    CREDIT,
    PARTIES,
    PLATFORM,
    SHIPPING,
    SHIRT,
    SHOES,
    Client,
    Document,
    Shop,
    cart,
    confirmation,
    line,
    product,
    solicitation,
    update,
)

WHOLE = cart(SHIRT, SHOES, SHIPPING, COUPON, CREDIT)
NOTHING = cart()
ONE_SHIRT = product("SHIRT-M", 2499)


@pytest.fixture
def uuid(sequra: Client, shop: Shop) -> str:
    """A confirmed order that the shop knows as 100245."""
    return sequra.confirmed(solicitation(shop.url), "100245")


def told(answer: requests.Response) -> tuple[int, list[str]]:
    return answer.status_code, answer.json()["errors"]


def test_the_carts_and_the_people_are_taken_over(sequra: Client, uuid: str) -> None:
    shipped = cart(SHOES, line("discount", "WELCOME10", -405))
    order = update("100245", cart(ONE_SHIRT), shipped)
    order["delivery_address"]["city"] = "Girona"
    order["trackings"] = [{"type": "postal", "reference": "SHOES-42", "carrier": "SEUR"}]

    answer = sequra.update("100245", order)

    found = sequra.order(uuid)
    assert answer.status_code == 200
    assert (found["unshipped_cart"], found["shipped_cart"]) == (cart(ONE_SHIRT), shipped)
    assert (found["delivery_address"]["city"], found["state"]) == ("Girona", "confirmed")
    assert (found["total"], found["trackings"]) == (11089, order["trackings"])


@pytest.mark.parametrize(
    ("unshipped", "shipped", "state"),
    [
        (WHOLE, NOTHING, "confirmed"),
        (NOTHING, WHOLE, "shipped"),
        (cart(ONE_SHIRT), cart(SHOES, line("other_payment", "r_7", -3000)), "confirmed"),
        (NOTHING, NOTHING, "cancelled"),
    ],
)
def test_the_carts_tell_the_state(
    sequra: Client, uuid: str, unshipped: Document, shipped: Document, state: str
) -> None:
    answer = sequra.update("100245", update("100245", unshipped, shipped))

    found = sequra.order(uuid)
    assert (answer.status_code, found["state"]) == (200, state)
    assert found["history"][-1]["what"] == "Updated by the shop"


def test_the_same_update_again_is_no_harm(sequra: Client, uuid: str) -> None:
    for carts in ((NOTHING, WHOLE), (NOTHING, WHOLE), (NOTHING, NOTHING), (NOTHING, NOTHING)):
        assert sequra.update("100245", update("100245", *carts)).status_code == 200

    assert sequra.order(uuid)["cancelled_by"] == "shop"


@pytest.mark.parametrize("name", ["unshipped_cart", "shipped_cart"])
def test_a_carts_sum_is_refused_in_sequras_own_words(sequra: Client, uuid: str, name: str) -> None:
    order = update("100245", cart(SHIRT), cart(SHOES, SHIPPING))
    order[name]["order_total_with_tax"] += 42
    added = "4998 (4998)" if name == "unshipped_cart" else "9490 (8995+495)"
    declared = 5040 if name == "unshipped_cart" else 9532

    assert told(sequra.update("100245", order)) == (
        409,
        [
            (
                f"Invalid data: In {name}, items' total_with_tax add up to {added} "
                f"but order_total_with_tax is {declared}. The diff is 42."
            )
        ],
    )
    assert sequra.order(uuid)["shipped_cart"]["items"] == []


@pytest.mark.parametrize("name", ["unshipped_cart", "shipped_cart", "merchant_reference"])
def test_both_carts_and_the_reference_are_needed(sequra: Client, uuid: str, name: str) -> None:
    order = update("100245", WHOLE, NOTHING)
    del order[name]

    assert told(sequra.update("100245", order)) == (409, [f"Invalid data: order.{name} is missing"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cart": WHOLE}, "order.cart is unknown"),
        ({"state": "confirmed"}, "order.state 'confirmed' is not included in the list"),
        (
            {"merchant": {"id": "demo_es", "notify_url": "https://a.example/"}},
            "order.merchant.notify_url is unknown",
        ),
        (
            {"unshipped_cart": {**cart(), "currency": "USD"}},
            "order.unshipped_cart.currency 'USD' is not included in the list",
        ),
        (
            {"unshipped_cart": cart(line("other_payment", "r_1", -100))},
            "order.unshipped_cart.order_total_with_tax must be greater than or equal to 0",
        ),
        (
            {"trackings": [{"type": "drone", "reference": "A"}]},
            "order.trackings[0].type 'drone' is not included in the list",
        ),
        ({"customer": {"email": "x"}}, "order.customer.language_code is missing"),
    ],
)
def test_a_broken_update_is_refused_with_its_reason(
    sequra: Client, uuid: str, change: Document, words: str
) -> None:
    status, errors = told(sequra.update("100245", update("100245", WHOLE, NOTHING) | change))

    assert status == 409
    assert f"Invalid data: {words}" in errors


def test_more_than_was_approved_is_refused(sequra: Client, uuid: str) -> None:
    order = update("100245", cart(SHIRT, SHOES, SHIPPING, product("SOCKS", 999)), NOTHING)

    assert told(sequra.update("100245", order)) == (
        409,
        [
            (
                "Invalid data: unshipped_cart and shipped_cart add up to 15487 "
                "but the approved amount is 11089."
            )
        ],
    )
    sequra.control("sequra/knobs", {"increase": "accepted"})
    assert sequra.update("100245", order).status_code == 200


def test_what_was_taken_off_may_come_back_up_to_the_approved_amount(
    sequra: Client, uuid: str
) -> None:
    less = sequra.update("100245", update("100245", cart(SHIRT), NOTHING))
    more = sequra.update("100245", update("100245", WHOLE, NOTHING))

    assert (less.status_code, more.status_code) == (200, 200)


@pytest.mark.parametrize(
    ("knob", "change", "words"),
    [
        ("unship", {}, "Invalid data: shipped items can't be moved back to unshipped_cart."),
        (
            "address_after_shipping",
            {"unshipped_cart": NOTHING, "shipped_cart": WHOLE},
            "Invalid data: delivery_address can't be changed after shipping.",
        ),
    ],
)
def test_what_sequra_does_not_document_is_a_knob(
    sequra: Client, uuid: str, knob: str, change: Document, words: str
) -> None:
    back = update("100245", WHOLE, NOTHING) | change
    back["delivery_address"] = {**ADDRESS, "city": "Girona"}
    sequra.update("100245", update("100245", NOTHING, WHOLE))
    sequra.control("sequra/knobs", {knob: "refused"})

    refused = sequra.update("100245", back)
    sequra.control("sequra/knobs", {knob: "accepted"})
    accepted = sequra.update("100245", back)

    assert told(refused) == (409, [words])
    assert accepted.status_code == 200


def test_a_shipped_order_may_still_be_refunded(sequra: Client, uuid: str) -> None:
    sequra.control("sequra/knobs", {"unship": "refused"})
    sequra.update("100245", update("100245", NOTHING, WHOLE))

    answer = sequra.update("100245", update("100245", NOTHING, cart(SHOES)))

    assert (answer.status_code, sequra.order(uuid)["total"]) == (200, 8995)


def test_an_unknown_reference_is_not_found(sequra: Client, uuid: str) -> None:
    answer = sequra.update("100246", update("100246", WHOLE, NOTHING))

    assert told(answer) == (404, ["Order '100246' not found"])


def test_the_references_of_path_and_body_agree(sequra: Client, uuid: str) -> None:
    answer = sequra.update("100245", update("100246", WHOLE, NOTHING))

    assert answer.status_code == 409


@pytest.mark.parametrize("reference", ["A14/12345", "order 7", "ñ-1", "100%25"])
def test_a_reference_is_escaped_in_the_path(sequra: Client, shop: Shop, reference: str) -> None:
    uuid = sequra.confirmed(solicitation(shop.url), reference)

    escaped = sequra.update(quote(reference, safe=""), update(reference, NOTHING, WHOLE))

    assert (escaped.status_code, sequra.order(uuid)["state"]) == (200, "shipped")


def test_a_slash_that_is_not_escaped_finds_nothing(sequra: Client, shop: Shop) -> None:
    sequra.confirmed(solicitation(shop.url), "A14/12345")

    answer = sequra.update("A14/12345", update("A14/12345", NOTHING, WHOLE))

    assert answer.status_code == 404


def test_an_order_on_hold_is_not_updated(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    held = sequra.solicit(order)
    sequra.drive(held, "review")
    sequra.put(held, confirmation(order, "on_hold", "7"))

    on_hold = sequra.update("7", update("7", NOTHING, NOTHING))
    sequra.drive(held, "cancel")
    cancelled = sequra.update("7", update("7", NOTHING, NOTHING))

    assert (on_hold.status_code, cancelled.status_code) == (404, 404)


def test_an_order_the_shop_has_cancelled_does_not_come_back(sequra: Client, uuid: str) -> None:
    sequra.update("100245", update("100245", NOTHING, NOTHING))

    answer = sequra.update("100245", update("100245", WHOLE, NOTHING))

    assert (answer.status_code, sequra.order(uuid)["state"]) == (404, "cancelled")


@pytest.mark.parametrize(
    ("path", "header", "body", "words"),
    [
        ("demo_fr", "demo_es", "demo_es", "You do not have access to this URL"),
        ("demo_es", "demo_es", "demo_fr", "Bad merchant id 'demo_fr' for demo"),
        ("svea_fr", "svea_fr", "svea_fr", "Bad merchant id 'svea_fr' for demo"),
        ("demo_es", "", "demo_es", "Bad merchant id '' for demo"),
    ],
)
def test_the_wrong_merchant_has_no_access(
    sequra: Client, uuid: str, path: str, header: str, body: str, words: str
) -> None:
    order = update("100245", WHOLE, NOTHING)
    order["merchant"]["id"] = body

    sequra.merchant = path
    answer = sequra.update("100245", order, Sequra_Merchant_Id=header)

    assert told(answer) == (403, [words])


def test_somebody_edits_the_order_in_the_portal(sequra: Client, uuid: str) -> None:
    found = sequra.drive(uuid, "corrupt", unshipped_cart=cart(SHIRT))

    assert (found["total"], found["history"][-1]["what"]) == (4998, "Changed in the portal")


# --- Delivery reports ----------------------------------------------------------------------------


def reported(reference: str, shipped: Document, remaining: Document) -> Document:
    people = {name: value for name, value in PARTIES.items() if name != "platform"}
    return deepcopy(
        {
            "state": "shipped",
            "sent_at": "2026-03-03T18:00:00+01:00",
            "merchant_reference": {"order_ref_1": reference},
            "cart": shipped,
            "remaining_cart": remaining,
            **people,
        }
    )


def report(*orders: Document, **more: Any) -> Document:
    return {
        "delivery_report": {
            "merchant": {"id": "demo_es"},
            "orders": list(orders),
            "platform": PLATFORM,
            **more,
        }
    }


STATISTICS: Document = {
    "orders": [
        {
            "completed_at": "2026-03-02T10:20:00+01:00",
            "currency": "EUR",
            "amount": 11089,
            "merchant_reference": {"order_ref_1": "100245"},
            "payment_method": "SQ",
            "country": "ES",
            "device": "computer",
            "status": "processing",
            "raw_status": "Awaiting Fulfillment",
            "sequra_offered": True,
        },
        {"completed_at": "2026-03-02", "currency": "USD", "payment_method": "O/Klarna"},
    ]
}


@pytest.mark.parametrize("path", ["orders/delivery_reports", "delivery_reports"])
def test_a_report_ships_what_it_says(sequra: Client, uuid: str, path: str) -> None:
    rest = cart(product("SOCKS", 999))
    body = report(
        reported("100245", cart(SHOES), rest),
        reported("unknown", cart(SHOES), NOTHING),
        broken_orders=[{"merchant_reference": {"order_ref_1": "9"}, "cart": {"items": []}}],
        statistics=STATISTICS,
    )

    answer = sequra.call("POST", path, body)

    found = sequra.order(uuid)
    world = sequra.session.get(f"{sequra.url}/_control/world", timeout=60).json()
    assert (answer.status_code, answer.content) == (204, b"")
    assert (found["shipped_cart"], found["unshipped_cart"]) == (cart(SHOES), rest)
    assert [each["body"] for each in world["sequra_delivery_reports"]] == [body["delivery_report"]]


def test_an_empty_report_is_a_sign_of_life(sequra: Client) -> None:
    assert sequra.call("POST", "orders/delivery_reports", report()).status_code == 204


BROKEN_REPORTS: list[tuple[Document, str]] = [
    ({"state": "confirmed"}, "orders[0].state 'confirmed' is not included in the list"),
    ({"sent_at": "yesterday"}, "orders[0].sent_at is not an ISO 8601 date"),
    ({"gui": {}}, "orders[0].gui is unknown"),
    ({"cart": {**cart(SHOES), "currency": ""}}, "orders[0].cart.currency '' is not included"),
    (
        {"cart": cart(SHOES, line("discount", "D", 100))},
        "orders[0].cart.items[1].total_with_tax must be less than or equal to -1",
    ),
]


@pytest.mark.parametrize(("change", "words"), BROKEN_REPORTS, ids=[w for _, w in BROKEN_REPORTS])
def test_a_broken_report_is_refused_whole(
    sequra: Client, uuid: str, change: Document, words: str
) -> None:
    broken = reported("100245", cart(SHOES), NOTHING) | change

    status, errors = told(sequra.call("POST", "orders/delivery_reports", report(broken)))

    assert status == 409
    assert any(error.startswith(f"Invalid data: delivery_report.{words}") for error in errors)
    assert sequra.order(uuid)["shipped_cart"]["items"] == []


@pytest.mark.parametrize(
    "name",
    [
        "state",
        "merchant_reference",
        "cart",
        "remaining_cart",
        "delivery_method",
        "delivery_address",
        "invoice_address",
        "customer",
    ],
)
def test_a_reported_order_is_whole(sequra: Client, name: str) -> None:
    order = reported("100245", cart(SHOES), NOTHING)
    del order[name]

    answer = sequra.call("POST", "orders/delivery_reports", report(order))

    assert told(answer) == (409, [f"Invalid data: delivery_report.orders[0].{name} is missing"])


def test_a_reported_cart_adds_up(sequra: Client) -> None:
    order = reported("100245", cart(SHOES), NOTHING)
    order["cart"]["order_total_with_tax"] = 1

    status, (words,) = told(sequra.call("POST", "orders/delivery_reports", report(order)))

    assert status == 409
    assert words == (
        "Invalid data: In orders[0].cart, items' total_with_tax add up to 8995 (8995) "
        "but order_total_with_tax is 1. The diff is 8994."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("completed_at", "today"),
        ("amount", 110.89),
        ("payment_method", "PAYPAL"),
        ("country", "es"),
        ("device", "fridge"),
        ("status", "Shipped"),
        ("sequra_offered", "yes"),
        ("email", "test@sequra.es"),
    ],
)
def test_statistics_have_their_words(sequra: Client, name: str, value: Any) -> None:
    statistics = deepcopy(STATISTICS)
    statistics["orders"][0][name] = value

    answer = sequra.call("POST", "orders/delivery_reports", report(statistics=statistics))

    status, (words,) = told(answer)
    assert status == 409
    assert words.startswith(f"Invalid data: delivery_report.statistics.orders[0].{name} ")


def test_a_report_of_another_merchant_is_forbidden(sequra: Client) -> None:
    sequra.merchant = "demo_fr"

    assert sequra.call("POST", "orders/delivery_reports", report()).status_code == 403


def test_a_full_page_of_orders_is_taken_in_one_go(sequra: Client) -> None:
    references = [str(number) for number in range(5000)]
    sequra.control("sequra/orders", {"order": solicitation(), "references": references})
    rows = [reported(reference, WHOLE, NOTHING) for reference in references]

    accepted = sequra.call("POST", "orders/delivery_reports", report(*rows))
    refused = sequra.call(
        "POST", "orders/delivery_reports", report(*rows, reported("more", WHOLE, NOTHING))
    )

    assert (accepted.status_code, refused.status_code) == (204, 413)
    url = f"{sequra.url}/_control/sequra/orders"
    found = sequra.session.get(url, params={"order_ref_1": "4999"}, timeout=60).json()
    assert [order["state"] for order in found] == ["shipped"]


# --- Store integrations --------------------------------------------------------------------------


def test_a_store_integration_is_registered_and_removed(sequra: Client) -> None:
    hook = "https://app.example.com/configuration?store=a%2Fb&signature=c"
    body = {"store_integration": {"webhook_url": hook, "capabilities": ["general", "widget"]}}

    made = sequra.call("POST", "store_integrations", body)
    gone = sequra.call("DELETE", f"store_integrations/{quote(hook, safe='')}")
    again = sequra.call("DELETE", f"store_integrations/{quote(hook, safe='')}")

    assert (made.status_code, made.json()) == (201, {})
    assert made.headers["Location"].startswith(f"{sequra.url}/store_integrations/")
    assert made.headers["Location"].rsplit("/", 1)[1].isdigit()
    assert (gone.status_code, again.status_code) == (204, 404)


@pytest.mark.parametrize("capabilities", [[], ["everything"]])
def test_capabilities_are_the_known_ones(sequra: Client, capabilities: list[str]) -> None:
    hook = {"webhook_url": "https://app.example.com/", "capabilities": capabilities}

    answer = sequra.call("POST", "store_integrations", {"store_integration": hook})

    assert answer.status_code == 409
