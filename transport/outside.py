"""Requests to addresses that somebody else entered: https only, and to the public internet only.

The name is resolved once, each of its addresses is checked, and the connection goes to one of
those: a name that resolves otherwise a moment later gains nothing. The certificate is still
compared with the name. Redirects are not followed, as everywhere (`transport.call`).
"""

import socket
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from transport.call import LeanAdapter

_LONGEST = 500
_TRIED = 2  # addresses of a name, each for the whole time to connect
# They carry an IPv4 address in their last 32 bits: https://www.rfc-editor.org/rfc/rfc6052
_NAT64 = IPv6Network("64:ff9b::/96")


def problem_of(url: str) -> str:
    """Return why no request can go to this address, as a code; empty when one can."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "unreadable"
    if parts.scheme != "https":
        return "not_https"
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST
    if not is_plain or not host or port == 0 or parts.username is not None or parts.fragment:
        return "unreadable"
    try:
        return "" if is_public(host) else "not_public"
    except ValueError:  # a name, as it should be: what it resolves to is checked when we connect
        return "" if "." in host.strip(".") else "not_public"


def is_public(address: str) -> bool:
    """Return whether an IP address is of the public internet, also where it carries another one."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            # 32 bits make an IPv4 address, which mypy does not see.
            inner = ip_address(int(ip) & 0xFFFFFFFF)  # type: ignore[assignment]
        if ip.teredo:
            return False
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class _PublicConnection(HTTPSConnection):
    """A connection whose name has only public addresses, to one of those that were checked."""

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        problem: Exception = NewConnectionError(self, "the name is unknown, or not public")
        try:
            for address in _public_addresses(name, self.port)[:_TRIED]:
                self._dns_host = address
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError) as error:
                    problem = error
        finally:
            self._dns_host = name  # the certificate has to be of this name
        raise problem


def _public_addresses(name: str, port: int | None) -> list[str]:
    """Return the addresses of a name; none when one of them is not public, or none is known."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    addresses = [str(place[0]) for *_kind, place in found]
    return addresses if all(map(is_public, addresses)) else []


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicAdapter(LeanAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"https": _PublicPool}


def new_session() -> requests.Session:
    """Return a session that connects to public addresses over https, and to nothing else."""
    session = requests.Session()
    session.adapters.clear()
    session.mount("https://", _PublicAdapter(pool_maxsize=1))
    return session
