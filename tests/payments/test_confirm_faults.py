"""Every call of `confirm` fails once, in every way: one paid order, and it finishes by itself."""

import time
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from bigcommerce.api import Api
from bigcommerce.client import BigCommerce
from payments.confirm import confirm
from payments.models import Solicitation
from payments.tasks import resume_solicitations
from sequra.client import Sequra
from tests.payments.shop import Shop
from tests.payments.world import violations

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
    [order] = [one["order"] for one in shop.sandbox.world()["bigcommerce_orders"]]
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
    assert shop.sandbox.world()["bigcommerce_orders"] == []


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_pause_the_connection_and_refuse_nobody(
    shop: Shop, status: int
) -> None:
    solicitation = shop.approved()
    shop.sandbox.fault(r"^/orders/", method="PUT", status=status, body="HTTP Basic: Access denied.")

    confirm(solicitation.pk)

    solicitation.refresh_from_db()
    solicitation.connection.refresh_from_db()
    assert (solicitation.phase, solicitation.connection.is_paused) == ("confirming", True)
    paused_until = solicitation.connection.paused_until
    assert paused_until
    assert (paused_until - timezone.now()).total_seconds() > 500
    calls = len(shop.sandbox.calls("sequra"))
    Solicitation.objects.update(next_at=timezone.now())
    resume_solicitations()
    assert len(shop.sandbox.calls("sequra")) == calls
