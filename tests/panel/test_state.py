"""The sentence on top of the overview: live, or what hides SeQura and where to mend it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orders.models import Order
from panel.state import _Finding, _State, state_of
from panel.views import dashboard
from stores import connect
from stores.models import Connection, Store
from tests.panel.test_settings import Panel
from tests.panel.world import empty_store, filled_store, healthy

pytestmark = pytest.mark.django_db
OPEN: dict[str, Any] = {
    "allowed_ips": [],
    "excluded_categories": [],
    "excluded_products": [],
}


def flawless(environment: str = "live") -> Store:
    """A store in which nothing hides SeQura, and which has just sold."""
    store = filled_store(environment=environment, checkout_asked_at=timezone.now())
    Store.objects.update(**OPEN)
    now = timezone.now()
    Order.objects.update(placed_at=now - timedelta(days=40))
    Order.objects.filter(bigcommerce_id=1005).update(
        placed_at=now - timedelta(minutes=3, seconds=9)
    )
    store.refresh_from_db()
    return store


def read(store: Store) -> _State:
    store.refresh_from_db()
    last = dashboard._facts(store)["sold_at"]
    return state_of(store, list(store.connections.all()), connect.selling(store), last)


def worst(store: Store) -> tuple[str, str, str]:
    """How bad it is, what is said first, and the page that the first link leads to."""
    state = read(store)
    return state.kind, state.sentence, state.findings[0].page


def test_a_store_in_which_nothing_is_off_is_green() -> None:
    sentence = "SeQura is live in 2 countries. Last order: 3\xa0minutes ago."
    assert read(flawless()) == _State("success", sentence, [])


def test_a_sandbox_is_never_green() -> None:
    sentence = "SeQura runs in sandbox mode in 2 countries. Last order: 3\xa0minutes ago."
    assert read(flawless("sandbox")) == _State("info", sentence, [])


def test_an_order_of_the_sandbox_is_no_sale_of_a_live_store() -> None:
    store = flawless("sandbox")
    live = store.connections.get()
    Store.objects.update(environment="live")
    Connection.objects.filter(pk=live.pk).update(state="archived", stopped_at=timezone.now())
    live.pk, live.environment = None, "live"
    live.save()
    store.merchants.update(connection=live)
    assert read(store).sentence == "SeQura is live in 2 countries. No orders yet."


def test_a_store_without_orders_says_so() -> None:
    store = flawless()
    store.orders.all().delete()
    assert read(store).sentence == "SeQura is live in 2 countries. No orders yet."


def registration(part: str, kind: str, words: str = "") -> dict[str, Any]:
    problem = {"kind": kind, "name": "Outlet", "words": words}
    broken = {"ok": False, "at": timezone.now().isoformat(), "problems": [problem]}
    return {"registration": healthy() | {part: broken}}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"state": "needs_reauthorisation"},
            ("error", "BigCommerce no longer accepts our access", ""),
        ),
        (
            {"allowed_ips": ["203.0.113.7"]},
            ("warning", "Only the IP addresses on your list can see SeQura", "settings"),
        ),
        ({"disabled_channels": [1, 7]}, ("error", "SeQura is off in every storefront", "settings")),
        (
            registration("script", "missing"),
            ("error", "The SeQura script isn't on your checkout page", "setup"),
        ),
        (
            registration("page", "altered"),
            ("error", "The SeQura script may not load", "setup"),
        ),
        (
            registration("page", "unreached"),
            ("warning", "The SeQura script may not load", "setup"),
        ),
        (
            registration("webhooks", "missing"),
            ("warning", "BigCommerce doesn't notify us of order changes", "setup"),
        ),
        (
            registration("panel", "missing"),
            ("warning", "The order panel is missing from BigCommerce", "setup"),
        ),
        (
            {"checkout_asked_at": timezone.now() - timedelta(days=31)},
            ("warning", "No checkout has requested SeQura for 30 days", "setup"),
        ),
        (
            {"channels": [{"id": 1, "name": "Outlet", "origins": [], "checkout_type": "classic"}]},
            ("warning", "SeQura may not appear on your checkout page", "setup"),
        ),
        ({"status_approved": 0}, ("warning", "Check your order statuses", "order_statuses")),
        ({"shipped_statuses": [11]}, ("warning", "Check your order statuses", "order_statuses")),
        ({"currency": "GBP"}, ("warning", "Your store's default currency is GBP", "")),
    ],
)
def test_what_hides_sequra_is_named_with_its_remedy(
    columns: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    store = flawless()
    Store.objects.update(**columns)
    assert worst(store) == expected


@pytest.mark.parametrize(
    ("columns", "title", "page"),
    [
        (
            {"excluded_categories": [23]},
            "SeQura is hidden for carts with excluded items",
            "exclusions",
        ),
        ({"disabled_channels": [7]}, "SeQura is off in Outlet", "settings"),
        ({"checkout_asked_at": None}, "No checkout has requested SeQura yet.", "setup"),
    ],
)
def test_what_the_merchant_chose_is_mentioned_beside_the_sentence(
    columns: dict[str, Any], title: str, page: str
) -> None:
    store = flawless()
    Store.objects.update(**columns)
    state = read(store)

    assert (state.kind, state.sentence[:29]) == ("info", "SeQura is live in 2 countries")
    assert [(one.title, one.page) for one in state.findings] == [(title, page)]


@pytest.mark.parametrize(
    ("off", "sentence"),
    [
        ([7], "Customers of this storefront don't see SeQura."),
        ([7, 9], "Customers of these storefronts don't see SeQura."),
    ],
)
def test_one_storefront_and_several_are_told_apart(off: list[int], sentence: str) -> None:
    store = flawless()
    channels: list[dict[str, Any]] = [
        {"id": number, "name": f"Shop {number}", "origins": []} for number in (1, 7, 9)
    ]
    Store.objects.update(channels=channels, disabled_channels=off)

    assert [one.text for one in read(store).findings] == [sentence]


def test_a_shipped_status_is_a_choice_and_no_defect() -> None:
    store = flawless()
    Store.objects.update(shipped_statuses=[])
    assert read(store).kind == "success"


def test_accounts_and_countries_are_named() -> None:
    store = flawless()
    store.merchants.filter(country="PT").update(payment_methods=[])
    assert worst(store)[1:] == ("SeQura offers no payment method in Portugal", "payment_methods")
    store.merchants.update(selling=False)
    assert worst(store) == ("error", "SeQura is off in every country", "countries")
    Connection.objects.update(refused_at=timezone.now())
    assert worst(store) == ("error", "SeQura rejects your account", "connection")


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        (False, "27 orders from the last 60 days keep syncing through the old account."),
        (True, "SeQura doesn't appear in your checkout, and order updates aren't sent."),
    ],
)
def test_a_disconnected_store_with_orders_is_no_new_one(stop: bool, text: str) -> None:
    store = filled_store(checkout_asked_at=timezone.now())
    Store.objects.update(**OPEN)
    connect.disconnect(store, stop=stop)

    finding = read(store).findings[0]
    assert (finding.title, finding.page) == ("SeQura is disconnected", "connection")
    assert finding.text.endswith(text)
    page = Panel(store).get("").content.decode()
    assert "Offer flexible payments with SeQura" not in page
    assert "Needs action" in page


def test_the_worst_comes_first_and_the_rest_below() -> None:
    store = filled_store(state="needs_reauthorisation")
    found = read(store).findings
    assert [one.kind for one in found] == ["error", "warning", "info", "info"]
    assert all(isinstance(one, _Finding) for one in found)


def test_the_overview_says_it_once_and_without_green() -> None:
    store = filled_store()
    Connection.objects.update(refused_at=timezone.now())
    page = Panel(store).get("").content.decode()

    assert page.count('<h2 id="state">SeQura rejects your account</h2>') == 1
    assert page.count(">SeQura rejects your account<") == 1
    assert "message-success" not in page


def test_set_up_is_not_called_done_while_a_check_is_open() -> None:
    fresh = empty_store()
    page = Panel(fresh).get("connection/").content.decode()
    assert "3 checks are still open." in page
    assert "All set: every check passed." not in page
