"""Every test run gets its own PostgreSQL and Valkey, and made-up settings.

`sandbox` is a running pretend BigCommerce and SeQura, fresh for each test; `live_app` is the app
behind granian on the test's own database; `stack` is the whole system; `browser` a Chromium.
"""

import gc
import os
import re
import signal
import socket
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import django
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from local import chromium
from local.processes import environment, free_port
from local.sandbox_control import SandboxControl
from local.servers import SCRATCH, create_database
from local.servers import servers as start_servers
from local.settings import DEVELOPMENT
from local.stack import (
    Stack,
    migrated,
    sandbox_process,
    sandbox_settings,
    sandbox_tables,
    web_process,
)
from local.static_files import collect
from tests.clients.openapi import VARIABLE, folder

LONGEST_TEST = 600  # seconds
_running = ExitStack()
_QUICK = os.environ.get("QUICK") == "1"
_NO_PORT = 1  # nothing listens there
_NO_SERVERS = {
    "DATABASE_URL": f"postgresql://none@127.0.0.1:{_NO_PORT}/none",
    "REDIS_URL": f"redis://127.0.0.1:{_NO_PORT}/0",
    "HISTORIES": "50",  # random ones, per test
}
# A test that reaches one of these fixtures, directly or not, needs more than this process.
_SERVED = frozenset({"servers", "django_db_setup", "db", "transactional_db", "browser"})
# So does a test with one of these marks, or in a module with one.
_SERVED_MARKS = ("django_db", "xdist_group", "slow")
_NEVER_QUICK = re.compile(rf"^pytestmark = .*\b({'|'.join(_SERVED_MARKS)})\b", re.MULTILINE)


def _start() -> None:
    """Before Django reads its settings. Workers of pytest-xdist inherit the environment."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ.update(DEVELOPMENT)
        # Playwright keeps an event loop in the main thread; Django would refuse its database there.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        if not _QUICK and not os.environ.get("DATABASE_URL"):
            os.environ[SCRATCH] = "1"
        os.environ.update(_NO_SERVERS if _QUICK else _running.enter_context(start_servers()))
        collect(os.environ)
    django.setup()
    import_module("tests.shortcuts").install()


# At import, not in a hook: the conftest.py of a folder named on the command line imports models.
_start()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rows", default=100_000, help="entries of the transaction log to plan with")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """With QUICK=1 do not even import a module that is marked as a whole: half of the time."""
    if not _QUICK or not collection_path.match("test_*.py"):
        return None
    return True if _NEVER_QUICK.search(collection_path.read_text()) else None


def _is_quick(item: pytest.Item) -> bool:
    """Return whether the test needs neither server nor browser nor another process."""
    if any(item.get_closest_marker(name) for name in _SERVED_MARKS):
        return False
    return _SERVED.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Tests of the whole system share one worker: there is one system.

    They and whatever starts processes come first, so that no worker waits for a long last one.
    With QUICK=1 only the tests run that need no server.
    """
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("stack"))
        if _is_quick(item):
            item.add_marker(pytest.mark.quick)
    if _QUICK:
        served = [item for item in items if not item.get_closest_marker("quick")]
        config.hook.pytest_deselected(items=served)
        items[:] = [item for item in items if item.get_closest_marker("quick")]
    yield  # pytest-django sorts by database, and tests without one would come last
    items.sort(key=_place)


def pytest_collection_finish() -> None:
    """Thousands of tests stay for the whole run: the garbage collector need not look at them."""
    gc.collect()
    gc.freeze()


def _place(item: pytest.Item) -> tuple[bool, bool, bool]:
    """Groups first, what starts processes early, and what judges other tests after them."""
    alone = item.get_closest_marker("xdist_group") is None
    return alone, item.get_closest_marker("last") is not None, not _is_long(item)


def _is_long(item: pytest.Item) -> bool:
    """Does it start a whole system of its own?"""
    fixtures = {"db", "transactional_db", "live_app"} & set(getattr(item, "fixturenames", ()))
    return item.get_closest_marker("slow") is not None and not fixtures


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if folder() is None:
        loud = f"{VARIABLE} is not set: nothing was compared with BigCommerce's OpenAPI files"
        terminalreporter.write_line(loud, red=True, bold=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    _running.close()


@pytest.fixture(autouse=True)
def _nobody_waits_for_ever() -> Iterator[None]:
    """A browser that never answers fails the test that asked, instead of holding up all."""

    def give_up(_number: int, _frame: object) -> None:
        raise TimeoutError(f"not finished after {LONGEST_TEST} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST_TEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def servers() -> None:
    """PostgreSQL and Valkey, for a test that asks them in another way than through Django."""
    assert not _QUICK, "QUICK=1 starts no servers, and this fixture keeps a test out of it"


@pytest.fixture(autouse=True)
def _quick_tests_connect_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With QUICK=1 an attempt to reach Valkey names its remedy, also where code expects outages.

    PostgreSQL is refused by pytest-django, with a remedy of its own.
    """
    if _QUICK:
        connect = socket.socket.connect

        def refused(self: socket.socket, address: Any) -> None:
            if isinstance(address, tuple) and address[1] == _NO_PORT:
                pytest.fail("a quick test reached for a server: let it use the fixture `servers`")
            connect(self, address)

        monkeypatch.setattr(socket.socket, "connect", refused)


@pytest.fixture
def one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits count up to their boundary: no minute ends while a test of this process counts."""
    frozen = SimpleNamespace(time=lambda: 1_800_000_000.5)
    monkeypatch.setattr(import_module("stores.rate_limit"), "time", frozen)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Workers copy one migrated database, instead of migrating one each; without workers there
    is nothing to share."""
    from django.db import connection

    if "PYTEST_XDIST_WORKER" in os.environ:
        template = migrated(os.environ["DATABASE_URL"])
        connection.settings_dict["TEST"]["TEMPLATE"] = template


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Threads of the app that still run keep their connections, and nobody could drop it then."""
    yield
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    connection.close()


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of this test run write their logs."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def sandbox_process_control(servers: None, logs: Path, worker_id: str) -> Iterator[SandboxControl]:
    """One sandbox for all tests of this worker."""
    control = SandboxControl(free_port(), free_port())
    url = os.environ["DATABASE_URL"]
    database = create_database(url, f"test_sandbox_{worker_id}", sandbox_tables(url))
    settings = sandbox_settings(control.port, control.app_port)
    process = sandbox_process(
        logs, environment(**settings, SANDBOX_DATABASE_URL=database), control.port
    )
    process.start()
    process.wait_ready()
    yield control
    process.stop()


@pytest.fixture
def sandbox(sandbox_process_control: SandboxControl, settings: Settings) -> SandboxControl:
    """The sandbox as on its first day; the app in this process speaks to it."""
    control = sandbox_process_control
    control.reset()
    for name, value in sandbox_settings(control.port, control.app_port).items():
        if name.startswith(("BIGCOMMERCE_", "SEQURA_")):
            setattr(settings, name, value)
    return control


@pytest.fixture(scope="session")
def live_app_process(
    django_db_setup: None, logs: Path, sandbox_process_control: SandboxControl
) -> Iterator[str]:
    """The app behind granian, on the test database of this worker."""
    from django.db import connection

    port = sandbox_process_control.app_port
    name = str(connection.settings_dict["NAME"])
    env = environment(
        **sandbox_settings(sandbox_process_control.port, port),
        APP_URL=f"http://app.localhost:{port}",
        DATABASE_URL=create_database(os.environ["DATABASE_URL"], name),
    )
    process = web_process(logs, env, port, 2)
    process.start()
    process.wait_ready()
    yield f"http://127.0.0.1:{port}"
    process.stop()


@pytest.fixture
def live_app(transactional_db: None, live_app_process: str) -> str:
    """Its address. What the test commits it sees, and the other way round."""
    return live_app_process


@pytest.fixture(scope="session")
def stack(servers: None, worker_id: str) -> Iterator[Stack]:
    """Sandbox, app, worker and beat on databases of their own."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    name = f"stack_{worker_id}"
    with Stack(name=name, redis_database=number + 1, copies=True) as running_stack:
        yield running_stack


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=30_000)  # ms: five seconds are little for a busy machine
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A headless Chromium that blocks third-party cookies; skipped loudly, in CI never."""
    try:
        started = chromium.launch(playwright)
    except chromium.NoBrowser as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    yield started
    started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh profile."""
    context = browser.new_context(ignore_https_errors=True)
    yield context.new_page()
    context.close()
