"""Faults: refused, slow, cut off, done but not told, done later."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from local.sandbox_control import ControlRefused, SandboxControl
from sandbox.tests.bigcommerce_app import Api


@pytest.fixture
def api(sandbox: SandboxControl) -> Iterator[Api]:
    with Api(sandbox) as installed:
        yield installed


def orders(api: Api) -> int:
    return len(api.sandbox.held("bigcommerce_orders"))


def convert(api: Api, checkout: str) -> int:
    """The status of a conversion, 0 when the connection died."""
    headers = {"X-Auth-Token": api.token, "Accept": "application/json"}
    url = f"{api.sandbox.url}/stores/demo123/v3/checkouts/{checkout}/orders"
    try:
        return requests.post(url, headers=headers, timeout=60).status_code
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return 0


@pytest.mark.parametrize(
    ("fault", "status", "made"),
    [
        ({"status": 503}, 503, 0),
        ({"status": 503, "effect": "before"}, 503, 1),
        ({"reset": True}, 0, 0),
        ({"reset": True, "effect": "before"}, 0, 1),
        ({"truncated": True}, 0, 1),
        ({"delay": 0.2}, 200, 1),
    ],
)
def test_conversion_fails_in_every_way(
    api: Api, fault: dict[str, object], status: int, made: int
) -> None:
    checkout = api.sandbox.checkout()["checkout_id"]
    api.sandbox.fault(r"/checkouts/[^/]+/orders$", method="POST", **fault)
    assert convert(api, checkout) == status
    assert orders(api) == made
    assert convert(api, checkout) == 200


def test_effect_after_is_done_behind_the_answer(api: Api) -> None:
    checkout = api.sandbox.checkout()["checkout_id"]
    api.sandbox.fault("/orders$", method="POST", status=504, effect="after")
    assert convert(api, checkout) == 504
    until = time.monotonic() + 60
    while orders(api) == 0 and time.monotonic() < until:
        time.sleep(0.02)
    assert orders(api) == 1


def test_answer_of_a_fault_is_as_described(api: Api) -> None:
    body = [{"status": 500, "message": "odd"}]
    api.sandbox.fault("/v2/time", status=500, body=body, headers={"X-Odd": "yes"})
    headers = {"X-Auth-Token": api.token, "Accept": "application/json"}
    reply = requests.get(f"{api.sandbox.url}/stores/demo123/v2/time", headers=headers, timeout=60)
    assert (reply.status_code, reply.json(), reply.headers["X-Odd"]) == (500, body, "yes")


def test_times_and_skip_are_counted_under_concurrency(api: Api) -> None:
    api.sandbox.fault("/v2/time", status=500, times=7, skip=5)
    headers = {"X-Auth-Token": api.token, "Accept": "application/json"}
    url = f"{api.sandbox.url}/stores/demo123/v2/time"

    def ask(_number: int) -> int:
        return requests.get(url, headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(ask, range(40)))
    assert (statuses.count(500), statuses.count(200)) == (7, 33)


def test_query_and_method_choose_the_request(api: Api) -> None:
    api.sandbox.fault(r"orders\?.*cart_id=", method="GET", status=502, times=0)
    assert api.get("v2/orders", expect=204) is None
    assert api.get("v2/orders", expect=502, cart_id="x" * 8) is None
    api.sandbox.clear_faults()
    found = api.get("v2/orders", 204, cart_id="00000000-0000-0000-0000-000000000000")
    assert found is None


def test_nonsense_faults_are_refused(sandbox: SandboxControl) -> None:
    for nonsense in ({"path": "("}, {"effect": "maybe"}, {"colour": "red"}):
        reply = requests.post(f"{sandbox.url}/_control/faults", json=nonsense, timeout=60)
        assert reply.status_code == 400


def test_calls_are_logged_without_secrets(api: Api) -> None:
    api.sandbox.fault("/v2/store", status=503)
    since = api.sandbox.calls()[-1]["n"]
    api.get("v2/time")
    api.get("v2/store", expect=503)
    calls = api.sandbox.calls("bigcommerce", since)
    shown = [(call["method"], call["path"], call["status"], call["fault"]) for call in calls]
    assert shown == [
        ("GET", "/stores/demo123/v2/time", 200, False),
        ("GET", "/stores/demo123/v2/store", 503, True),
    ]
    assert api.token not in str(calls)
    assert [call["path"] for call in api.sandbox.calls(in_path="v2/ti")] == [calls[0]["path"]]


def test_one_kind_of_the_world_is_asked_for_alone(api: Api) -> None:
    world = api.sandbox.world()

    assert api.sandbox.control("GET", "world", only="stores") == {"stores": world["stores"]}
    assert api.sandbox.held("customers") == world["customers"]
    with pytest.raises(ControlRefused):
        api.sandbox.held("planets")


def test_sixteen_slow_answers_do_not_hold_up_the_seventeenth(api: Api) -> None:
    api.sandbox.fault("/v2/store", delay=3.0, times=0)
    headers = {"X-Auth-Token": api.token, "Accept": "application/json"}
    url = f"{api.sandbox.url}/stores/demo123/v2"
    with ThreadPoolExecutor(40) as pool:
        slow = [pool.submit(requests.get, f"{url}/store", headers=headers) for _ in range(40)]
        while len(api.sandbox.calls("bigcommerce")) < 40:
            time.sleep(0.05)
        requests.get(f"{url}/time", headers=headers, timeout=60)
        assert [job for job in slow if job.done()] == []
        assert {job.result().status_code for job in slow} == {200}
