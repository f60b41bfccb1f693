"""Where the sandbox's own calls go: names of this machine to itself, all others to the app."""

import pytest

from sandbox import settings
from sandbox.calling import route

THROUGH_PROXY = {
    "Host": "app.example.com",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "app.example.com",
}


@pytest.mark.parametrize(
    ("address", "connected", "host"),
    [
        ("http://app.localhost:8000/x?a=b", "http://127.0.0.1:8000/x?a=b", "app.localhost:8000"),
        ("http://localhost:8000/x", "http://127.0.0.1:8000/x", "localhost:8000"),
        ("http://127.0.0.1:9000/x", "http://127.0.0.1:9000/x", "127.0.0.1:9000"),
    ],
)  # fmt: skip
def test_names_of_this_machine(address: str, connected: str, host: str) -> None:
    assert route(address) == (connected, {"Host": host})


def test_public_address_goes_to_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "APP_URL", "http://app.localhost:8123")
    connected, headers = route("https://app.example.com/webhooks/1")
    assert connected == "http://127.0.0.1:8123/webhooks/1"
    assert headers == THROUGH_PROXY


def test_an_app_in_another_container_is_found_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "APP_URL", "http://web:8000")
    connected, headers = route("http://app.localhost/webhooks/1")
    assert connected == "http://web:8000/webhooks/1"
    assert (headers["Host"], headers["X-Forwarded-Proto"]) == ("app.localhost", "http")


def test_https_on_this_machine_is_the_proxy_in_front_of_the_app(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "APP_URL", "http://127.0.0.1:8123")
    connected, headers = route("https://app.localhost:8443/uninstall?x=1")
    assert connected == "http://127.0.0.1:8123/uninstall?x=1"
    assert (headers["Host"], headers["X-Forwarded-Proto"]) == ("app.localhost:8443", "https")
