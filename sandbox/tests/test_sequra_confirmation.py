"""Notifications while the shopper waits, and the shop's confirm, hold and reference."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.tests.sequra_shop import (
    ADDRESS,
    SHIPPING,
    SHIRT,
    SHOES,
    SIGNATURE,
    Client,
    Document,
    Shop,
    cart,
    confirmation,
    product,
    solicitation,
)

UNKNOWN = "7d3f9a5e-31b2-4a57-9d46-3c9c6ff0c0de"


def test_an_approval_is_notified_while_the_caller_waits(sequra: Client, shop: Shop) -> None:
    uuid = sequra.solicit(solicitation(shop.url))

    found = sequra.drive(uuid, "approve", product="pp3")

    (message,) = shop.heard
    assert message.path == "/notification/t0ken"
    assert message.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert message.fields == {
        "order_ref": uuid,
        "order_ref_1": "",
        "product_code": "pp3",
        "sq_state": "approved",
        "approved_since": "0",
        "cartId": "b20a5d1e",
        "signature": SIGNATURE,
    }
    assert (found["state"], found["events"][0]["status"]) == ("approved", "accepted")


def test_a_review_is_notified_with_its_own_field(sequra: Client, shop: Shop) -> None:
    sequra.drive(sequra.solicit(solicitation(shop.url)), "review")

    (message,) = shop.heard
    assert (message.fields["sq_state"], message.fields["needs_review_since"]) == (
        "needs_review",
        "0",
    )
    assert "approved_since" not in message.fields


@pytest.mark.parametrize("status", [409, 410])
def test_a_conflict_cancels_the_order(sequra: Client, shop: Shop, status: int) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    shop.answers = [status]

    found = sequra.drive(uuid, "approve")

    assert (found["state"], found["cancelled_by"], found["total"]) == ("cancelled", "conflict", 0)
    assert sequra.put(uuid, confirmation(order)).status_code == 409
    assert len(shop.heard) == 1


@pytest.mark.parametrize("status", [500, 503, 404, 302])
def test_an_answer_that_is_none_leaves_the_order_approved_and_is_asked_again(
    sequra: Client, shop: Shop, status: int
) -> None:
    uuid = sequra.solicit(solicitation(shop.url))
    shop.answers = [status]

    found = sequra.drive(uuid, "approve")

    first, second = shop.wait_for(2)
    assert found["state"] == "approved"
    assert first.fields == second.fields


def test_it_is_asked_again_only_so_often(sequra: Client, shop: Shop) -> None:
    sequra.control("sequra/knobs", {"retries": 1, "retry_seconds": 0.05})
    uuid = sequra.solicit(solicitation(shop.url))
    shop.answers = [503, 503, 503]

    sequra.drive(uuid, "approve")
    shop.wait_for(2)

    assert eventually(sequra, uuid, "failed")
    assert len(shop.heard) == 2


def eventually(sequra: Client, uuid: str, status: str) -> bool:
    """Whether the order's first message gets that status soon."""
    for _ in range(50):
        if sequra.order(uuid)["events"][0]["status"] == status:
            return True
        time.sleep(0.05)
    return False


def test_a_shop_that_is_away_is_no_conflict(sequra: Client) -> None:
    sequra.control("sequra/knobs", {"retries": 0})
    uuid = sequra.solicit(solicitation("http://127.0.0.1:9"))

    found = sequra.drive(uuid, "approve")

    assert (found["state"], found["events"][0]["status"]) == ("approved", "failed")


def test_the_knobs_make_notifications_wrong(sequra: Client, shop: Shop) -> None:
    trouble = {"copies": 3, "bad_signature": True, "state": "confirmed-without-number"}
    sequra.control("sequra/knobs", {"notification": trouble})

    sequra.drive(sequra.solicit(solicitation(shop.url)), "approve")

    heard = shop.wait_for(3)
    assert {message.fields["signature"] for message in heard} == {"0" * 64}
    assert {message.fields["sq_state"] for message in heard} == {"confirmed-without-number"}


def test_the_notification_can_be_repeated_and_forged(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    uuid = sequra.confirmed(order, "100245")

    found = sequra.drive(uuid, "notify", state="needs_review", fields={"order_ref": UNKNOWN})

    assert [message.fields["order_ref"] for message in shop.heard] == [uuid, UNKNOWN]
    assert shop.heard[1].fields["order_ref_1"] == "100245"
    assert found["state"] == "confirmed"


# --- The shop's answer: PUT /orders/{uuid} -------------------------------------------------------


def test_an_approved_order_is_confirmed_and_then_named(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "approve")

    answers = [
        sequra.put(uuid, confirmation(order)),
        sequra.put(uuid, confirmation(order)),
        sequra.put(uuid, confirmation(order, "confirmed", "100245")),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    found = sequra.order(uuid)
    assert (found["state"], found["order_ref_1"], found["order_ref_2"]) == (
        "confirmed",
        "100245",
        "x-2",
    )


def test_the_reference_may_come_by_patch(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    part = {"merchant_reference": {"order_ref_1": 100245}}
    early = sequra.call("PATCH", f"orders/{uuid}", {"order": part})
    sequra.drive(uuid, "approve")
    sequra.put(uuid, confirmation(order))

    answer = sequra.call("PATCH", f"orders/{uuid}", {"order": part})

    assert (early.status_code, answer.status_code) == (409, 204)
    assert sequra.order(uuid)["order_ref_1"] == "100245"


@pytest.mark.parametrize("state", ["confirmed", "on_hold"])
def test_an_order_nobody_approved_is_not_confirmed(sequra: Client, state: str) -> None:
    order = solicitation()
    uuid = sequra.solicit(order)

    answer = sequra.put(uuid, confirmation(order, state))

    assert answer.status_code == 409
    assert "it is solicited" in answer.json()["errors"][0]


def test_an_order_in_review_is_held_and_not_confirmed(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "review")

    early = sequra.put(uuid, confirmation(order))
    held = sequra.put(uuid, confirmation(order, "on_hold", "100245"))
    again = sequra.put(uuid, confirmation(order, "on_hold", "100245"))
    still = sequra.put(uuid, confirmation(order))

    assert [each.status_code for each in (early, held, again, still)] == [409, 200, 200, 409]
    assert sequra.order(uuid)["state"] == "on_hold"


def test_an_approved_order_is_not_held(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "approve")

    assert sequra.put(uuid, confirmation(order, "on_hold")).status_code == 409


def test_a_review_that_ends_well_is_notified_again_and_confirmed(
    sequra: Client, shop: Shop
) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "review")
    sequra.put(uuid, confirmation(order, "on_hold", "100245"))

    sequra.drive(uuid, "approve")
    late = sequra.put(uuid, confirmation(order, "on_hold", "100245"))
    done = sequra.put(uuid, confirmation(order, "confirmed", "100245"))

    assert [message.fields["sq_state"] for message in shop.heard] == ["needs_review", "approved"]
    assert shop.heard[1].fields["order_ref_1"] == "100245"
    assert (late.status_code, done.status_code) == (200, 200)
    assert sequra.order(uuid)["state"] == "confirmed"


@pytest.mark.parametrize(
    ("then", "path", "state"),
    [("approve", "/notification/t0ken", "approved"), ("cancel", "/event/t0ken", "cancelled")],
)
def test_a_review_ends_by_itself_some_time_after_the_hold(
    sequra: Client, shop: Shop, then: str, path: str, state: str
) -> None:
    sequra.control("sequra/knobs", {"review_seconds": 0.1})
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "review", then=then)
    sequra.put(uuid, confirmation(order, "on_hold", "100245"))

    _, second = shop.wait_for(2)

    assert (second.path, sequra.order(uuid)["state"]) == (path, state)


Change = Callable[[Document], Any]
CHANGES: list[tuple[str, Change]] = [
    ("cart", lambda order: order.update(cart={**order["cart"], "gift": True})),
    ("cart", lambda order: order.update(cart=cart(SHIRT, SHOES, SHIPPING))),
    ("cart", lambda order: order.update(cart=cart(SHIRT, product("SHOES-42", 6091)))),
    ("delivery_address", lambda order: order["delivery_address"].update(city="Girona")),
    ("invoice_address", lambda order: order.update(invoice_address={**ADDRESS, "company": "X"})),
    ("customer", lambda order: order["customer"].update(email="other@sequra.es")),
    ("merchant", lambda order: order["merchant"].update(notify_url="https://evil.example/")),
    ("delivery_method", lambda order: order["delivery_method"].update(name="Recogida")),
]


@pytest.mark.parametrize(("part", "change"), CHANGES, ids=[f"{i}" for i in range(len(CHANGES))])
def test_what_changed_since_the_solicitation_is_not_confirmed(
    sequra: Client, shop: Shop, part: str, change: Change
) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "approve")
    wanted = confirmation(order)
    change(wanted)

    answer = sequra.put(uuid, wanted)

    assert (answer.status_code, answer.json()) == (
        409,
        {"errors": [f"Invalid data: {part} has changed since the solicitation"]},
    )
    assert sequra.order(uuid)["state"] == "approved"


def test_times_and_browsers_may_differ(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "approve")
    wanted = confirmation(order)
    wanted["cart"]["updated_at"] = "2026-03-02T10:20:00+01:00"
    wanted["customer"]["user_agent"] = "another browser"

    assert sequra.put(uuid, wanted).status_code == 200


@pytest.mark.parametrize("state", ["", "approved", "cancelled", None])
def test_other_states_are_not_the_shops_to_set(
    sequra: Client, shop: Shop, state: str | None
) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "approve")

    answer = sequra.put(uuid, {**order, "state": state})

    assert answer.status_code == 409
    assert "order.state" in answer.json()["errors"][0]


def test_a_reference_belongs_to_one_order_of_a_merchant(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    sequra.confirmed(order, "100245")
    second = sequra.solicit(order)
    sequra.drive(second, "approve")

    answer = sequra.put(second, confirmation(order, "confirmed", "100245"))

    assert (answer.status_code, answer.json()) == (
        409,
        {
            "errors": [
                (
                    "Invalid data: order_ref_1 '100245' is already taken by another order of "
                    "merchant 'demo_es'"
                )
            ]
        },
    )
    assert sequra.order(second)["state"] == "approved"


def test_a_reference_is_not_exchanged_for_another(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    uuid = sequra.confirmed(order, "100245")

    refused = sequra.put(uuid, confirmation(order, "confirmed", "100246"))
    sequra.control("sequra/knobs", {"reference_change": "accepted"})
    accepted = sequra.put(uuid, confirmation(order, "confirmed", "100246"))

    assert (refused.status_code, accepted.status_code) == (409, 200)


@pytest.mark.parametrize(
    ("uuid", "status", "words"),
    [
        ("test", 403, "Bad order id 'test' for demo"),
        (UNKNOWN, 404, f"Bad order id '{UNKNOWN}' for demo"),
    ],
)
def test_an_order_nobody_knows_is_not_confirmed(
    sequra: Client, uuid: str, status: int, words: str
) -> None:
    answer = sequra.put(uuid, confirmation(solicitation()))

    assert (answer.status_code, answer.json()) == (status, {"errors": [words]})


def test_another_merchants_order_is_not_confirmed(sequra: Client) -> None:
    order = solicitation()
    uuid = sequra.solicit(order)
    sequra.merchant = "demo_fr"

    answer = sequra.put(uuid, confirmation(order))

    assert (answer.status_code, answer.json()) == (
        403,
        {"errors": ["You do not have access to this URL"]},
    )


# --- Events --------------------------------------------------------------------------------------


def test_a_cancelled_order_is_told_by_an_event(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "review")
    sequra.put(uuid, confirmation(order, "on_hold", "100245"))

    found = sequra.drive(uuid, "cancel")

    message = shop.heard[-1]
    assert message.path == "/event/t0ken"
    assert message.headers["User-Agent"] == "SeQura-Event/1.0 (www.sequra.es)"
    assert message.headers["Accept"] == "application/json"
    assert message.fields == {
        "charset": "UTF-8",
        "utf8": "√",
        "event": "cancelled",
        "order_ref_1": "100245",
        "order_ref_2": "x-2",
        "order_ref": uuid,
        "m_cartId": "b20a5d1e",
        "m_signature": SIGNATURE,
    }
    assert (found["state"], found["cancelled_by"]) == ("cancelled", "sequra")


def test_an_event_changes_nothing_by_itself(sequra: Client, shop: Shop) -> None:
    uuid = sequra.confirmed(solicitation(shop.url), "100245")

    sequra.drive(uuid, "event", event="risk_assessment", risk_level="high_risk")
    found = sequra.drive(uuid, "event", event="cancel")

    assert [message.fields["event"] for message in shop.heard[1:]] == ["risk_assessment", "cancel"]
    assert shop.heard[1].fields["risk_level"] == "high_risk"
    assert found["state"] == "confirmed"


def test_the_second_reference_may_be_two_quotes(sequra: Client, shop: Shop) -> None:
    uuid = sequra.confirmed(solicitation(shop.url), "100245")
    sequra.control("sequra/knobs", {"order_ref_2": "quotes"})

    sequra.drive(uuid, "event", event="cancel")

    assert shop.heard[-1].fields["order_ref_2"] == '""'


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (501, 1), (410, 2), (500, 2)])
def test_an_event_is_repeated_after_an_unexpected_answer(
    sequra: Client, shop: Shop, status: int, attempts: int
) -> None:
    sequra.control("sequra/knobs", {"retries": 1, "retry_seconds": 0.05})
    uuid = sequra.confirmed(solicitation(shop.url), "100245")
    shop.answers = [status]

    found = sequra.drive(uuid, "event", event="return")
    heard = shop.wait_for(1 + attempts)

    assert len(heard) == 1 + attempts
    assert found["state"] == "confirmed"
    assert re.fullmatch("accepted|waiting", found["events"][1]["status"])


def test_an_order_without_a_webhook_hears_no_events(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    del order["merchant"]["events_webhook"]
    uuid = sequra.confirmed(order, "100245")

    assert sequra.drive(uuid, "cancel")["state"] == "cancelled"
    assert len(shop.heard) == 1


def test_the_knobs_know_their_names_and_kinds(sequra: Client) -> None:
    url = f"{sequra.url}/_control/sequra/knobs"

    unknown = sequra.session.post(url, json={"unknown": 1}, timeout=60)
    wrong = sequra.session.post(url, json={"retries": "many"}, timeout=60)

    assert (unknown.status_code, wrong.status_code) == (400, 400)
    assert sequra.session.get(url, timeout=60).json()["retries"] == 3
