"""A store with orders that were really bought, and a queue without pauses."""

import pytest
from pytest_django.fixtures import Settings

from local.sandbox_control import SandboxControl
from orders.queue import claim
from orders.sync import worker
from tests.orders.merchant import Merchant


@pytest.fixture
def merchant(
    sandbox: SandboxControl,
    transactional_db: None,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Merchant:
    """Bursts are not waited for, nothing is read twice without a reason, nobody lingers."""
    settings.SETTLE_SECONDS = []
    monkeypatch.setattr(worker, "LINGER", 0.0)
    monkeypatch.setitem(claim._LIMITS, "burst", 0.0)
    return Merchant(sandbox)
