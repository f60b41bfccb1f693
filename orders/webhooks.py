"""Receive webhooks: store the event, wake a worker, answer 204.

`sequra_bc.intake` answers most of them in front of Django: those with the right secret of a store
that this process knows. `IntakeMiddleware` answers all others, ahead of Django's other middleware.

Every authentic webhook gets a 2xx, also for stores that are paused or gone and for orders that are
not paid with SeQura, because BigCommerce blocks our whole domain after too many failures. An event
is safe once its INSERT is committed.
https://docs.bigcommerce.com/docs/integrations/webhooks/overview
"""

import hmac
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

import structlog
from django.conf import settings
from django.db import DataError, Error, IntegrityError, connection
from django.db.models import TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from bigcommerce.signatures import HEADERS, InvalidWebhookSignature, is_signed, verify
from orders import inbox
from orders.queue.wakeup import wake_worker
from orders.topics import ORDER_OF, order_id
from stores.encryption import readable
from stores.models import Store
from stores.rate_limit import LIMITS, LocalRateLimit, RateLimited
from transport.reading import read_json, write_json

log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")

PREFIX = "/webhooks/bigcommerce/"
_PATH = re.compile(PREFIX + r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_LARGEST = 64 * 1024
_SCOPE, _HASH = re.compile(r"[a-zA-Z0-9/_-]{1,64}"), re.compile(r"[a-zA-Z0-9_-]{1,64}")
_UNREADABLE = "unreadable"  # in place of an invalid scope
_DEEPEST = 32  # levels of a payload


class Refused(Exception):
    """The HTTP status of a request that is not an authentic webhook."""

    def __init__(self, status: int) -> None:
        self.status = status


@dataclass(frozen=True)
class _Receiver:
    """A store and the secret to compare a webhook with. A new installation has a new secret."""

    pk: int
    hash: str
    secret: bytes
    sealed: str  # the secret as the database holds it
    uninstalled: bool


class _Event(NamedTuple):
    """The content of an authentic webhook."""

    scope: str
    hash: str
    order_id: int | None
    status: Any
    body: str


class IntakeMiddleware:
    """Answer `/webhooks/bigcommerce/<public id>`; pass every other request on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = _PATH.fullmatch(request.path_info)
        if not path:
            return self.get_response(request)
        try:
            _receive(request, path[1].lower())
        except Refused as refusal:
            response = HttpResponse(status=refusal.status)
            if refusal.status == 405:
                response["Allow"] = "POST"
            return response
        return HttpResponse(status=204)


def store_if_known(environ: Mapping[str, Any]) -> bool:
    """Store the webhook of a WSGI environment, together with those that wait at the same moment.

    Return False for a request that `IntakeMiddleware` has to answer: any without the right secret
    of a store that this process knows, and any whose row could not be stored with others. Raise
    Refused for a request that is not an authentic webhook.
    """
    receiver = _known_receiver(environ)
    body = environ.get("wsgi.input")
    if receiver is None or not isinstance(body, io.BytesIO):
        return False
    _check_signature(body.getvalue(), environ)
    event = _coalesced(_read_event(body.getvalue(), receiver), receiver)
    return inbox.store(_row(receiver, event))


def _known_receiver(environ: Mapping[str, Any]) -> "_Receiver | None":
    """Return the store whose secret this POST carries, if this process knows it."""
    if environ.get("REQUEST_METHOD") != "POST":
        return None
    known = _receivers.get(environ["PATH_INFO"].removeprefix(PREFIX).lower())
    return known if known and hmac.compare_digest(known.secret, _secret(environ)) else None


def _secret(environ: Mapping[str, Any]) -> bytes:
    return str(environ.get("HTTP_X_WEBHOOK_SECRET", "")).encode("utf-8", "replace")


def _receive(request: HttpRequest, public_id: str) -> None:
    """Store one webhook event. Raise Refused for a request that is not an authentic webhook."""
    if request.method != "POST":
        raise Refused(405)
    body = _read_body(request)
    secret = _secret(request.META)
    signed = _check_signature(body, request.META)
    if not secret:
        raise Refused(401)
    receiver = _authentic_receiver(public_id, secret, signed=signed)
    if receiver is None:
        return
    event = _coalesced(_read_event(body, receiver), receiver)
    if not _store_event(receiver, event):
        _receivers.pop(public_id, None)
        receiver = _authentic_receiver(public_id, secret, signed=signed)
        if receiver is None or not _store_event(receiver, event):
            return
    wake_worker()


def _read_body(request: HttpRequest) -> bytes:
    """Return the raw body.

    Raise Refused(413) above 64 kB, without reading it if the length is declared.
    """
    value = request.META.get("CONTENT_LENGTH") or "0"
    if not value.isdecimal():
        raise Refused(400)
    if int(value) > _LARGEST:
        raise Refused(413)
    body = request.read(_LARGEST + 1)
    if len(body) > _LARGEST:
        raise Refused(413)
    return body


_SIGNATURE = {f"HTTP_{name.upper().replace('-', '_')}": name for name in HEADERS}


def _check_signature(body: bytes, environ: Mapping[str, Any]) -> bool:
    """Return whether the request is signed. Raise Refused when the signature is wrong.

    BigCommerce does not promise the standard signature on every delivery.
    """
    headers = {name: str(environ[key]) for key, name in _SIGNATURE.items() if key in environ}
    if not is_signed(headers):
        return False
    try:
        verify(body, headers, settings.BIGCOMMERCE_CLIENT_SECRET)
    except InvalidWebhookSignature as error:
        log.warning("webhook_refused", reason=str(error))
        raise Refused(401) from error
    return True


_receivers: dict[str, _Receiver] = {}
_rate_limit = LocalRateLimit()


def _authentic_receiver(public_id: str, secret: bytes, *, signed: bool) -> _Receiver | None:
    """Return the store that this secret belongs to; None when it does not exist or is uninstalled.

    Secrets are cached per process. A secret that does not match is read again before it is refused,
    because stores reinstall the app and secrets are replaced. When no key decrypts a store's
    secret, BigCommerce's signature decides; without one the event is dropped, and
    `orders.drift.reconcile` replays it.
    """
    known = _receivers.get(public_id)
    if known and hmac.compare_digest(known.secret, secret):
        return known
    fresh = _read_receiver(public_id)
    if fresh is None or fresh.uninstalled:
        return None
    if not fresh.secret:
        return fresh if signed else None
    if not hmac.compare_digest(fresh.secret, secret):
        log.warning("webhook_refused", store=fresh.hash, reason="wrong secret")
        raise Refused(401)
    return fresh


def _read_receiver(public_id: str) -> _Receiver | None:
    """Read a store from the database and cache it."""
    _receivers.pop(public_id, None)
    store = _once_more(
        lambda: (
            Store.objects.only("hash", "webhook_secret", "state")
            .annotate(sealed=Cast("webhook_secret", TextField()))
            .filter(public_id=public_id)
            .first()
        )
    )
    if store is None:
        return None
    uninstalled = store.state == Store.State.UNINSTALLED
    secret = readable(store, "webhook_secret").encode()
    receiver = _Receiver(store.pk, store.hash, secret, store.sealed, uninstalled)
    if secret and not uninstalled:
        _receivers[public_id] = receiver
    return receiver


def _read_event(body: bytes, receiver: _Receiver) -> _Event:
    """Return the content of the body. Raise Refused: 400 for no webhook, 401 for another store's.

    Everything authentic is stored. Odd data names no order; an invalid scope is ignored like one
    without a subscription.
    """
    payload = _read_payload(body, receiver)
    if payload.get("producer") != f"stores/{receiver.hash}":
        log.warning("webhook_refused", store=receiver.hash, reason="another producer")
        raise Refused(401 if isinstance(payload.get("producer"), str) else 400)
    scope = payload.get("scope")
    if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
        scope = _UNREADABLE
    number = order_id(scope, payload.get("data"))
    if scope == _UNREADABLE or (scope in ORDER_OF and number is None):
        log.warning("webhook_unreadable", store=receiver.hash, scope=scope)
    data = payload.get("data")
    status = data.get("status") if isinstance(data, dict) else None
    return _Event(scope, _event_hash(payload, body), number, status, write_json(payload).decode())


def _read_payload(body: bytes, receiver: _Receiver) -> dict[str, Any]:
    try:
        payload = read_json(body, _DEEPEST)
    except RecursionError as error:
        # Deeper than the parser goes: only the producer can be read.
        producer = f"stores/{receiver.hash}"
        if f'"{producer}"'.encode() in body:
            return {"producer": producer}
        raise Refused(400) from error
    except ValueError as error:
        raise Refused(400) from error
    if not isinstance(payload, dict):
        raise Refused(400)
    return payload


def _event_hash(payload: dict[str, Any], body: bytes) -> str:
    """Return BigCommerce's hash, equal in repeated deliveries; without one the hash of the body."""
    value = payload.get("hash")
    return value if isinstance(value, str) and _HASH.fullmatch(value) else sha256(body).hexdigest()


def _coalesced(event: _Event, receiver: _Receiver) -> _Event:
    """Above the rate limit, let the events of one order share a row, except for a status change.

    A status that the order has left again is known from its event alone, so each status has a row.
    """
    try:
        _rate_limit.consume(receiver.pk, **LIMITS["webhook"])
    except RateLimited:
        shared = [event.scope, event.order_id, event.status]
        return event._replace(hash=sha256(write_json(shared)).hexdigest())
    return event


def _store_event(receiver: _Receiver, event: _Event) -> bool:
    """Commit one event. Return False when the store no longer has the secret that was compared.

    Raise Refused(503) when the database is down: BigCommerce repeats the delivery.
    """
    columns = inbox.as_columns([_row(receiver, event)])
    try:
        return _once_more(lambda: _execute(columns))
    except DataError as error:
        raise Refused(400) from error
    except IntegrityError:
        return False  # deleted while the row was written


def _row(receiver: _Receiver, event: _Event) -> inbox.Row:
    return inbox.Row(
        receiver.pk, event.scope, event.hash, event.order_id, event.body, receiver.sealed
    )


def _execute(columns: list[list[Any]]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(inbox.INSERT, columns)
        return bool(cursor.rowcount)


def _once_more(work: Callable[[], _Result]) -> _Result:
    """Run a statement.

    Retry once with a new connection, because a kept one may have died; then 503.
    """
    try:
        return work()
    except (DataError, IntegrityError):
        raise
    except Error:
        connection.close()
    try:
        return work()
    except (DataError, IntegrityError):
        raise
    except Error as error:
        connection.close()
        log.exception("webhook_not_stored")
        raise Refused(503) from error
