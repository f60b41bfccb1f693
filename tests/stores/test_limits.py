"""Every limit at its boundary: the last request that is granted, and the first that is not."""

import gc
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from bigcommerce.api import Quota, Unavailable
from orders import webhooks
from orders.models import Gate, WebhookEvent
from orders.queue import throttle
from panel.export import _FILES_OF_A_STORE
from panel.session import _WAITING_PAGES
from payloads.checkout.reasons import Reason
from payments import storefront
from payments.models import Offer, Solicitation
from payments.solicit import UnknownCheckout
from payments.views import _CALLS_OF_A_STORE
from sequra_bc.bulkheads import _Shares
from stores import rate_limit
from stores.isolation import only_one
from stores.models import Allowance, Store
from stores.rate_limit import (
    LIMITS,
    OUTSIDE,
    READS,
    KeyLimit,
    LocalRateLimit,
    Places,
    RateLimited,
    check_limit,
    consume,
)
from tests.payments.conftest import MakeSolicitation

# Fixtures of another folder, imported for pytest to find.
from tests.payments.conftest import make_solicitation as make_solicitation  # noqa: PLC0414
from tests.payments.conftest import merchant as merchant  # noqa: PLC0414
from tests.payments.conftest import store as store  # noqa: PLC0414
from tests.stores.conftest import Sign, panel_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]


def granted(ask: Callable[[int], int], refused: int, most: int = 700) -> int:
    """How many are answered before the first is refused with this status."""
    return next(number for number in range(most) if ask(number) == refused)


def test_several_keys_are_counted_together_or_not_at_all() -> None:
    also = [KeyLimit("b", 2, 60), KeyLimit("c", 9, 30)]
    consume("a", 5, 60, also=also)
    consume("a", 5, 60, also=also)
    with pytest.raises(RateLimited) as refused:
        consume("a", 5, 60, also=also)
    assert refused.value.retry_after == 60
    assert dict(Allowance.objects.values_list("key", "used")) == {"a": 2, "b": 2, "c": 2}


def test_a_limit_of_a_process_counts_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    moment, limit = [1_800_000_000.0], LocalRateLimit()
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(time=lambda: moment[0]))
    monkeypatch.setattr(LocalRateLimit, "MOST", 2)

    def grants() -> int:
        number = 0
        try:
            while True:
                limit.consume("me", 8, 60)
                number += 1
        except RateLimited:
            return number

    assert grants() == 8
    moment[0] += 90  # half of the window before still counts
    assert grants() == 4
    limit.consume("x", 8, 60)
    limit.consume("y", 8, 60)  # no more than two are remembered
    assert grants() == 8


def test_opening_the_app(client: Client, sign: Sign, installed: Store) -> None:
    def open_it(user: int) -> int:
        token = sign(user_id=user)
        return client.get("/load", {"signed_payload_jwt": token}).status_code

    assert granted(lambda _: open_it(7), 429) == LIMITS["open"]["allowed"]
    assert open_it(8) == 302


def test_opening_the_app_from_an_address(client: Client) -> None:
    assert granted(lambda _: client.get("/load").status_code, 429) == 600
    assert Client(REMOTE_ADDR="203.0.113.9").get("/load").status_code == 401


@pytest.mark.parametrize("path", ["/uninstall", "/remove_user"])
def test_removing_without_a_signature(client: Client, sign: Sign, path: str) -> None:
    assert granted(lambda _: client.get(path).status_code, 429) == LIMITS["remove from"]["allowed"]
    signed = {"signed_payload_jwt": sign()}
    assert Client(REMOTE_ADDR="203.0.113.9").get(path, signed).status_code == 200


@pytest.mark.parametrize("path", ["/uninstall", "/remove_user"])
def test_removing(client: Client, sign: Sign, path: str) -> None:
    def remove(_: int) -> int:
        return client.get(path, {"signed_payload_jwt": sign()}).status_code

    assert granted(remove, 429) == LIMITS["remove"]["allowed"]


def test_pages_of_a_session(installed: Store) -> None:
    panel, other = panel_for(installed), panel_for(installed, number=10)
    assert granted(lambda _: panel.get("").status_code, 429) == LIMITS["page"]["allowed"]
    answer = panel.get("")
    assert int(answer["Retry-After"]) > 0
    assert other.get("").status_code == 200


def test_pages_of_a_store_that_hangs(installed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is requested while the one before waits for BigCommerce."""
    panel = panel_for(installed)
    other = panel_for(Store.objects.create(hash="other"))
    found, answers = [], []

    def hang(*_: object) -> None:
        answers.append(panel.get("why/?q=77"))
        usual = {page.get("").status_code for page in (panel, other)}
        found.append((answers[-1].status_code, usual))
        raise Unavailable("no answer")

    monkeypatch.setattr("panel.views.why_not_shown.bigcommerce_for", hang)

    assert panel.get("why/?q=77").status_code == 200
    assert found == [(429, {200}), *[(200, {200})] * (_WAITING_PAGES - 1)]
    assert int(answers[0]["Retry-After"]) > 0
    assert OUTSIDE.running > _WAITING_PAGES + _CALLS_OF_A_STORE
    assert OUTSIDE.all + READS.all == _Shares.usual().pages.running - 2


def test_all_stores_that_hang_leave_threads_to_what_waits_for_nobody(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No shop has used up its own places."""
    shops = [Store.objects.create(hash=f"shop{n}", state=Store.State.INSTALLED) for n in range(3)]
    panel, released, begun = panel_for(shops[0]), threading.Event(), threading.Semaphore(0)

    def hang(*_: object) -> dict[str, object]:
        begun.release()
        assert released.wait(60)
        return {"methods": []}

    def ask(shop: Store) -> int:
        claim = {"checkout_id": "a" * 36}
        address = f"/storefront/{shop.public_id}/payment-methods"
        try:
            return Client().post(address, claim, content_type="application/json").status_code
        finally:
            connection.close()

    monkeypatch.setattr("payments.views.methods_for", hang)
    most = OUTSIDE.running
    monkeypatch.setattr(rate_limit, "OUTSIDE", Places(most))  # none that wait for a place
    with ThreadPoolExecutor(most) as pool:
        waiting = [pool.submit(ask, shops[n % 3]) for n in range(most)]
        try:
            for _ in waiting:
                assert begun.acquire(timeout=60)
            assert [ask(shop) for shop in shops] == [429] * 3
            assert [panel.get(page).status_code for page in ("why/?q=77", "")] == [429, 200]
        finally:
            released.set()
    assert [one.result() for one in waiting] == [200] * most
    assert [ask(shop) for shop in shops] == [200] * 3


def test_files_of_a_store(installed: Store) -> None:
    other = Store.objects.create(hash="other", name="x", state=Store.State.INSTALLED)
    panel = panel_for(installed)
    first, second = (panel.get("log/export.csv") for _ in range(_FILES_OF_A_STORE))
    assert (first.status_code, second.status_code) == (200, 200)
    assert panel.get("log/export.csv").status_code == 429
    assert panel_for(other).get("log/export.csv").status_code == 200
    assert b"".join(first)
    assert panel.get("log/export.csv").status_code == 200
    del second  # never read: its place is free as well
    gc.collect()
    assert panel.get("log/export.csv").status_code == 200


def said(found: Solicitation, kind: str, **words: str) -> int:
    prefix = "m_" if kind == "event" else ""
    body = {"order_ref": str(found.reference), f"{prefix}signature": found.signature, **words}
    return Client().post(f"/sequra/{kind}/{found.token}", body).status_code


def test_notifications_of_a_purchase(
    make_solicitation: MakeSolicitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.notifications.receive", lambda *_: 200)
    found, other = make_solicitation(), make_solicitation()
    same = granted(lambda _: said(found, "notification", sq_state="needs_review"), 503)
    assert same == LIMITS["notification"]["allowed"]
    assert said(found, "notification", sq_state="approved") == 200  # said for the first time
    assert said(other, "notification", sq_state="needs_review") == 200


def test_events_of_a_purchase(make_solicitation: MakeSolicitation) -> None:
    found = make_solicitation()
    risk = {"event": "risk_assessment", "risk_level": "low_risk"}
    assert granted(lambda _: said(found, "event", **risk), 503) == LIMITS["event"]["allowed"]
    unknown = granted(lambda number: said(found, "event", event=f"new {number}"), 503)
    assert unknown == LIMITS["event"]["allowed"]


@pytest.fixture
def question(installed: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """A checkout that asks from this address; BigCommerce knows it not, and guesses are free."""

    def unknown(*_: object) -> None:
        raise UnknownCheckout

    monkeypatch.setattr(storefront, "solicit", unknown)
    monkeypatch.setattr(storefront, "_GUESSES", {"allowed": 10_000, "seconds": 30})

    def ask(address: str) -> int:
        client = Client(headers={"user-agent": "Mozilla/5.0"}, REMOTE_ADDR=address)
        path = f"/storefront/{installed.public_id}/payment-methods"
        body = {"checkout_id": str(uuid.uuid4())}
        return client.post(path, body, "application/json").status_code

    return ask


def test_questions_of_an_address(question: Callable[[str], int]) -> None:
    limit = LIMITS["question of an address"]["allowed"]
    assert granted(lambda _: question("203.0.113.9"), 429) == limit
    assert question("203.0.113.10") == 404


def test_questions_of_a_store(question: Callable[[str], int], installed: Store) -> None:
    def ask(number: int) -> int:
        return question(f"203.0.113.{number}")

    assert granted(ask, 429) == LIMITS["question of a store"]["allowed"]
    for number in range(5):
        assert ask(200 + number) == 429
    offer = Offer.objects.get(reasons=[Reason.TOO_MANY_QUESTIONS])  # one for all of the minute
    assert offer.store == installed

    throttle._record_quota(
        installed.pk, Quota(left=100, limit=150, window_ms=30_000, reset_ms=30_000)
    )
    assert {ask(number) for number in range(100, 140)} == {404}  # BigCommerce has room
    Gate.objects.update(budget=storefront._CALLS_OF_A_QUESTION - 1)
    assert ask(250) == 429
    Gate.objects.update(budget=99, window_until=timezone.now() - timedelta(seconds=1))
    assert ask(251) == 429  # of the new window nothing is known


def test_an_address_gets_as_much_as_is_left_for_others(
    question: Callable[[str], int], installed: Store
) -> None:
    def ask(_: int) -> int:
        return question("203.0.113.9")

    per_question = storefront._CALLS_OF_A_QUESTION
    throttle._record_quota(
        installed.pk, Quota(left=100 * per_question, limit=450, window_ms=1, reset_ms=30_000)
    )
    assert granted(ask, 429) == 50  # we take half of what BigCommerce has left
    Gate.objects.update(budget=40 * per_question)
    assert question("203.0.113.9") == 429
    assert question("203.0.113.10") == 404


def test_a_double_click_is_refused_at_once(
    question: Callable[[str], int], installed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slept(_: float) -> None:
        raise AssertionError("a request waits for a lock")

    monkeypatch.setattr("stores.isolation.time.sleep", slept)
    checkout, held, over = uuid.uuid4(), threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with only_one(f"checkout {installed.pk} {checkout}"):
                held.set()
                over.wait()
        finally:
            connection.close()

    monkeypatch.setattr("tests.stores.test_limits.uuid.uuid4", lambda: checkout)
    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(hold)
        try:
            held.wait(60)
            assert question("203.0.113.9") == 429
        finally:
            over.set()
        holder.result()
    assert question("203.0.113.9") == 404


def test_webhooks_of_a_store_share_rows_in_a_flood(
    installed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_rate_limit", LocalRateLimit())

    def send(number: int, status: int) -> int:
        body = {
            "scope": "store/order/statusUpdated",
            "hash": f"{number:040}",
            "created_at": number,
            "producer": f"stores/{installed.hash}",
            "data": {"type": "order", "id": 7, "status": {"new_status_id": status}},
        }
        path = f"/webhooks/bigcommerce/{installed.public_id}"
        secret = {"X-Webhook-Secret": installed.webhook_secret}
        return Client().post(path, body, "application/json", headers=secret).status_code

    each = LIMITS["webhook"]["allowed"]
    assert {send(number, 11) for number in range(each)} == {204}
    assert WebhookEvent.objects.count() == each
    assert {send(each + number, 11) for number in range(9)} == {204}
    assert {send(2 * each + number, 2) for number in range(9)} == {204}
    shared = WebhookEvent.objects.filter(deliveries=9).order_by("pk")
    assert [event.payload["created_at"] for event in shared] == [each + 8, 2 * each + 8]
    assert [event.payload["data"]["status"]["new_status_id"] for event in shared] == [11, 2]
    assert WebhookEvent.objects.count() == each + 2


def test_the_limit_of_an_address_is_a_setting() -> None:
    """Read in a process of its own: the table is made once."""
    code = "import django; django.setup(); from stores.rate_limit import LIMITS; print([LIMITS["
    code += "f'{w} from']['allowed'] for w in ('install', 'open', 'question')])"
    given = os.environ | {"ADDRESS_REQUESTS_PER_MINUTE": "1234"}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[1234, 1234, 1234]"


def test_a_demand_counts_nothing() -> None:
    for _ in range(3):
        check_limit("a", 1, 60)
    consume("a", 1, 60)
    with pytest.raises(RateLimited):
        check_limit("a", 1, 60)
