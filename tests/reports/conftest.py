"""A store with two countries, and thousands of orders that SeQura knows as shipped."""

import pytest
from pytest_django.fixtures import Settings

from local.sandbox_control import SandboxControl
from tests.orders.conftest import merchant
from tests.reports.shipments import Shipments

__all__ = ["merchant"]


@pytest.fixture
def shipments(sandbox: SandboxControl, transactional_db: None, settings: Settings) -> Shipments:
    """Nobody has bought anything yet."""
    return Shipments(sandbox)
