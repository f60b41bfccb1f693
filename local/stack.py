"""The whole system as child processes: sandbox, app, worker and beat, in front of real servers.

    with Stack() as stack:
        stack.app_url, stack.sandbox_url
        stack.restart("worker")

Everything starts side by side where it can, is waited for until it answers, and is stopped in
reverse. With `https=True` it is the production set-up: an https address behind a TLS proxy.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import requests

from local.processes import Process, StartFailed, answers, environment, free_port
from local.servers import EMPTY, LOCAL, ROOT, SCRATCH, create_database, make_template, servers
from local.settings import DEVELOPMENT
from local.static_files import collect
from local.tls import make_certificate

BIN = Path(sys.executable).parent
SECOND_STORE = {
    "SANDBOX_STORE_HASH": "second456",
    "SANDBOX_STORE_NAME": "Sierra Clara",
    "SANDBOX_SITE": "second.localhost",
}


@dataclass
class Stack:
    """Names, ports and processes of one running system."""

    folder: Path | None = None  # for data and logs; without one everything is thrown away
    https: bool = False
    debug: bool = False
    web_processes: int = 1
    worker_concurrency: int = 2
    env: Mapping[str, str] = field(default_factory=dict)  # on top of development's
    name: str = "sequra_bc"  # of the database; the sandbox's is called {name}_sandbox
    redis_database: int = 0
    copies: bool = False  # of databases that were made once, instead of empty ones
    app_port: int = 0
    sandbox_port: int = 0
    second_port: int = 0  # of a second store's sandbox; 0: there is one store

    def __post_init__(self) -> None:
        self.app_port = self.app_port or free_port()
        self.sandbox_port = self.sandbox_port or free_port()
        self.public_port = free_port() if self.https else self.app_port
        self.processes: dict[str, Process] = {}
        self._stack = ExitStack()

    # --- addresses -------------------------------------------------------------------------------

    @property
    def app_url(self) -> str:
        """Where browsers find the app."""
        return f"{'https' if self.https else 'http'}://app.localhost:{self.public_port}"

    @property
    def sandbox_url(self) -> str:
        """Where servers find the sandbox."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    def origin(self, name: str) -> str:
        """Where browsers find the sandbox's `shop`, `panel` and `sequra`."""
        return f"http://{name}.localhost:{self.sandbox_port}"

    def second_origin(self, name: str) -> str:
        """Where browsers find the second store's `shop` and `panel`."""
        return f"http://{name}.{SECOND_STORE['SANDBOX_SITE']}:{self.second_port}"

    # --- life ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        self.home = self.folder or Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sequra-bc-stack-"))
        )
        self.urls = self._stack.enter_context(servers(self.folder))
        server = self.urls["DATABASE_URL"]
        template, tables = (
            (migrated(server), sandbox_tables(server)) if self.copies else (EMPTY, EMPTY)
        )
        database = create_database(server, self.name, template)
        self.urls["DATABASE_URL"] = database
        self.urls["SANDBOX_DATABASE_URL"] = create_database(
            database, f"{self.name}_sandbox", tables
        )
        broker = urlsplit(self.urls["REDIS_URL"])
        self.urls["REDIS_URL"] = urlunsplit(broker._replace(path=f"/{self.redis_database}"))
        self.app_env = environment(**self._settings())
        self._stack.callback(self._stop_all)  # before the servers go
        for process in self._sandboxes():
            self._launch(process)
        web, *others = self._app()
        with ThreadPoolExecutor() as pool:
            migration = pool.submit(migrate, self.app_env) if template == EMPTY else None
            collect(self.app_env)
            self._launch(web)  # uses no table before the first request
            if migration:
                migration.result()
        for process in others:
            self._launch(process)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Process.wait_ready, self.processes.values()))

    def _launch(self, process: Process) -> None:
        self.processes[process.name] = process
        process.start()

    def _stop_all(self) -> None:
        """Asks everybody first, so that the slowest one is all we wait for."""
        for process in reversed(self.processes.values()):
            process.ask_to_stop()
        for process in reversed(self.processes.values()):
            process.stop()

    def stop(self, name: str) -> None:
        """Ends one process as an operator would."""
        self.processes[name].stop()

    def start(self, name: str) -> None:
        """Starts a stopped process again and waits until it answers."""
        self.processes[name].start()
        self.processes[name].wait_ready()

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    def manage(self, *arguments: str, text: str = "") -> str:
        """Runs a management command of the app with text on its input; returns its output."""
        return finished("manage.py", *arguments, env=self.app_env, text=text)

    # --- the parts -------------------------------------------------------------------------------

    def _settings(self) -> dict[str, str]:
        return {
            **DEVELOPMENT,
            **self.urls,
            **sandbox_settings(self.sandbox_port, self.app_port),
            "APP_URL": self.app_url,
            "SANDBOX_APP_PUBLIC_URL": self.app_url,
            "ALLOWED_HOSTS": "app.localhost",
            "TRUSTED_PROXIES": "1" if self.https else "0",
            "DEBUG": "true" if self.debug else "false",
            **self.env,
        }

    def _sandboxes(self) -> list[Process]:
        """The sandbox, and beside it that of a second store."""
        logs, ports = self.home / "logs", (self.sandbox_port, self.second_port)
        if not self.second_port:
            return [sandbox_process(logs, self.app_env, self.sandbox_port)]
        neighbour = f"{SECOND_STORE['SANDBOX_STORE_HASH']}:{self.second_port}"
        database = create_database(self.urls["DATABASE_URL"], f"{self.name}_second_store")
        second = {"SANDBOX_DATABASE_URL": database, "SANDBOX_API_PORT": str(self.sandbox_port)}
        environments = ({"SANDBOX_NEIGHBOUR": neighbour}, SECOND_STORE | second)
        names = ("sandbox", "second store")
        return [
            sandbox_process(logs, {**self.app_env, **own}, port, name)
            for name, port, own in zip(names, ports, environments, strict=True)
        ]

    def _process(self, name: str, *command: str, **more: Any) -> Process:
        log = self.home / "logs" / f"{name}.log"
        return Process(name, command, log, env=self.app_env, cwd=ROOT, **more)

    def _app(self) -> list[Process]:
        web = web_process(self.home / "logs", self.app_env, self.app_port, self.web_processes)
        celery = (str(BIN / "celery"), "-A", "sequra_bc")
        concurrency = str(self.worker_concurrency)
        worker = self._process("worker", *celery, "worker", "--concurrency", concurrency, grace=20)
        worker.ready = lambda: worker.has_logged(" ready.")
        beat = self._process("beat", *celery, "beat")
        beat.ready = lambda: beat.has_logged("maxinterval")
        return [web, worker, beat, *([self._tls_proxy()] if self.https else [])]

    def _tls_proxy(self) -> Process:
        self.certificate = make_certificate(self.home, ["app.localhost", "localhost"])
        return self._process(
            "tls",
            *(sys.executable, "-m", "local.tls", "--port", str(self.public_port)),
            *("--upstream", str(self.app_port), "--certificate", str(self.certificate)),
            ready=lambda: answers(self.public_port),
        )


def finished(*arguments: str, env: Mapping[str, str], text: str = "") -> str:
    """Run a Python program of the project with text on its input; return its output."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=dict(env),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StartFailed(f"{' '.join(arguments[:2])} failed\n{done.stdout}{done.stderr}")
    return done.stdout


def migrate(env: Mapping[str, str]) -> None:
    finished("manage.py", "migrate", "--noinput", "-v0", "--run-syncdb", env=env)


def migrated(url: str) -> str:
    """Return the name of a database to copy: one with the app's tables, or an empty one.

    A server that outlives its users gets no such database: it would be an earlier version's.
    """
    if SCRATCH not in os.environ:
        return EMPTY

    def fill(made: str) -> None:
        migrate(environment(**DEVELOPMENT, DATABASE_URL=made))

    return make_template(url, "migrated", fill)


def sandbox_tables(url: str) -> str:
    """Return the name of a database to copy: one with the sandbox's tables, or an empty one."""
    if SCRATCH not in os.environ:
        return EMPTY

    def fill(made: str) -> None:
        env = sandbox_environment(environment(SANDBOX_DATABASE_URL=made))
        finished("-m", "sandbox", "--tables", env=env)

    return make_template(url, "sandbox_tables", fill)


def sandbox_settings(sandbox_port: int, app_port: int) -> dict[str, str]:
    """What makes the app speak to the sandbox, and the sandbox to the app."""
    sandbox = f"http://127.0.0.1:{sandbox_port}"
    portal = f"http://sequra.localhost:{sandbox_port}/portal"
    return {
        "SANDBOX": "true",
        "SANDBOX_ALLOWED": "true",
        "SANDBOX_PORT": str(sandbox_port),
        "SANDBOX_APP_URL": f"http://127.0.0.1:{app_port}",
        "BIGCOMMERCE_LOGIN_URL": sandbox,
        "BIGCOMMERCE_API_URL": sandbox,
        "BIGCOMMERCE_PAYMENTS_URL": sandbox,
        "BIGCOMMERCE_STOREFRONT_URL": f"{sandbox}/stores/{{store}}/storefront{{channel}}",
        "SEQURA_DEPLOYMENTS_URL": f"{sandbox}/deployments",
        "PORTAL_URL": portal,
        "PORTAL_SANDBOX_URL": portal,
    }


def sandbox_environment(env: Mapping[str, str]) -> dict[str, str]:
    """None of the app's secrets but the shared client secret."""
    hidden = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "SECRET_KEY", "ENCRYPTION_KEYS")
    return {key: value for key, value in env.items() if key not in hidden}


def sandbox_process(
    logs: Path, env: Mapping[str, str], port: int, name: str = "sandbox"
) -> Process:
    """`python -m sandbox`."""
    return Process(
        name,
        [sys.executable, "-m", "sandbox", "--port", str(port)],
        logs / f"{name.replace(' ', '-')}.log",
        env=sandbox_environment(env),
        cwd=ROOT,
        ready=lambda: fetch(f"http://127.0.0.1:{port}/_control/knobs") is not None,
    )


def web_process(logs: Path, env: Mapping[str, str], port: int, workers: int = 1) -> Process:
    """The app behind granian, with its counters next to its log."""
    counters = logs / "counters"
    shutil.rmtree(counters, ignore_errors=True)
    counters.mkdir(parents=True)
    return Process(
        "web",
        [
            *(str(BIN / "granian"), "--interface", "wsgi", "--host", "127.0.0.1"),
            *("--port", str(port), "--workers", str(workers)),
            *("--blocking-threads", "320", "--backpressure", "1024", "--no-ws"),
            "--respawn-failed-workers",
            *("--log-config", "sequra_bc/granian.json"),
            "sequra_bc.wsgi:application",
        ],
        logs / "web.log",
        env={**env, "PROMETHEUS_MULTIPROC_DIR": str(counters)},
        cwd=ROOT,
        ready=lambda: fetch(f"http://127.0.0.1:{port}/health/live") is not None,
    )


def fetch(url: str, timeout: float = 5) -> Any:
    """The JSON that url answers with 200, or None. Deaf to the environment's proxies."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            reply = session.get(url, timeout=timeout)
            return reply.json() if reply.status_code == 200 else None
        except requests.RequestException:
            return None


if __name__ == "__main__":
    with Stack(folder=LOCAL, debug="--debug" in sys.argv) as running:
        print(running.app_url, running.sandbox_url, os.getpid(), flush=True)
        sys.stdin.read()
