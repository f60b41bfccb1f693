"""`manage.py doctor`: each fault is named with a remedy, and the exit code tells how bad it is."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from local.processes import environment, free_port
from local.sandbox_control import SandboxControl
from local.servers import ROOT
from local.stack import Stack, sandbox_settings
from local.tls import make_certificate
from orders.models import Order
from panel import doctor
from sequra_bc import health
from stores import connect
from stores.clients import bigcommerce_for
from stores.models import Connection, ScriptVersion, Store
from stores.registration import checkout_script
from tests.stores.test_with_sandbox import address, fetch, registered

OF_THE_INSTALLATION = [
    *("configuration", "static_files"),
    *("database", "replica", "pooler", "migrations", "clock", "keys", "tasks", "queue"),
    *("broker", "workers", "public_url", "certificate"),
]
OF_A_STORE = [
    *("state", "scopes", "secrets", "last_webhook"),
    *("information", "webhooks", "script", "panel", "page", "checkout", "asked"),
    *("account", "countries"),
]


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    health._broker.cache_clear()
    health._fitting.clear()
    cache.clear()
    yield
    cache.clear()
    health._broker.cache_clear()
    health._fitting.clear()
    health._applied.clear()


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("doctor", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def states(*arguments: str) -> tuple[int, dict[str, str]]:
    code, text = run("--json", *arguments)
    return code, {one["check"]: one["state"] for one in json.loads(text)["findings"]}


def finding(check: str) -> doctor.Finding:
    return next(one for one in doctor.installation() if one.check == check)


# --- The installation ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_document_is_stable() -> None:
    Store.objects.create(hash="abc")
    Store.objects.create(hash="gone", state=Store.State.UNINSTALLED)
    code, text = run("--json")
    document = json.loads(text)

    assert list(document) == ["state", "version", "findings"]
    assert (code, document["state"]) == (2, "error")
    rows = document["findings"]
    assert [list(row) for row in rows] == [["check", "state", "message", "remedy", "store"]] * len(
        rows
    )
    assert [row["check"] for row in rows if not row["store"]] == OF_THE_INSTALLATION
    of_store = [row["check"] for row in rows if row["store"] == "abc"]
    assert of_store == [name for name in OF_A_STORE if name not in ("page", "checkout")]
    assert {row["store"] for row in rows} == {"", "abc"}
    assert {row["state"] for row in rows} <= {"ok", "warning", "error", "unknown"}
    needs = [row for row in rows if row["state"] in ("warning", "error")]
    assert [row["check"] for row in needs if not row["remedy"].endswith(".")] == []


def test_every_check_is_documented() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    [table] = re.findall(r"\| Check \| Looks at \|\n(.*?)\n\n", text, re.DOTALL)
    documented = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|([^|]+)", table, re.MULTILINE)))

    assert sorted(documented) == sorted([*OF_THE_INSTALLATION, *OF_A_STORE, "sequra"])


@pytest.mark.django_db
def test_people_read_a_remedy_below_each_fault() -> None:
    _, text = run()

    assert "error    tasks          Maintenance has never run.\n" in text
    assert "→ Start worker and beat, or `python manage.py work --loop`" in text
    assert text.endswith("\nerror\n")


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("doctor", "--help")

    assert "python manage.py doctor --store abc123\n" in capsys.readouterr().out


@pytest.mark.django_db
def test_an_unknown_store_is_an_error() -> None:
    with pytest.raises(CommandError, match="there is no store nobody") as refused:
        call_command("doctor", "--store", "nobody")

    assert refused.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_without_a_database_only_the_database_is_at_fault() -> None:
    parameters = connection.settings_dict
    port = parameters["PORT"]
    connection.close()
    parameters["PORT"] = 9
    try:
        code, found = states()
    finally:
        parameters["PORT"] = port

    assert code == 2
    assert [name for name, state in found.items() if state == "error"] == ["database"]
    unknown = {"pooler", "migrations", "clock", "keys", "tasks", "queue"}
    assert unknown <= {name for name, state in found.items() if state == "unknown"}


@pytest.mark.django_db
def test_other_keys_than_before_are_named(settings: Settings) -> None:
    assert finding("keys").state == "ok"
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    assert finding("keys").state == "error"


@pytest.mark.django_db
def test_a_broker_that_is_away_is_a_warning(settings: Settings) -> None:
    assert finding("broker").state == "ok"
    health._broker.cache_clear()
    settings.BROKER_URL = "redis://127.0.0.1:9/0"

    assert (finding("broker").state, finding("workers").state) == ("warning", "unknown")


@pytest.mark.parametrize(
    ("ahead", "state"), [(0, "ok"), (20, "warning"), (-20, "warning"), (3600, "error")]
)
@pytest.mark.django_db
def test_the_hosts_clock_is_compared_with_the_databases(ahead: int, state: str) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=ahead), tick=True):
        assert finding("clock").state == state


@pytest.mark.django_db
def test_tasks_that_ran_lately_are_seen() -> None:
    assert finding("tasks").state == "error"
    checkout_script.keep_version()
    assert finding("tasks").state == "ok"
    ScriptVersion.objects.update(current_at=timezone.now() - timedelta(hours=3))
    assert finding("tasks").message == "Maintenance ran 3 hours ago."


@pytest.mark.django_db
def test_a_pooler_that_is_expected_and_not_there(settings: Settings) -> None:
    assert finding("pooler").message.startswith("No pooler stands in front of PostgreSQL")
    settings.DATABASE_POOLED = True

    assert finding("pooler").state == "warning"


@pytest.mark.django_db
def test_the_switch_for_the_sandbox_is_named(settings: Settings) -> None:
    settings.SANDBOX = True

    assert "SANDBOX is on" in finding("configuration").message


@pytest.mark.django_db
def test_static_files_that_were_not_collected_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding("static_files").state == "ok"
    monkeypatch.setattr(staticfiles_storage, "hashed_files", {})
    found = finding("static_files")

    assert (found.state, found.message) == ("error", "The static files are not collected.")
    assert "collectstatic" in found.remedy


# --- The public address and its certificate -------------------------------------------------------


@contextmanager
def tls(certificate: Path) -> Iterator[int]:
    """A server that shakes hands and says nothing; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve() -> None:
        while True:
            try:
                raw, _ = server.accept()
            except OSError:
                return
            try:
                context.wrap_socket(raw, server_side=True).close()
            except OSError:  # the client refused the certificate
                raw.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(("days", "state"), [(0, "ok"), (360, "warning")])
@pytest.mark.django_db
def test_a_certificate_that_ends_soon_is_a_warning(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, state: str
) -> None:
    certificate = make_certificate(tmp_path, ["app.localhost"])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with tls(certificate) as port:
        settings.APP_URL = f"https://app.localhost:{port}"
        with time_machine.travel(timezone.now() + timedelta(days=days), tick=True):
            assert doctor._certificate().state == state


@pytest.mark.django_db
def test_a_certificate_that_browsers_refuse_is_an_error(settings: Settings, tmp_path: Path) -> None:
    with tls(make_certificate(tmp_path, ["app.localhost"])) as port:
        settings.APP_URL = f"https://app.localhost:{port}"
        found = finding("certificate")

    assert (found.state, "self-signed" in found.message) == ("error", True)


@pytest.mark.django_db
def test_no_network_is_no_error(settings: Settings) -> None:
    settings.APP_URL = f"https://app.localhost:{free_port()}"

    assert (finding("public_url").state, finding("certificate").state) == ("warning", "unknown")


# --- A store -------------------------------------------------------------------------------------


@pytest.fixture
def store(sandbox: SandboxControl, live_app: str, settings: Settings) -> Store:
    """Installed and connected, with the app behind its public address."""
    settings.APP_URL = f"http://app.localhost:{sandbox.app_port}"
    assert fetch(address(sandbox, "auth_url"), live_app).status_code == 200
    store = Store.objects.get()
    connect._connect(store, "sandbox", {"sequra": connect.Login("demo", "demo-secret")})
    store.checkout_asked()
    return store


def faults(store: Store) -> list[str]:
    return [one.check for one in doctor.examine(store) if one.state != "ok"]


def test_a_store_in_which_all_is_well(store: Store) -> None:
    findings = doctor.examine(store)

    assert [one.check for one in findings] == [*OF_A_STORE, "sequra"]
    assert [one for one in findings if one.state != "ok"] == []
    assert finding("public_url").state == "ok"


def test_what_somebody_removed_or_refuses_is_found_and_left(
    store: Store, sandbox: SandboxControl
) -> None:
    for hook in sandbox.held("hooks")[:1]:
        bigcommerce_for(store).delete_hook(hook["id"])
    assert faults(store) == ["webhooks"]
    for script in bigcommerce_for(store).scripts():
        bigcommerce_for(store).delete_script(script["uuid"])
    assert faults(store) == ["webhooks", "script"]
    assert registered(sandbox) == {"hooks": 9, "scripts": 0, "extensions": 1}


def test_an_account_is_asked_now(store: Store, sandbox: SandboxControl) -> None:
    account = store.connections.get()
    account.password = "wrong"
    account.save()
    assert faults(store) == ["account"]
    assert store.connections.get().is_refused

    sandbox.fault("/merchants/credentials", status=503)
    found = {one.check: one for one in doctor.examine(store)}
    assert (found["sequra"].state, "answered 503" in found["sequra"].message) == ("warning", True)


def test_a_token_that_bigcommerce_refuses_is_found(store: Store) -> None:
    store.access_token = "revoked"
    store.save()

    assert "state" in faults(store)
    assert Store.objects.get().state == Store.State.NEEDS_REAUTHORISATION


def test_secrets_that_no_key_decrypts_cost_no_call(store: Store) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE stores_store SET access_token = 'gAAAA-of-another-key'")
    [fault] = [one for one in doctor.examine(Store.objects.get()) if one.check == "secrets"]

    assert fault.message == "No key in ENCRYPTION_KEYS decrypts: access_token."


def test_scopes_that_were_not_granted_are_named(store: Store) -> None:
    store.scopes = store.scopes.replace("store_content_checkout", "")
    store.save()
    [fault] = [one for one in doctor.known(store) if one.check == "scopes"]

    assert "Checkout Content: modify" in fault.message


def test_an_order_without_a_webhook_is_a_warning(store: Store) -> None:
    assert faults(store) == []
    Order.objects.create(
        store=store,
        connection=Connection.objects.get(),
        merchant_ref="demo_es",
        bigcommerce_id=1,
        order_ref_1="1",
        reference="00000000-0000-4000-8000-000000000001",
        amount=11088,
        placed_at=timezone.now() - timedelta(hours=1),
    )

    assert faults(store) == ["last_webhook"]


def test_one_stores_trouble_is_not_the_commands(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("odd")

    with monkeypatch.context() as patched:
        patched.setattr("stores.registration.check_registration", fail)
        [fault] = doctor.examine(store)
    assert (fault.check, fault.state, fault.store) == ("state", "error", store.hash)

    Store.objects.create(hash="odd", channels=["not an object"])
    _, text = run("--json")
    of_stores = [one for one in json.loads(text)["findings"] if one["store"]]
    assert [one["check"] for one in of_stores if one["store"] == "odd"] == ["state"]
    assert [one["check"] for one in of_stores if one["store"] == store.hash] == OF_A_STORE


def test_standard_output_is_one_document(
    store: Store, sandbox: SandboxControl, settings: Settings
) -> None:
    """Log lines of the missing webhook go to standard error."""
    bigcommerce_for(store).delete_hook(sandbox.held("hooks")[0]["id"])
    server, name = os.environ["DATABASE_URL"].rpartition("/")[0], connection.settings_dict["NAME"]
    env = environment(
        **sandbox_settings(sandbox.port, sandbox.app_port),
        APP_URL=settings.APP_URL,
        DATABASE_URL=f"{server}/{name}",
    )
    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--store", store.hash, "--json"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    found = {one["check"]: one["state"] for one in json.loads(ended.stdout)["findings"]}
    assert (found["webhooks"], found["script"], found["public_url"]) == ("error", "ok", "ok")
    assert ended.returncode == 2
    assert "registration_incomplete" in ended.stderr


def test_workers_that_answer_are_counted_by_lane(stack: Stack) -> None:
    def workers() -> tuple[str, str]:
        ended = subprocess.run(
            [sys.executable, "manage.py", "doctor", "--json"],
            cwd=ROOT,
            env=stack.app_env,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        found = {one["check"]: one for one in json.loads(ended.stdout)["findings"]}
        return found["workers"]["state"], found["workers"]["message"]

    assert workers() == ("ok", "Both lanes are served; workers that answer: 1.")
    stack.stop("worker")
    try:
        assert workers() == ("warning", "No worker answers that serves the lanes: fast, slow.")
    finally:
        stack.start("worker")


@pytest.mark.slow
def test_an_environment_that_makes_no_sense_ends_with_2() -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=ROOT,
        env=environment(SECRET_KEY=""),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, "SECRET_KEY" in ended.stderr) == (2, True)
