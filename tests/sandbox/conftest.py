"""A running pretend SeQura, emptied before each test, and a shop it can speak to."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.processes import Process, answers, environment, free_port
from tests.sandbox.sequra_shop import Client, Shop


@pytest.fixture(scope="session")
def sandbox_url(worker_id: str) -> Iterator[str]:
    port = free_port()
    database = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/sandbox_{worker_id}_{port}"
    process = Process(
        "sandbox",
        [sys.executable, "-m", "sandbox", "--port", str(port)],
        log=Path(tempfile.mkdtemp()) / "sandbox.log",
        env=environment(SANDBOX_DATABASE_URL=database),
        ready=lambda: answers(port),
    )
    process.start()
    process.wait_ready()
    yield f"http://127.0.0.1:{port}"
    process.stop()


@pytest.fixture
def sequra(sandbox_url: str) -> Iterator[Client]:
    """The pretend SeQura, with nothing in it and every knob in its place."""
    requests.post(f"{sandbox_url}/_control/reset", timeout=20).raise_for_status()
    client = Client(sandbox_url)
    client.control("sequra/knobs", {"retry_seconds": 0.1})
    with client.session:
        yield client


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as running:
        yield running
