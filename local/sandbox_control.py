"""The sandbox's control API as methods: what tests and the demo do to the pretend systems."""

from dataclasses import dataclass, field
from typing import Any

import requests


class ControlRefused(Exception):
    """The control API did not do what it was asked."""


def plain_session() -> requests.Session:
    """A session that is deaf to the environment's proxies."""
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
        """Where browsers find the `shop`, the `panel` and `sequra`."""
        return f"http://{name}.localhost:{self.port}"

    def control(self, method: str, path: str, json: Any = None, **query: Any) -> Any:
        """One call of the control API. Raises ControlRefused with its words."""
        reply = self.http.request(
            method, f"{self.url}/_control/{path}", json=json, params=query, timeout=60
        )
        if not reply.ok:
            raise ControlRefused(f"{method} {path}: {reply.status_code} {reply.text[:500]}")
        return reply.json() if reply.content else None

    def reset(self) -> None:
        """Empties both systems, forgets faults and calls, fills the catalogue."""
        self.control("POST", "reset")

    def world(self) -> Any:
        """All that both systems hold."""
        return self.control("GET", "world")

    def held(self, kind: str) -> Any:
        """One kind of what they hold, such as `sequra_orders`: what is asked again and again."""
        return self.control("GET", "world", only=kind)[kind]

    def calls(
        self, system: str | None = None, since: int = 0, in_path: str = ""
    ) -> list[dict[str, Any]]:
        """API requests received: n, method, path, query, headers, body, status, ms.

        All of them, or those with `in_path` in their paths.
        """
        return list(self.control("GET", "calls", system=system, since=since, in_path=in_path))

    def fault(self, path: str, **fault: Any) -> None:
        """The next requests whose path matches answer `status`, after `delay`, or not at all."""
        self.control("POST", "faults", {"path": path, **fault})

    def clear_faults(self) -> None:
        self.control("DELETE", "faults")

    def knobs(self, **values: Any) -> Any:
        """Turns knobs such as `webhook_hold=True`; without values only reads them."""
        return self.control("POST", "knobs", values) if values else self.control("GET", "knobs")

    def checkout(self, **wishes: Any) -> dict[str, Any]:
        """A filled checkout; by default two products and shipping to Spain, in euros."""
        return dict(self.control("POST", "checkouts", wishes))

    def drive(self, verb: str, reference: str, **body: Any) -> Any:
        """What happens to an order at SeQura: approve, review, cancel, event, notify."""
        return self.control("POST", f"sequra/orders/{reference}/{verb}", body)
