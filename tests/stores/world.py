"""The parts of BigCommerce and SeQura that installing and connecting touch, over real HTTP.

They keep what they are given, so that a second copy shows, and refuse on demand.
"""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import urlsplit

Answer = tuple[int, Any]
SITES = {
    1: [{"url": "https://tienda.example", "type": "primary"}],
    2: [
        {"url": "https://boutique.example", "type": "primary"},
        {"url": "https://pay.boutique.example", "type": "checkout"},
    ],
    3: [{"url": "https://outlet.example", "type": "primary"}],
}
INFORMATION = {
    "id": "abc123",
    "name": "Tienda",
    "admin_email": "m@example.com",
    "secure_url": "https://tienda.example",
    "control_panel_base_url": "https://store-abc123.mybigcommerce.com",
    "country_code": "ES",
    "currency": "EUR",
    "timezone": {"name": "Europe/Madrid"},
    "language": "es",
}
MERCHANTS = {
    "sequra": [("demo_es", "ES"), ("demo_fr", "FR"), ("demo_es_2", "ES")],
    "svea": [("svea_it", "IT")],
}


def method(product: str, **fields: Any) -> dict[str, Any]:
    return {
        "product": product,
        "campaign": None,
        "title": "Paga Después",
        "min_amount": None,
        "max_amount": None,
        "starts_at": "2026-02-22T21:22:00Z",
        "ends_at": None,
        **fields,
    }


class World:
    """Everything both systems hold. `refuse` maps a pattern of "METHOD path" to an answer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ids = count(1)
        self.codes = {f"code{number}": "stores/abc123" for number in range(40)}
        self.tokens: list[str] = []
        self.scope = ""
        self.channels = [{"id": 1, "name": "Tienda"}]
        self.hooks: list[dict[str, Any]] = []
        self.scripts: list[dict[str, Any]] = []
        self.extensions: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []
        self.bodies: list[Any] = []
        self.refuse: dict[str, Answer] = {}
        self.password = "secret"
        self.url = ""

    def answer(self, verb: str, path: str, body: Any, headers: Any) -> Answer:
        with self.lock:
            self.calls.append((verb, path))
            self.bodies.append(body)
            for pattern, refusal in self.refuse.items():
                if re.fullmatch(pattern, f"{verb} {path}"):
                    return refusal
            if path == "/oauth2/token":
                return self._exchange(body)
            if path.startswith("/stores/"):
                if headers["X-Auth-Token"] not in self.tokens[-1:]:
                    return 401, {"status": 401, "title": "Unauthorized"}
                return self._store(verb, path.split("/", 3)[3], body)
            return self._sequra(path, headers)

    def _exchange(self, body: Any) -> Answer:
        context = self.codes.pop(body["code"], None)
        if context is None:
            return 400, {"error": "invalid_grant"}
        self.tokens.append(f"token-{next(self.ids)}")
        user = {"id": 9, "username": "m@example.com", "email": "m@example.com"}
        return 200, {
            "access_token": self.tokens[-1],
            "scope": self.scope or body["scope"],
            "context": context,
            "user": user,
            "owner": user,
            "account_uuid": "a",
        }

    def _store(self, verb: str, path: str, body: Any) -> Answer:
        match verb, path.split("/"):
            case "GET", ["v2", "store"]:
                return 200, INFORMATION
            case "GET", ["v3", "channels"]:
                return 200, {"data": self.channels, "meta": {}}
            case "GET", ["v3", "channels", number, "site"]:
                urls = SITES[int(number)]
                return 200, {"data": {"url": urls[0]["url"], "urls": urls}, "meta": {}}
            case _, ["v3", "hooks", *rest]:
                return self._rows(verb, self.hooks, "id", rest, body)
            case _, ["v3", "content", "scripts", *rest]:
                return self._rows(verb, self.scripts, "uuid", rest, body)
            case "POST", ["graphql"]:
                return self._graphql(body)
            case _:
                raise ValueError(f"{verb} {path}")

    def _rows(
        self, verb: str, rows: list[dict[str, Any]], key: str, rest: list[str], body: Any
    ) -> Answer:
        if verb == "GET":
            return 200, {"data": rows, "meta": {}}
        if verb == "POST":
            twin = ("scope", "destination")
            if any(all(row.get(name) == body.get(name) for name in twin) for row in self.hooks):
                return 422, {"title": "Webhook exists", "errors": {"destination": "duplicate"}}
            number = next(self.ids)
            rows.append({**body, key: number if key == "id" else f"uuid-{number}"})
            return 200, {"data": rows[-1], "meta": {}}
        row = next(row for row in rows if str(row[key]) == rest[0])
        if verb == "DELETE":
            rows.remove(row)
            return 200, {"data": row, "meta": {}}
        row.update(body)
        return 200, {"data": row, "meta": {}}

    def _graphql(self, body: Any) -> Answer:
        query, given = body["query"], body["variables"].get("input", {})
        if "createAppExtension" in query:
            self.extensions.append({"id": f"bc/store/appExtension/{next(self.ids)}", **given})
            result = {"createAppExtension": {"appExtension": self.extensions[-1]}}
        elif "updateAppExtension" in query:
            row = next(row for row in self.extensions if row["id"] == given["id"])
            row.update(given["data"])
            result = {"updateAppExtension": {"appExtension": row}}
        elif "deleteAppExtension" in query:
            self.extensions[:] = [row for row in self.extensions if row["id"] != given["id"]]
            result = {"deleteAppExtension": {"deletedAppExtensionId": given["id"]}}
        else:
            edges = [{"node": row} for row in self.extensions]
            return 200, {"data": {"store": {"appExtensions": {"edges": edges}}}}
        return 200, {"data": {"appExtension": result}}

    def _sequra(self, path: str, headers: Any) -> Answer:
        if path == "/deployments":
            return 200, [self._deployment("sequra", "seQura"), self._deployment("svea", "SVEA")]
        deployment, _, path = path.removeprefix("/").partition("/")
        expected = _basic(deployment, self.password)
        if headers["Authorization"] != expected:
            return 401, "HTTP Basic: Access denied."
        if path == "merchants/credentials":
            rows = MERCHANTS[deployment]
            return 200, [
                {"ref": ref, "country": country, "currency": "EUR"} for ref, country in rows
            ]
        limits = {"min_amount": 5000, "max_amount": 300000}
        methods = [method("i1"), method("pp3", campaign="summer", title="Fracciona", **limits)]
        return 200, {"payment_options": [{"title": "Paga", "category": "pay", "methods": methods}]}

    def _deployment(self, name: str, title: str) -> dict[str, Any]:
        urls = {"api_base_url": f"{self.url}/{name}/", "assets_base_url": f"{self.url}/assets/"}
        return {"id": name, "name": title, "live": urls, "sandbox": urls}


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@contextmanager
def running() -> Iterator[World]:
    """A world behind an address on this machine."""
    world = World()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # head and body in one packet

        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            body = json.loads(raw) if raw else None
            path = urlsplit(self.path).path
            status, document = world.answer(self.command, path, body, self.headers)
            text = document if isinstance(document, str) else json.dumps(document)
            kind = "text/plain" if isinstance(document, str) else "application/json"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        # http.server calls them by these names.
        do_GET = do_POST = do_PUT = do_DELETE = respond  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    world.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
