"""Every limit at its boundary: the last request that is granted, and the first that is not."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone

from bigcommerce.quota import Quota
from orders import gates
from orders.models import Gate
from payments import storefront
from payments.checkout_reading import UnknownCheckout
from payments.models import Offer, Solicitation
from payments.reasons import Reason
from stores import budget
from stores.budget import LIMITS, OverBudget, Pace, Want, demand, spend
from stores.models import Allowance, Store
from tests.payments.conftest import MakeSolicitation
from tests.payments.conftest import make_solicitation as make_solicitation  # noqa: PLC0414
from tests.payments.conftest import merchant as merchant  # noqa: PLC0414
from tests.payments.conftest import store as store  # noqa: PLC0414
from tests.stores.conftest import Sign, panel_for
from transaction_log.export import FILES_OF_A_STORE

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "time", SimpleNamespace(time=lambda: 1_800_000_000.5))


def granted(ask: Callable[[int], int], refused: int, most: int = 700) -> int:
    """How many are answered before the first is refused with this status."""
    return next(number for number in range(most) if ask(number) == refused)


def test_several_keys_are_counted_together_or_not_at_all() -> None:
    also = [Want("b", 2, 60), Want("c", 9, 30)]
    spend("a", 5, 60, also=also)
    spend("a", 5, 60, also=also)
    with pytest.raises(OverBudget) as refused:
        spend("a", 5, 60, also=also)
    assert refused.value.retry_after == 60
    assert dict(Allowance.objects.values_list("key", "used")) == {"a": 2, "b": 2, "c": 2}


def test_a_limit_of_a_process_counts_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    moment, pace = [1_800_000_000.0], Pace()
    monkeypatch.setattr(budget, "time", SimpleNamespace(time=lambda: moment[0]))
    monkeypatch.setattr(Pace, "MOST", 2)

    def grants() -> int:
        number = 0
        try:
            while True:
                pace.spend("me", 8, 60)
                number += 1
        except OverBudget:
            return number

    assert grants() == 8
    moment[0] += 90  # half of the window before still counts
    assert grants() == 4
    pace.spend("x", 8, 60)
    pace.spend("y", 8, 60)  # no more than two are remembered
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


def test_files_of_a_store(installed: Store) -> None:
    other = Store.objects.create(hash="other", name="x", state=Store.State.INSTALLED)
    panel = panel_for(installed)
    first, second = (panel.get("log/export.csv") for _ in range(FILES_OF_A_STORE))
    assert (first.status_code, second.status_code) == (200, 200)
    assert panel.get("log/export.csv").status_code == 429
    assert panel_for(other).get("log/export.csv").status_code == 200
    assert b"".join(first)
    assert panel.get("log/export.csv").status_code == 200
    del second  # never read: its place is free as well
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
    monkeypatch.setattr(storefront, "GUESSES", {"allowed": 10_000, "seconds": 30})

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

    gates.saw(installed.pk, Quota(left=100, limit=150, window_ms=30_000, reset_ms=30_000))
    assert {ask(number) for number in range(100, 140)} == {404}  # BigCommerce has room
    Gate.objects.update(budget=storefront.CALLS_OF_A_QUESTION - 1)
    assert ask(250) == 429
    Gate.objects.update(budget=99, window_until=timezone.now() - timedelta(seconds=1))
    assert ask(251) == 429  # of the new window nothing is known


def test_a_demand_counts_nothing() -> None:
    for _ in range(3):
        demand("a", 1, 60)
    spend("a", 1, 60)
    with pytest.raises(OverBudget):
        demand("a", 1, 60)
