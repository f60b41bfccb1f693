"""The purchase in the production set-up: https behind a proxy, two processes, no debugging."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from local.demo import install
from local.sandbox_control import SandboxControl
from local.servers import postgres_binary
from local.shopper import Shopper
from local.stack import Stack
from tests.orders.world import descendants

pytestmark = pytest.mark.xdist_group("production")


@pytest.fixture(scope="module")
def production(worker_id: str) -> Iterator[Stack]:
    """DEBUG=false, an https APP_URL, a TLS proxy, two WSGI processes, worker concurrency 2."""
    options: dict[str, Any] = {"web_processes": 2, "worker_concurrency": 2, "redis_database": 7}
    with Stack(https=True, name=f"production_{worker_id}", copies=True, **options) as stack:
        yield stack


@pytest.fixture(scope="module")
def purchase(production: Stack) -> dict[str, Any]:
    """A merchant installs, a shopper buys; everything that the app was asked and answered."""
    sandbox = SandboxControl(production.sandbox_port, production.app_port)
    install(production, sandbox)
    shopper = Shopper(production.origin("shop"), production.certificate)
    shopper.fill_cart(*shopper.products()[:2])
    shopper.load_script(shopper.go_to_checkout())
    methods = shopper.payment_methods()
    shopper.identify(shopper.open_form(methods[0]))
    return {"outcome": shopper.wait_for_order(), "world": sandbox.world(), "calls": sandbox.calls()}


def test_the_purchase_is_confirmed_on_both_sides(purchase: dict[str, Any]) -> None:
    number = purchase["outcome"]["order"]
    (order,) = (one["order"] for one in purchase["world"]["bigcommerce_orders"])
    (sequra,) = purchase["world"]["sequra_orders"]

    assert purchase["outcome"]["status"] == "confirmed"
    assert (order["id"], order["status_id"]) == (number, 11)
    assert (sequra["order_ref_1"], sequra["state"]) == (str(number), "confirmed")


def test_everything_registered_is_https(production: Stack, purchase: dict[str, Any]) -> None:
    world = purchase["world"]
    addresses = [hook["destination"] for hook in world["hooks"]]
    addresses += [re.sub(r"\?.*", "", script["src"]) for script in world["scripts"]]

    assert {address.split("/", 3)[2] for address in addresses} == {
        production.app_url.removeprefix("https://")
    }
    assert all(address.startswith("https://") for address in addresses)


def test_plain_http_is_sent_to_https(production: Stack) -> None:
    plain = requests.get(
        f"http://127.0.0.1:{production.app_port}/load",
        headers={"Host": production.app_url.removeprefix("https://")},
        allow_redirects=False,
        timeout=60,
    )

    assert (plain.status_code, plain.headers["Location"]) == (301, f"{production.app_url}/load")


def test_a_foreign_host_is_refused(production: Stack) -> None:
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}):
        answer = requests.get(
            f"http://127.0.0.1:{production.app_port}/load",
            headers={"X-Forwarded-Proto": "https", **headers},
            timeout=60,
        )
        assert answer.status_code == 400
        assert "evil" not in answer.text


def test_the_answer_carries_the_headers_of_a_public_site(production: Stack) -> None:
    answer = requests.get(
        f"https://127.0.0.1:{production.public_port}/load",
        headers={"Host": production.app_url.removeprefix("https://")},
        verify=str(production.certificate),
        timeout=60,
    )

    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_requests_of_both_processes_are_counted_together(production: Stack) -> None:
    address = f"http://127.0.0.1:{production.app_port}/metrics"

    def counted() -> float:
        found = re.findall(
            r'requests_total\{method="GET",route="load",status="4\d\d"\} (\S+)',
            requests.get(address, timeout=60).text,
        )
        return sum(map(float, found))

    before = counted()
    for _ in range(20):
        requests.get(
            f"https://127.0.0.1:{production.public_port}/load",
            headers={"Host": production.app_url.removeprefix("https://")},
            verify=str(production.certificate),
            timeout=60,
        )
    assert {counted() - before for _ in range(10)} == {20}


def test_a_killed_web_process_comes_back(production: Stack) -> None:
    """The other one answers meanwhile, and goes on to answer."""
    web = production.processes["web"]
    assert web.tether
    server = next(descendants(web.tether.pid))
    before = set(children(server))
    killed = max(before)
    os.kill(killed, signal.SIGKILL)
    address = f"http://127.0.0.1:{production.app_port}/health/live"
    deadline = time.monotonic() + 60
    while len(set(children(server)) - {killed}) < len(before):
        assert time.monotonic() < deadline, web.tail()
        time.sleep(0.1)

    assert [requests.get(address, timeout=60).status_code for _ in range(10)] == [200] * 10


def children(pid: int) -> list[int]:
    """The processes that this one started and that run."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, thread.read_text().split())
    return found


PEOPLE_AND_SECRETS = [
    "Ana",
    "García",
    "612345678",
    "12345678Z",
    "ana@example.com",
    "Fuencarral",
    "demo-secret",
    "demo-client-secret",
    "development-only",
    "eyJ",
    "Basic ",
]


def test_no_log_and_no_metric_names_people_or_secrets(
    production: Stack, purchase: dict[str, Any]
) -> None:
    """A51: canaries through a whole purchase, then a search through everything we write."""
    names = ("web", "worker", "beat")
    texts = {name: production.processes[name].log.read_text() for name in names}
    url = f"http://127.0.0.1:{production.app_port}/metrics"
    texts["metrics"] = requests.get(url, timeout=60).text
    # Tokens in addresses that SeQura and BigCommerce were given.
    merchant = purchase["world"]["sequra_orders"][0]["solicited"]["merchant"]
    tokens = re.findall(r"[\w-]{30,}", f"{merchant['notify_url']} {merchant['events_webhook']}")

    assert tokens
    assert [
        (name, canary)
        for name, text in texts.items()
        for canary in [*PEOPLE_AND_SECRETS, *tokens]
        if canary in text
    ] == []


def test_no_secret_lies_open_in_the_database_or_in_redis(
    production: Stack, purchase: dict[str, Any]
) -> None:
    """A50, A51: the dump of one, every key of the other."""
    merchant = purchase["world"]["sequra_orders"][0]["solicited"]["merchant"]
    (token,) = set(re.findall(r"[\w-]{40,}", merchant["notify_url"]))
    hook_secrets = {
        value
        for call in purchase["calls"]
        if call["path"].endswith("/hooks") and call["method"] == "POST"
        for value in (call["body"].get("headers") or {}).values()
    }
    dump = subprocess.run(
        [postgres_binary("pg_dump"), "--data-only", production.urls["DATABASE_URL"]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    broker = redis.Redis.from_url(production.urls["REDIS_URL"])
    kept = "".join(str(broker.dump(key)) for key in broker.scan_iter())
    broker.close()

    assert hook_secrets
    assert "demo_es" in dump
    for secret in ("demo-secret", *hook_secrets):
        assert secret not in dump
    for canary in (*PEOPLE_AND_SECRETS, token, *hook_secrets):
        assert canary not in kept
