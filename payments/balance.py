"""Ask a storefront's GraphQL API what is left to pay of a checkout, where the store allows it.

The scope is optional: without it nothing is asked, neither for a token nor for a balance. A
checkout waits for the answer, so little time is spent: a store whose API does not answer is not
asked for a minute, and what the browser shows decides meanwhile.
"""

import threading
import time
from collections import OrderedDict
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import structlog
from django.conf import settings

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce, checkout_balance
from bigcommerce.documents import Checkout
from payloads.checkout.eligibility import channel_of
from payloads.checkout.other_payments import Shown, shown_payments
from payloads.checkout.parts import currency_of, customer_number
from stores.clients import bigcommerce_for, storefront_session
from stores.models import Store
from stores.rate_limit import LIMITS, Concurrency, LocalRateLimit, RateLimited
from transport.call import Timeout

log = structlog.get_logger()
_TIMEOUT: Timeout = (1.0, 1.0)  # seconds
_PAUSE = 60.0  # seconds without a question, after one that failed
_TOKEN_SECONDS, _RENEWED_BEFORE = 3600, 600
_IMPERSONATION = "store_storefront_api_customer_impersonation"
_PRIVATE = "store_storefront_api"
_MOST = 1000  # tokens, and stores that are not asked
_rate, _busy = LocalRateLimit(), Concurrency(2)
_K = TypeVar("_K")
_V = TypeVar("_V")


class _Recent(Generic[_K, _V]):
    """The newest values of this process, each until its moment (Unix seconds)."""

    def __init__(self) -> None:
        self._known: OrderedDict[_K, tuple[_V, float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _K) -> _V | None:
        with self._lock:
            known = self._known.get(key)
        return known[0] if known and time.time() < known[1] else None

    def keep(self, key: _K, value: _V, until: float) -> None:
        with self._lock:
            self._known[key] = (value, until)
            self._known.move_to_end(key)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)

    def forget(self, key: _K) -> None:
        with self._lock:
            self._known.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()


class _Access(NamedTuple):
    """Which token opens a checkout. A token of an earlier installation is another one."""

    store: int
    authorised_at: datetime
    channel: int
    impersonates: bool


_tokens: _Recent[_Access, str] = _Recent()  # in memory only: they open checkouts
_paused: _Recent[int, bool] = _Recent()


def may_ask(store: Store) -> bool:
    """Return whether the merchant granted a scope that opens the storefront's API."""
    return not {_PRIVATE, _IMPERSONATION}.isdisjoint(store.scopes.split())


def balance_of(store: Store, checkout: Checkout) -> Shown | None:
    """Return what the storefront's API shows of a checkout; None when it shows nothing."""
    if not may_ask(store) or _paused.get(store.pk):
        return None
    with _busy.entered(store.pk) as has_place:
        if not has_place:
            return None
        try:
            _rate.consume(store.pk, **LIMITS["balance"])
            found = _ask(store, checkout)
        except RateLimited:
            return None
        except (Rejected, Unavailable) as error:
            _paused.keep(store.pk, True, time.time() + _PAUSE)  # noqa: FBT003 (a value)
            log.warning("balance_unavailable", store=store.hash, reason=str(error))
            return None
    shown = None if found is None else shown_payments(found, currency_of(checkout))
    if shown is None:
        log.info("balance_not_shown", store=store.hash, checkout=checkout.get("id"))
    return shown


def _ask(store: Store, checkout: Checkout) -> dict[str, Any] | None:
    customer, scopes = customer_number(checkout), set(store.scopes.split())
    impersonates = _IMPERSONATION in scopes and bool(customer or _PRIVATE not in scopes)
    access = _Access(store.pk, store.authorised_at, channel_of(checkout), impersonates)
    token = _tokens.get(access) or _new_token(store, access)
    channel = "" if access.channel == 1 else f"-{access.channel}"
    url = settings.BIGCOMMERCE_STOREFRONT_URL.replace("{store}", store.hash)
    try:
        return checkout_balance(
            url.replace("{channel}", channel),
            token,
            str(checkout.get("id")),
            customer if impersonates else None,
            session=storefront_session(),
            timeout=_TIMEOUT,
        )
    except Rejected as refusal:
        if refusal.is_unauthorised:
            _tokens.forget(access)
        raise


def _new_token(store: Store, access: _Access) -> str:
    api: BigCommerce = bigcommerce_for(store, timeout=_TIMEOUT, session=storefront_session())
    expires = int(time.time()) + _TOKEN_SECONDS
    token = api.storefront_token(access.channel, expires, impersonates=access.impersonates)
    _tokens.keep(access, token, expires - _RENEWED_BEFORE)
    return token
