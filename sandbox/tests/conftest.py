"""The pretend SeQura's client, and a shop that it can speak to."""

from collections.abc import Iterator

import pytest

from local.sandbox_control import SandboxControl
from sandbox.tests.sequra_shop import Client, Shop


@pytest.fixture
def sequra(sandbox: SandboxControl) -> Iterator[Client]:
    """The pretend SeQura, with nothing in it and short pauses between its attempts."""
    client = Client(sandbox.url)
    client.control("sequra/knobs", {"retry_seconds": 0.1})
    with client.session:
        yield client


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as running:
        yield running
