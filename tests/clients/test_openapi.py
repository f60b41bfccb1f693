"""Our requests, and the answers we test with, against BigCommerce's own OpenAPI files.

Without the files there is nothing to compare with, and the run says so in red at its end; the exact
shapes of all requests are then still checked by test_bigcommerce_calls.py.
"""

from typing import Any
from urllib.parse import urlencode

from bigcommerce.client import _STORE_CREDIT
from tests.clients.calls import API, CALLS, PAYMENTS, fixture
from tests.clients.openapi import folder, validate_request, validate_response

HOOKS = f"{API}/stores/abc123/v3/hooks"
HOOK = {"scope": "store/order/updated", "destination": "https://a.example", "is_active": True}
ORDER = fixture("bigcommerce/order")


def described(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is wrong, by call. `found` is empty when there is nothing to compare with."""
    return {name: problems for name, problems in found.items() if problems}


def test_requests_are_as_bigcommerce_describes_them() -> None:
    calls = CALLS if folder() else []
    found = {
        call.name: validate_request(call.method, f"{call.url}?{urlencode(call.query)}", call.body)
        for call in calls
    }
    assert described(found) == {}


def test_answers_we_test_with_are_as_bigcommerce_describes_them() -> None:
    calls = CALLS if folder() else []
    found = {
        call.name: validate_response(call.method, call.url, call.status, call.document)
        for call in calls
    }
    assert described(found) == {}


def test_store_credit_payment_is_as_bigcommerce_describes_it() -> None:
    url = f"{PAYMENTS}/stores/abc123/payments"
    answer = fixture("bigcommerce/payment")
    if folder():
        assert validate_request("POST", url, _STORE_CREDIT) == []
        assert validate_response("POST", url, 201, answer) == []


def wrong_requests() -> list[tuple[str, str, Any]]:
    return [
        ("POST", HOOKS, HOOK | {"scope": 5}),
        ("POST", HOOKS, {"destination": "https://a.example"}),
        ("POST", HOOKS, HOOK | {"enabled": True}),
        ("PATCH", HOOKS, HOOK),
        ("GET", f"{HOOKS}/admin/more", None),
        ("GET", f"{API}/stores/abc123/v2/orders?cart=1", None),
        ("GET", f"{API}/stores/abc123/v3/customers?include=storecredits", None),
        ("GET", f"{API}/stores/abc123/v2/order_statuses", {"id": 1}),
        ("PUT", f"{API}/stores/abc123/v2/orders/250", {"status_id": "11"}),
    ]


def test_each_wrong_request_is_noticed() -> None:
    wrong = wrong_requests() if folder() else []
    assert [row for row in wrong if not validate_request(*row)] == []


def wrong_answers() -> list[tuple[str, str, int, Any]]:
    return [
        ("GET", "/stores/abc123/v2/orders/250", 200, ORDER | {"id": "250"}),
        ("GET", "/stores/abc123/v2/orders/250", 200, ORDER | {"total_inc_tax": 54.93}),
        ("GET", "/stores/abc123/v2/orders/250", 200, [ORDER]),
        ("GET", "/stores/abc123/v2/orders/250", 200, None),
        ("GET", "/stores/abc123/v2/orders/250", 206, ORDER),
        ("GET", "/stores/abc123/v2/orders/250/fees", 200, [{"id": "1"}]),
        ("GET", "/stores/abc123/v2/nowhere", 200, {}),
        ("POST", "/stores/abc123/v3/hooks", 200, {"data": {"id": "x"}}),
    ]


def test_each_wrong_answer_is_noticed() -> None:
    wrong = wrong_answers() if folder() else []
    assert [row for row in wrong if not validate_response(*row)] == []


def test_errors_and_empty_lists_may_look_as_they_do() -> None:
    if folder():
        assert validate_response("GET", "/stores/abc123/v2/orders", 204) == []
        assert validate_response("GET", "/stores/abc123/v2/orders/250", 503, "<html>") == []
        assert validate_response("POST", "/stores/abc123/graphql", 200, {"data": {}}) == []
