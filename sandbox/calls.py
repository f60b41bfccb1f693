"""What arrived: every API request of the app under test, and how it was answered."""

import itertools
import json
import threading
from collections import deque
from typing import Any

from sandbox.server import Environ

SEQURA = ("/deployments", "/merchants/", "/orders", "/delivery_reports", "/store_integrations")
SECRET_HEADERS = ("Authorization", "X-Auth-Token", "Cookie")
_calls: deque[dict[str, Any]] = deque(maxlen=50_000)
_numbers = itertools.count(1)
_lock = threading.Lock()


def system(environ: Environ) -> str | None:
    """Which API a request is for: bigcommerce, storefront, sequra; None for pages and controls."""
    path = environ["PATH_INFO"]
    name = environ.get("HTTP_HOST", "").split(".")[0]
    if name in ("shop", "panel"):
        return "storefront" if path.startswith("/api/storefront/") else None
    if path.startswith(("/oauth2/", "/stores/")):
        return "bigcommerce"
    if path.startswith(SEQURA) and not path.endswith("/pumbaa_form"):
        return "sequra"
    return None


def headers(environ: Environ) -> dict[str, str]:
    """The request's headers without what would let somebody else in."""
    found = {
        name[5:].replace("_", "-").title(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        found["Content-Type"] = environ["CONTENT_TYPE"]
    return {name: "***" if name in SECRET_HEADERS else value for name, value in found.items()}


def parsed(body: bytes) -> Any:
    """The body as JSON where it is JSON, else as text."""
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def arrived(environ: Environ, name: str, body: bytes) -> dict[str, Any]:
    """Log a request at once; `status` and `ms` follow when it is answered."""
    with _lock:
        call: dict[str, Any] = {
            "n": next(_numbers),
            "system": name,
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "query": environ["QUERY_STRING"],
            "headers": headers(environ),
            "body": parsed(body),
            "status": None,
            "ms": None,
            "fault": False,
        }
        _calls.append(call)
    return call


def listed(name: str | None = None, since: int = 0, in_path: str = "") -> list[dict[str, Any]]:
    """The calls after number `since`, of one system or of all, with `in_path` in their paths."""
    with _lock:
        return [
            dict(call)
            for call in _calls
            if call["n"] > since
            and (name is None or call["system"] == name)
            and in_path in call["path"]
        ]


def clear() -> None:
    """Forget the calls; the numbers go on."""
    with _lock:
        _calls.clear()
