"""Create the API clients of a store, and keep what both need to know.

Only this module joins stored secrets with URLs. It also remembers SeQura's deployments, which every
SeQura URL comes from, and describes this software to SeQura.
"""

import functools
import os
import platform
import time
from dataclasses import dataclass

import requests
from django.conf import settings
from django.core.cache import cache
from django.db import connection

import bigcommerce.api
import sequra.client
from bigcommerce.api import TIMEOUT
from bigcommerce.client import BigCommerce
from sequra.client import Rejected, Sequra, Unavailable
from sequra.client import deployments as fetch
from sequra.documents import Deployment
from stores.encryption import Undecryptable
from stores.models import Connection, Store
from transport.call import Timeout, new_session


class _UnreadableToken(bigcommerce.api.Unavailable):
    """No key decrypts the store's token: BigCommerce cannot be called."""


class _UnreadablePassword(sequra.client.Unavailable):
    """No key decrypts the account's password: SeQura cannot be called."""


UNREADABLE = (_UnreadableToken, _UnreadablePassword)
_IDLE_CONNECTIONS = 16  # to one host; a further one is closed after its call
_IDLE_SECONDS = 30.0


@dataclass
class _Kept:
    """A session with open connections, and when it was last asked for."""

    session: requests.Session
    used_at: float


_kept: list[_Kept] = []  # none, or the one of this process
os.register_at_fork(after_in_child=_kept.clear)


def storefront_session() -> requests.Session:
    """Return the connections that this process keeps open for requests of checkouts.

    Shoppers wait for these calls, and none of them moves money: a connection that the other side
    closed at the same moment costs a repetition. Connections that may have been idle for long are
    not used again, because gateways forget those without closing them.
    """
    now = time.monotonic()
    if not _kept or now - _kept[0].used_at > _IDLE_SECONDS:
        _kept[:] = [_Kept(new_session(_IDLE_CONNECTIONS), now)]
    kept = _kept[0]
    kept.used_at = now
    return kept.session


def bigcommerce_for(
    store: Store, timeout: Timeout = TIMEOUT, session: requests.Session | None = None
) -> BigCommerce:
    """BigCommerce as this store's token sees it. `timeout`: seconds to connect, to answer.

    A session keeps connections open; one thread may use it for many stores. Raises Unavailable
    when the stored token cannot be decrypted.
    """
    try:
        token = store.access_token
    except Undecryptable as error:
        raise _UnreadableToken(f"the stored BigCommerce token is unreadable: {error}") from error
    return BigCommerce(
        settings.BIGCOMMERCE_API_URL,
        store.hash,
        token,
        payments_url=settings.BIGCOMMERCE_PAYMENTS_URL,
        timeout=timeout,
        session=session,
    )


def sequra_for(connection: Connection, session: requests.Session | None = None) -> Sequra:
    """SeQura as this connection's account sees it. Raises Unavailable when the stored password
    cannot be decrypted.
    """
    try:
        password = connection.password
    except Undecryptable as error:
        raise _UnreadablePassword(f"the stored SeQura password is unreadable: {error}") from error
    return Sequra(connection.api_url, connection.username, password, session=session)


# The software and its versions, without secrets.
@functools.cache
def platform_facts() -> dict[str, str]:
    """Return the `platform` of orders and delivery reports."""
    version = getattr(connection, "pg_version", 0)
    return {
        "name": "BigCommerce",
        "version": "v3",
        "plugin_version": settings.VERSION,
        "uname": f"{platform.system()} {platform.machine()}",
        "db_name": "postgresql",
        "db_version": f"{version // 10000}.{version % 10000}",
    }


# SeQura's deployments document, from which every SeQura URL is taken.
_FRESH, _LAST = "sequra-deployments", "sequra-deployments-last"
_SECONDS = 600


def deployments() -> list[Deployment]:
    """Return SeQura's deployments, cached for ten minutes and through an outage.

    Raise Rejected or Unavailable when this process never read the document.
    """
    found: list[Deployment] | None = cache.get(_FRESH)
    if found is not None:
        return found
    try:
        found = fetch(settings.SEQURA_DEPLOYMENTS_URL)
    except (Rejected, Unavailable):
        found = cache.get(_LAST)
        if found is None:
            raise
    else:
        cache.set(_LAST, found, None)
    cache.set(_FRESH, found, _SECONDS)
    return found
