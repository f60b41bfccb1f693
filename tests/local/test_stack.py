"""The fixtures that other tests stand on: sandbox, live app, browser, whole system."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg2
import pytest
import requests
from django.conf import settings
from django.db import connection, transaction
from django.test import TransactionTestCase
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from local.chromium import third_party_cookies_allowed
from local.processes import StartFailed
from local.sandbox_control import SandboxControl
from local.servers import ROOT, create_database, make_template, postgres
from local.stack import Stack, fetch
from stores.models import Store
from tests.shortcuts import empty
from transaction_log.models import Entry


def test_the_app_in_this_process_speaks_to_the_sandbox(sandbox: SandboxControl) -> None:
    assert sandbox.url == settings.BIGCOMMERCE_API_URL
    assert fetch(settings.SEQURA_DEPLOYMENTS_URL) is not None


def test_a_fault_hits_once_and_the_call_is_told(sandbox: SandboxControl) -> None:
    sandbox.fault("^/deployments", status=503)
    answers = [requests.get(f"{sandbox.url}/deployments", timeout=60).status_code for _ in "ab"]

    assert answers == [503, 200]
    assert [call["status"] for call in sandbox.calls("sequra")] == [503, 200]


def test_the_live_app_answers(live_app: str) -> None:
    assert fetch(f"{live_app}/health/live")["status"] == "ok"


def test_the_live_app_sees_what_the_test_commits(live_app: str) -> None:
    store = Store.objects.create(hash="live1")
    figures = requests.get(f"{live_app}/metrics", timeout=60).text

    assert 'sequra_bc_entries_open{outcome="rejected"} 0.0' in figures
    store.entries.create(event="ship", outcome="rejected")
    figures = requests.get(f"{live_app}/metrics", timeout=60).text
    assert 'sequra_bc_entries_open{outcome="rejected"} 1.0' in figures


def test_the_whole_system_is_up(stack: Stack) -> None:
    assert [name for name, process in stack.processes.items() if process.running] == [
        "sandbox",
        "web",
        "worker",
        "beat",
    ]
    assert fetch(f"http://127.0.0.1:{stack.app_port}/health/ready")["status"] == "ok"


def test_a_process_can_be_restarted(stack: Stack) -> None:
    stack.restart("web")

    assert fetch(f"http://127.0.0.1:{stack.app_port}/health/live")["status"] == "ok"


class FramedSite(BaseHTTPRequestHandler):
    """panel.localhost frames app.localhost; both set a cookie and show what came back."""

    def do_GET(self) -> None:
        host, _, port = self.headers["Host"].partition(":")
        frame = f'<iframe src="http://app.localhost:{port}/"></iframe>'
        body = f"<p>{self.headers.get('Cookie', 'none')}</p>{frame if host[0] == 'p' else ''}"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Set-Cookie", f"{host[0]}=1; SameSite=None; Secure; Path=/")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def framed_site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FramedSite)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://panel.localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


def cookies_seen(page: Page, address: str) -> tuple[str | None, str | None]:
    """Of the page and of the frame in it, on the second visit."""
    page.goto(address)
    page.goto(address)
    page.frames[1].wait_for_selector("p")
    return page.text_content("p"), page.frames[1].text_content("p")


def test_the_browser_blocks_third_party_cookies(page: Page, framed_site: str) -> None:
    assert cookies_seen(page, framed_site) == ("p=1", "none")


def test_third_party_cookies_can_be_allowed(
    browser: Browser, playwright: Playwright, framed_site: str
) -> None:
    context: BrowserContext
    with third_party_cookies_allowed(playwright) as context:
        assert cookies_seen(context.new_page(), framed_site) == ("p=1", "a=1")


@pytest.mark.slow
def test_a_template_is_filled_once_and_copied_only_when_it_is_whole(tmp_path: Path) -> None:
    filled: list[str] = []

    def fill(made: str) -> None:
        filled.append(made)
        with psycopg2.connect(made) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS filled AS SELECT 1")
        connection.close()

    def fail(made: str) -> None:
        fill(made)
        raise StartFailed("half of it")

    with postgres(tmp_path / "postgres", scratch=True) as url:
        with pytest.raises(StartFailed):
            make_template(url, "form", fail)
        with ThreadPoolExecutor() as pool:
            made = [*pool.map(lambda _: make_template(url, "form", fill), range(3))]
        copy = create_database(url, "copy", "form")

        assert (made, len(filled)) == (["form"] * 3, 2)
        with closing(psycopg2.connect(copy)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT * FROM filled")


@pytest.mark.django_db(transaction=True)
def test_tables_are_emptied_while_the_app_still_writes() -> None:
    store = Store.objects.create(hash="late")

    def clean() -> None:
        try:
            empty(TransactionTestCase())
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        with transaction.atomic():  # of somebody who still writes what refers to the store
            Entry.objects.create(store=store, event="ship", outcome="accepted")
            connection.check_constraints()  # holds the store's row
            cleaned = pool.submit(clean)
            while not held_up():
                assert not cleaned.done()
        cleaned.result()

    assert (Entry.objects.count(), Store.objects.count()) == (0, 0)


def held_up() -> bool:
    """Return whether somebody waits for a lock of ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return cursor.fetchone() is not None


QUICK_TESTS = """
import pytest
import redis
from django.conf import settings
from django.db import connection

from stores.models import Store


def test_pure():
    assert connection.settings_dict["PORT"] == 1


def test_database():
    Store.objects.count()


def test_valkey():
    redis.from_url(settings.REDIS_URL).ping()


def test_deselected(db):
    raise AssertionError


@pytest.mark.slow
def test_deselected_too():
    raise AssertionError
"""


@pytest.mark.slow
def test_quick_tests_start_no_server_and_fail_when_they_reach_for_one(tmp_path: Path) -> None:
    (tmp_path / "test_made_up.py").write_text(QUICK_TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:randomly", "-q"]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), str(tmp_path)],
        cwd=ROOT,
        env={**ours, "QUICK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 failed, 1 passed, 2 deselected" in ended.stdout
    assert 'use the "django_db" mark' in ended.stdout
    assert "let it use the fixture `servers`" in ended.stdout
