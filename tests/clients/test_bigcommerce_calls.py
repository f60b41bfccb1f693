"""Exact method, address, headers and body of every call, and what it makes of the answer."""

import platform
from typing import Any

import pytest
import responses
from django.conf import settings

from bigcommerce import client
from bigcommerce.api import Quota, Rejected, Unavailable
from bigcommerce.client import (
    _CONVERSION_TIMEOUT,
    _STORE_CREDIT,
    BigCommerce,
    checkout_balance,
    exchange_code,
)
from tests.clients.asked import body_of, query_of, requests_of, timeout_of
from tests.clients.calls import API, CALLS, CHECKOUT, PAYMENTS, UNDESCRIBED, Call, fixture

STOREFRONT = "https://store-abc123.mybigcommerce.com"
AGENT = f"SeQura-BigCommerce/{settings.VERSION} python/{platform.python_version()}"


@pytest.mark.parametrize("call", [*CALLS, *UNDESCRIBED], ids=lambda call: call.name)
def test_call_is_exact(
    remote: responses.RequestsMock, bigcommerce: BigCommerce, call: Call
) -> None:
    remote.add(call.method, call.url, json=call.document, status=call.status)
    if call.answer is None:
        remote.replace(call.method, call.url, body=b"", status=call.status)

    result = call.run(bigcommerce)

    (sent,) = requests_of(remote)
    assert sent.url.partition("?")[0] == call.url
    assert query_of(sent) == call.query
    assert body_of(sent) == call.body
    assert sent.headers["X-Auth-Token"] == "token-for-tests"
    assert sent.headers["Accept"] == "application/json"
    assert sent.headers["User-Agent"] == AGENT
    assert sent.headers.get("Content-Type") == ("application/json" if call.body else None)
    assert result == call.result(call.document)


def test_every_public_method_has_a_call_here() -> None:
    elsewhere = {"pay_otherwise", "customers"}  # below, and through customer()
    tested = {name for call in (*CALLS, *UNDESCRIBED) for name in [call.name.removesuffix("_none")]}
    public = {name for name in dir(BigCommerce) if not name.startswith("_")}
    assert public - elsewhere - tested == set()


def test_exchange_code_sends_what_auth_was_called_with(remote: responses.RequestsMock) -> None:
    remote.post(
        "https://login.bigcommerce.com/oauth2/token", json=fixture("bigcommerce/token_grant")
    )

    grant = exchange_code(
        "https://login.bigcommerce.com",
        client_id="client",
        client_secret="secret",
        code="code",
        context="stores/abc123",
        scope="store_v2_orders",
        redirect_uri="https://sequra.example.com/auth",
    )

    assert body_of(requests_of(remote)[0]) == {
        "client_id": "client",
        "client_secret": "secret",
        "code": "code",
        "context": "stores/abc123",
        "scope": "store_v2_orders",
        "grant_type": "authorization_code",
        "redirect_uri": "https://sequra.example.com/auth",
    }
    assert (grant.store_hash, grant.access_token) == ("abc123", "token-for-tests")
    assert grant.scopes == {"store_v2_orders", "store_checkout"}
    assert (grant.user["id"], grant.owner["email"]) == (24654, "eva@tienda.example.es")
    assert "token-for-tests" not in repr(grant)


@pytest.mark.parametrize(
    "odd", [{"context": "stores/../x"}, {"context": None}, {"access_token": 5}, {"context": "abc"}]
)
def test_exchange_code_believes_only_the_documented_answer(
    remote: responses.RequestsMock, odd: dict[str, object]
) -> None:
    remote.post("https://login.test/oauth2/token", json=fixture("bigcommerce/token_grant") | odd)
    with pytest.raises(Unavailable, match="has not the documented shape"):
        exchange_code(
            "https://login.test/",
            client_id="c",
            client_secret="s",
            code="code",
            context="stores/abc123",
            scope="",
            redirect_uri="https://sequra.example.com/auth",
        )


@pytest.mark.parametrize(
    ("certificate", "body"),
    [
        ("", _STORE_CREDIT),
        (
            "ABC-DEF-GXX",
            {
                "payment": {
                    "instrument": {
                        "type": "gift_certificate",
                        "gift_certificate_code": "ABC-DEF-GXX",
                    },
                    "payment_method_id": "bigcommerce.gift_certificate",
                }
            },
        ),
    ],
)
def test_another_payment_is_made_with_a_token_of_that_order(
    remote: responses.RequestsMock,
    bigcommerce: BigCommerce,
    certificate: str,
    body: dict[str, Any],
) -> None:
    tokens = f"{API}/stores/abc123/v3/payments/access_tokens"
    remote.post(tokens, json=fixture("bigcommerce/payment_access_token"), status=201)
    payments = f"{PAYMENTS}/stores/abc123/payments"
    remote.post(payments, json=fixture("bigcommerce/payment"), status=201)

    payment = bigcommerce.pay_otherwise(250, certificate)

    sent = requests_of(remote)[1]
    assert payment == fixture("bigcommerce/payment")["data"]
    assert body_of(sent) == body
    assert sent.headers["Authorization"] == "PAT payment-token-for-tests"
    assert sent.headers["Accept"] == "application/vnd.bc.v1+json"
    assert "X-Auth-Token" not in sent.headers


def test_create_order_waits_longer_and_sends_no_body(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    url = f"{API}/stores/abc123/v3/checkouts/c/orders"
    remote.post(url, json=fixture("bigcommerce/created_order"))
    bigcommerce.create_order("c")
    (sent,) = requests_of(remote)
    assert sent.body is None
    assert timeout_of(sent) == _CONVERSION_TIMEOUT == (3, 30)


@pytest.mark.parametrize("answer", [{"data": {}}, {"data": {"id": "250"}}, {}, [], None, "250"])
def test_create_order_without_an_id_may_have_made_one(
    remote: responses.RequestsMock, bigcommerce: BigCommerce, answer: object
) -> None:
    remote.post(f"{API}/stores/abc123/v3/checkouts/c/orders", json=answer)
    with pytest.raises(Unavailable) as caught:
        bigcommerce.create_order("c")
    assert caught.value.maybe_done


@pytest.mark.parametrize("answer", [{"data": {"checkoutToken": "t"}}, {"checkoutToken": "t"}])
def test_checkout_token_is_read_where_the_text_or_the_example_has_it(
    remote: responses.RequestsMock, bigcommerce: BigCommerce, answer: object
) -> None:
    remote.post(f"{API}/stores/abc123/v3/checkouts/c/token", json=answer)
    assert bigcommerce.checkout_token("c", 10, 60) == "t"


def test_fees_may_be_a_list_or_not_found(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    url = f"{API}/stores/abc123/v2/orders/250/fees"
    remote.get(url, json=[{"id": 1}])
    remote.get(url, json=[{"status": 404, "message": "Not found."}], status=404)
    remote.get(url, status=204)
    assert [bigcommerce.fees(250) for _ in range(3)] == [[{"id": 1}], [], []]


def test_orders_with_the_same_digest_are_equal_to_the_letter(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    url = f"{API}/stores/abc123/v2/orders/250"
    for order in ({"id": 250, "staff_notes": ""}, {"id": 250, "staff_notes": ""}, {"id": 250}):
        remote.get(url, json=order)
    first, same, other = (bigcommerce.whole_order(250) for _ in range(3))
    assert first == same
    assert first[1] != other[1]


@pytest.mark.parametrize("answer", [[], None, "250"])
def test_a_whole_order_is_an_object(
    remote: responses.RequestsMock, bigcommerce: BigCommerce, answer: object
) -> None:
    remote.get(f"{API}/stores/abc123/v2/orders/250", json=answer)
    with pytest.raises(Unavailable, match="has not the documented shape"):
        bigcommerce.whole_order(250)


def test_v2_lists_are_read_until_a_page_is_not_full(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    url = f"{API}/stores/abc123/v2/orders/250/products"
    remote.get(url, json=[{"id": number} for number in range(250)])
    remote.get(url, json=[{"id": 250}])
    products = bigcommerce.order_products(250)
    assert [product["id"] for product in products] == list(range(251))
    assert [query_of(sent)["page"] for sent in requests_of(remote)] == ["1", "2"]


def test_v2_list_that_ends_with_a_full_page_ends_with_a_204(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    url = f"{API}/stores/abc123/v2/orders"
    remote.get(url, json=[{"id": number} for number in range(250)])
    remote.get(url, status=204)
    assert len(bigcommerce.orders(customer_id=7)) == 250


def test_v3_lists_are_read_as_far_as_their_pages_are_counted(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    url = f"{API}/stores/abc123/v3/hooks"
    for page in (1, 2):
        pagination = {"current_page": page, "total_pages": 2}
        remote.get(url, json={"data": [{"id": page}], "meta": {"pagination": pagination}})
    assert bigcommerce.hooks() == [{"id": 1}, {"id": 2}]
    assert [query_of(sent)["page"] for sent in requests_of(remote)] == ["1", "2"]


def test_endless_list_is_given_up(
    remote: responses.RequestsMock, bigcommerce: BigCommerce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigcommerce.api.PAGES", 3)
    remote.get(f"{API}/stores/abc123/v2/orders", json=[{}] * 250)
    with pytest.raises(Unavailable, match="more than 3 pages"):
        bigcommerce.orders()
    assert len(remote.calls) == 3


def test_many_ids_are_asked_for_in_several_requests(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    remote.get(f"{API}/stores/abc123/v3/catalog/products", json={"data": [{"id": 1}], "meta": {}})
    assert len(bigcommerce.products(range(1, 252))) == 2
    assert [query_of(sent)["id:in"].count(",") for sent in requests_of(remote)] == [249, 0]


def test_no_ids_are_no_request(remote: responses.RequestsMock, bigcommerce: BigCommerce) -> None:
    assert bigcommerce.products([]) == []
    assert bigcommerce.categories(category_ids=[]) == []
    assert len(remote.calls) == 0


@pytest.mark.parametrize("call", ["delete_cart", "delete_script", "delete_hook"])
def test_what_is_gone_needs_no_deleting(
    remote: responses.RequestsMock, bigcommerce: BigCommerce, call: str
) -> None:
    paths = {"delete_cart": "carts", "delete_script": "content/scripts", "delete_hook": "hooks"}
    remote.delete(f"{API}/stores/abc123/v3/{paths[call]}/7", json={"status": 404}, status=404)
    assert getattr(bigcommerce, call)(7) is None


def test_an_address_book_that_no_person_keeps_is_not_read_to_its_end(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    url = f"{API}/stores/abc123/v3/customers/addresses"
    pages = [250, 20, *[250] * client._BOOK_PAGES]
    for rows in pages:
        remote.get(url, json={"data": [{"id": number} for number in range(rows)], "meta": {}})

    assert len(bigcommerce.customer_addresses(7)) == 270
    with pytest.raises(Rejected, match="has 1000 addresses or more"):
        bigcommerce.customer_addresses(7)
    asked = [query_of(sent)["page"] for sent in requests_of(remote)]
    assert asked == ["1", "2", "1", "2", "3", "4"]


def test_customer_who_is_gone_is_none(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    remote.get(f"{API}/stores/abc123/v3/customers", json={"data": [], "meta": {}})
    assert bigcommerce.customer(7) is None


def test_quota_is_what_the_last_answer_said(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    headers = {
        "X-Rate-Limit-Requests-Left": "35",
        "X-Rate-Limit-Requests-Quota": "150",
        "X-Rate-Limit-Time-Window-Ms": "30000",
        "X-Rate-Limit-Time-Reset-Ms": "15000",
    }
    url = f"{API}/stores/abc123/v2/store"
    remote.get(url, json={}, headers=headers)
    remote.get(url, status=503, headers=headers | {"X-Rate-Limit-Requests-Left": "34"})
    remote.get(url, json={}, headers=headers | {"X-Rate-Limit-Requests-Left": "many"})

    assert vars(bigcommerce)["quota"] is None
    bigcommerce.store()
    assert bigcommerce.quota == Quota(left=35, limit=150, window_ms=30000, reset_ms=15000)
    with pytest.raises(Unavailable):
        bigcommerce.store()
    assert bigcommerce.quota == Quota(34, 150, 30000, 15000)
    bigcommerce.store()
    assert bigcommerce.quota == Quota(34, 150, 30000, 15000)


SHOWN = {
    "outstandingBalance": {"value": 90.89, "currencyCode": "EUR"},
    "giftCertificates": [{"code": "ABC", "balance": {"value": 20}, "used": {"value": 20}}],
}


def shown(checkout: Any) -> dict[str, Any]:
    return {"data": {"site": {"checkout": checkout}}}


@pytest.mark.parametrize(
    ("customer", "header"), [(None, None), (10457, "10457")], ids=["guest", "customer"]
)
def test_a_balance_is_asked_for_with_a_bearer_token(
    remote: responses.RequestsMock, customer: int | None, header: str | None
) -> None:
    remote.post(f"{STOREFRONT}/graphql", json=shown(SHOWN))

    found = checkout_balance(STOREFRONT, "sf-token", CHECKOUT, customer)

    [sent] = requests_of(remote)
    assert found == SHOWN
    assert body_of(sent) == {"query": client._CHECKOUT_BALANCE, "variables": {"id": CHECKOUT}}
    assert sent.headers["Authorization"] == "Bearer sf-token"
    assert sent.headers.get("X-Bc-Customer-Id") == header
    assert "X-Auth-Token" not in sent.headers


def test_a_balance_that_the_token_does_not_see_is_none(remote: responses.RequestsMock) -> None:
    remote.post(f"{STOREFRONT}/graphql", json=shown(None))

    assert checkout_balance(STOREFRONT, "sf-token", CHECKOUT) is None


@pytest.mark.parametrize(
    ("answer", "failure", "words"),
    [
        ({"errors": [{"message": "Cannot query field 'used'"}]}, Rejected, "Cannot query field"),
        ({"data": {"site": None}}, Unavailable, "has not the documented shape"),
        ({"data": {"site": {"checkout": []}}}, Unavailable, "has not the documented shape"),
        ([], Unavailable, "has not the documented shape"),
    ],
)
def test_any_other_balance_is_a_failure(
    remote: responses.RequestsMock, answer: Any, failure: type[Exception], words: str
) -> None:
    remote.post(f"{STOREFRONT}/graphql", json=answer)

    with pytest.raises(failure, match=words):
        checkout_balance(STOREFRONT, "sf-token", CHECKOUT)
