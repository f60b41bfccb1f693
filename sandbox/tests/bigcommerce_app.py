"""A hand-made app for the pretend BigCommerce: it installs itself, calls every API and listens.

Every answer of the sandbox that passes through `Api` is compared with BigCommerce's own OpenAPI
files when BIGCOMMERCE_SPECS names them.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import requests

from local.sandbox_control import SandboxControl, plain_session
from local.settings import DEVELOPMENT
from tests.clients.openapi import folder, validate_response

Document = dict[str, Any]
SECRET = DEVELOPMENT["BIGCOMMERCE_CLIENT_SECRET"]
STORE = "/stores/demo123"


def exchange(sandbox: SandboxControl, address: str, **changes: str) -> requests.Response:
    """What an app sends to the login host after `/auth` was opened with `address`."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    fields = {
        "client_id": DEVELOPMENT["BIGCOMMERCE_CLIENT_ID"],
        "client_secret": SECRET,
        "code": query["code"],
        "context": query["context"],
        "scope": query["scope"],
        "grant_type": "authorization_code",
        "redirect_uri": "http://app.localhost/auth",
    }
    url = f"{sandbox.url}/oauth2/token"
    return requests.post(url, json=fields | changes, timeout=60)


@dataclass
class Api:
    """The store's API with the token of an installation."""

    sandbox: SandboxControl
    token: str = ""
    http: requests.Session = field(default_factory=plain_session, repr=False)

    def __enter__(self) -> Self:
        address = self.sandbox.control("POST", "auth_url")["url"]
        self.token = str(exchange(self.sandbox, address).json()["access_token"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.http.close()

    def call(
        self, method: str, path: str, body: Any = None, expect: int = 200, **query: Any
    ) -> Any:
        """One call under `/stores/demo123`: its JSON, None for an empty body."""
        headers = {"X-Auth-Token": self.token, "Accept": "application/json"}
        url = f"{self.sandbox.url}{STORE}/{path}"
        reply = self.http.request(method, url, json=body, headers=headers, params=query, timeout=60)
        assert reply.status_code == expect, f"{method} {path}: {reply.status_code} {reply.text}"
        found = reply.json() if reply.content else None
        if folder() is not None and expect < 400:
            problems = validate_response(method, f"{STORE}/{path}", expect, found)
            assert not problems, problems
        return found

    def get(self, path: str, expect: int = 200, **query: Any) -> Any:
        return self.call("GET", path, None, expect, **query)

    def order(self, status_id: int | None = 11, **wishes: Any) -> Document:
        """A checkout turned into an order, in its V2 words."""
        checkout = self.sandbox.checkout(**wishes)["checkout_id"]
        number = self.call("POST", f"v3/checkouts/{checkout}/orders")["data"]["id"]
        if status_id is not None:
            return dict(self.call("PUT", f"v2/orders/{number}", {"status_id": status_id}))
        return dict(self.get(f"v2/orders/{number}"))

    def merchant(self, action: str, order_id: int, **arguments: Any) -> Any:
        """What the merchant does in the control panel."""
        arguments = {"order_id": order_id, **arguments}
        return self.sandbox.control("POST", f"merchant/{action}", arguments)

    def hook(self, scope: str, destination: str, **headers: str) -> int:
        fields = {"scope": scope, "destination": destination, "headers": headers or None}
        return int(self.call("POST", "v3/hooks", fields)["data"]["id"])


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Document:
        return dict(json.loads(self.body))

    @property
    def is_signed(self) -> bool:
        """Whether the Standard Webhooks signature is right."""
        sent = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = ".".join(sent).encode() + b"." + self.body
        digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
        return self.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


class Ears:
    """Listens for webhooks and answers with `status`."""

    def __init__(self, status: int = 200) -> None:
        self.received: list[Received] = []
        self.status = status
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks"

    def __enter__(self) -> Self:
        poll = {"poll_interval": 0.01}
        threading.Thread(target=self.server.serve_forever, kwargs=poll, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.server.shutdown()
        self.server.server_close()

    def scopes(self) -> list[str]:
        return sorted(hook.event["scope"].removeprefix("store/") for hook in self.received)

    def wait(self, number: int, seconds: float = 60) -> list[Received]:
        """The first `number` webhooks."""
        until = time.monotonic() + seconds
        while len(self.received) < number and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.received) >= number, self.scopes()
        return self.received

    def settle(self, seconds: float = 0.4) -> list[Received]:
        """All webhooks, once no more come."""
        time.sleep(seconds)
        return self.received


def handler(ears: Ears) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            ears.received.append(Received(self.path, dict(self.headers.items()), body))
            self.send_response(ears.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Quiet."""

    return Handler
