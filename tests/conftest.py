"""Every test run gets its own PostgreSQL and Valkey, and made-up settings."""

import os
from contextlib import ExitStack

import django
import pytest

from local.servers import servers
from local.settings import DEVELOPMENT
from local.static_files import collect

running = ExitStack()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before Django reads its settings. Workers of pytest-xdist inherit the environment."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ.update(DEVELOPMENT)
        os.environ.update(running.enter_context(servers()))
        collect(os.environ)
    django.setup()


def pytest_unconfigure(config: pytest.Config) -> None:
    running.close()
