"""Shoppers who come from elsewhere: a headless storefront, a "Buy" button on a blog. All of them
land on BigCommerce's hosted checkout, which is where SeQura is."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from local.stack import Stack
from tests.journeys.shopper import Shopper
from tests.journeys.system import System

pytestmark = pytest.mark.xdist_group("production")

CATALYST = 2
SHOP = 1


@pytest.fixture(scope="module")
def two_storefronts(worker_id: str) -> Iterator[System]:
    """A store with a Catalyst storefront, whose checkout is on the default storefront's domain."""
    with Stack(name=f"storefronts_{worker_id}", redis_database=12) as stack:
        system = System(stack)
        headless = {"id": CATALYST, "name": "Casa headless", "platform": "catalyst",
                    "url": "https://headless.example"}  # fmt: skip
        system.sandbox.control("POST", "channels", headless)
        system.install()
        yield system


@pytest.mark.parametrize(
    ("channel", "elsewhere"),
    [
        pytest.param(CATALYST, "https://headless.example/cart", id="catalyst"),
        pytest.param(SHOP, "https://a-blog.example/lamps", id="buy-button"),
    ],
)
def test_a_cart_made_elsewhere_is_paid_on_the_hosted_checkout(
    two_storefronts: System,
    browsers: Callable[..., BrowserContext],
    channel: int,
    elsewhere: str,
) -> None:
    system, page = two_storefronts, browsers().new_page()
    shopper = Shopper(page, system)
    shopper.checkout_id = system.sandbox.checkout(channel_id=channel)["checkout_id"]
    hosted = f"{shopper.shop}/checkout/{shopper.checkout_id}?lang=es"
    link = f"<!doctype html><title>Elsewhere</title><a href='{hosted}'>Comprar</a>"
    page.route(elsewhere, lambda route: route.fulfill(body=link, content_type="text/html"))
    page.goto(elsewhere)

    page.get_by_role("link", name="Comprar").click()
    expect(shopper.options).not_to_have_count(0)
    number = shopper.buy()

    [order] = system.orders(shopper.checkout_id)
    assert (order["id"], order["channel_id"]) == (number, channel)
    assert order["payment_method"]
