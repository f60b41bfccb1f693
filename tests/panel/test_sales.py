"""The sales page: what the funnel counts, in which period, and the same figures as a file."""

import csv
import io
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.models import Order
from panel.views.sales import _sales, _Step
from payments.models import Offer, Solicitation
from payments.progress import Funnel, Period, funnel, paid_by, reasons_not_shown, refusals
from stores.models import Store
from tests.panel.test_settings import Panel
from tests.panel.world import empty_store, filled_store, session_of

pytestmark = pytest.mark.django_db
MOST_QUERIES = 13


def attempt(store: Store, checkout: str, days_ago: float = 0.5, **fields: Any) -> Solicitation:
    at = timezone.now() - timedelta(days=days_ago)
    return Solicitation.objects.create(
        **{
            "store": store,
            "connection": store.connections.get(),
            "merchant_ref": "calzados_es",
            "checkout_id": checkout,
            "token_digest": uuid.uuid4().hex,
            "order": {},
            "fingerprint": "f",
            "amount": 10_000,
            "currency": "EUR",
            "country": "ES",
            "created_at": at,
            **fields,
        }
    )


def offer(
    store: Store, checkout: str, *reasons: str, days_ago: float = 0.5, environment: str = ""
) -> None:
    at = timezone.now() - timedelta(days=days_ago)
    Offer.objects.create(
        store=store,
        environment=environment or store.environment,
        checkout_id=checkout,
        reasons=list(reasons),
        at=at,
    )


def period(store: Store, days: int = 30, ago: int = 0) -> Period:
    until = timezone.now() - timedelta(days=ago)
    accounts = list(store.connections.values_list("pk", flat=True))
    return Period(store, accounts, until - timedelta(days=days), until)


@pytest.fixture
def store() -> Store:
    found = filled_store()
    Offer.objects.all().delete()
    return found


def test_each_checkout_is_counted_once_at_every_step(store: Store) -> None:
    now = timezone.now()
    for checkout in ("a", "a", "b", "c"):
        offer(store, checkout)
    offer(store, "d", "amount")
    attempt(store, "a", form_shown_at=now)
    attempt(store, "a", form_shown_at=now, state="approved", phase="done", order_id=1)
    attempt(store, "b", form_shown_at=now, state="needs_review")
    attempt(store, "c")

    assert funnel(period(store, 29)) == Funnel(offered=3, form=2, approved=2)


def test_checkouts_of_the_other_environment_count_for_nothing(store: Store) -> None:
    other = "sandbox" if store.environment == "live" else "live"
    offer(store, "a")
    offer(store, "b", "amount")
    for checkout, *reasons in [("x",), ("y", "amount"), ("z", "country")]:
        offer(store, checkout, *reasons, environment=other)

    assert funnel(period(store, 7)).offered == 1
    assert reasons_not_shown(period(store, 7)) == [("amount", 1)]
    store.environment = other
    assert funnel(period(store, 7)).offered == 1
    assert reasons_not_shown(period(store, 7)) == [("amount", 1), ("country", 1)]


def test_a_period_begins_and_ends(store: Store) -> None:
    for days_ago in (1, 8):
        offer(store, f"{days_ago}", days_ago=days_ago)
        attempt(store, f"{days_ago}", days_ago, form_shown_at=timezone.now(), state="approved")

    assert funnel(period(store, 7)) == Funnel(1, 1, 1)
    assert funnel(period(store, 7, ago=7)) == Funnel(1, 1, 1)
    assert funnel(period(store, 7, ago=14)) == Funnel(0, 0, 0)


def test_what_is_forgotten_by_then_is_unknown_and_not_nothing(store: Store) -> None:
    assert funnel(period(store, 29, ago=30)) == Funnel(0, None, 0)
    assert funnel(period(store, 89, ago=90)) == Funnel(None, None, 0)


def test_other_stores_and_other_accounts_count_for_nothing(store: Store) -> None:
    other = filled_store("other9")
    attempt(other, "x", state="approved", form_shown_at=timezone.now())
    offer(other, "x")
    assert funnel(Period(store, [], *_span())) == Funnel(0, 0, 0)
    attempt(store, "a", state="approved")
    assert funnel(Period(store, [], *_span())) == Funnel(0, 0, 0)


def _span() -> tuple[Any, Any]:
    found = period(Store.objects.get(hash="abc123"), 7)
    return found.since, found.until


def test_reasons_and_shares_are_counted_the_commonest_first(store: Store) -> None:
    for checkout, reasons in {"a": ("amount", "country"), "b": ("amount",), "c": ()}.items():
        offer(store, checkout, *reasons)
        offer(store, checkout, *reasons)
    for code in ("cart_changed", "already_paid", "cart_changed"):
        attempt(store, code, phase="refused", refusal=code)
    paid: dict[str, Any] = {"phase": "done", "state": "approved", "order_id": 1}
    attempt(store, "d", **paid, channel_id=7, country="PT", amount=5_000)
    attempt(store, "e", **paid)
    attempt(store, "f", **paid)
    attempt(store, "g", **paid | {"state": "cancelled"})

    assert reasons_not_shown(period(store, 7)) == [("amount", 2), ("country", 1)]
    assert refusals(period(store, 7)) == [("cart_changed", 2), ("already_paid", 1)]
    assert paid_by(period(store, 7), "country") == [("ES", 2, 20_000), ("PT", 1, 5_000)]
    assert paid_by(period(store, 7), "channel_id") == [("1", 2, 20_000), ("7", 1, 5_000)]


def test_an_order_that_the_shop_cancelled_is_in_no_share(store: Store) -> None:
    paid: dict[str, Any] = {"phase": "done", "state": "approved"}
    orders = list(Order.objects.filter(store=store, bigcommerce_id__in=(1001, 1002)))
    for order in orders:
        attempt(store, str(order.pk), **paid, order_id=order.pk, reference=order.reference)
    Order.objects.exclude(pk__in=[order.pk for order in orders]).delete()
    now = timezone.now()
    Order.objects.update(placed_at=now, amount=10_000, seen_status=11)
    Order.objects.filter(pk=orders[0].pk).update(seen_status=store.cancelling_statuses[0])

    tables = {table.key: table.rows for table in _sales(store, 7).tables}

    assert [sum(row.orders for row in tables[key]) for key in ("method", "country", "channel")] == [
        1, 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "percent", "change"),
    [
        (_Step("", 5, 4, 20), 25, 25),
        (_Step("", 3, 4, 0), None, -25),
        (_Step("", 3, 0, None), None, None),
        (_Step("", 3, None), None, None),
        (_Step("", None, 4, 20), None, None),
        (_Step("", 0, 4, 20), 0, -100),
    ],
)
def test_a_step_is_a_share_and_a_change(
    step: _Step, percent: int | None, change: int | None
) -> None:
    assert (step.percent, step.change) == (percent, change)


def test_amounts_are_of_the_orders_that_are_not_cancelled(store: Store) -> None:
    Order.objects.update(placed_at=timezone.now() - timedelta(days=200))
    now = timezone.now()
    for number, days, cents in ((1001, 0, 100), (1002, 6, 301), (1003, 9, 50), (1012, 0, 999)):
        at = now - timedelta(days=days)
        Order.objects.filter(bigcommerce_id=number).update(placed_at=at, amount=cents)
    amount, average = _sales(store, 7).amounts

    assert (amount.now, amount.before) == (401, 50)
    assert (average.now, average.before) == (200, 50)


def test_the_page_shows_names_and_the_file_the_same_figures(store: Store) -> None:
    attempt(store, "a", phase="done", state="approved", order_id=1, channel_id=7, country="PT")
    attempt(store, "b", phase="refused", refusal="cart_changed")
    offer(store, "c", "country")
    panel = Panel(store)
    page = panel.get("sales/").content.decode()
    file = panel.get("sales/export.csv?days=7")
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))

    for words in ("Portugal", "Outlet", "Paga Fraccionado", "SeQura was off for this shipping"):
        assert words in page
    assert ["By country", "Portugal", "1", "100.00", ""] in rows
    assert ["By storefront", "Outlet", "1", "100.00", ""] in rows
    assert sum(row[0] == "Day" for row in rows) == 7
    assert "attachment" in file["Content-Disposition"]


def test_a_hostile_name_is_no_formula_in_the_file(store: Store) -> None:
    Order.objects.update(payment_method="=HYPERLINK(1)")
    text = Panel(store).get("sales/export.csv").content.decode()
    assert "'=HYPERLINK(1)" in text
    assert ",=HYPERLINK" not in text


@pytest.mark.parametrize("days", ["", "7", "30", "90", "31", "x", "-1", "9" * 30])
def test_a_period_that_is_none_is_a_month(days: str) -> None:
    page = Panel(empty_store()).get(f"sales/?days={days}").content.decode()
    shown = days if days in ("7", "30", "90") else "30"
    assert f'href="?days={shown}" aria-current="true"' in page


def test_the_number_of_queries_does_not_grow_with_the_period(store: Store) -> None:
    for number in range(20):
        days_ago = 4.0 * number
        attempt(store, f"{number}", days_ago, phase="done", state="approved", order_id=number)
        offer(store, f"{number}", days_ago=days_ago)
    session = session_of(store)
    counted = []
    for days in (7, 90):
        with CaptureQueriesContext(connection) as queries:
            assert Client().get(f"{session}sales/?days={days}").status_code == 200
        counted.append(len(queries))
    assert counted == [MOST_QUERIES, MOST_QUERIES]
