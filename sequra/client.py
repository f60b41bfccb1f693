"""One method per SeQura endpoint that the app uses. Each may raise Rejected or Unavailable.

https://docs.sequra.com/reference
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import urlsplit
from uuid import UUID

import requests

from sequra.documents import (
    Credentials,
    Deployment,
    PaymentMethod,
    read_deployment,
    read_payment_methods,
    rows,
)
from transport import call
from transport.call import Timeout, Transport, new_session, segment
from transport.reading import clean_text


class Rejected(call.Rejected):
    """SeQura rejected the request. 401 and 403 are `is_unauthorised`."""

    system: ClassVar[str] = "SeQura"


class Unavailable(call.Unavailable):
    """SeQura gave no usable answer. Retry later."""


TIMEOUT: Timeout = (3, 10)
_REPORT_TIMEOUT: Timeout = (3, 60)
_FORM_LIMIT = 1_000_000  # bytes
_NOT_OFFERED = {400, 404, 405, 406, 410, 501}  # of an address that is not documented
_JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}

_Read = TypeVar("_Read")


def deployments(
    url: str, *, session: requests.Session | None = None, timeout: Timeout = TIMEOUT
) -> list[Deployment]:
    """Return SeQura's deployments, the source of every SeQura URL. Needs no account."""
    transport = Transport(Rejected, Unavailable, timeout, session or new_session())
    document = transport.json("GET", url, headers=_JSON_HEADERS)
    return _shaped(
        transport,
        "GET",
        url,
        lambda: [read_deployment(deployment) for deployment in rows(document)],
    )


def _shaped(transport: Transport, method: str, url: str, read: Callable[[], _Read]) -> _Read:
    """Return what `read` makes of a reply. Raise Unavailable when the reply has another shape."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise transport.unreadable(
            method, url, f"has not the documented shape ({error})"
        ) from error


class Sequra:
    """One SeQura account on one deployment, whose URL is `api_url`."""

    def __init__(
        self,
        api_url: str,
        username: str,
        password: str,
        *,
        session: requests.Session | None = None,
        timeout: Timeout = TIMEOUT,
    ) -> None:
        self._base = api_url.rstrip("/")
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._headers = {**_JSON_HEADERS, "Authorization": f"Basic {pair}"}
        self._transport = Transport(Rejected, Unavailable, timeout, session or new_session())

    # The account ----------------------------------------------------------------------------

    def credentials(self) -> list[Credentials]:
        """Return the merchant ids of this account: one per country."""
        url = self._url("merchants", "credentials")
        document = self._transport.json("GET", url, headers=self._headers)
        found = _shaped(self._transport, "GET", url, lambda: rows(document))
        return cast(list[Credentials], found)

    def is_about_us(self, refusal: Rejected, merchant: str) -> bool:
        """Return whether SeQura rejects our account, or this merchant id of it.

        A 403 may be about one order alone: then the account still has the merchant id.
        """
        if refusal.status != 403:
            return refusal.is_unauthorised
        try:
            return merchant not in [known["ref"] for known in self.credentials()]
        except Rejected as other:
            return other.is_unauthorised

    def payment_methods(self, merchant: str) -> list[PaymentMethod]:
        """Return what the merchant may sell, whatever the cart."""
        return self._payment_methods(merchant, "merchants", merchant, "payment_methods")

    # An order before it is one --------------------------------------------------------------

    def solicit(
        self, merchant: str, order: Mapping[str, Any], *, timeout: Timeout | None = None
    ) -> UUID:
        """Start an order and return SeQura's reference. Each call starts another one."""
        url = self._url("orders")
        reply = self._transport.send(
            "POST", url, headers=self._for(merchant), body={"order": order}, timeout=timeout
        )
        try:
            return UUID(urlsplit(reply.headers.get("Location", "")).path.rpartition("/")[2])
        except ValueError as error:
            raise self._transport.unreadable("POST", url, "names no order") from error

    def order_payment_methods(
        self, merchant: str, reference: UUID | str, *, timeout: Timeout | None = None
    ) -> list[PaymentMethod]:
        """Return how this cart can be paid, and at what cost."""
        return self._payment_methods(
            merchant, "orders", reference, "payment_methods", timeout=timeout
        )

    def form(
        self,
        merchant: str,
        reference: UUID | str,
        product: str,
        campaign: str | None = None,
        *,
        timeout: Timeout | None = None,
    ) -> str:
        """Return the identification form's HTML. It is valid for one showing: never store it."""
        url = self._url("orders", reference, "form_v2")
        asked = {"product": product, "campaign": campaign or "", "ajax": "1"}
        reply = self._transport.send(
            "GET",
            url,
            headers={**self._for(merchant), "Accept": "text/html"},
            params={key: value for key, value in asked.items() if value},
            timeout=timeout,
            limit=_FORM_LIMIT,
        )
        if reply.content_type != "text/html":
            raise self._transport.unreadable(
                "GET", url, f"is {reply.content_type or 'untyped'}, no HTML"
            )
        return reply.body.decode("utf-8", "replace")

    # An order -------------------------------------------------------------------------------

    def put_order(
        self,
        merchant: str,
        reference: UUID | str,
        order: Mapping[str, Any],
        *,
        timeout: Timeout | None = None,
    ) -> None:
        """Confirm or hold the order, or send its merchant reference; `order` holds `state`.

        SeQura answers 409 when the cart is not the one that was solicited.
        """
        self._send("PUT", merchant, "orders", reference, body={"order": order}, timeout=timeout)

    def update_order(
        self,
        merchant: str,
        order_ref_1: str,
        update: Mapping[str, Any],
        *,
        timeout: Timeout | None = None,
    ) -> None:
        """Send the full statement of a confirmed order: both carts, addresses, customer."""
        path = ("merchants", merchant, "orders", order_ref_1)
        self._send("PUT", merchant, *path, body={"order": update}, timeout=timeout)

    def order_state(
        self, merchant: str, reference: UUID | str, *, timeout: Timeout | None = None
    ) -> str:
        """Return the state that SeQura gives an order now; empty where it gives none.

        Not documented: SeQura may answer 404 or 405, or with a document of another shape.
        """
        url = self._url("orders", reference)
        headers = {**self._for(merchant), "Accept": "application/json"}
        try:
            document = self._transport.json("GET", url, headers=headers, timeout=timeout)
        except Rejected as refusal:
            if refusal.status in _NOT_OFFERED:
                return ""
            raise
        order = document.get("order", document) if isinstance(document, dict) else {}
        state = order.get("state") or order.get("status") if isinstance(order, dict) else ""
        return clean_text(state)[:64] if isinstance(state, str) else ""

    def send_delivery_report(
        self, merchant: str, report: Mapping[str, Any], *, timeout: Timeout = _REPORT_TIMEOUT
    ) -> None:
        """Send shipped orders and the shop's statistics: thousands at a time."""
        body = {"delivery_report": report}
        path = ("orders", "delivery_reports")
        self._send("POST", merchant, *path, body=body, timeout=timeout)

    # How ------------------------------------------------------------------------------------

    def _url(self, *path: object) -> str:
        """Return the URL of `path`. Raise Rejected(404) for what cannot be an id."""
        try:
            return "/".join([self._base, *(segment(part) for part in path)])
        except ValueError as error:
            raise Rejected(404, [str(error)]) from error

    def _for(self, merchant: str) -> dict[str, str]:
        return {**self._headers, "Sequra-Merchant-Id": merchant}

    def _send(
        self, method: str, merchant: str, *path: object, body: Any, timeout: Timeout | None = None
    ) -> None:
        """Send a request. Any 2xx is a success, whatever it holds."""
        headers = self._for(merchant)
        self._transport.send(method, self._url(*path), headers=headers, body=body, timeout=timeout)

    def _payment_methods(
        self, merchant: str, *path: object, timeout: Timeout | None = None
    ) -> list[PaymentMethod]:
        url = self._url(*path)
        document = self._transport.json("GET", url, headers=self._for(merchant), timeout=timeout)
        return _shaped(self._transport, "GET", url, lambda: read_payment_methods(document))
