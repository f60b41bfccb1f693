"""Every page: few queries, few buffers with a hundred thousand orders, in the reader's language."""

import re
import uuid
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.models import Order
from payments.models import Offer
from stores.models import Store
from tests.panel.world import CHECKOUT, PAGES, empty_store, filled_store, session_of

pytestmark = pytest.mark.django_db
MOST_QUERIES = 10
# Of 8 kB; reading all hundred thousand orders takes some four thousand.
MOST_BUFFERS = 1000
# Figures of a period read the orders of that period: `test_sales.py`.
LIGHT_PAGES = [path for path in PAGES if path != "sales/"]
TRANSLATED = ("es", "fr", "it", "pt")
# Words that English cannot do without, and that the other four languages do not have.
ENGLISH = re.compile(
    r"\b(the|and|your|with|which|this|that|these|have|was|were|from|they|you|are|been"
    r"|not|does|did|when|what|where|there|their|everything|nothing|orders?|settings)\b",
    re.IGNORECASE,
)


class Text(HTMLParser):
    """What people read or hear of a page, without names and words of others."""

    ATTRIBUTES = ("alt", "aria-label", "placeholder", "title", "data-label", "data-copied")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in self.ATTRIBUTES and value]
        if tag in ("script", "style", "code"):
            self.silent += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "code"):
            self.silent -= 1

    def handle_data(self, data: str) -> None:
        if not self.silent and data.strip():
            self.found.append(" ".join(data.split()))


def texts(page: str) -> list[str]:
    parser = Text()
    parser.feed(page)
    return parser.found


def entries(language: str) -> list[tuple[str, list[str]]]:
    """Every message of a catalogue with its translations."""
    path = Path(settings.BASE_DIR) / "locale" / language / "LC_MESSAGES" / "django.po"
    quoted = r'((?:\s*"(?:[^"\\]|\\.)*")+)'
    found = []
    for block in path.read_text().split("\n\n")[1:]:
        message = re.search(r"^msgid " + quoted, block, re.MULTILINE)
        if message and "#~" not in block:
            told = re.findall(r"^msgstr(?:\[\d\])? " + quoted, block, re.MULTILINE)
            found.append((unquoted(message[1]), [unquoted(one) for one in told]))
    return found


def unquoted(text: str) -> str:
    joined = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))
    return joined.replace('\\"', '"').replace("\\n", "\n")


@pytest.mark.parametrize("path", LIGHT_PAGES)
def test_no_page_asks_the_database_often(path: str) -> None:
    session = session_of(filled_store())
    Client().get(session + path)  # what is looked up once

    with CaptureQueriesContext(connection) as queries:
        answer = Client().get(session + path)

    assert answer.status_code == 200
    assert len(queries) <= MOST_QUERIES, [query["sql"][:90] for query in queries]


def fill(store: Store, count: int) -> None:
    """So many orders of the last two years, with their log and their checkouts."""
    paid = Order.objects.filter(store=store).values_list("connection", flat=True)[0]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO orders_order (store_id, connection_id, merchant_ref, bigcommerce_id,
                reference, order_ref_1, status, product, payment_method, amount, currency,
                placed_at, solicited, changed, synced, due_at, lease, attempts, settle_step,
                unsure, shipped_status_seen, shipped_by_status, has_shipments, staff_note)
            SELECT %(store)s, %(paid)s, 'calzados_es', 100000 + n, gen_random_uuid(),
                (100000 + n)::text, CASE WHEN n %% 5000 = 0 THEN 'in_review' ELSE 'approved' END,
                'pp3', 'Paga Fraccionado', 5000 + n %% 40000, 'EUR',
                now() - (n %% 730) * interval '1 day', '{}', 1, 1, now(), '', 0, 0, false,
                false, false, true, ''
            FROM generate_series(1, %(count)s) n
            """,
            {"store": store.pk, "paid": paid, "count": count},
        )
        cursor.execute(
            """
            INSERT INTO transaction_log_entry (store_id, bigcommerce_id, payment_method,
                environment, event, outcome, reason, words, statement, attempts, at, last_at,
                closed_at, ignored_by, note)
            SELECT %(store)s, 100000 + n, 'Paga Fraccionado', 'sandbox', 'ship',
                CASE WHEN n %% 900 = 0 THEN 'rejected' ELSE 'accepted' END, '', '', n::text, 1,
                now() - (n %% 730) * interval '1 day', now(),
                CASE WHEN n %% 900 = 0 THEN NULL ELSE now() END, '', ''
            FROM generate_series(1, %(count)s) n
            """,
            {"store": store.pk, "count": count},
        )
        cursor.execute("ANALYZE orders_order, transaction_log_entry")
    now = timezone.now()
    Offer.objects.bulk_create(
        Offer(store=store, checkout_id=str(uuid.uuid4()), at=now) for _ in range(2000)
    )


def begin_new_files() -> None:
    """Leave the dead rows of earlier tests behind: their pages count when buffers are counted."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE stores_store CASCADE")  # and all that belongs to a store


def buffers_of(address: str) -> int:
    """Return how many 8 kB buffers PostgreSQL touches for the queries of a page."""
    read = 0

    def explained(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        nonlocal read
        if sql.startswith(("SELECT", "WITH")):
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                plan = cursor.fetchone()[0][0]["Plan"]
            read += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return execute(sql, params, *rest)

    with connection.execute_wrapper(explained):
        assert Client().get(address).status_code == 200
    return read


def test_every_page_reads_little_with_a_hundred_thousand_orders() -> None:
    """Buffers, not seconds: they are the same on a busy machine."""
    begin_new_files()
    store = filled_store()
    fill(store, 100_000)
    session = session_of(store)
    read = {path: buffers_of(session + path) for path in LIGHT_PAGES}
    assert {path: count for path, count in read.items() if count > MOST_BUFFERS} == {}


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_english_is_left(language: str) -> None:
    """Neither a sentence that has a translation, nor one that has none."""
    known = {text for text, told in entries(language) if text not in told and "%" not in text}
    filled = session_of(filled_store(), language)
    fresh = session_of(empty_store("fresh", registration={}), language)
    leaks = {}
    for session, path in [*((filled, p) for p in PAGES), *((fresh, p) for p in PAGES)]:
        found = texts(Client().get(session + path).content.decode())
        english = [text for text in found if ENGLISH.search(text) or text in known]
        leaks[path] = [text for text in english if not said_by_others(text)]
    assert {path: found for path, found in leaks.items() if found} == {}


def said_by_others(text: str) -> bool:
    """SeQura's and BigCommerce's own words stay as they are."""
    return text in ("Cart does not add up", "Outlet", "No", "timed out") or "HTTP" in text


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_has_a_translation(language: str) -> None:
    untranslated = [text for text, told in entries(language) if text and not all(told)]
    assert untranslated == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_all_catalogues_hold_the_same_messages(language: str) -> None:
    assert {text for text, _ in entries(language)} == {text for text, _ in entries("es")}


@pytest.mark.parametrize(
    ("locale", "one", "many"),
    [
        ("en", "1 order, €49.90", "27 orders"),
        ("es", "1 pedido, 49,90\u00a0€", "27 pedidos"),
        ("fr", "1 commande, 49,90\u00a0€", "27 commandes"),
        ("it", "1 ordine, 49,90\u00a0€", "27 ordini"),
        ("pt", "1 encomenda, 49,90\u00a0€", "27 encomendas"),
    ],
)
def test_one_order_is_no_orders(locale: str, one: str, many: str) -> None:
    store = filled_store()
    session = session_of(store, locale)
    assert many in Client().get(session).content.decode()
    store.orders.exclude(bigcommerce_id=1000).delete()
    assert one in Client().get(session).content.decode()


def test_pages_of_another_store_hold_nothing_of_this_one() -> None:
    filled_store()
    stranger = session_of(empty_store("other"))
    for path in PAGES:
        page = Client().get(stranger + path).content.decode()
        assert "calzados_" not in page
        assert "Paga Fraccionado" not in page
        if CHECKOUT not in path:
            assert "203.0.113.0/24</textarea>" not in page
