"""The section "Without Docker" of docs/install.md is typed as it stands, and the units fit it.

In place of programs that would change this machine stand small ones that do the same in a folder.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from local.compose_check import load
from local.processes import environment
from local.servers import ROOT, postgres, postgres_binary
from local.settings import DEVELOPMENT
from tests.local.test_compose import filled

UNITS = ROOT / "deploy" / "systemd"
PROCESSES = ("web", "worker", "worker-slow", "beat")
TOOLS = Path(postgres_binary("psql")).parent
LEFT_BEHIND = (".venv", ".git", ".local", "tests", "sandbox", "artifacts", "staticfiles", "*cache*")
INSTEAD = {
    "apt-get": "",
    "useradd": "",
    "systemctl": 'echo "$@" >>"$ROOT_FOLDER/systemctl"',
    "runuser": 'shift 3; exec "$@"',  # runuser --user NAME -- …
    "git": 'mkdir -p "$(dirname "$3")"; cp -r "$CHECKOUT" "$3"',  # git clone URL FOLDER
    "python3": 'ln -s "$VENV" "$3"',  # python3 -m venv FOLDER
    "editor": 'cat "$FILLED_IN" >>"$1"',  # the last line of a variable counts
    "install": """
        i=$#; while [ "$i" -gt 0 ]; do a=$1; shift; i=$((i - 1))
        case $a in --owner|--group) shift; i=$((i - 1));; *) set -- "$@" "$a";; esac; done
        exec /usr/bin/install "$@" """,
}


def section(name: str) -> str:
    text = (ROOT / "docs" / "install.md").read_text()
    return text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def commands() -> list[str]:
    """Every line of the section's blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", section("Without Docker"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A PostgreSQL of a fresh host: a superuser, and no database of ours."""
    with postgres(tmp_path / "server", scratch=True) as url:
        yield url


def play(folder: Path, server: str) -> dict[str, str]:
    """The environment of somebody who types the commands."""
    programs, checkout = folder / "programs", folder / "checkout"
    programs.mkdir(parents=True)
    for name, script in INSTEAD.items():
        (programs / name).write_text(f"#!/bin/sh\nset -e\n{script}\n")
        (programs / name).chmod(0o755)
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    for name in ("etc/systemd/system", "etc/caddy", "var/backups"):
        (folder / name).mkdir(parents=True)
    parts = urlsplit(server)
    values = {
        **{
            name: DEVELOPMENT[name] for name in DEVELOPMENT if name.startswith("BIGCOMMERCE_CLIENT")
        },
        "SECRET_KEY": "'of $ome length # and with signs that a shell reads 0123456789'",
        "ENCRYPTION_KEYS": DEVELOPMENT["ENCRYPTION_KEYS"],
        "APP_URL": "https://app.example.com",
        "DATABASE_URL": f"postgresql://sequra_bc@127.0.0.1:{parts.port}/sequra_bc",
        "DATABASE_PASSWORD": "a-long-password",
        "REDIS_URL": os.environ["REDIS_URL"],
    }
    (folder / "filled").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return {
        "PATH": f"{programs}:{TOOLS}:/usr/bin:/bin",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(parts.port),
        "PGUSER": "postgres",
        "PIP_NO_INDEX": "1",  # all that the lock names is there
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "ROOT_FOLDER": str(folder),
        "CHECKOUT": str(checkout),
        "VENV": sys.prefix,
        "FILLED_IN": str(folder / "filled"),
    }


@pytest.mark.slow
def test_the_commands_lead_to_a_migrated_app(servers: None, server: str, tmp_path: Path) -> None:
    folder = tmp_path / "host"
    env = play(folder, server)
    typed = [re.sub(r"(?<![\w.])/(opt|etc|var)/", rf"{folder}/\1/", line) for line in commands()]
    *lines, doctor = typed
    assert doctor == "python manage.py doctor"

    script = "\n".join(["set -eu", *lines, "set +e", doctor, "true"])
    ended = subprocess.run(
        ["/bin/sh", "-c", script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "System check identified no issues" in ended.stdout
    for check in ("configuration", "database", "migrations", "keys"):
        assert re.search(rf"^ok +{check} ", ended.stdout, re.MULTILINE), ended.stdout
    with closing(psycopg2.connect(server.replace("/postgres", "/sequra_bc"))) as database:
        cursor = database.cursor()
        cursor.execute(
            "SELECT tableowner, count(*) > 10, bool_or(rolsuper) FROM pg_tables JOIN pg_roles"
            " ON rolname = tableowner WHERE schemaname = 'public' GROUP BY 1"
        )
        assert cursor.fetchall() == [("sequra_bc", True, False)]
    assert (folder / "opt/sequra-bc/app/staticfiles/staticfiles.json").exists()
    assert (folder / "etc/sequra-bc/env").stat().st_mode & 0o777 == 0o640
    installed = {path.name for path in (folder / "etc/systemd/system").glob("sequra-bc*")}
    assert installed == {path.name for path in UNITS.iterdir()}
    told = (folder / "systemctl").read_text()
    assert "enable --now sequra-bc.target sequra-bc-backup.timer" in told
    site = (folder / "etc/systemd/system/caddy.service.d/site.conf").read_text()
    assert site == "[Service]\nEnvironment=SITE_ADDRESS=https://app.example.com\n"


def unit(path: Path) -> RawConfigParser:
    read = RawConfigParser(strict=False, delimiters="=", comment_prefixes="#")
    # The documented way to keep the case of keys.
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read_string(path.read_text())
    return read


@pytest.mark.parametrize("name", PROCESSES)
def test_a_unit_runs_what_compose_runs(name: str) -> None:
    service = unit(UNITS / f"sequra-bc-{name}.service")["Service"]
    program, *arguments = service["ExecStart"].replace("%%", "%").split()
    # Compared, never listened at.
    ours = [word.replace("127.0.0.1", "0.0.0.0") for word in arguments]  # noqa: S104
    expected = filled(load()[name]["command"])
    compose = load()[name]

    assert Path(program).name == compose["command"][0]
    numbers = {"4": "2"}  # concurrency, which the test of compose makes smaller
    assert [numbers.get(word, word) for word in ours] == expected[1:]
    assert program.startswith("/opt/sequra-bc/venv/bin/")
    assert int(service["TasksMax"]) >= (compose["pids_limit"] if name != "beat" else 1)
    assert service["MemoryMax"].lower() == compose["mem_limit"]


def test_every_unit_is_without_rights_and_reads_the_environment() -> None:
    for path in UNITS.glob("*.service"):
        service = unit(path)["Service"]
        assert service["EnvironmentFile"] == "/etc/sequra-bc/env", path
        rights = ("User", "NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp")
        assert [service[name] for name in rights] == ["sequra-bc", "yes", "strict", "yes", "yes"]
    wanted = unit(UNITS / "sequra-bc.target")["Unit"]["Wants"].split()
    assert wanted == [f"sequra-bc-{name}.service" for name in PROCESSES]


@pytest.mark.slow
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    (tmp_path / "app").symlink_to(ROOT)
    (tmp_path / "venv").symlink_to(sys.prefix)
    for path in UNITS.iterdir():
        text = path.read_text().replace("/opt/sequra-bc", str(tmp_path))
        (tmp_path / path.name).write_text(text)
    units = [str(tmp_path / path.name) for path in UNITS.iterdir()]
    told = subprocess.run(
        [program, "verify", "--man=no", *units],
        env=environment(SYSTEMD_UNIT_PATH=f"{tmp_path}:"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in told.stderr.splitlines() if "sequra-bc" in line] == []
    assert told.returncode == 0, told.stderr
