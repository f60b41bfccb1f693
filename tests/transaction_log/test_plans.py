"""A page of a long log costs what a page of a short one costs: EXPLAIN, not a stop-watch.

100 thousand rows by default; `pytest tests/transaction_log/test_plans.py --rows 10000000` for more.
"""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from orders.models import Order
from panel.views.log import PAGE, Position, _after, _before, _LogFilter, _needing_somebody
from panel.views.order import _entries
from stores.isolation import _DELETED_AT_ONCE
from stores.models import Store
from tests.transaction_log.filling import empty, fill
from transaction_log.models import Entry

# One worker, so that the rows are made once.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("plans")]

# Of 8 kB. A page of 50 entries lies on about as many pages of the table when a store's entries
# are scattered between those of others.
MOST_BUFFERS = 300
# Where little is left to read, the planner may fetch all of that and sort it.
SCANS = {"Index Scan", "Index Only Scan", "Limit", "Bitmap Index Scan", "Bitmap Heap Scan", "Sort"}
MOST_ROWS = 500


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--rows"))


@pytest.fixture(scope="module")
def store(django_db_setup: None, django_db_blocker: DjangoDbBlocker, rows: int) -> Iterator[Store]:
    with django_db_blocker.unblock():
        empty()
        yield fill(rows)
        empty()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def explained(queryset: QuerySet[Any]) -> dict[str, Any]:
    text = queryset.explain(format="json", analyze=True, buffers=True)
    return dict(json.loads(text)[0]["Plan"])


def plan_of(sql: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        found = cursor.fetchone()[0]
    return dict((found if isinstance(found, list) else json.loads(found))[0]["Plan"])


def buffers(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def asked(store: Store, **data: str) -> QuerySet[Entry]:
    return _LogFilter(store, data).entries()


def somewhere(store: Store, share: float) -> Position:
    """A place in the store's log, so many of its length below the top."""
    newest = Entry.objects.filter(store=store).latest("at")
    oldest = Entry.objects.filter(store=store).earliest("at")
    return Position(newest.at - share * (newest.at - oldest.at), newest.pk)


def day(store: Store, share: float) -> str:
    return f"{somewhere(store, share).at:%Y-%m-%d}"


def one(store: Store) -> Entry:
    return Entry.objects.filter(store=store).order_by("at", "id")[100]


def small() -> Store:
    return Store.objects.get(hash="filled7")


Query = Callable[[Store], QuerySet[Entry]]
PAGES: dict[str, Query] = {
    "first page": asked,
    "half-way down": lambda store: _before(asked(store), somewhere(store, 0.5)),
    "at the bottom": lambda store: _before(asked(store), somewhere(store, 0.99)),
    "back up": lambda store: _after(asked(store), somewhere(store, 0.5)).order_by("at", "id"),
    "small store": lambda _: asked(small()),
    "small store, deep": lambda _: _before(asked(small()), somewhere(small(), 0.9)),
    "rejected": lambda store: asked(store, outcome="rejected"),
    "rejected, deep": lambda store: _before(
        asked(store, outcome="rejected"), somewhere(store, 0.9)
    ),
    "refunds": lambda store: asked(store, event="refund"),
    "rejected refunds": lambda store: asked(store, event="refund", outcome="rejected"),
    "an outcome that never was": lambda store: asked(store, outcome="ignored", event="cancel"),
    "one day": lambda store: asked(store, since=day(store, 0.5), until=day(store, 0.5)),
    "rejected until a day": lambda store: asked(store, outcome="rejected", until=day(store, 0.7)),
    "needs you": lambda store: asked(store, outcome="needs_you"),
    "order": lambda store: asked(store, q=str(one(store).bigcommerce_id)),
    "reference": lambda store: asked(store, q=str(one(store).reference)),
    "order and outcome": lambda store: asked(
        store, q=str(one(store).bigcommerce_id), outcome="accepted"
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_a_short_range_of_an_index(store: Store, name: str) -> None:
    plan = explained(PAGES[name](store)[: PAGE + 1])
    assert {node["Node Type"] for node in nodes(plan)} <= SCANS, plan
    assert max(node["Actual Rows"] for node in nodes(plan)) <= MOST_ROWS, plan
    assert buffers(plan) <= MOST_BUFFERS, plan
    assert sum(node.get("Rows Removed by Filter", 0) for node in nodes(plan)) <= PAGE, plan


def test_order_s_entries_are_found_by_index(store: Store) -> None:
    order = Order(store=store, bigcommerce_id=one(store).bigcommerce_id or 0)
    with CaptureQueriesContext(connection) as queries:
        assert _entries(order)
    (query,) = queries
    assert "Seq Scan" not in {node["Node Type"] for node in nodes(plan_of(query["sql"]))}


def test_counting_what_needs_somebody_is_cheap(store: Store, rows: int) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert _needing_somebody(store, 100) == min(100, min(rows, 1_000_000) // 5000)
    assert len(queries) == 1


def test_forgetting_reads_only_what_goes(store: Store) -> None:
    border = timezone.now() - timedelta(days=90)
    old = Entry.objects.filter(store=store, at__lt=border, closed_at__lt=border)
    plan = explained(old.order_by("at", "id")[:_DELETED_AT_ONCE])
    assert {node["Node Type"] for node in nodes(plan)} <= SCANS


@pytest.mark.parametrize("query", ["", "?open=rejected", "?q=123", "?q={reference}", "?q=nothing"])
def test_admin_counts_no_further_than_a_thousand(store: Store, query: str) -> None:
    admin = site._registry[Entry]
    request = RequestFactory().get("/" + query.format(reference=one(store).reference))
    request.user = User(is_superuser=True, is_active=True)
    with CaptureQueriesContext(connection) as queries:
        changes = admin.get_changelist_instance(request)
        assert len(list(changes.result_list)) <= 50
    assert changes.result_count <= 1000
    for captured in queries:
        assert "OFFSET" not in captured["sql"]
        plan = plan_of(captured["sql"])
        assert buffers(plan) <= 1100, (captured["sql"], plan)
