"""Shoppers who come from elsewhere: a headless storefront, a "Buy" button on a blog. All of them
land on BigCommerce's hosted checkout, which is where SeQura is. And a second storefront with a
checkout on its own domain."""

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, expect

from local.stack import Stack
from tests.journeys.shopper import Shopper
from tests.journeys.system import NEEDED, SETTINGS, System, cents, eventually

pytestmark = pytest.mark.xdist_group("production")

SHOP, CATALYST, OUTLET, POP_UP = 1, 2, 3, 4


@pytest.fixture(scope="module")
def storefronts(worker_id: str) -> Iterator[System]:
    """A store with two storefronts more.

    The Catalyst one has its checkout on the default storefront's domain, the outlet on its own.
    """
    with Stack(name=f"storefronts_{worker_id}", redis_database=12, copies=True) as stack:
        system = System(stack)
        headless = {"id": CATALYST, "name": "Casa headless", "platform": "catalyst",
                    "url": "https://headless.example"}  # fmt: skip
        outlet = {"id": OUTLET, "name": "Outlet", "url": stack.origin("outlet"),
                  "checkout_url": stack.origin("outlet")}  # fmt: skip
        system.sandbox.control("POST", "channels", headless)
        system.sandbox.control("POST", "channels", outlet)
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
    storefronts: System,
    browsers: Callable[..., BrowserContext],
    channel: int,
    elsewhere: str,
) -> None:
    system, page = storefronts, browsers().new_page()
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


def test_a_second_storefront_sells_on_its_own_domain(
    storefronts: System, browsers: Callable[..., BrowserContext]
) -> None:
    system, page = storefronts, browsers().new_page()
    shopper = Shopper(page, system, storefront="outlet").come_with("lang=es", channel_id=OUTLET)
    other = Shopper(browsers().new_page(), system).come_with("lang=es", channel_id=SHOP)
    expect(other.options).not_to_have_count(0)

    number = shopper.buy()

    assert page.url.startswith(f"{system.stack.origin('outlet')}/checkout/order-confirmation/")
    [order] = system.orders(shopper.checkout_id)
    assert (order["id"], order["channel_id"]) == (number, OUTLET)
    sequra = system.sequra_order(number)
    assert (sequra["state"], sequra["order_ref_1"]) == ("confirmed", str(number))
    [solicited] = system.sequra_orders(other.checkout_id)
    assert solicited["state"] == "solicited"
    scripts = system.sandbox.world()["scripts"]
    assert sorted(script["channel_id"] for script in scripts)[:3] == [SHOP, CATALYST, OUTLET]


@pytest.fixture
def without_a_status(storefronts: System) -> Iterator[None]:
    """SeQura's approval sets no status, so that a purchase ends on the app's own page."""
    storefronts.configure({"order_statuses": {"approved": None}})
    yield
    storefronts.configure({"order_statuses": SETTINGS["order_statuses"]})


@pytest.mark.usefixtures("without_a_status")
def test_a_shopper_of_the_second_storefront_goes_back_to_it(
    storefronts: System, browsers: Callable[..., BrowserContext]
) -> None:
    page = browsers().new_page()
    shopper = Shopper(page, storefronts, storefront="outlet")
    shopper.come_with("lang=es", channel_id=OUTLET)
    shopper.identify(shopper.open_form())
    expect(page.get_by_role("heading", name="Gracias, hemos recibido tu pedido")).to_be_visible()

    page.get_by_role("link", name="Volver a la tienda").click()

    page.wait_for_url(f"{storefronts.stack.origin('outlet')}/")


def test_a_storefront_that_is_opened_later_is_offered_and_then_sells(
    storefronts: System, browsers: Callable[..., BrowserContext]
) -> None:
    system, panel = storefronts, browsers().new_page()
    address = system.stack.origin("outlet")
    system.sandbox.control("POST", "channels", {"id": POP_UP, "name": "Pop-up", "url": address})
    before = Shopper(browsers().new_page(), system, storefront="outlet")
    before.come_with("lang=es", channel_id=POP_UP)
    expect(before.page.locator(".sequra-item")).to_have_count(0)

    panel.goto(system.sandbox.control("POST", "load_url", {"locale": "en-US"})["url"])
    panel.get_by_role("link", name="Settings", exact=True).click()
    panel.get_by_role("link", name="Storefronts", exact=True).click()
    expect(panel.get_by_role("heading", name="New storefront: Pop-up")).to_be_visible()
    assert POP_UP not in channels_with_script(system)
    panel.get_by_role("button", name="Offer SeQura Pop-up", exact=True).click()
    expect(panel.get_by_text("SeQura is on in the new storefront.")).to_be_visible()

    assert POP_UP in channels_with_script(system)
    shopper = Shopper(browsers().new_page(), system, storefront="outlet")
    number = shopper.come_with("lang=es", channel_id=POP_UP).buy()
    [order] = system.orders(shopper.checkout_id)
    assert (order["id"], order["channel_id"]) == (number, POP_UP)


def channels_with_script(system: System) -> set[int]:
    return {script["channel_id"] for script in system.sandbox.world()["scripts"]}


FRENCH = {"nin": "123456789012"}
BOTH = {
    "sequra": {"username": "demo", "password": "demo-secret"},
    "svea": {"username": "svea-demo", "password": "svea-secret"},
}
AWAITING_SHIPMENT, AWAITING_FULFILLMENT = 9, 11


@pytest.fixture
def an_outlet_of_its_own(storefronts: System) -> Iterator[None]:
    """The outlet sells in France alone, under SVEA's merchant id, to a status of its own."""
    own = {"countries": {"FR": "svea_fr"}, "order_statuses": {"approved": AWAITING_SHIPMENT}}
    countries = {"ES": "demo_es", "FR": "demo_fr"}
    storefronts.configure({"connection": {"deployments": BOTH}})
    storefronts.configure({"countries": countries, "channels": {str(OUTLET): own}})
    yield
    inherited = {"countries": "inherit", "order_statuses": {"approved": "inherit"}}
    storefronts.configure({"channels": {str(OUTLET): inherited}})


@pytest.mark.usefixtures("an_outlet_of_its_own")
def test_a_second_storefront_sells_under_its_own_merchant_id(
    storefronts: System, browsers: Callable[..., BrowserContext]
) -> None:
    system = storefronts
    outlet = Shopper(browsers().new_page(), system, storefront="outlet")
    with outlet.waiting_for_the_offer() as offer:
        outlet.come_with("lang=es", channel_id=OUTLET, country="ES")
    assert offer["reasons"] == ["country"]
    outlet.come_with("lang=en", channel_id=OUTLET, country="FR")

    number = outlet.buy(**FRENCH)

    [order] = system.orders(outlet.checkout_id)
    assert (order["id"], order["channel_id"]) == (number, OUTLET)
    assert order["status_id"] == AWAITING_SHIPMENT
    assert system.sequra_order(number)["merchant"] == "svea_fr"

    # What the setting says later is about later orders.
    system.configure({"channels": {str(OUTLET): {"countries": {"FR": "demo_fr"}}}})
    system.sandbox.control("POST", "merchant/ship", {"order_id": number})
    assert eventually(lambda: system.sequra_order(number)["shipped_cart"]["items"])
    assert system.sequra_order(number)["merchant"] == "svea_fr"


def test_a_shop_with_two_currencies_offers_sequra_in_euros_alone(
    storefronts: System, browsers: Callable[..., BrowserContext]
) -> None:
    system, page = storefronts, browsers().new_page()
    shopper = Shopper(page, system, storefront="outlet")
    with shopper.waiting_for_the_offer() as offer:
        shopper.come_with("lang=es", channel_id=OUTLET, currency="GBP")
    assert offer["reasons"] == ["currency"]
    expect(shopper.options).to_have_count(0)

    # The shopper changes to the other currency: another cart, in euros.
    shopper.come_with("lang=es", channel_id=OUTLET, currency="EUR")
    number = shopper.buy()

    [order] = system.orders(shopper.checkout_id)
    assert (order["id"], order["default_currency_code"]) == (number, "EUR")
    sequra = system.sequra_order(number)
    assert sequra["solicited"]["cart"]["currency"] == "EUR"
    assert sequra["total"] == cents(order["total_inc_tax"])


def test_the_system_of_the_journeys_has_exactly_the_scopes_that_the_app_asks_for(
    storefronts: System,
) -> None:
    [store] = storefronts.sandbox.world()["stores"]
    assert sorted(store["scopes"].split()) == sorted(NEEDED)

    # Whoever installs it in the pretend control panel grants no more than BigCommerce gives to all.
    address = storefronts.sandbox.control("POST", "auth_url", {})["url"]
    asked = set(parse_qs(urlsplit(address).query)["scope"][0].split())
    assert asked - {"store_v2_default", "users_basic_information"} == set(NEEDED)
