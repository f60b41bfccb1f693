"""A54: a client cannot choose the address, scheme or host that we believe."""

import pytest

from sequra_bc.middleware import _apply, _client_address

PEER = "198.51.100.7"


@pytest.mark.parametrize(
    ("header", "proxies", "believed"),
    [
        ("203.0.113.9", 0, PEER),
        ("203.0.113.9", 1, "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", 1, "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.0.0.2", 2, "203.0.113.9"),
        ("203.0.113.9", 2, PEER),
        ("", 1, PEER),
        (" , ,", 1, PEER),
        ("6.6.6.6, unknown", 1, PEER),
        ("6.6.6.6, <script>", 1, PEER),
        ("6.6.6.6, 203.0.113.9:4711", 1, "203.0.113.9"),
        ("6.6.6.6, [2001:db8::1]:443", 1, "2001:db8::1"),
        ("6.6.6.6, 2001:db8::1", 1, "2001:db8::1"),
        ("6.6.6.6, ::ffff:203.0.113.9", 1, "203.0.113.9"),
    ],
)
def test_client_address_is_the_nth_from_the_right(header: str, proxies: int, believed: str) -> None:
    assert _client_address(header, PEER, proxies) == believed


def test_without_proxies_no_forwarded_header_survives() -> None:
    meta = {
        "REMOTE_ADDR": PEER,
        "HTTP_HOST": "app.example.com",
        "wsgi.url_scheme": "http",
        "HTTP_X_FORWARDED_FOR": "6.6.6.6",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "evil.example",
        "HTTP_FORWARDED": "for=6.6.6.6;host=evil.example",
    }
    _apply(meta, 0)

    assert meta == {
        "REMOTE_ADDR": PEER,
        "HTTP_HOST": "app.example.com",
        "wsgi.url_scheme": "http",
    }


def test_one_proxy_is_believed() -> None:
    meta = {
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "wsgi.url_scheme": "http",
        "HTTP_X_FORWARDED_FOR": "6.6.6.6, 203.0.113.9",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "app.example.com",
    }
    _apply(meta, 1)

    assert meta == {
        "REMOTE_ADDR": "203.0.113.9",
        "HTTP_HOST": "app.example.com",
        "wsgi.url_scheme": "https",
    }


def test_a_scheme_that_is_none_changes_nothing() -> None:
    meta = {"wsgi.url_scheme": "http", "HTTP_X_FORWARDED_PROTO": "javascript"}
    _apply(meta, 1)

    assert meta["wsgi.url_scheme"] == "http"
