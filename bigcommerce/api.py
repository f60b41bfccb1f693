"""The protocols of one store's APIs: V2 lists, V3 envelopes, GraphQL, and their pages.

https://developer.bigcommerce.com/docs/start/about
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

import requests
from prometheus_client import Histogram

from bigcommerce.documents import TokenGrant, User
from transport import call
from transport.call import Params, Timeout, Transport, call_of, new_session, segment


class Rejected(call.Rejected):
    """BigCommerce rejected the request. 401 and 403 are `is_unauthorised`."""

    system: ClassVar[str] = "BigCommerce"


class Unavailable(call.Unavailable):
    """BigCommerce gave no usable answer. Retry later."""


# How many API calls the store has left: all its apps share them.
#
# https://docs.bigcommerce.com/developer/docs/overview/api-fundamentals/rate-limits
@dataclass(frozen=True)
class Quota:
    """`left` of `limit` requests in a window of `window_ms`, which ends in `reset_ms`."""

    left: int
    limit: int
    window_ms: int
    reset_ms: int

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> Self | None:
        """Return the quota of a response's headers; None when they are missing or invalid."""
        names = ("Requests-Left", "Requests-Quota", "Time-Window-Ms", "Time-Reset-Ms")
        try:
            return cls(*(int(headers[f"X-Rate-Limit-{name}"]) for name in names))
        except (KeyError, ValueError):
            return None


_QUOTA_LEFT = Histogram(
    "sequra_bc_quota_left",
    "Share of a store's quota that a response of BigCommerce leaves",
    buckets=(0.05, 0.1, 0.25, 0.5, 0.75, 1),
)
PAGE = 250  # rows: the documented maximum
PAGES = 400  # the most pages of a list
TIMEOUT: Timeout = (3, 15)


class Api:
    """Requests to one store. `quota` is what the last response reported."""

    def __init__(
        self,
        api_url: str,
        store_hash: str,
        access_token: str,
        payments_url: str = "https://payments.bigcommerce.com",
        *,
        session: requests.Session | None = None,
        timeout: Timeout = TIMEOUT,
    ) -> None:
        self.quota: Quota | None = None
        self.store_hash = store_hash
        self._base = f"{api_url.rstrip('/')}/stores/{segment(store_hash)}"
        self._payments = f"{payments_url.rstrip('/')}/stores/{segment(store_hash)}/payments"
        self._headers = {"Accept": "application/json", "X-Auth-Token": access_token}
        self._transport = Transport(
            Rejected, Unavailable, timeout, session or new_session(), self._read_quota
        )

    def _read_quota(self, headers: Mapping[str, str]) -> None:
        if quota := Quota.read(headers):
            self.quota = quota
            _QUOTA_LEFT.observe(quota.left / max(quota.limit, 1))

    def _url(self, *path: object) -> str:
        """Return the URL of `path`. Raise Rejected(404) for what cannot be an id."""
        try:
            return "/".join([self._base, *(segment(part) for part in path)])
        except ValueError as error:
            raise Rejected(404, [str(error)]) from error

    def _json(self, method: str, *path: object, **rest: Any) -> Any:
        return self._transport.json(method, self._url(*path), headers=self._headers, **rest)

    def _unreadable(self, method: str, *path: object) -> call.Unavailable:
        return self._transport.unreadable(method, self._url(*path), "has not the documented shape")

    def _object(self, method: str, *path: object, **rest: Any) -> Any:
        """Return a V2 document."""
        document = self._json(method, *path, **rest)
        if not isinstance(document, dict):
            raise self._unreadable(method, *path)
        return document

    def _data(self, method: str, *path: object, kind: type = dict, **rest: Any) -> Any:
        """Return the `data` of a V3 document."""
        data = self._object(method, *path, **rest).get("data")
        if not isinstance(data, kind):
            raise self._unreadable(method, *path)
        return data

    def _delete(self, *path: object) -> None:
        """Delete, and accept that it is gone already."""
        try:
            self._transport.send("DELETE", self._url(*path), headers=self._headers)
        except Rejected as refusal:
            if refusal.status != 404:
                raise

    def _v2_page(self, *path: object, params: Params | None = None) -> list[Any]:
        """Return a V2 list. An empty one is a 204 without a body."""
        rows = self._json("GET", *path, params=params)
        if rows is None:
            return []
        if not isinstance(rows, list):
            raise self._unreadable("GET", *path)
        return rows

    def _v2_rows(self, *path: object, params: Params | None = None) -> list[Any]:
        """Return all pages of a V2 list, until one is not full."""
        rows: list[Any] = []
        for page in self._pages(*path):
            found = self._v2_page(*path, params={**(params or {}), "page": page, "limit": PAGE})
            rows += found
            if len(found) < PAGE:
                break
        return rows

    def _v3_list(self, *path: object) -> list[Any]:
        """Return a V3 list without pages. Without rows it is empty, or a 204."""
        match self._json("GET", *path):
            case None:
                return []
            case {"data": list(rows)}:
                return rows
            case _:
                raise self._unreadable("GET", *path)

    def _v3_rows(self, *path: object, params: Params | None = None) -> list[Any]:
        """Return all pages of a V3 list, as many as `meta.pagination` counts."""
        rows: list[Any] = []
        for page in self._pages(*path):
            paged = {**(params or {}), "page": page, "limit": PAGE}
            document = self._object("GET", *path, params=paged)
            if not isinstance(found := document.get("data"), list):
                raise self._unreadable("GET", *path)
            rows += found
            if not found or page >= _total_pages(document):
                break
        return rows

    def _pages(self, *path: object) -> Iterator[int]:
        yield from range(1, PAGES + 1)
        raise self._transport.unreadable("GET", self._url(*path), f"has more than {PAGES} pages")

    def _graphql(self, query: str, variables: Mapping[str, Any]) -> Any:
        """Return the `data` of a GraphQL response. Errors arrive with status 200."""
        body = {"query": query, "variables": variables}
        document = self._object("POST", "graphql", body=body)
        if errors := document.get("errors"):
            raise graphql_refusal(self._url("graphql"), errors)
        if not isinstance(data := document.get("data"), dict):
            raise self._unreadable("POST", "graphql")
        return data


def _total_pages(document: Mapping[str, Any]) -> int:
    """Return the number of pages; 1 when the document does not count them."""
    match document:
        case {"meta": {"pagination": {"total_pages": int(total)}}}:
            return total
        case _:
            return 1


def graphql_refusal(url: str, errors: Any) -> Rejected:
    """Return what the `errors` of a GraphQL response mean."""
    rows = errors if isinstance(errors, list) else [errors]
    messages = [
        str(row.get("message", row) if isinstance(row, dict) else row)[:500] for row in rows
    ]
    return Rejected(200, messages, "", call_of("POST", url))


# Reading the answer to a code.
_CONTEXT = re.compile(r"stores/[a-z0-9]+")


def read_grant(document: Any) -> TokenGrant | None:
    """Return the grant; None when it is not as documented."""
    match document:
        case {"access_token": str(token), "context": str(context)} if _CONTEXT.fullmatch(context):
            pass
        case _:
            return None
    return TokenGrant(
        access_token=token,
        scope=str(document.get("scope") or ""),
        context=context,
        user=cast(User, document.get("user") or {}),
        owner=cast(User, document.get("owner") or {}),
        account_uuid=str(document.get("account_uuid") or ""),
    )
