"""Every call of `confirm` fails once, in every way: one paid order, and it finishes by itself."""

import time
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from bigcommerce.api import Api
from bigcommerce.client import BigCommerce
from payments.confirm import _LONGEST_PAUSE, STEPS, confirm
from payments.models import Solicitation
from payments.steps.create_order import _TRIES
from payments.steps.outcomes import Refused
from payments.tasks import resume_solicitations
from sequra.client import Sequra
from tests.orders.merchant import is_paused
from tests.payments.shop import Shop
from tests.payments.world import violations
from transaction_log.models import Entry

CALLS = {
    "read the checkout": ("GET", r"/v3/checkouts/[^/]+$"),
    "confirm": ("PUT", r"^/orders/"),
    "make the token": ("POST", r"/token$"),
    "make the order": ("POST", r"/v3/checkouts/.*/orders$"),
    "read the order": ("GET", r"/v2/orders/\d+$"),
    "place the order": ("PUT", r"/v2/orders/\d+$"),
    "delete the cart": ("DELETE", r"/v3/carts/"),
}
FAULTS: dict[str, dict[str, Any]] = {
    "429 with headers": {"status": 429, "headers": {"X-Rate-Limit-Time-Reset-Ms": "50"}},
    "429 without headers": {"status": 429},
    "500 before": {"status": 500, "body": '{"errors": ["boom"]}'},
    "503 after the effect": {"status": 503, "effect": "before"},
    "html": {"status": 502, "body": "<html>Bad gateway</html>"},
    "empty 200 after the effect": {"status": 200, "body": "", "effect": "before"},
    "reset before": {"reset": True},
    "reset after the effect": {"reset": True, "effect": "before"},
}
PATIENCE = 30.0


def until_quiet(solicitation: Solicitation) -> Solicitation:
    """What the sweep does; pauses are cut short, the clock is not what is tested."""
    deadline = time.monotonic() + PATIENCE
    while True:
        confirm(solicitation.pk)
        solicitation.refresh_from_db()
        if solicitation.next_at is None:
            return solicitation
        assert time.monotonic() < deadline, solicitation.last_error
        time.sleep(0.02)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_costs_time_and_nothing_else(
    shop: Shop, settings: Settings, call: str, fault: str
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.1
    solicitation = shop.approved()
    method, path = CALLS[call]
    shop.sandbox.fault(path, method=method, **FAULTS[fault])

    solicitation = until_quiet(solicitation)

    assert solicitation.phase == "done"
    assert violations(shop.sandbox.world()) == []
    [order] = [one["order"] for one in shop.sandbox.held("bigcommerce_orders")]
    assert order["status_id"] == 11


@pytest.mark.parametrize("effect", ["none", "before"])
@pytest.mark.parametrize("call", ["confirm", "make the order", "place the order"])
def test_a_timeout_costs_time_and_nothing_else(
    shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch, call: str, effect: str
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0.1
    solicitation = shop.approved()
    for function in (Api.__init__, BigCommerce.create_order, Sequra.__init__):
        impatient = (function.__kwdefaults__ or {}) | {"timeout": (1, 0.3)}
        monkeypatch.setattr(function, "__kwdefaults__", impatient)
    method, path = CALLS[call]
    shop.sandbox.fault(path, method=method, delay=1.0, status=504, effect=effect)

    solicitation = until_quiet(solicitation)

    assert (solicitation.phase, violations(shop.sandbox.world())) == ("done", [])
    slow = [call for call in shop.sandbox.calls() if call["ms"] is None or call["ms"] > 900]
    assert len(slow) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
def test_sequra_s_no_is_definitive_and_creates_nothing(shop: Shop, status: int) -> None:
    solicitation = shop.approved()
    words = '{"errors": ["The cart has changed"]}'
    shop.sandbox.fault(r"^/orders/", method="PUT", status=status, body=words)

    confirm(solicitation.pk)

    solicitation.refresh_from_db()
    assert (solicitation.phase, solicitation.refusal) == ("refused", "refused_by_sequra")
    assert solicitation.refusal_detail == "The cart has changed"
    assert shop.sandbox.held("bigcommerce_orders") == []


@pytest.mark.parametrize(("status", "path"), [(401, r"^/orders/"), (403, r"^/(orders|merchants)/")])
def test_refused_credentials_pause_the_connection_and_refuse_nobody(
    shop: Shop, status: int, path: str
) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(path, status=status, body="HTTP Basic: Access denied.", times=9)

    confirm(solicitation.pk)

    solicitation.refresh_from_db()
    solicitation.connection.refresh_from_db()
    assert (solicitation.phase, is_paused(solicitation.connection)) == ("confirming", True)
    paused_until = solicitation.connection.paused_until
    assert paused_until
    assert solicitation.connection.is_refused
    shop.sandbox.clear_faults()
    calls = len(shop.sandbox.calls("sequra"))
    Solicitation.objects.update(next_at=timezone.now())
    resume_solicitations()
    assert len(shop.sandbox.calls("sequra")) == calls


def test_a_403_about_one_payment_leaves_the_account_to_others(shop: Shop) -> None:
    solicitation, other = shop.approved(), shop.approved()
    path = rf"^/orders/{solicitation.reference}"
    shop.sandbox.fault(path, method="PUT", status=403, body='{"errors": ["Bad order id"]}')

    confirm(solicitation.pk)
    confirm(other.pk)

    solicitation.refresh_from_db()
    other.refresh_from_db()
    assert (solicitation.phase, solicitation.refusal) == ("refused", "refused_by_sequra")
    assert not is_paused(solicitation.connection)
    assert other.phase == "done"


def test_definitive_refusal_of_the_only_attempt_says_nothing_more_to_sequra(shop: Shop) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(r"^/orders/", method="PUT", status=409, body='{"errors": ["No"]}')

    for _ in range(3):
        confirm(solicitation.pk)

    told = [call for call in shop.sandbox.calls("sequra") if call["method"] == "PUT"]
    assert len(told) == 1
    entry = Entry.objects.get()
    assert (entry.outcome, entry.reason, entry.words) == ("rejected", "refused_by_sequra", "No")


def test_refusal_after_a_lost_answer_is_taken_back(shop: Shop) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(r"^/orders/", method="PUT", status=503, effect="before")
    confirm(solicitation.pk)
    shop.change_cart(solicitation)

    for _ in range(3):
        confirm(solicitation.pk)

    solicitation.refresh_from_db()
    assert (solicitation.refusal, solicitation.undone_at is None) == ("cart_changed", False)
    states = [one["state"] for one in shop.sandbox.held("sequra_orders")]
    assert states == ["cancelled"]


def test_retry_after_of_hours_keeps_the_promise_of_minutes(shop: Shop) -> None:
    solicitation = shop.approved()
    for value in ("3600", "1e300", "99999999999999"):
        shop.sandbox.clear_faults()
        headers = {"Retry-After": value}
        shop.sandbox.fault(r"^/orders/", method="PUT", status=503, headers=headers)
        confirm(solicitation.pk)
        solicitation.refresh_from_db()
        assert solicitation.next_at
        assert (solicitation.next_at - timezone.now()).total_seconds() <= _LONGEST_PAUSE


def test_trouble_before_a_refused_conversion_costs_it_no_attempts(
    shop: Shop, settings: Settings
) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    solicitation = shop.approved()
    conversion = r"/v3/checkouts/.*/orders$"
    shop.sandbox.fault(conversion, method="POST", status=503, times=9)
    for _ in range(9):
        confirm(solicitation.pk)
    shop.sandbox.clear_faults()
    shop.sandbox.fault(conversion, method="POST", status=409, times=3)

    for _ in range(4):
        confirm(solicitation.pk)

    solicitation.refresh_from_db()
    assert (solicitation.phase, solicitation.conversions_refused) == ("done", 3)
    assert len(shop.sandbox.held("bigcommerce_orders")) == 1


def test_conversion_that_stays_refused_is_taken_back(shop: Shop) -> None:
    solicitation = shop.approved()
    conversion = r"/v3/checkouts/.*/orders$"
    shop.sandbox.fault(conversion, method="POST", status=409, times=99)

    for _ in range(_TRIES + 2):
        confirm(solicitation.pk)

    solicitation.refresh_from_db()
    assert (solicitation.refusal, solicitation.conversions_refused) == (
        "conversion_refused",
        _TRIES,
    )
    posts = [call for call in shop.sandbox.calls("bigcommerce") if call["method"] == "POST"]
    assert len([call for call in posts if call["path"].endswith("/orders")]) == _TRIES


@pytest.mark.parametrize("status", [403, 409, 410, 422])
def test_cart_that_cannot_be_deleted_stops_nothing(shop: Shop, status: int) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(r"/v3/carts/", method="DELETE", status=status, times=9)

    confirm(solicitation.pk)

    solicitation.refresh_from_db()
    assert solicitation.phase == "done"


def test_undoing_leaves_what_staff_wrote(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    solicitation = shop.approved()

    def noted_and_changed(attempt: Solicitation) -> None:
        note = {"order_id": attempt.order_id, "text": "Ring twice"}
        shop.sandbox.control("POST", "merchant/add_note", note)
        raise Refused("amount_changed")

    monkeypatch.setitem(STEPS, Solicitation.Phase.CREATED, noted_and_changed)
    for _ in range(3):
        confirm(solicitation.pk)

    (order,) = shop.sandbox.held("bigcommerce_orders")
    notes = order["order"]["staff_notes"]
    assert "Ring twice" in notes
    assert notes.count("SeQura: not paid (amount_changed).") == 1
    assert order["order"]["status_id"] == 5


@pytest.mark.parametrize(("status", "state"), [(401, "needs_reauthorisation"), (403, "installed")])
def test_refused_token_costs_the_conversion_no_attempts(
    shop: Shop, status: int, state: str
) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(r"/v3/checkouts/.*/orders$", method="POST", status=status, times=99)

    for _ in range(_TRIES + 2):
        confirm(solicitation.pk)

    solicitation.refresh_from_db()
    shop.store.refresh_from_db()
    assert (solicitation.phase, solicitation.conversions_refused) == ("creating", 0)
    assert shop.store.state == state
