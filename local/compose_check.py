"""`make compose-check`: docker-compose.yml against its schema and our rules, without Docker.

Every service has a health check (or runs once), is not root, restarts, drops its rights, has limits
of memory, processors, processes and temporary files, and time to stop. Only `proxy` is open to the
world; the web services and the sandbox listen on loopback, the sandbox in its profile alone. Every
`${VARIABLE}` is in .env.example, and every variable that the settings read is handed to the app,
secrets as files, too. Every command starts a
program that its image has, and the threads of its processes fit into the container.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from local.servers import ROOT

ONCE = {"migrate"}
# What the images bring, by the first word of the command.
PROGRAMS = {
    "app": {"granian", "celery", "python"},
    "postgres": {"postgres", "pg_isready"},
    "valkey": {"valkey-server", "valkey-cli"},
    "caddy": {"caddy", "nc"},
}
# Published to everybody, by the only service that may.
PUBLIC = {"proxy": ["80:80", "443:443"]}
WEB = ("web", "web-2")
# Simulated counterparts: in a profile of their own, on loopback, and nothing waits for them.
SANDBOX = ("sandbox", "sandbox-postgres")
BUILDS = {"web": "app", "sandbox": "sandbox"}  # and the target of the Dockerfile
# Without any other right root may bind ports below 1024, and write what is its own.
BINDS_PORTS = ["NET_BIND_SERVICE"]
# Read by the settings, but not for production.
NOT_IN_COMPOSE = {"DEBUG"}
# Addresses inside compose, which name no password.
NOT_IN_COMPOSE |= {"DATABASE_URL_FILE", "REDIS_URL_FILE"}
PINNED = re.compile(r"[\w./-]+:[\w.-]*\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}")
VARIABLE = re.compile(r"\$\{(\w+)")
SECRETS = re.compile(r"^SECRETS = \((.*?)^\)", re.DOTALL | re.MULTILINE)
READ = re.compile(
    r'(?:env\.\w+|secret|origin|fernet_keys|server_url|web_address|json_object)\(\s*"([A-Z_]+)"'
)
MINIMUM_GRACE = 15  # seconds
# What a process has besides the threads that its code asks for: itself, the broker, the runtime.
BESIDES = 10
DEFAULT = re.compile(r"\$\{\w+:-(\d+)\}")

Service = dict[str, Any]


FILE = ROOT / "docker-compose.yml"
SCHEMA = ROOT / "local" / "schemas" / "compose-spec.json"


def load(path: Path = FILE) -> dict[str, Service]:
    """Return the services, with YAML's merge keys resolved."""
    services: dict[str, Service] = yaml.safe_load(path.read_text())["services"]
    return services


def invalid(document: Any) -> list[str]:
    """Return what the Compose Specification's schema objects to."""
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def secrets() -> set[str]:
    """Return the variables that the settings also read from files."""
    found = SECRETS.search((ROOT / "sequra_bc" / "settings.py").read_text())
    return set(re.findall(r'"([A-Z_]+)"', found[1])) if found else set()


def documented() -> set[str]:
    """Return the variables of .env.example."""
    text = (ROOT / ".env.example").read_text()
    return set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))


def kind(service: Service) -> str:
    image = re.split("[:@]", service["image"].split("/")[-1])[0]
    return image if image in PROGRAMS else "app"


def is_root(service: Service) -> bool:
    is_bound = service.get("cap_drop") == ["ALL"] and service.get("cap_add") == BINDS_PORTS
    return str(service.get("user", "root")).split(":")[0] in ("root", "0") and not is_bound


def pinned(service: Service) -> bool:
    """`postgres:18.6-trixie@sha256:…`: the tag says to people what the digest is.

    The tag of the image that is built from this folder only has to differ from what is pulled.
    """
    if kind(service) == "app":
        return bool(re.search(r":(?!latest$)", service["image"]))
    return bool(PINNED.fullmatch(service["image"]))


def unlimited(service: Service) -> bool:
    """Return whether the service may fill the memory with temporary files."""
    return any("size=" not in mount for mount in service.get("tmpfs", ["none"]))


def published(name: str, service: Service) -> Iterator[str]:
    """Yield ports that others than loopback may reach and should not."""
    if "ports" in service and name not in (*PUBLIC, *WEB, *SANDBOX):
        yield f"{name} publishes a port"
    for port in service.get("ports", []):
        if not port.startswith("127.0.0.1:") and port not in PUBLIC.get(name, ()):
            yield f"{name} publishes {port} to the world"


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def option(command: list[str], name: str) -> int:
    """Return the number after an option, or a variable's default."""
    value = command[command.index(name) + 1]
    return int(DEFAULT.sub(r"\1", value))


def constant(module: str, name: str) -> int:
    """Return a number as the code sets it, without importing the module, which needs Django."""
    text = (ROOT / module).read_text()
    if found := re.search(rf"^{name} = (\d+)$", text, re.MULTILINE):
        return int(found[1])
    raise LookupError(f"{module} has no {name}")


def threads(command: list[str]) -> int:
    """Return how many threads and processes this service has when all of them are busy."""
    helpers = constant("payments/confirm.py", "HELPERS")
    if command[0] == "granian":
        waiters = constant("payments/confirm.py", "MOST_WAITERS") + helpers
        each = option(command, "--blocking-threads") + waiters + BESIDES
        return option(command, "--workers") * each + BESIDES
    if "worker" in command:
        each = constant("orders/sync/worker.py", "THREADS") + helpers + BESIDES
        return option(command, "--concurrency") * each + BESIDES
    return BESIDES


def complaints_about(name: str, service: Service) -> Iterator[str]:
    check = service.get("healthcheck", {})
    commands = [service["command"]] + ([check["test"][1:]] if "test" in check else [])
    rules = {
        "runs as root": is_root(service),
        "has no health check": "test" not in check and name not in ONCE,
        "does not restart": service["restart"] != "unless-stopped" and name not in ONCE,
        "keeps capabilities": service.get("cap_drop") != ["ALL"],
        "may gain privileges": "no-new-privileges:true" not in service.get("security_opt", []),
        "can write to its image": not service.get("read_only"),
        "has no time to stop": seconds(service.get("stop_grace_period", "0s")) < MINIMUM_GRACE,
        "has no limit of memory": "mem_limit" not in service,
        "has no limit of processors": "cpus" not in service,
        "has no limit of temporary files": unlimited(service),
        "has an image without version and digest": not pinned(service),
        "has more threads than its container": threads(service["command"]) > service["pids_limit"],
    }
    yield from (f"{name} {words}" for words, broken in rules.items() if broken)
    for command in commands:
        if command[0] not in PROGRAMS[kind(service)]:
            yield f"{name}: its image has no {command[0]}"
    yield from published(name, service)


def apart(name: str, service: Service) -> Iterator[str]:
    """Yield what mixes the sandbox with the app's own services."""
    is_sandbox = name in SANDBOX
    if service.get("profiles", []) != (["sandbox"] if is_sandbox else []):
        yield f"{name} is in the wrong profile"
    if not is_sandbox and not {*service.get("depends_on", {})}.isdisjoint(SANDBOX):
        yield f"{name} waits for the sandbox"


def complaints() -> list[str]:
    """Return every problem as a sentence."""
    services = load()
    found = invalid(yaml.safe_load(FILE.read_text()))
    found += [words for name, one in services.items() for words in complaints_about(name, one)]
    used = set(VARIABLE.findall((ROOT / "docker-compose.yml").read_text()))
    read = set(READ.findall((ROOT / "sequra_bc" / "settings.py").read_text()))
    read |= secrets() | {f"{name}_FILE" for name in secrets()}
    given = set(services["web"]["environment"])
    builds = {name: one["build"]["target"] for name, one in services.items() if "build" in one}
    redis = services["redis"]["command"]
    found += [f".env.example lacks {name}" for name in sorted((used | read) - documented())]
    found += [f"the app is not given {name}" for name in sorted(read - given - NOT_IN_COMPOSE)]
    if builds != BUILDS:
        found.append(f"images are built as {builds}, not as {BUILDS}")
    found += [complaint for name, one in services.items() for complaint in apart(name, one)]
    if services["proxy"]["environment"]["UPSTREAM"] != " ".join(f"{one}:8000" for one in WEB):
        found.append("the proxy does not share the requests between the web services")
    if "noeviction" not in redis or "--requirepass" not in redis:
        found.append("redis evicts, or asks for no password")
    return found


if __name__ == "__main__":
    if wrong := complaints():
        sys.exit("\n".join(wrong))
    print(f"docker-compose.yml: {len(load())} services, all in order")
