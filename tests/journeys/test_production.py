"""One purchase as in production: https behind a proxy, two web processes, no debugging."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import BrowserContext, Route, expect
from requests.adapters import HTTPAdapter

from local.stack import Stack
from tests.journeys.shopper import PAYMENT_FORM, Shopper
from tests.journeys.system import System

pytestmark = pytest.mark.xdist_group("production")

SOMEBODY_ELSE = "198.51.100.7"


@pytest.fixture(scope="module")
def production(worker_id: str) -> Iterator[System]:
    """DEBUG=false, an https APP_URL, a TLS proxy, two WSGI processes, worker concurrency 2."""
    with Stack(
        https=True,
        web_processes=2,
        worker_concurrency=2,
        name=f"journey_{worker_id}",
        redis_database=11,
        copies=True,
    ) as stack:
        system = System(stack)
        system.install()
        yield system


def lie(route: Route) -> None:
    """The request, with a header that claims to come from somewhere else."""
    route.continue_(headers={**route.request.headers, "X-Forwarded-For": SOMEBODY_ELSE})


@pytest.fixture
def shopper(production: System, browsers: Callable[..., BrowserContext]) -> Shopper:
    """Trusts the proxy's certificate, and lies about the address."""
    page = browsers(ignore_https_errors=True).new_page()
    page.route("**/storefront/*/payment-methods", lie)
    return Shopper(page, production)


def test_a_purchase_over_https(production: System, shopper: Shopper) -> None:
    shopper.come_with()
    script = shopper.page.locator("script[src*=sequra-checkout]")
    address = script.get_attribute("src") or ""
    number = shopper.buy()

    sequra = production.sequra_order(number)
    assert re.match(
        rf"{production.stack.app_url}/static/storefront/sequra-checkout\.[0-9a-f]{{12}}\.js\?",
        address,
    )
    assert production.order(shopper.checkout_id)["id"] == number
    assert sequra["state"] == "confirmed"
    assert sequra["solicited"]["merchant"]["notify_url"].startswith("https://app.localhost:")
    assert sequra["solicited"]["customer"]["ip_number"] == "127.0.0.1"
    assert SOMEBODY_ELSE not in str(sequra)


def test_the_browser_refuses_a_script_that_was_tampered_with(shopper: Shopper) -> None:
    complaints: list[str] = []
    shopper.page.on("console", lambda message: complaints.append(message.text))
    shopper.page.route(
        "**/sequra-checkout*",
        lambda route: route.fulfill(
            body="window.stolen = true",
            content_type="text/javascript",
            headers={"Access-Control-Allow-Origin": "*"},
        ),
    )
    shopper.come_with()

    assert [text for text in complaints if "valid digest in the 'integrity' attribute" in text]
    assert shopper.page.evaluate("window.stolen") is None
    expect(shopper.page.locator(PAYMENT_FORM)).to_be_visible()
    shopper.pay_natively()


class From(HTTPAdapter):
    """Connects from this address of ours."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, source_address=(self.address, 0), **options)


def test_the_clients_own_address_reaches_sequra(production: System) -> None:
    """Wherever the connection comes from counts, whatever its headers say."""
    stack, home = production.stack, "127.0.0.9"
    checkout_id = production.sandbox.checkout()["checkout_id"]
    script = production.sandbox.held("scripts")[0]["src"]
    store = script.partition("store=")[2]
    with requests.Session() as browser:
        browser.trust_env, browser.verify = False, str(stack.certificate)
        browser.mount("https://", From(home))
        answer = browser.post(
            f"https://127.0.0.1:{stack.public_port}/storefront/{store}/payment-methods",
            json={"checkout_id": checkout_id, "layout": "desktop", "locale": "es-ES"},
            headers={
                "Host": f"app.localhost:{stack.public_port}",
                "Origin": stack.origin("shop"),
                "X-Forwarded-For": SOMEBODY_ELSE,
            },
            timeout=60,
        )

    (sequra,) = production.sequra_orders(checkout_id)
    assert answer.ok
    assert sequra["solicited"]["customer"]["ip_number"] == home
