"""The storefront endpoints: who may read, what is believed, what it costs (A24 to A30)."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from django.utils import timezone

from payloads.checkout.reasons import FOR_SHOPPERS, Reason
from payments.models import Offer, Solicitation
from payments.progress import progress_of
from stores.models import Connection, Merchant, Store
from stores.registration import checkout_script
from tests.payments.conftest import MakeSolicitation
from tests.payments.shop import Shop
from tests.payments.web import BROWSER, Web, offered

NOT_THIS_ORDER = "SeQura no está disponible para este pedido. Elige otro método de pago."


FOREIGN = [
    "https://evil.example",
    "null",
    "http://shop.localhost.evil.example",
    "https://shop.localhost",
    "http://shop.localhost",
    "",
]


def permissions(answer: requests.Response) -> dict[str, str]:
    """The CORS headers of an answer."""
    lower = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in lower.items() if name.startswith("access-control")}


def test_methods_are_offered_with_what_a_button_shows(web: Web, shop: Shop) -> None:
    answer = offered(web, shop)

    assert answer["reasons"] == []
    assert {"product", "campaign", "title", "cost_description", "icon"} <= set(answer["methods"][0])
    assert "pp3" in {method["product"] for method in answer["methods"]}


def test_a_store_keeps_when_a_checkout_asked_last(web: Web, shop: Shop) -> None:
    unknown = web.post("payment-methods", checkout_id=str(uuid.uuid4()))
    assert unknown.status_code == 404
    assert Store.objects.get(pk=shop.store.pk).checkout_asked_at is None

    offered(web, shop)

    assert Store.objects.get(pk=shop.store.pk).checkout_asked_at is not None


def test_sequras_explanations_come_with_what_its_script_needs(web: Web, shop: Shop) -> None:
    Merchant.objects.update(assets_key="a1b2c3d4e5")

    answer = offered(web, shop)

    found = Solicitation.objects.get(public_id=answer["solicitation"])
    explained = {method["product"] for method in answer["methods"]}
    assert answer["info"] == {
        "amount": found.amount,
        "configuration": {
            "merchant": found.merchant_ref,
            "assetKey": "a1b2c3d4e5",
            "products": sorted(explained - {"fp1"}),
            "scriptUri": f"{found.connection.assets_url}/sequra-checkout.min.js",
            "decimalSeparator": ",",
            "thousandSeparator": ".",
            "locale": "es-ES",
            "currency": "EUR",
        },
    }


def test_sequras_script_is_where_the_explanations_say(web: Web, shop: Shop) -> None:
    Merchant.objects.update(assets_key="a1b2c3d4e5")

    address = offered(web, shop)["info"]["configuration"]["scriptUri"]

    assert b"computeCreditAgreements" in checkout_script.fetch(address).body


def test_without_a_key_sequra_explains_nothing(web: Web, shop: Shop) -> None:
    Merchant.objects.update(assets_key="")

    assert offered(web, shop)["info"] is None


def test_preflight_allows_exactly_the_shop(web: Web, shop: Shop) -> None:
    address = web.storefront("payment-methods")

    answer = requests.options(address, headers={"Origin": shop.origin}, timeout=60)

    assert answer.status_code == 204
    assert permissions(answer) == {
        "access-control-allow-origin": shop.origin,
        "access-control-allow-methods": "POST, OPTIONS",
        "access-control-allow-headers": "Content-Type",
        "access-control-max-age": "600",
        "access-control-expose-headers": "Retry-After",
    }
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_other_origins_get_no_permission(web: Web, origin: str, method: str) -> None:
    answer = requests.request(
        method, web.storefront("payment-methods"), json={}, headers={"Origin": origin}, timeout=60
    )

    assert permissions(answer) == {}
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"checkout_id": "../../orders"}, 400),
        ({"checkout_id": ["a"]}, 400),
        ({"checkout_id": "a" * 65}, 400),
        ({"checkout_id": "11111111-1111", "outstanding_balance": "NaN"}, 400),
        ({"checkout_id": "11111111-1111", "outstanding_balance": -1}, 400),
        ({"checkout_id": "11111111-1111", "layout": "watch"}, 400),
        ({"checkout_id": "11111111-1111", "locale": "<script>"}, 400),
    ],
)
def test_malformed_body_is_400_and_costs_nothing(
    web: Web, shop: Shop, body: dict[str, Any], status: int
) -> None:
    before = len(shop.sandbox.calls())

    answer = web.post("payment-methods", **body)

    assert (answer.status_code, len(shop.sandbox.calls()) - before) == (status, 0)


def test_only_json_is_spoken(web: Web) -> None:
    address = web.storefront("payment-methods")
    text, json = {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}
    plain = requests.post(address, data="checkout_id=1", headers=text, timeout=60)
    broken = requests.post(address, data="{", headers=json, timeout=60)
    huge = requests.post(address, json={"checkout_id": "a" * 70_000}, timeout=60)

    assert (plain.status_code, broken.status_code) == (415, 400)
    assert huge.status_code in (400, 413)


def test_unknown_store_is_404(web: Web) -> None:
    answer = requests.post(
        f"{web.url}/storefront/{uuid.uuid4()}/payment-methods", json={}, timeout=60
    )

    assert (answer.status_code, "Access-Control-Allow-Origin" in answer.headers) == (404, False)


def test_amounts_of_the_browser_are_not_believed(web: Web, shop: Shop) -> None:
    checkout = shop.sandbox.checkout()
    total = round(float(checkout["grand_total"]) * 100)

    told = web.post(
        "payment-methods",
        checkout_id=checkout["checkout_id"],
        outstanding_balance=checkout["grand_total"],
        order_total=1,
        amount=1,
    )

    assert told.json()["methods"] != []
    assert [one["total"] for one in shop.sandbox.held("sequra_orders")] == [total]


@pytest.mark.parametrize(
    ("outstanding", "reason"), [(1.0, "gift_certificate"), (99999.0, "unexplained_balance")]
)
def test_unexplained_balance_is_refused(
    web: Web, shop: Shop, outstanding: float, reason: str
) -> None:
    checkout_id = shop.sandbox.checkout()["checkout_id"]

    answer = web.post(
        "payment-methods", checkout_id=checkout_id, outstanding_balance=outstanding, locale="es-ES"
    ).json()

    assert (answer["methods"], answer["reasons"]) == ([], [reason])
    assert shop.sandbox.held("sequra_orders") == []
    assert Offer.objects.get().reasons == [reason]


def exclude_the_goods(shop: Shop) -> None:
    (checkout,) = shop.sandbox.world()["checkouts"]
    lines = checkout["cart"]["line_items"]["physical_items"]
    Store.objects.update(excluded_products=[line["sku"] for line in lines])


def go_to_germany(shop: Shop) -> None:
    (checkout,) = shop.sandbox.world()["checkouts"]
    address = {"country_code": "DE", "city": "Berlin", "postal_code": "10115"}
    body = {"checkout_id": checkout["id"], "address": address}
    shop.sandbox.control("POST", "shopper/set_address", body)
    option = {"checkout_id": checkout["id"], "option_id": "standard"}
    shop.sandbox.control("POST", "shopper/choose_shipping", option)


def refuse(path: str, status: int) -> Callable[[Shop], None]:
    """The system behind that path refuses from now on; the cart is another one than before."""

    def refused(shop: Shop) -> None:
        if found := Solicitation.objects.first():
            shop.change_cart(found)
        shop.sandbox.fault(path, status=status, body={"errors": ["No"]}, times=0)

    return refused


@pytest.mark.parametrize(
    ("happens", "reason", "message"),
    [
        (exclude_the_goods, "excluded_product",
         "Tu carrito contiene algo que no se puede pagar con SeQura."),
        (go_to_germany, "country", "SeQura no está disponible en este país."),
        (refuse("^/orders", 409), "refused_by_sequra", NOT_THIS_ORDER),
        (refuse("^/orders", 401), "account_refused", NOT_THIS_ORDER),
        (refuse("/v3/checkouts/", 400), "refused_by_bigcommerce", NOT_THIS_ORDER),
        (refuse("/v3/checkouts/", 401), "refused_by_bigcommerce", NOT_THIS_ORDER),
        (refuse("/v3/checkouts/", 403), "refused_by_bigcommerce", NOT_THIS_ORDER),
        (refuse("/v3/checkouts/", 422), "refused_by_bigcommerce", NOT_THIS_ORDER),
        *((refuse("/v3/checkouts/", status), "bigcommerce_unavailable", "")
          for status in (408, 423, 425, 429)),
        (refuse("/v3/checkouts/", 503), "bigcommerce_unavailable", ""),
        *((refuse("^/orders", status), "sequra_unavailable", "")
          for status in (408, 423, 425, 429, 503)),
    ],
)  # fmt: skip
def test_who_saw_sequra_reads_why_it_is_gone_for_good(
    web: Web, shop: Shop, happens: Callable[[Shop], None], reason: str, message: str
) -> None:
    """Of a refusal for a moment nothing is read: the script asks again."""
    checkout_id = shop.sandbox.checkout()["checkout_id"]
    asked = {"checkout_id": checkout_id, "locale": "es-ES"}
    assert web.post("payment-methods", **asked).json()["message"] == ""
    happens(shop)

    answer = web.post("payment-methods", **asked).json()

    assert (answer["methods"], answer["reasons"], answer["message"]) == ([], [reason], message)


def test_lost_access_to_bigcommerce_is_not_called_a_missing_connection(shop: Shop) -> None:
    """The account at SeQura is connected all the time; another access has to be renewed."""
    checkout_id = shop.sandbox.checkout()["checkout_id"]
    shop.sandbox.fault("/v3/checkouts/", status=401)

    refused = shop.offer(checkout_id).reasons
    shop.store.refresh_from_db()

    assert (refused, shop.offer(checkout_id).reasons) == (
        ["refused_by_bigcommerce"],
        ["access_lost"],
    )


def test_token_that_was_replaced_meanwhile_is_no_refusal(shop: Shop) -> None:
    """The old token is refused; the next question comes with the new one."""
    checkout_id = shop.sandbox.checkout()["checkout_id"]
    shop.sandbox.fault("/v3/checkouts/", status=401)
    Store.objects.update(authorised_at=timezone.now())  # the store in hand was read before

    assert shop.offer(checkout_id).reasons == ["bigcommerce_unavailable"]

    shop.store.refresh_from_db()
    assert shop.store.is_installed
    assert shop.offer(checkout_id).methods


def test_password_that_was_replaced_meanwhile_is_no_refusal(web: Web, shop: Shop) -> None:
    asked = {"checkout_id": shop.sandbox.checkout()["checkout_id"]}
    shop.sandbox.fault("^/orders", status=401, delay=2.0)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(web.post, "payment-methods", **asked)
        while not Solicitation.objects.exists():  # it is written just before SeQura is asked
            assert not answer.done()
        Connection.objects.update(connected_at=timezone.now())

    assert answer.result().json()["reasons"] == ["sequra_unavailable"]
    assert web.post("payment-methods", **asked).json()["methods"]


def test_who_never_saw_sequra_is_not_bothered_with_why(web: Web, shop: Shop) -> None:
    answer = offered(web, shop, currency="USD")

    assert (answer["reasons"], answer["message"]) == (["currency"], "")


def test_every_reason_is_momentary_or_has_a_sentence_for_shoppers() -> None:
    unfinished = {Reason.NO_EMAIL, Reason.NO_ADDRESS, Reason.NO_SHIPPING_OPTION}
    momentary = {reason for reason in Reason if reason.endswith("_unavailable")}
    rest = {Reason.NOTHING_LEFT_TO_PAY, Reason.TOO_MANY_QUESTIONS}

    assert set(Reason) - set(FOR_SHOPPERS) == unfinished | momentary | rest


def test_the_same_cart_is_solicited_once_and_a_changed_one_anew(web: Web, shop: Shop) -> None:
    first = offered(web, shop)
    solicitation = Solicitation.objects.get()
    again = web.post("payment-methods", checkout_id=solicitation.checkout_id).json()
    shop.change_cart(solicitation)

    changed = web.post("payment-methods", checkout_id=solicitation.checkout_id).json()

    assert first["solicitation"] == again["solicitation"] != changed["solicitation"]
    assert len(shop.sandbox.held("sequra_orders")) == 2
    assert Solicitation.objects.count() == 2


def test_status_belongs_to_the_store_of_the_address(web: Web, shop: Shop) -> None:
    solicitation = offered(web, shop)["solicitation"]
    mine = requests.get(web.storefront(f"solicitations/{solicitation}"), timeout=60)
    foreign = requests.get(web.storefront(f"solicitations/{uuid.uuid4()}"), timeout=60)

    assert (mine.status_code, mine.json()["status"]) == (200, "waiting")
    assert foreign.status_code == 404


def test_browsers_own_address_reaches_sequra(web: Web, shop: Shop) -> None:
    offered(web, shop)

    [order] = shop.sandbox.held("sequra_orders")
    customer = order["solicited"]["customer"]
    assert (customer["ip_number"], customer["user_agent"]) == ("127.0.0.1", BROWSER)


def test_another_account_is_another_solicitation(web: Web, shop: Shop) -> None:
    """As after going live: nobody pays a live order in the sandbox."""
    first = offered(web, shop)
    solicitation = Solicitation.objects.get(public_id=first["solicitation"])
    live = Connection.objects.create(
        store=shop.store,
        deployment="sequra",
        environment="live",
        username="demo",
        password="demo-secret",
        api_url=solicitation.connection.api_url,
        state="archived",
    )
    Connection.objects.filter(pk=solicitation.connection_id).update(state="archived")
    Connection.objects.filter(pk=live.pk).update(state="connected")
    Merchant.objects.filter(store=shop.store).update(connection=live)

    again = web.post("payment-methods", checkout_id=solicitation.checkout_id).json()

    assert again["solicitation"] != first["solicitation"]
    assert Solicitation.objects.get(public_id=again["solicitation"]).connection == live


def test_another_language_is_another_solicitation(web: Web, shop: Shop) -> None:
    checkout_id = shop.sandbox.checkout()["checkout_id"]
    told = [
        web.post("payment-methods", checkout_id=checkout_id, locale=locale).json()["solicitation"]
        for locale in ("es-ES", "fr-FR", "fr-FR")
    ]
    assert told[0] != told[1] == told[2]


def test_only_our_page_waits_once_sequra_has_decided(make_solicitation: MakeSolicitation) -> None:
    attempt = make_solicitation(phase="solicited")
    assert progress_of(attempt)["redirect"] is None
    attempt.note(state="approved", phase="creating")
    told = progress_of(attempt)
    assert told["status"] == "waiting"
    assert str(attempt.public_id) in str(told["redirect"])


@pytest.mark.parametrize("refusal", ["already_paid", "checkout_gone"])
def test_the_other_tab_hears_of_the_order_that_was_made(
    make_solicitation: MakeSolicitation, refusal: str
) -> None:
    loser = make_solicitation(phase="refused", refusal=refusal)
    assert progress_of(loser)["status"] == "refused"
    winner = make_solicitation(
        phase="done",
        checkout_id=loser.checkout_id,
        state="approved",
        accepted_state="confirmed",
        order_id=1001,
    )
    assert progress_of(loser) == progress_of(winner)
    assert progress_of(loser)["status"] == "confirmed"


def test_an_attempt_whose_methods_could_not_be_read_is_not_offered_again(shop: Shop) -> None:
    checkout_id = shop.sandbox.checkout()["checkout_id"]
    shop.sandbox.fault("/payment_methods", status=503)

    assert shop.offer(checkout_id).reasons == ["sequra_unavailable"]

    assert shop.offer(checkout_id).methods
    assert Solicitation.objects.filter(reference__isnull=False).count() == 1
