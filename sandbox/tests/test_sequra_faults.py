"""Twice, late, at once, or never: the pretend SeQura when something goes wrong on the way."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from local.sandbox_control import SandboxControl
from sandbox.tests.sequra_shop import (
    SHIRT,
    SHOES,
    Client,
    Shop,
    cart,
    confirmation,
    solicitation,
    update,
)


def test_two_orders_with_one_reference_at_one_moment_leave_one(sequra: Client, shop: Shop) -> None:
    order = solicitation(shop.url)
    uuids = [sequra.solicit(order) for _ in range(8)]
    for uuid in uuids:
        sequra.drive(uuid, "approve")

    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda uuid: sequra.put(uuid, confirmation(order, "confirmed", "7")), uuids)
        )

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


def test_an_order_confirmed_many_times_at_once_is_confirmed_once(
    sequra: Client, shop: Shop
) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "approve")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sequra.put(uuid, confirmation(order)), range(8)))

    assert {answer.status_code for answer in answers} == {200}
    history = [line["what"] for line in sequra.order(uuid)["history"]]
    assert history.count("Confirmed by the shop") == 1


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": True}])
def test_work_whose_answer_got_lost_may_be_said_again(
    sandbox: SandboxControl, sequra: Client, shop: Shop, fault: dict[str, object]
) -> None:
    order = solicitation(shop.url)
    uuid = sequra.solicit(order)
    sequra.drive(uuid, "approve")
    sandbox.fault(f"/orders/{uuid}$", method="PUT", effect="before", **fault)

    first = lost(sequra, uuid, order)
    state = sequra.order(uuid)["state"]
    second = sequra.put(uuid, confirmation(order))

    assert (first, state, second.status_code) == (True, "confirmed", 200)


def lost(sequra: Client, uuid: str, order: dict[str, object]) -> bool:
    """Whether the confirmation got no good answer."""
    try:
        return sequra.put(uuid, confirmation(order)).status_code == 503
    except requests.ConnectionError:
        return True


def test_a_late_notification_leaves_the_caller_free(sequra: Client, shop: Shop) -> None:
    sequra.control("sequra/knobs", {"notification": {"delay": 0.3}})
    uuid = sequra.solicit(solicitation(shop.url))

    found = sequra.drive(uuid, "approve")

    assert (found["events"][0]["status"], shop.heard) == ("waiting", [])
    assert len(shop.wait_for(1)) == 1


def test_a_lost_notification_is_never_sent(sequra: Client, shop: Shop) -> None:
    sequra.control("sequra/knobs", {"notification": {"lost": True}})

    found = sequra.drive(sequra.solicit(solicitation(shop.url)), "approve")

    assert (found["state"], found["events"], shop.heard) == ("approved", [], [])


def test_nothing_planned_survives_a_reset(
    sandbox: SandboxControl, sequra: Client, shop: Shop
) -> None:
    sequra.control("sequra/knobs", {"notification": {"delay": 0.2}})
    sequra.drive(sequra.solicit(solicitation(shop.url)), "approve")

    sandbox.reset()
    time.sleep(0.4)

    assert shop.heard == []
    assert sandbox.held("sequra_orders") == []


def test_what_the_shop_says_is_on_record(sandbox: SandboxControl, sequra: Client) -> None:
    sequra.call("POST", "orders", {"order": solicitation()})
    sequra.call("POST", "delivery_reports", {"delivery_report": {}})

    calls = sandbox.calls("sequra")

    assert [(call["method"], call["path"], call["status"]) for call in calls] == [
        ("POST", "/orders", 204),
        ("POST", "/delivery_reports", 409),
    ]
    assert calls[0]["body"] == {"order": solicitation()}
    assert calls[0]["headers"]["Authorization"] == "***"


def test_a_whole_sale_on_the_other_deployment(sequra: Client, shop: Shop) -> None:
    url = sequra.url.replace("127.0.0.1", "localhost")
    svea = Client(url, "svea-demo", "svea-secret", "svea_fr")
    order = solicitation(shop.url)
    order["merchant"]["id"] = "svea_fr"
    order["delivery_address"]["country_code"] = "FR"

    uuid = svea.solicit(order)
    form = svea.call("GET", f"orders/{uuid}/form_v2?product=sp1", Accept="text/html").text
    svea.drive(uuid, "approve", product="sp1")
    svea.put(uuid, confirmation(order, "confirmed", "9"))
    change = update("9", cart(), cart(SHIRT, SHOES)) | {"merchant": {"id": "svea_fr"}}
    refused = svea.update("9", change)
    change["shipped_cart"] = cart(SHOES)
    answer = svea.update("9", change)

    assert f"src='{url}/assets/sequra_form-" in form
    assert (refused.status_code, answer.status_code) == (409, 200)
    assert svea.order(uuid)["state"] == "shipped"
    svea.session.close()
