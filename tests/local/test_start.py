"""A05: an app without proper secrets does not start, and says which setting, not its value."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from local.processes import environment
from local.servers import ROOT
from local.settings import DEVELOPMENT

pytestmark = pytest.mark.slow

PRODUCTION = {
    **DEVELOPMENT,
    "APP_URL": "https://app.example.com",
    "ALLOWED_HOSTS": "app.example.com",
    "TRUSTED_PROXIES": "1",
    "SECRET_KEY": "n0t-a-real-key-but-long-enough-for-the-deployment-check-0123456789",
}


def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    env = environment(**PRODUCTION, PYTHONWARNINGS="default")
    env.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # of this test process alone
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=env | changes,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_deployment_check_is_clean() -> None:
    checked = run("manage.py", "check", "--deploy", "--fail-level", "WARNING")

    assert (checked.returncode, checked.stdout) == (
        0,
        "System check identified no issues (0 silenced).\n",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BIGCOMMERCE_CLIENT_SECRET", ""),
        ("BIGCOMMERCE_CLIENT_SECRET", "   "),
        ("BIGCOMMERCE_CLIENT_SECRET", "tooshort-canary"),
        ("BIGCOMMERCE_CLIENT_ID", ""),
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short-canary"),
        ("ENCRYPTION_KEYS", ""),
        ("ENCRYPTION_KEYS", "short-canary"),
        ("ENCRYPTION_KEYS", "canary-" * 8),
        ("ENCRYPTION_KEYS", DEVELOPMENT["ENCRYPTION_KEYS"] + ",canary"),
        ("ENCRYPTION_KEYS", " , " * 20),
        ("APP_URL", "https://app.example.com/canary"),
        ("BIGCOMMERCE_API_URL", "ftp://canary"),
        ("SANDBOX", "true"),
        ("TRUSTED_PROXIES", "canary"),
        ("RECONCILE_SECONDS", "canary"),
        ("SETTLE_SECONDS", "4,canary"),
        ("ORDER_LOOKUP_SETTLE_SECONDS", "canary"),
        ("LOG_LEVEL", "canary"),
        ("DATABASE_URL", "canary"),
        ("DATABASE_URL", "mysql://canary@127.0.0.1/x"),
        ("DATABASE_URL", "postgresql://canary@127.0.0.1:port/x"),
        ("REDIS_URL", "canary"),
        ("BROKER_OPTIONS", "canary"),
        ("SENTRY_DSN", "https://canary@sentry.example.com/project"),
        ("SENTRY_DSN", "canary"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://canary:4317"),
    ],
)
def test_it_does_not_start_with(name: str, value: str) -> None:
    started = run("-c", "import sequra_bc.wsgi", **{name: value})

    assert started.returncode != 0
    assert name in started.stderr.splitlines()[-1]
    assert "Traceback" not in started.stderr
    assert "canary" not in started.stdout + started.stderr


def test_the_server_exits_when_the_app_cannot_start() -> None:
    started = run(
        *("-m", "granian", "--interface", "wsgi", "--port", "9999", "sequra_bc.wsgi:application"),
        BIGCOMMERCE_CLIENT_SECRET="",
    )

    assert started.returncode != 0
    assert "BIGCOMMERCE_CLIENT_SECRET" in started.stdout + started.stderr


def test_an_empty_variable_counts_as_unset() -> None:
    code = "from sequra_bc import settings as s; print(s.TRUSTED_PROXIES, s.ALLOWED_HOSTS, s.DEBUG)"
    read = run("-c", code, TRUSTED_PROXIES="", ALLOWED_HOSTS="", DEBUG="")

    assert read.stdout == "1 ['app.example.com'] False\n"


def test_a_secret_may_begin_with_a_dollar() -> None:
    code = "from sequra_bc import settings as s; print(s.BIGCOMMERCE_CLIENT_SECRET)"
    read = run("-c", code, BIGCOMMERCE_CLIENT_SECRET="$ecret-0123456789abcdef")

    assert read.stdout == "$ecret-0123456789abcdef\n"


MONITORED = """
import logging, sys
from sequra_bc import settings
from transport.tracing import span
with span("call", "client"):
    logging.getLogger("mine").error("it failed")
print({"sentry_sdk", "opentelemetry"} & {*sys.modules} or None)
"""


def test_monitoring_that_is_not_set_is_not_loaded() -> None:
    assert run("-c", MONITORED).stdout.splitlines()[-1] == "None"


def test_a_process_goes_on_and_ends_when_nothing_collects_what_it_sends() -> None:
    away = "http://key@127.0.0.1:9"
    ended = run("-c", MONITORED, SENTRY_DSN=f"{away}/1", OTEL_EXPORTER_OTLP_ENDPOINT=away)
    logged = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"')]

    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line["event"] for line in logged if line["logger"] == "mine"] == ["it failed"]


def test_settings_do_not_touch_the_database() -> None:
    started = run("-c", "import sequra_bc.wsgi", DATABASE_URL="postgresql://nobody@127.0.0.1:9/x")

    assert (started.returncode, started.stderr) == (0, "")


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = {"TRUSTED_PROXIES": "some", "ERASE_AFTER_UNINSTALL_HOURS": "-1"}
    started = run("manage.py", "check", SECRET_KEY="", LOG_LEVEL="loud", **wrong)

    assert started.returncode != 0
    assert started.stderr.splitlines() == [
        "SECRET_KEY is missing or shorter than 16 characters",
        "TRUSTED_PROXIES is no whole number",
        "ERASE_AFTER_UNINSTALL_HOURS must be a number from 0 to 876000",
        "LOG_LEVEL is none of DEBUG, INFO, WARNING and ERROR",
    ]


@pytest.mark.parametrize(
    "password",
    ["plain", "pass/with/slashes", "a@b", "a#b", "a:b@c/d?e#f", "100%", "%2Fquoted%40", "sp ace"],
)
def test_a_password_may_hold_anything(password: str) -> None:
    code = (
        "from sequra_bc import settings as s; from kombu import Connection as C;"
        "d = s.DATABASES['default'];"
        "print(repr((d['USER'], d['PASSWORD'], d['HOST'], d['PORT'], d['NAME'])));"
        "b = C(s.BROKER_URL); print(repr((b.password, b.hostname, b.port, b.virtual_host)))"
    )
    read = run(
        *("-c", code),
        DATABASE_URL=f"postgresql://app:{password}@database.example:5433/shop",
        REDIS_URL=f"redis://:{password}@broker.example:6380/3",
    )
    meant = unquote(password)

    assert read.stdout.splitlines() == [
        repr(("app", meant, "database.example", 5433, "shop")),
        repr((meant, "broker.example", 6380, "3")),
    ]


def test_another_broker_gets_its_options_and_no_others() -> None:
    code = (
        "from sequra_bc import settings as s;"
        "print(s.BROKER_URL, s.CELERY['broker_transport_options'])"
    )
    rabbit = run("-c", code, BROKER_URL="amqp://u:p@host:5672/v", BROKER_OPTIONS="")
    sentinel = run(
        *("-c", code),
        BROKER_URL="sentinel://one:26379;sentinel://two:26379",
        BROKER_OPTIONS='{"master_name": "shop"}',
    )

    assert rabbit.stdout == "amqp://u:p@host:5672/v {}\n"
    assert sentinel.stdout.startswith("sentinel://one:26379;sentinel://two:26379 {")
    assert "'master_name': 'shop'" in sentinel.stdout
    assert "'socket_timeout': 0.5" in sentinel.stdout


SECRETS = {
    "SECRET_KEY": PRODUCTION["SECRET_KEY"],
    "ENCRYPTION_KEYS": DEVELOPMENT["ENCRYPTION_KEYS"],
    "BIGCOMMERCE_CLIENT_ID": "client-id",
    "BIGCOMMERCE_CLIENT_SECRET": "a-client-secret-of-production",
    "DATABASE_URL": "postgresql://app@db:5432/shop",
    "DATABASE_PASSWORD": "p@ss/w#rd:100%",
    "REPLICA_URL": "postgresql://reader:word@replica:5432/shop",
    "REDIS_URL": "redis://valkey:6379/3",
    "REDIS_PASSWORD": "r/e#d@s",
    "BROKER_URL": "amqp://user:word@broker:5672//",
    "BROKER_OPTIONS": '{"master_name": "mymaster"}',
    "EMAIL_URL": "smtp+tls://user:word@mail:587",
}
SHOWN = """
from sequra_bc import settings as s
print(s.SECRETS, s.SECRET_KEY, s.ENCRYPTION_KEYS, s.BIGCOMMERCE_CLIENT_ID,
      s.BIGCOMMERCE_CLIENT_SECRET, s.DATABASES, s.REDIS_URL, s.BROKER_URL, s.BROKER_OPTIONS,
      s.EMAIL_URL)
"""


def test_every_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(f"{value}\n")
    files = {f"{name}_FILE": str(tmp_path / name) for name in SECRETS}

    from_files = run("-c", SHOWN, **dict.fromkeys(SECRETS, ""), **files)
    from_values = run("-c", SHOWN, **SECRETS)

    assert from_files.stdout == from_values.stdout
    assert str(tuple(SECRETS)) in from_files.stdout  # all that the settings call a secret
    assert "'PASSWORD': 'p@ss/w#rd:100%'" in from_files.stdout
    assert "redis://:r%2Fe%23d%40s@valkey:6379/3" in from_files.stdout


def test_a_password_in_the_url_is_the_one_that_counts() -> None:
    url = "postgresql://app:own@db:5432/shop"
    shown = run("-c", SHOWN, DATABASE_URL=url, DATABASE_PASSWORD="another").stdout
    assert "'PASSWORD': 'own'" in shown


def test_a_secret_file_that_is_missing_or_one_too_many_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("canary" * 9)
    missing = run("-c", SHOWN, SECRET_KEY="", SECRET_KEY_FILE=str(tmp_path / "nothing"))
    both = run("-c", SHOWN, SECRET_KEY_FILE=str(tmp_path / "key"))

    assert "SECRET_KEY_FILE names no file that can be read" in missing.stderr
    assert "SECRET_KEY and SECRET_KEY_FILE are both set" in both.stderr
    assert both.returncode == missing.returncode != 0
    assert "canary" not in both.stderr
