"""The storefront endpoints: how often they may be asked, by whom, and what it costs."""

import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from payments import storefront
from payments.models import Offer
from payments.solicit import UnknownCheckout
from payments.storefront import _ROBOTS
from stores import clients
from stores.models import Allowance, Store
from stores.rate_limit import RateLimited, check_limit, consume
from tests.payments.shop import Shop
from tests.payments.web import BROWSER, Web


@pytest.mark.parametrize(
    "user_agent", ["Googlebot/2.1 (+http://www.google.com/bot.html)", "facebookexternalhit/1.1"]
)
def test_robots_cost_nothing(web: Web, shop: Shop, user_agent: str) -> None:
    checkout_id = shop.sandbox.checkout()["checkout_id"]
    before = len(shop.sandbox.calls())

    answer = web.post(
        "payment-methods", headers={"User-Agent": user_agent}, checkout_id=checkout_id
    )

    assert (answer.status_code, answer.json()["methods"]) == (200, [])
    assert len(shop.sandbox.calls()) == before


def test_questions_of_a_checkout_are_limited(web: Web, shop: Shop) -> None:
    checkout_id = shop.sandbox.checkout()["checkout_id"]

    answers = [web.post("payment-methods", checkout_id=checkout_id) for _ in range(25)]

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    assert all(int(one.headers["Retry-After"]) > 0 for one in answers if one.status_code == 429)
    assert "Access-Control-Allow-Origin" in answers[-1].headers


def test_questions_of_a_store_are_limited(web: Web, shop: Shop) -> None:
    answers = [web.post("payment-methods", checkout_id=str(uuid.uuid4())) for _ in range(70)]

    assert {answer.status_code for answer in answers} == {404, 429}
    assert len(shop.sandbox.calls("bigcommerce")) < 70


def test_made_up_checkouts_leave_room_for_shoppers(web: Web, shop: Shop) -> None:
    guesses = [web.post("payment-methods", checkout_id=str(uuid.uuid4())) for _ in range(40)]

    answered = [answer.status_code for answer in guesses].count(404)
    assert answered <= 24  # 12, and as many again where a window ends meanwhile
    spent = Allowance.objects.get(key=f"store {shop.store.pk}")
    assert spent.used <= 12


def test_script_errors_are_counted_and_limited(web: Web) -> None:
    answers = [web.post("errors", message="boom", where="form") for _ in range(70)]

    assert {answer.status_code for answer in answers} == {204, 429}
    assert web.post("errors", message="x" * 301).status_code == 400


def granted(seconds: float, every: float, allowed: int, window: int) -> int:
    """How many of the requests of one client, one `every` so many seconds, are answered."""
    count = 0
    start = datetime(2026, 11, 27, 12, 0, 58, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        for _ in range(round(seconds / every)):
            with suppress(RateLimited):
                check_limit("k", allowed=allowed, seconds=window)
                consume("k", allowed=allowed, seconds=window)
                count += 1
            clock.shift(every)
    return count


@pytest.mark.parametrize("every", [0.1, 0.5, 0.9])
def test_who_asks_too_often_gets_what_is_allowed(db: None, every: float) -> None:
    assert 290 <= granted(300, every, allowed=30, window=30) <= 345


def test_a_limit_does_not_double_at_the_end_of_a_window(db: None) -> None:
    assert granted(4, 0.05, allowed=20, window=60) <= 22


def test_who_asks_seldom_is_always_answered(db: None) -> None:
    assert granted(300, 2, allowed=30, window=30) == 150


def test_one_an_hour_is_one_an_hour(db: None) -> None:
    assert 23 <= granted(24 * 3600, 300, allowed=1, window=3600) <= 25


@pytest.mark.parametrize("agent", ["CUBOT X30", "CUBOT_NOTE", "Googlebot/2.1", "AhrefsBot"])
def test_a_phone_called_cubot_is_no_robot(agent: str) -> None:
    assert bool(_ROBOTS.search(f"Mozilla/5.0 (Linux; {agent}) x")) is not agent.startswith("CUBOT")


@pytest.mark.parametrize(
    "addresses",
    [
        [f"203.0.113.{n}" for n in range(1, 5)],
        [f"2001:db8:0:1::{n}" for n in range(1, 21)],  # one household
    ],
)
@pytest.mark.usefixtures("one_window")
def test_a_few_addresses_leave_room_for_the_others(
    shop: Shop, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storefront, "solicit", unknown_checkout)
    store = Store.objects.get()

    def ask(address: str) -> int:
        client = Client(headers={"user-agent": "Mozilla/5.0"}, REMOTE_ADDR=address)
        body = {"checkout_id": str(uuid.uuid4())}
        path = f"/storefront/{store.public_id}/payment-methods"
        return int(client.post(path, body, "application/json").status_code)

    found = [ask(address) for address in addresses for _ in range(12)]
    assert set(found) == {404, 429}
    assert ask("198.51.100.9") == 404


def unknown_checkout(*_: object) -> None:
    raise UnknownCheckout


def test_an_unknown_checkout_is_remembered_once_and_not_called_for_again(shop: Shop) -> None:
    """Else whoever keeps asking keeps a checkout unknown that exists by now."""
    checkout_id = str(uuid.uuid4())
    for _ in range(3):
        with pytest.raises(UnknownCheckout):
            shop.offer(checkout_id)

    assert Offer.objects.filter(checkout_id=checkout_id).count() == 1
    assert len(shop.sandbox.calls("bigcommerce", in_path=checkout_id)) == 1


@dataclass
class Cost:
    """The statements of a request, and how many of them wrote and committed."""

    statements: list[str]
    commits: int = 0

    @classmethod
    def of(cls, queries: list[dict[str, str]]) -> "Cost":
        found, is_open = cls([]), False
        for sql in (query["sql"].strip() for query in queries):
            if sql in {"BEGIN", "COMMIT"}:
                is_open = sql == "BEGIN"
                found.commits += not is_open
                continue
            found.statements.append(sql)
            found.commits += not is_open and bool(re.search(r"\b(INSERT|UPDATE|DELETE)\b", sql))
        return found


def cost(shop: Shop, checkout_id: str) -> Cost:
    """What one request for the payment methods costs in the database."""
    with CaptureQueriesContext(connection) as queries:
        answer = Client(headers={"Origin": shop.origin, "User-Agent": BROWSER}).post(
            f"/storefront/{shop.store.public_id}/payment-methods",
            {"checkout_id": checkout_id},
            "application/json",
        )
    assert answer.json()["methods"]
    return Cost.of(list(queries.captured_queries))


@pytest.mark.django_db(transaction=True)
def test_a_question_costs_few_statements_and_commits(shop: Shop) -> None:
    checkout_id = shop.sandbox.checkout()["checkout_id"]
    cost(shop, shop.sandbox.checkout()["checkout_id"])  # what is noted once a minute

    new, again = cost(shop, checkout_id), cost(shop, checkout_id)

    assert (len(new.statements), new.commits) == (7, 3)
    assert (len(again.statements), again.commits) == (7, 2)


def test_connections_are_kept_for_checkouts_but_not_for_long(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_kept", [])
    for _ in range(2):
        assert shop.offer(shop.sandbox.checkout()["checkout_id"]).methods

    session = clients.storefront_session()
    adapter: Any = session.get_adapter(shop.sandbox.url)
    known = adapter.poolmanager.pools
    used = [(known[key].num_connections, known[key].num_requests) for key in list(known.keys())]
    assert used == [(1, 6)]

    monkeypatch.setattr(clients, "_IDLE_SECONDS", -1.0)
    assert clients.storefront_session() is not session
