"""A05: an app without proper secrets does not start, and says which setting, not its value."""

import subprocess
import sys

import pytest

from local.processes import environment
from local.servers import ROOT
from local.settings import DEVELOPMENT

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
    ],
)
def test_it_does_not_start_with(name: str, value: str) -> None:
    started = run("-c", "import sequra_bc.wsgi", **{name: value})

    assert started.returncode != 0
    assert name in started.stderr.splitlines()[-1]
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


def test_settings_do_not_touch_the_database() -> None:
    started = run("-c", "import sequra_bc.wsgi", DATABASE_URL="postgresql://nobody@127.0.0.1:9/x")

    assert (started.returncode, started.stderr) == (0, "")
