"""The sandbox calls the app: webhooks, notifications, events, uninstall.

Python does not resolve `*.localhost`, so those names go to 127.0.0.1 with their Host header kept,
unless SANDBOX_APP_URL is on another host. Any other address is the app's public one
(https://app.example.com): the request goes to SANDBOX_APP_URL with the headers a TLS proxy in
front of the app would add.
"""

import threading
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests

from sandbox import settings

_sessions = threading.local()


def session() -> requests.Session:
    """One keep-alive session per thread, deaf to the environment's proxies."""
    found: requests.Session | None = getattr(_sessions, "session", None)
    if found is None:
        found = _sessions.session = requests.Session()
        found.trust_env = False
    return found


def is_loopback(url: SplitResult) -> bool:
    host = url.hostname or ""
    return url.scheme == "http" and (
        host in ("127.0.0.1", "::1", "localhost") or host.endswith(".localhost")
    )


def route(address: str) -> tuple[str, dict[str, str]]:
    """Where to connect for `address`, and the headers that keep its name."""
    url, app = urlsplit(address), urlsplit(settings.APP_URL)
    if is_loopback(url) and is_loopback(app):
        netloc = f"127.0.0.1:{url.port or 80}"
        return urlunsplit(url._replace(netloc=netloc)), {"Host": url.netloc}
    netloc = f"127.0.0.1:{app.port or 80}" if is_loopback(app) else app.netloc
    headers = {
        "Host": url.netloc,
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": url.scheme,
        "X-Forwarded-Host": url.netloc,
    }
    return urlunsplit(url._replace(scheme=app.scheme, netloc=netloc)), headers


def call(
    method: str,
    address: str,
    *,
    headers: dict[str, str] | None = None,
    timeout: float = 30,
    **more: Any,
) -> requests.Response:
    """One request to the app; redirects are not followed. Raises requests' exceptions."""
    url, kept = route(address)
    return session().request(
        method, url, headers={**kept, **(headers or {})}, timeout=timeout,
        allow_redirects=False, **more,
    )  # fmt: skip
