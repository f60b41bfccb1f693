"""The list of orders: what it shows, how orders are found, and that each search reads an index."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.utils import timezone

from orders.models import Order
from panel.views.orders import _OrderFilter, _with_columns
from stores.models import Store
from tests.panel.test_pages import begin_new_files, fill
from tests.panel.test_settings import Panel
from tests.panel.world import filled_store

pytestmark = pytest.mark.django_db
ANA = {"given_names": "Ana María", "surnames": "López Ñíguez", "email": "Ana.Lopez@Example.com"}
MOST_BUFFERS = 1000  # of 8 kB; reading all orders takes ten times as many


def shown(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<td><a href="[^"]*/orders/(\d+)/">', page)]


def listed(panel: Panel, **query: str) -> list[int]:
    return shown(panel.get(f"orders/?{urlencode(query)}").content.decode())


@pytest.fixture
def panel() -> Panel:
    store = filled_store()
    store.orders.filter(bigcommerce_id=1005).update(solicited={"customer": ANA})
    return Panel(store)


@pytest.mark.parametrize(
    "text",
    [
        "1005", "#1005", "abc123-1005", "ana", "ANA  MARÍA lópez", "López ñ", "lópez",
        "ana.lopez@example.com", "ANA.LOPEZ@", "  lópez ñíguez ", "lopez niguez", "LÓPEZ Ñ",
    ],
)  # fmt: skip
def test_an_order_is_found_by_what_the_merchant_knows(panel: Panel, text: str) -> None:
    assert listed(panel, q=text) == [1005]


def test_an_order_is_found_by_its_reference(panel: Panel) -> None:
    reference = str(panel.store.orders.get(bigcommerce_id=1005).reference)
    assert listed(panel, q=reference) == [1005]
    assert listed(panel, q=reference.upper()) == [1005]


@pytest.mark.parametrize("text", ["maría", "example.com", "%", "___", "an", "9" * 30, "'"])
def test_what_is_no_beginning_finds_nothing(panel: Panel, text: str) -> None:
    assert listed(panel, q=text) == []


def test_a_row_shows_what_is_asked_first(panel: Panel) -> None:
    order = panel.store.orders.get(bigcommerce_id=1005)
    carts = {"order_total_with_tax": 2_000}
    order.accepted_update = {"shipped_cart": carts, "unshipped_cart": carts, "customer": ANA}
    order.payment_method = "SeQura - Paga Fraccionado"
    order.reported_at = timezone.now()
    order.changed = 3
    order.save()
    page = panel.get("orders/?q=1005").content.decode()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<tbody>")[2]))

    for words in (
        "1005 €", "Ana María López Ñíguez Ana.Lopez@Example.com", " Paga Fraccionado ",
        "Approved", "Partly shipped", "reported on", "Being sent",
    ):  # fmt: skip
        assert words in text
    assert "SeQura - Paga" not in text


def test_states_are_filters(panel: Panel) -> None:
    store = panel.store
    store.orders.filter(bigcommerce_id=1006).update(changed=2)
    now = timezone.now()
    store.orders.filter(bigcommerce_id=1007).update(reported_at=now)
    store.orders.filter(bigcommerce_id=1008).update(reported_at=now - timedelta(days=1))

    assert sorted(listed(panel, state="needs_you")) == [1001, 1002]
    assert sorted(listed(panel, state="in_review")) == [1003, 1009]
    assert listed(panel, state="unsynced") == [1006]
    assert listed(panel, state="reported") == [1007, 1008]
    assert listed(panel, state="reported", q="1008") == [1008]
    assert listed(panel, state="nonsense") == []
    assert (
        f'href="{panel.session}orders/?state=reported"' in panel.get("shipping/").content.decode()
    )


def test_every_order_is_on_exactly_one_page(panel: Panel) -> None:
    fill(panel.store, 120)
    wanted = panel.store.orders.order_by("-placed_at", "-id").values_list(
        "bigcommerce_id", flat=True
    )
    seen: list[int] = []
    address = "orders/"
    while address:
        page = panel.get(address).content.decode()
        assert len(shown(page)) <= 50
        seen += shown(page)
        older = re.search(r'href="\?(before=[^"]+)" rel="next"', page)
        address = f"orders/?{older[1]}" if older else ""
    assert seen == list(wanted)
    assert len(seen) == 148


@pytest.mark.parametrize("place", ["x", "0-0-0", "99999999999999999999-1", "-5"])
def test_a_place_that_is_none_shows_the_beginning(panel: Panel, place: str) -> None:
    assert len(listed(panel, before=place)) == 28


def test_orders_of_another_store_are_not_found(panel: Panel) -> None:
    other = Panel(filled_store("other9"))
    Order.objects.filter(store=other.store).delete()
    assert listed(other, q="1005") == listed(other, q="ana") == listed(other) == []


def test_hostile_names_are_text_and_fit_the_index(panel: Panel) -> None:
    hostile = "<b>" + "ñ" * 5_000
    customer = {"given_names": hostile, "surnames": hostile, "email": hostile}
    panel.store.orders.filter(bigcommerce_id=1006).update(solicited={"customer": customer})
    panel.store.orders.filter(bigcommerce_id=1007).update(solicited={"customer": ["odd"]})
    page = panel.get(f"orders/?{urlencode({'q': '<b>ñ'})}").content.decode()

    assert shown(page) == [1006]
    assert "&lt;b&gt;ñ" in page
    assert "<b>ñ" not in page


def test_what_was_erased_is_not_found(panel: Panel) -> None:
    panel.store.orders.filter(bigcommerce_id=1005).update(solicited={})
    assert listed(panel, q="ana.lopez@example.com") == []
    assert listed(panel, q="1005") == [1005]


# --- Plans ----------------------------------------------------------------------------------------


@pytest.fixture
def big() -> Store:
    """A hundred thousand orders, each with a customer of its own."""
    begin_new_files()
    store = filled_store()
    fill(store, 100_000)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orders_order SET solicited = jsonb_build_object('customer', jsonb_build_object(
                'given_names', 'Name' || id, 'surnames', 'Family' || id,
                'email', 'shopper' || id || '@example.com')),
                reported_at = CASE WHEN id % 3 = 0 THEN placed_at END,
                changed = CASE WHEN id % 9000 = 0 THEN 2 ELSE synced END
            """
        )
        cursor.execute("ANALYZE orders_order")
    return store


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


QUERIES: dict[str, Callable[[Order], dict[str, str]]] = {
    "first page": lambda _: {},
    "number": lambda order: {"q": str(order.bigcommerce_id)},
    "reference": lambda order: {"q": str(order.reference)},
    "email": lambda order: {"q": f"shopper{order.pk}@example.com"},
    "start of an email": lambda order: {"q": f"shopper{order.pk}@"},
    "name": lambda order: {"q": f"name{order.pk} fam"},
    "surnames": lambda order: {"q": f"family{order.pk}"},
    "nobody": lambda _: {"q": "zz top"},
    "in review": lambda _: {"state": "in_review"},
    "unsynced": lambda _: {"state": "unsynced"},
    "needs you": lambda _: {"state": "needs_you"},
    "reported": lambda _: {"state": "reported"},
}


def test_each_search_reads_an_index(big: Store) -> None:
    order = Order.objects.filter(store=big, bigcommerce_id__gt=100_000).order_by("pk")[500]
    read: dict[str, tuple[int, set[str]]] = {}
    for name, query in QUERIES.items():
        found = _with_columns(_OrderFilter(big, query(order)).orders())[:51]
        plan = json.loads(found.explain(format="json", analyze=True, buffers=True))[0]["Plan"]
        scans = {
            one["Node Type"] for one in nodes(plan) if one.get("Relation Name") == "orders_order"
        }
        read[name] = (plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], scans)
    assert {name: one for name, one in read.items() if "Seq Scan" in one[1]} == {}
    assert {name: one for name, one in read.items() if one[0] > MOST_BUFFERS} == {}
