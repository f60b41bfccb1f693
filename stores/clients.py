"""The API clients of a store: the only place that joins stored secrets with addresses."""

import requests
from django.conf import settings

from bigcommerce.api import TIMEOUT
from bigcommerce.client import BigCommerce
from sequra.client import Sequra
from stores.models import Connection, Store
from wire.call import Timeout


def bigcommerce_for(
    store: Store, timeout: Timeout = TIMEOUT, session: requests.Session | None = None
) -> BigCommerce:
    """BigCommerce as this store's token sees it. `timeout`: seconds to connect, to answer.

    A session keeps connections open; one thread may use it for many stores.
    """
    return BigCommerce(
        settings.BIGCOMMERCE_API_URL,
        store.hash,
        store.access_token,
        payments_url=settings.BIGCOMMERCE_PAYMENTS_URL,
        timeout=timeout,
        session=session,
    )


def sequra_for(connection: Connection, session: requests.Session | None = None) -> Sequra:
    """SeQura as this connection's account sees it."""
    return Sequra(connection.api_url, connection.username, connection.password, session=session)
