"""What errors mean, for both clients: refused or not now, in whose words, and may it be done?"""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses

import bigcommerce.api
import sequra.client
from bigcommerce.client import BigCommerce
from sequra.client import Sequra
from tests.clients.calls import API, FIXTURES
from transport.call import Rejected, Unavailable

ORDER = f"{API}/stores/abc123/v2/orders/250"
UPDATE = "https://sandbox.sequrapi.com/merchants/tienda_es/orders/250"
STORE_LIST = "https://sandbox.sequrapi.com/merchants/credentials"


@pytest.fixture(params=["bigcommerce", "sequra"])
def put(request: pytest.FixtureRequest, bigcommerce: BigCommerce, sequra: Sequra) -> Any:
    """An address, a call that writes there, and the module of its errors."""
    return {
        "bigcommerce": (ORDER, lambda: bigcommerce.update_order(250, {"status_id": 11})),
        "sequra": (UPDATE, lambda: sequra.update_order("tienda_es", "250", {})),
    }[request.param]


Put = tuple[str, Callable[[], object]]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 422])
def test_other_4xx_is_rejected(remote: responses.RequestsMock, put: Put, status: int) -> None:
    remote.put(
        put[0], status=status, json={"errors": ["No.", "Never"]}, headers={"X-Request-Id": "r1"}
    )
    with pytest.raises(Rejected) as caught:
        put[1]()
    assert caught.value.status == status
    assert caught.value.messages == ["No.", "Never"]
    assert caught.value.message == "No. Never"
    assert caught.value.request_id == "r1"
    assert caught.value.is_unauthorised == (status in (401, 403))
    assert caught.value.body == '{"errors": ["No.", "Never"]}'


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 507])
def test_5xx_is_unavailable_and_maybe_done(
    remote: responses.RequestsMock, put: Put, status: int
) -> None:
    remote.put(put[0], status=status, body="<html>down</html>")
    with pytest.raises(Unavailable, match=f"answered {status}") as caught:
        put[1]()
    assert caught.value.maybe_done
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("status", "maybe_done"), [(408, True), (423, False), (425, False), (429, False)]
)
def test_passing_4xx_is_unavailable(
    remote: responses.RequestsMock, put: Put, status: int, maybe_done: bool
) -> None:
    remote.put(put[0], status=status)
    with pytest.raises(Unavailable) as caught:
        put[1]()
    assert caught.value.maybe_done == maybe_done


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (429, {"X-Rate-Limit-Time-Reset-Ms": "15000"}, 15.0),
        (429, {"X-Rate-Limit-Time-Reset-Ms": "1500", "X-Retry-After": "30"}, 1.5),
        (429, {"X-Retry-After": "7"}, 7.0),
        (429, {"Retry-After": "9"}, 9.0),
        (429, {"Retry-After": "Fri, 01 Jan 2021 00:00:00 GMT"}, 0.0),
        (429, {"Retry-After": "soon"}, None),
        (429, {"Retry-After": "-5"}, None),
        (429, {"Retry-After": "inf"}, None),
        (429, {"Retry-After": "nan"}, None),
        (429, {}, None),
        (503, {"Retry-After": "120"}, 120.0),
        (503, {"X-Rate-Limit-Time-Reset-Ms": "15000"}, None),
    ],
)
def test_retry_after_is_what_the_answer_says(
    remote: responses.RequestsMock,
    put: Put,
    status: int,
    headers: dict[str, str],
    expected: float | None,
) -> None:
    remote.put(put[0], status=status, headers=headers)
    with pytest.raises(Unavailable) as caught:
        put[1]()
    assert caught.value.retry_after == expected


@pytest.mark.parametrize(
    ("error", "maybe_done"),
    [
        (requests.ConnectTimeout(), False),
        (requests.ReadTimeout(), True),
        (requests.ConnectionError(ConnectionResetError()), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (requests.exceptions.InvalidURL(), False),
    ],
)
def test_no_answer_is_unavailable(
    remote: responses.RequestsMock, put: Put, error: Exception, maybe_done: bool
) -> None:
    remote.put(put[0], body=error)
    with pytest.raises(Unavailable) as caught:
        put[1]()
    assert caught.value.maybe_done == maybe_done


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_unavailable(remote: responses.RequestsMock, put: Put, status: int) -> None:
    remote.put(put[0], status=status, headers={"Location": "http://169.254.169.254/latest"})
    with pytest.raises(Unavailable, match="sent us elsewhere"):
        put[1]()
    assert len(remote.calls) == 1


def test_reading_is_never_maybe_done(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    answers: list[dict[str, Any]] = [
        {"status": 500}, {"body": "{"}, {"body": requests.ReadTimeout()},
    ]  # fmt: skip
    for answer in answers:
        remote.upsert("GET", ORDER, **answer)
        with pytest.raises(Unavailable) as caught:
            bigcommerce.order(250)
        assert not caught.value.maybe_done


@pytest.mark.parametrize("body", ["{", "<html>", '{"id": 1', "\xff", "[" * 100_000, "[1]", "7", ""])
def test_2xx_that_makes_no_sense_is_unavailable_and_maybe_done(
    remote: responses.RequestsMock, bigcommerce: BigCommerce, body: str
) -> None:
    remote.put(ORDER, body=body.encode("latin-1"))
    with pytest.raises(Unavailable) as caught:
        bigcommerce.update_order(250, {"status_id": 11})
    assert caught.value.maybe_done


NOT_VALID = "JSON data is missing or invalid"
SHAPES = {
    "v2": (
        '[{"status":404,"message":"The resource was not found."}]',
        ["The resource was not found."],
    ),
    "v2 details": (
        '[{"status":400,"message":"Invalid.","details":{"invalid_reason":"read-only"}}]',
        ["Invalid.", "invalid_reason: read-only"],
    ),
    "v3": (
        f'{{"status":422,"title":"{NOT_VALID}","errors":{{"destination":"error.path.missing."}}}}',
        [NOT_VALID, "destination: error.path.missing."],
    ),
    "v3 lists": (
        '{"title":"Bad","errors":{"url":["is wrong","is long"]}}',
        ["Bad", "url: is wrong", "url: is long"],
    ),
    "refunds": ('{"data":[{"status":422,"title":"Too much"}]}', ["Too much"]),
    "refunds 503": ('{"data":[{"order_id":1,"status":503,"error":"Busy"}],"meta":{}}', ["Busy"]),
    "payments": (
        '{"status":422,"title":"Wrong status","detail":"Order is paid","code":30101,"errors":{}}',
        ["Wrong status", "Order is paid"],
    ),
    "storefront": ('{"errors":[{"title":"A","detail":"B"}]}', ["A", "B"]),
    "sequra": ('{"errors":["Access denied"]}', ["Access denied"]),
    "sequra title": ('{"errors":[{"title":"Bad order"}]}', ["Bad order"]),
    "oauth": ('{"error":"invalid_grant","error_description":"Bad"}', ["invalid_grant", "Bad"]),
    "plain": ("HTTP Basic: Access denied.\n", ["HTTP Basic: Access denied."]),
    "html": ("<html><body><h1>Not  here</h1></body></html>", ["Not here"]),
    "empty": ("", []),
    "odd": ('{"errors":{"a":{"b":5}},"title":7,"data":true}', []),
    "deep": ("[" * 100_000, [("[" * 500)]),
    "number": ("5", []),
    "null": ("null", []),
    "long": ('["' + "x" * 9000 + '"]', ["x" * 500]),
    "control": ('["a\\u0000\\nb \\ud83d"]', ["a b"]),  # PostgreSQL stores neither
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_error_is_read(remote: responses.RequestsMock, put: Put, shape: str) -> None:
    body, messages = SHAPES[shape]
    remote.put(put[0], status=400, body=body)
    with pytest.raises(Rejected) as caught:
        put[1]()
    assert caught.value.messages == messages


def test_rejection_without_words_says_its_status(remote: responses.RequestsMock, put: Put) -> None:
    remote.put(put[0], status=409)
    with pytest.raises(Rejected) as caught:
        put[1]()
    assert caught.value.message == "Conflict"


def test_html_page_is_read_by_its_title(remote: responses.RequestsMock, sequra: Sequra) -> None:
    page = (FIXTURES / "sequra/form_404.html").read_text()
    remote.get("https://sandbox.sequrapi.com/orders/x/form_v2", status=404, body=page)
    with pytest.raises(sequra_rejected()) as caught:
        sequra.form("tienda_es", "x", "i1")
    assert caught.value.message == "The page you were looking for doesn't exist (404)"


def sequra_rejected() -> type[Rejected]:
    return sequra.client.Rejected


def test_errors_name_their_system_and_the_call(
    remote: responses.RequestsMock, bigcommerce: BigCommerce, sequra: Sequra
) -> None:
    remote.get(f"{API}/stores/abc123/v2/orders", status=400, json=[{"message": "No"}])
    remote.get(STORE_LIST, status=503)
    with pytest.raises(Rejected) as refused:
        bigcommerce.orders(email="ana@example.es")
    with pytest.raises(Unavailable) as missing:
        sequra.credentials()
    assert str(refused.value) == ("BigCommerce refused GET /stores/abc123/v2/orders (400): No")
    assert str(missing.value) == "SeQura answered 503: GET /merchants/credentials"


def test_each_client_raises_the_errors_of_its_package(
    remote: responses.RequestsMock, put: Put
) -> None:
    remote.put(put[0], status=400)
    remote.put(put[0], status=500)
    module = bigcommerce.api if put[0] == ORDER else sequra.client
    with pytest.raises(module.Rejected):
        put[1]()
    with pytest.raises(module.Unavailable):
        put[1]()


def test_errors_survive_pickling() -> None:
    refused = bigcommerce.api.Rejected(422, ["No"], "r1", "PUT /x", "body")
    missing = sequra.client.Unavailable("down", 3.5, maybe_done=True)
    assert vars(pickle.loads(pickle.dumps(refused))) == vars(refused)  # noqa: S301 our own
    assert vars(pickle.loads(pickle.dumps(missing))) == vars(missing)  # noqa: S301 our own


def test_graphql_errors_are_refusals_though_the_status_is_200(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    answer = {"errors": [{"message": "Max 2 extensions"}, "odd", 7], "data": None}
    remote.post(f"{API}/stores/abc123/graphql", json=answer)
    with pytest.raises(Rejected) as caught:
        bigcommerce.app_extensions()
    assert caught.value.status == 200
    assert caught.value.messages == ["Max 2 extensions", "odd", "7"]


@pytest.mark.parametrize("answer", [{}, {"data": {}}, {"data": {"store": None}}, {"data": []}, []])
def test_graphql_of_another_shape_is_unavailable(
    remote: responses.RequestsMock, bigcommerce: BigCommerce, answer: object
) -> None:
    remote.post(f"{API}/stores/abc123/graphql", json=answer)
    with pytest.raises(Unavailable):
        bigcommerce.app_extensions()
    with pytest.raises(Unavailable):
        bigcommerce.create_app_extension({})


@pytest.mark.parametrize("odd", ["", ".", "..", "..."])
def test_dots_are_no_ids(
    remote: responses.RequestsMock, bigcommerce: BigCommerce, sequra: Sequra, odd: str
) -> None:
    for call in (
        lambda: bigcommerce.checkout(odd),
        lambda: sequra.update_order("tienda_es", odd, {}),
    ):
        with pytest.raises(Rejected) as caught:
            call()
        assert caught.value.status == 404
    assert len(remote.calls) == 0


@pytest.mark.parametrize("merchant", ["a\r\nX-Injected: 1", "tienda€", "\ud800"])
def test_odd_merchant_ids_reach_nobody(sequra: Sequra, merchant: str) -> None:
    with pytest.raises(Unavailable) as caught:
        sequra.put_order(merchant, "0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a", {}, timeout=(0.1, 0.1))
    assert not caught.value.maybe_done


def test_ids_from_outside_stay_one_segment(
    remote: responses.RequestsMock, bigcommerce: BigCommerce
) -> None:
    remote.get(f"{API}/stores/abc123/v3/checkouts/..%2F..%2Fv2%2Fstore%3Fa%23b", json={"data": {}})
    assert bigcommerce.checkout("../../v2/store?a#b") == {}
