"""The sandbox's control API as methods, for tests and the demo."""

from dataclasses import dataclass, field
from typing import Any

import requests


class ControlRefused(Exception):
    """The control API did not do what was requested."""


def plain_session() -> requests.Session:
    """Return a session that ignores the environment's proxies."""
    session = requests.Session()
    session.trust_env = False
    return session


@dataclass
class SandboxControl:
    """`url` is where servers find the sandbox; `app_port` is where it finds the app."""

    port: int
    app_port: int = 0
    http: requests.Session = field(default_factory=plain_session, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def origin(self, name: str) -> str:
        """Return where browsers find the `shop`, the `panel` and `sequra`."""
        return f"http://{name}.localhost:{self.port}"

    def control(self, method: str, path: str, json: Any = None, **query: Any) -> Any:
        """Call the control API. Raise ControlRefused with its message."""
        reply = self.http.request(
            method, f"{self.url}/_control/{path}", json=json, params=query, timeout=60
        )
        if not reply.ok:
            raise ControlRefused(f"{method} {path}: {reply.status_code} {reply.text[:500]}")
        return reply.json() if reply.content else None

    def reset(self) -> None:
        """Empty both systems, delete faults and calls, fill the catalogue."""
        self.control("POST", "reset")

    def world(self) -> Any:
        """Return everything that both systems hold."""
        return self.control("GET", "world")

    def held(self, kind: str) -> Any:
        """Return one kind of what they hold, such as `sequra_orders`."""
        return self.control("GET", "world", only=kind)[kind]

    def calls(
        self, system: str | None = None, since: int = 0, in_path: str = ""
    ) -> list[dict[str, Any]]:
        """Return the API requests received: n, method, path, query, headers, body, status, ms.

        All of them, or those with `in_path` in their paths.
        """
        return list(self.control("GET", "calls", system=system, since=since, in_path=in_path))

    def fault(self, path: str, **fault: Any) -> None:
        """Let the next requests to this path get `status`, after `delay`, or no response."""
        self.control("POST", "faults", {"path": path, **fault})

    def clear_faults(self) -> None:
        self.control("DELETE", "faults")

    def knobs(self, **values: Any) -> Any:
        """Set options such as `webhook_hold=True`; without values only return them."""
        return self.control("POST", "knobs", values) if values else self.control("GET", "knobs")

    def checkout(self, **wishes: Any) -> dict[str, Any]:
        """Create a filled checkout; by default two products and shipping to Spain, in euros."""
        return dict(self.control("POST", "checkouts", wishes))

    def drive(self, verb: str, reference: str, **body: Any) -> Any:
        """Change an order at SeQura: approve, review, cancel, event, notify."""
        return self.control("POST", f"sequra/orders/{reference}/{verb}", body)
