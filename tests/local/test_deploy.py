"""Two versions side by side under load: no webhook and no checkout fails while both are replaced.

The new version is a copy of the product that migrates the database further. Both web services stand
behind the real Caddy with the shipped configuration, and are replaced as `make deploy` does it.
"""

import re
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
import requests

from local.demo import buy
from local.processes import Process, answers, free_port
from local.servers import ROOT
from local.shopper import Shopper
from local.stack import Stack, fetch, web_process
from tests.journeys.system import STORE, System, eventually
from tests.local.test_reference_proxies import caddy
from transport import __version__

pytestmark = pytest.mark.slow

NEXT = "99.0.0"
HOT = {"orders": "WebhookEvent", "payments": "Solicitation"}  # tables that requests write
MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [({app!r}, {leaf!r})]
    operations = [migrations.AddField({model!r}, "of_next", models.TextField(db_default=""))]
"""
A_FEW = 20  # webhooks of each stage: both web services get some
WEBHOOKS, SERVING = "webhooks/bigcommerce/<uuid:public_id>", "health/serving"


class Deployed(Stack):
    """Sandbox, and two web services behind Caddy, where browsers, SeQura and BigCommerce go."""

    def _app(self) -> list[Process]:
        port = int(self.env["CADDY_PORT"])
        self.ports = {"web": self.app_port, "web-2": free_port()}
        upstreams = " ".join(f"127.0.0.1:{one}" for one in self.ports.values())
        proxy = caddy(self.home, port, upstreams, "app.localhost")
        proxy.ready = lambda: answers(port)
        return [*(self.web(name, ROOT) for name in self.ports), proxy]

    def web(self, name: str, tree: Path) -> Process:
        env = {**self.app_env, "DRAIN_FILE": str(self.drain_file(name))}
        process = web_process(self.home / "logs" / name, env, self.ports[name])
        return replace(process, name=name, cwd=tree)

    def drain_file(self, name: str) -> Path:
        return self.home / f"{name}.draining"

    def replace_web(self, name: str, tree: Path) -> None:
        """Let Caddy see twice that it shall send no more requests, then stop and start anew."""
        log, address = self.processes["caddy"].log, f"127.0.0.1:{self.ports[name]}"
        before = log.read_text().count(address)
        self.drain_file(name).touch()
        assert eventually(lambda: log.read_text().count(address) >= before + 2)
        assert self.answered(name, SERVING, 503) >= 2
        self.stop(name)
        self.drain_file(name).unlink()
        self._launch(self.web(name, tree))
        self.processes[name].wait_ready()

    def versions(self) -> list[str]:
        """Of both web services, asked without Caddy."""
        live = (f"http://127.0.0.1:{port}/health/live" for port in self.ports.values())
        return [fetch(address)["version"] for address in live]

    def answered(self, name: str, route: str, status: int) -> int:
        """How many requests this web service has answered so since its start."""
        text = requests.get(f"http://127.0.0.1:{self.ports[name]}/metrics", timeout=60).text
        line = rf'^sequra_bc_requests_total\{{.*route="{route}",status="{status}"\}} (\S+)$'
        return sum(int(float(count)) for count in re.findall(line, text, re.MULTILINE))


class Load:
    """A caller that repeats one request until it is stopped, and keeps what went wrong."""

    def __init__(self, ask: Callable[[], object], pause: float) -> None:
        self.ask, self.pause, self.done, self.failed = ask, pause, 0, list[str]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(self.pause):
            try:
                self.ask()
            except Exception as error:  # noqa: BLE001 (the test shows them all)
                self.failed.append(f"{type(error).__name__}: {error}")
            self.done += 1

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    def go_on(self, times: int) -> None:
        """Wait until it was done so many times more."""
        enough = self.done + times
        assert eventually(lambda: self.done >= enough)


@pytest.fixture
def system(worker_id: str) -> Iterator[System]:
    port = free_port()
    public = f"http://app.localhost:{port}"
    env = {
        "CADDY_PORT": str(port),
        "APP_URL": public,
        "SANDBOX_APP_PUBLIC_URL": public,
        "SANDBOX_APP_URL": f"http://127.0.0.1:{port}",
        "TRUSTED_PROXIES": "1",
    }
    with Deployed(name=f"deploy_{worker_id}", redis_database=13, env=env) as stack:
        system = System(stack)
        system.install()
        yield system


@pytest.fixture
def next_tree(tmp_path: Path) -> Path:
    """What the image would hold, of the version after this one."""
    tree = tmp_path / "next"
    for name in re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, tree / name)
    (tree / "staticfiles").symlink_to(ROOT / "staticfiles")
    version = tree / "transport" / "__init__.py"
    version.write_text(version.read_text().replace(__version__, NEXT))
    for app, model in HOT.items():
        folder = tree / app / "migrations"
        leaf = max(path.stem for path in folder.glob("0*.py"))
        text = MIGRATION.format(app=app, leaf=leaf, model=model)
        (folder / "9999_next.py").write_text(text)
    return tree


def webhook(system: System, sent: list[str]) -> Callable[[], None]:
    """Send what BigCommerce sends about an order, each time another event."""
    hook = system.sandbox.held("hooks")[0]
    http = requests.Session()
    http.trust_env = False
    port = system.stack.env["CADDY_PORT"]
    address = hook["destination"].replace("app.localhost", "127.0.0.1")
    headers = {**hook["headers"], "Host": f"app.localhost:{port}"}

    def send() -> None:
        event = uuid.uuid4().hex
        data = {"type": "order", "id": 1}
        body = {"scope": "store/order/updated", "producer": f"stores/{STORE}", "hash": event}
        answer = http.post(address, json={**body, "data": data}, headers=headers, timeout=60)
        assert answer.status_code == 204, answer.status_code
        sent.append(event)

    return send


def test_both_web_services_are_replaced_and_no_request_fails(
    system: System, next_tree: Path
) -> None:
    stack, sent = system.stack, list[str]()
    assert isinstance(stack, Deployed)
    webhooks = Load(webhook(system, sent), pause=0.06)
    checkouts = Load(lambda: buy(Shopper(stack.origin("shop"))), pause=0.8)
    with webhooks.running(), checkouts.running():
        checkouts.go_on(1)
        command = [sys.executable, "manage.py", "migrate", "--noinput", "-v0"]
        subprocess.run(command, cwd=next_tree, env=stack.app_env, check=True)
        webhooks.go_on(A_FEW)
        assert stack.versions() == [__version__, __version__]

        stack.replace_web("web-2", next_tree)
        before = {name: stack.answered(name, WEBHOOKS, 204) for name in stack.ports}
        webhooks.go_on(A_FEW)
        checkouts.go_on(1)
        assert stack.versions() == [__version__, NEXT]
        for name, count in before.items():
            assert stack.answered(name, WEBHOOKS, 204) > count, name

        stack.replace_web("web", next_tree)
        webhooks.go_on(A_FEW)
        checkouts.go_on(1)
        assert stack.versions() == [NEXT, NEXT]

    assert (webhooks.failed, checkouts.failed) == ([], [])
    states = [order["state"] for order in system.sandbox.held("sequra_orders")]
    assert states == ["confirmed"] * checkouts.done
    with closing(psycopg2.connect(stack.urls["DATABASE_URL"])) as database:
        cursor = database.cursor()
        cursor.execute("SELECT count(*) FROM orders_webhookevent WHERE hash = ANY(%s)", [sent])
        assert cursor.fetchone() == (len(sent),)
        cursor.execute("SELECT count(*) FROM payments_solicitation WHERE of_next = ''")
        assert cursor.fetchone() == (checkouts.done,)
