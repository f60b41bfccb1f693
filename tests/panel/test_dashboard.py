"""The first page, the go-live checklist, and the answers to the page "Availability"."""

import re
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import pytest
import responses
import time_machine
from django.test import Client
from django.utils import timezone

from orders.models import Order, WebhookEvent
from panel.figures import _Day, _nice, chart, last_days, unsynced_shipments
from panel.views import dashboard
from panel.views.dashboard import _problems
from panel.views.why_not_shown import _PAGES
from payloads.checkout.reasons import Reason
from payments.models import Offer, Solicitation
from stores.models import Store
from tests.panel.test_settings import API, Panel
from tests.panel.world import CHECKOUT, METHODS, empty_store, filled_store
from transaction_log import record

pytestmark = pytest.mark.django_db


def ticked(store: Store) -> set[str]:
    checks = dashboard._checklist(store, dashboard._facts(store))
    return {name for name, check in zip(dashboard._CHECKS, checks, strict=True) if check.at}


def test_a_fresh_store_has_seen_nothing() -> None:
    assert ticked(empty_store()) == set()


def test_the_checklist_ticks_itself_from_real_traffic() -> None:
    store = filled_store()
    assert ticked(store) == {"script", "paid", "webhook", "shipped", "refunded"}

    order = store.orders.select_related("connection").get(bigcommerce_id=1007)
    record.accepted(order.subject, "cancel")

    assert ticked(store) == set(dashboard._CHECKS)


def test_a_tick_stays_when_its_row_is_forgotten() -> None:
    store = filled_store()
    before = ticked(store)
    WebhookEvent.objects.all().delete()
    Offer.objects.all().delete()

    assert ticked(Store.objects.get(pk=store.pk)) == before


def test_guesses_and_live_orders_tick_nothing() -> None:
    store = filled_store(environment="live")
    Offer.objects.update(reasons=["unknown_checkout"])

    assert ticked(store) == {"webhook"}


def test_problems_are_counted_by_age() -> None:
    found = _problems(filled_store())

    assert [entry.bigcommerce_id for entry in found.open] == [1002, 1001]
    assert (found.today, found.week, found.older) == (1, 0, 1)


def test_unsynced_shipments_are_those_of_the_shipping_page() -> None:
    store = filled_store()
    store.orders.filter(bigcommerce_id=1008).update(changed=1, has_shipments=True)
    panel = Panel(store)

    assert {one.bigcommerce_id for one in unsynced_shipments(store)} == {1001, 1003, 1008}
    tile = f'<a href="{panel.session}shipping/"><span class="tile-number">3</span>'
    assert tile in panel.get("").content.decode()
    page = panel.get("shipping/").content.decode()
    assert all(f'orders/{number}/"' in page for number in (1001, 1003, 1008))


def test_the_dashboard_leads_to_what_needs_somebody() -> None:
    panel = Panel(filled_store())
    page = panel.get("").content.decode()

    assert f'href="{panel.session}orders/1002/"' in page
    assert f'href="{panel.session}log/?outcome=needs_you"' in page
    assert "In review" in page
    assert "5 of 6 sandbox tests passed." in page


def test_days_are_those_of_the_store() -> None:
    """An order paid at 23:30 UTC was paid on the next day in Madrid."""
    store = filled_store()
    connection = store.connections.get()
    Order.objects.filter(store=store).delete()
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False):
        from tests.panel.world import add_order

        order = add_order(store, connection, 1)
        Order.objects.filter(pk=order.pk).update(
            placed_at=datetime(2026, 11, 18, 23, 30, tzinfo=UTC)
        )
        with timezone.override("Europe/Madrid"):
            days = last_days(store, [connection.pk])
    assert len(days) == 30
    assert days[-1].on == date(2026, 11, 20)
    assert [day for day in days if day.orders] == [_Day(date(2026, 11, 19), 1, order.amount)]


def test_orders_of_another_environment_are_not_summed() -> None:
    store = filled_store()
    assert sum(day.orders for day in last_days(store, [])) == 0


def test_bars_stay_inside_the_drawing() -> None:
    today = date(2026, 11, 20)
    days = [_Day(today - timedelta(days=n), n, n * 12_345) for n in range(30)]
    drawn = chart(days)

    assert (drawn.orders, drawn.amount) == (435, 435 * 12_345)
    assert drawn.top == _nice(29 * 12_345) == 500_000
    for bar in drawn.bars:
        assert 0 <= bar.y <= 140
        assert bar.height >= 0
        assert bar.x + bar.width <= 600
    assert chart([]).bars == []


@pytest.mark.parametrize(
    ("cents", "top"), [(0, 10_000), (10_001, 20_000), (99_999, 100_000), (2_000_001, 5_000_000)]
)
def test_the_scale_is_a_round_amount(cents: int, top: int) -> None:
    assert _nice(cents) == top


# --- Availability --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [CHECKOUT, CHECKOUT.upper(), f"https://shop.example/checkout/{CHECKOUT}?x=1"]
)
def test_a_checkout_tells_every_moment(text: str) -> None:
    page = Client().get(Panel(filled_store()).session + "why/", {"q": text}).content.decode()

    assert "The customer hadn&#x27;t entered an email address yet." in page
    assert "on your list of allowed IP addresses" in page
    assert page.count(">Not shown<") == 2
    assert page.count(">Shown<") == 1


def test_an_order_paid_with_sequra_says_so() -> None:
    assert "This order was paid with SeQura" in (
        Panel(filled_store()).get("why/?q=1001").content.decode()
    )


def test_a_checkout_without_access_to_bigcommerce_says_how_to_renew_it() -> None:
    panel = Panel(filled_store())
    Offer.objects.filter(checkout_id=CHECKOUT).update(reasons=["access_lost"])

    page = panel.get(f"why/?q={CHECKOUT}").content.decode()

    assert "BigCommerce no longer accepts our access to your store" in page
    assert "Open SeQura from the Apps menu" in page


@responses.activate
def test_another_order_leads_to_its_checkout() -> None:
    responses.get(f"{API}/v2/orders/77", json={"id": 77, "cart_id": CHECKOUT})
    responses.get(f"{API}/v2/orders/78", json={"id": 78, "cart_id": None})
    responses.get(f"{API}/v2/orders/79", status=404, json=[])
    panel = Panel(filled_store())

    assert "on your list of allowed" in panel.get("why/?q=77").content.decode()
    assert (
        "This order wasn&#x27;t placed through your store&#x27;s checkout."
        in panel.get("why/?q=78").content.decode()
    )
    assert "no order with this number" in panel.get("why/?q=79").content.decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "Enter a valid order number"),
        ("1" * 40, "Enter a valid order number"),
        ("<script>alert(1)</script>", "Enter a valid order number"),
        (str(CHECKOUT).replace("0f", "aa"), "SeQura wasn't requested in this checkout"),
        ("77", "BigCommerce didn&#x27;t respond. Try again in a moment."),
    ],
)
def test_what_is_not_known_is_said(text: str, words: str) -> None:
    page = Client().get(Panel(filled_store()).session + "why/", {"q": text}).content.decode()
    assert words in page
    assert "<script>alert" not in page


CART = {"country": "ES", "amount": "99.50", "currency": "EUR", "products": "", "ip": ""}


@pytest.mark.parametrize(
    ("cart", "words"),
    [
        ({}, "SeQura would appear"),
        ({"country": ""}, "SeQura is off for this shipping country."),
        ({"currency": "usd"}, "only supports EUR"),
        ({"ip": "8.8.8.8"}, "on your list of allowed IP addresses"),
        ({"ip": "203.0.113.77"}, "SeQura would appear"),
        ({"products": "SHOE-9, sku-1"}, "The cart contains an excluded product"),
        ({"amount": "9000"}, "SeQura wouldn't appear"),
        ({"amount": "0"}, "There is nothing left to pay."),
        ({"digital": "on"}, "SeQura would appear"),
        ({"amount": "lots"}, "Enter a number."),
        ({"ip": "8.8"}, "Enter a valid IPv4 or IPv6 address."),
    ],
)
def test_a_cart_that_might_be_gets_the_answer_of_the_checkout(
    cart: dict[str, str], words: str
) -> None:
    store = filled_store()
    Store.objects.update(excluded_categories=[])
    page = Client().get(Panel(store).session + "why/", CART | cart).content.decode()
    assert words in page


def test_every_method_answers_with_its_own_range_and_a_link_to_it() -> None:
    page = Panel(filled_store()).get(f"why/?{urlencode(CART | {'amount': '12'})}").content.decode()

    assert page.count(">Shown<") == 1  # Paga Después, up to 400 €
    for method in (
        "€12.00 is outside the €30.00–€1,500.00 limit of this method.",
        "€12.00 is outside the €50.00–€3,000.00 limit of this method.",
    ):
        assert page.count(f"<li>{method} <a") == 1
    assert page.count("payment-methods/?country=ES") == 2


def test_a_past_checkout_is_explained_by_method_and_in_the_past_tense() -> None:
    store = filled_store()
    Offer.objects.filter(store=store).delete()
    at = timezone.now() - timedelta(days=2)
    attempt = Solicitation.objects.create(
        store=store,
        connection=store.connections.get(),
        merchant_ref="calzados_pt",
        checkout_id=CHECKOUT,
        token_digest="d",
        order={},
        fingerprint="f",
        amount=300_100,
        currency="EUR",
        country="PT",
        payment_methods=METHODS,
        created_at=at,
    )
    asked = {"store": store, "checkout_id": CHECKOUT, "reasons": ["amount"]}
    Offer.objects.create(**asked, at=at, attempt=attempt)
    page = Panel(store).get(f"why/?q={CHECKOUT}").content.decode()

    assert "€3,001.00 was above the €400.00 maximum of this method." in page
    assert "€3,001.00 was outside the €50.00–€3,000.00 limit of this method." in page
    assert page.count("payment-methods/?country=PT") == len(METHODS)
    assert "outside the limits of every payment method" not in page

    attempt.delete()  # an attempt without a payment is forgotten earlier
    page = Panel(store).get(f"why/?q={CHECKOUT}").content.decode()
    assert "The amount was outside the limits of every payment method." in page


def test_a_moment_is_explained_by_its_own_attempt_whichever_came_before() -> None:
    """An earlier attempt is offered again, and an attempt may be newer than its moment."""
    store = filled_store()
    Offer.objects.filter(store=store).delete()
    now = timezone.now()
    first, second = (
        Solicitation.objects.create(
            store=store,
            connection=store.connections.get(),
            merchant_ref="calzados_es",
            checkout_id=CHECKOUT,
            token_digest=str(cents),
            order={},
            fingerprint="f",
            amount=cents,
            currency="EUR",
            country="ES",
            payment_methods=METHODS,
            created_at=now - timedelta(minutes=minutes),
        )
        for cents, minutes in ((300_100, 9), (400_200, 5))
    )
    asked = {"store": store, "checkout_id": CHECKOUT, "reasons": ["amount"]}
    Offer.objects.create(**asked, at=now - timedelta(minutes=1), attempt=first)
    Offer.objects.create(**asked, at=now - timedelta(minutes=6), attempt=second)
    Offer.objects.create(**asked, at=now - timedelta(minutes=4))

    page = Panel(store).get(f"why/?q={CHECKOUT}").content.decode()

    latest, unknown, earliest = page.split('<ol class="asked">')[1].split("<time")[1:]
    assert ("€3,001.00" in latest, "€4,002.00" in latest) == (True, False)
    assert ("€3,001.00" in earliest, "€4,002.00" in earliest) == (False, True)
    assert "The amount was outside the limits of every payment method." in unknown


def test_a_test_cart_is_not_offered_without_access_to_the_store_or_the_account() -> None:
    store = filled_store()
    panel, address = Panel(store), f"why/?{urlencode(CART)}"
    assert "SeQura would appear" in panel.get(address).content.decode()

    store.connections.get().pause()
    page = panel.get(address).content.decode()
    assert "SeQura rejects your account&#x27;s username and password. <a" in page
    assert "SeQura would appear" not in page

    store.needs_reauthorisation()
    page = panel.get(address).content.decode()
    assert "<li>BigCommerce no longer accepts our access to your store, so SeQura" in page
    assert "SeQura rejects your account" not in page.split('id="verdict"')[1]


@responses.activate
def test_an_order_that_cannot_be_read_without_access_says_so() -> None:
    responses.get(f"{API}/v2/orders/77", json={}, status=401)
    page = Panel(filled_store()).get("why/?q=77").content.decode()

    assert "BigCommerce no longer accepts our access to your store, so SeQura" in page


@pytest.mark.parametrize("reason", [one for one in Reason if one in _PAGES])
def test_a_link_leads_to_the_place_that_mends_it(reason: Reason) -> None:
    store = filled_store()
    Offer.objects.filter(store=store).update(reasons=[reason])
    panel = Panel(store)
    page = panel.get(f"why/?q={CHECKOUT}").content.decode()
    (address,) = {*re.findall(r'<li>[^<]+<a href="([^"]+)"', page)}
    path, _, place = address.removeprefix(panel.session).partition("#")
    target = panel.get(path)

    assert target.status_code == 200
    assert f'id="{place or "content"}"' in target.content.decode()


@responses.activate
def test_categories_of_a_cart_are_looked_up() -> None:
    rows = [{"id": 1, "sku": "SHOE-9", "categories": [24]}, {"id": 2, "sku": "SHOE-99"}]
    responses.get(f"{API}/v3/catalog/products", json={"data": rows})
    store = filled_store(excluded_subcategories=[24])
    page = Client().get(Panel(store).session + "why/", CART | {"products": "shoe-9"})
    assert "a product from an excluded category" in page.content.decode()
