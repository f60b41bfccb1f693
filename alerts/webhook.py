"""A store's webhook: an alert as a signed request, as https://www.standardwebhooks.com has it.

A request is signed when it is sent, so that its time is that of the attempt; its id stays.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import requests
from django.utils import timezone, translation

from alerts.compose import name_of, open_concerns, subject
from alerts.models import Delivery
from stores.models import Store
from stores.storefronts import app_link, language_of, time_zone_of
from transport import call, outside
from transport.reading import write_json

_BOTH_SECRETS_FOR = timedelta(days=1)  # after one was replaced
_TIMEOUT = (3.0, 4.0)  # seconds to connect, to answer
_LIMIT = 65_536  # bytes of an answer, which nobody reads
_GONE = 410  # the receiver wants no more of it


class _Rejected(call.Rejected):
    system: ClassVar[str] = "The webhook"


class _Unavailable(call.Unavailable):
    system: ClassVar[str] = "The webhook"


@dataclass(frozen=True)
class Request:
    """One delivery, ready to be sent without the database."""

    delivery: Delivery
    url: str
    headers: Mapping[str, str]
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What became of a request: `sent`, `refused` for good, or `later`; and why not."""

    outcome: str
    failure: str = ""


def compose(delivery: Delivery) -> Request | None:
    """Return the request; None where nothing that it was written about is open any more."""
    store, now = delivery.store, timezone.now()
    with translation.override(language_of(store.language)), timezone.override(time_zone_of(store)):
        data = {} if delivery.kind == Delivery.TEST else _data(delivery)
    if data is None or not store.alert_webhook or not store.alert_secrets:
        return None
    document = {
        "type": f"alert.{delivery.kind}",
        "timestamp": now.isoformat(timespec="seconds"),
        "data": {"store": {"hash": store.hash, "name": name_of(store)}, **data},
    }
    key, moment = f"msg_{delivery.key.hex}", str(int(now.timestamp()))
    body = write_json(document)
    signatures = [_signature(secret, key, moment, body) for secret in _secrets(store)]
    headers = {
        # Minutes pass until the next one: a connection that was kept would be broken by then.
        "Connection": "close",
        "webhook-id": key,
        "webhook-timestamp": moment,
        "webhook-signature": " ".join(signatures),
    }
    return Request(delivery, store.alert_webhook, headers, document)


def _data(delivery: Delivery) -> dict[str, Any] | None:
    found = open_concerns(delivery.store, delivery.alerts)
    if not found:
        return None
    return {
        "title": subject(delivery.kind, found),
        "link": app_link(delivery.store),
        "items": [
            {
                "order_id": one.order,
                "title": one.title,
                "what": one.what,
                "todo": one.todo,
                "link": one.link or None,
            }
            for one in found
        ],
    }


def _secrets(store: Store) -> list[str]:
    """Return the secret; for a day after it was replaced, the one before, too."""
    newest, *before = store.alert_secrets.split()
    changed = store.alert_secrets_at
    is_new = changed is not None and timezone.now() - changed < _BOTH_SECRETS_FOR
    return [newest, *(before if is_new else [])]


def _signature(secret: str, key: str, moment: str, body: bytes) -> str:
    """Return `v1,` and the HMAC of id, time and body in Base64."""
    signed = b".".join([key.encode(), moment.encode(), body])
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def send(session: requests.Session, request: Request) -> Answer:
    """Send a request to the address that the merchant entered. It is a stranger's."""
    if outside.problem_of(request.url):  # the rules may have become stricter since it was saved
        return Answer("refused", "not_allowed")
    transport = call.Transport(_Rejected, _Unavailable, _TIMEOUT, session)
    try:
        transport.send(
            "POST", request.url, headers=request.headers, body=request.document, limit=_LIMIT
        )
    except _Rejected as refusal:
        outcome = "refused" if refusal.status == _GONE else "later"
        return Answer(outcome, f"HTTP {refusal.status}")
    except _Unavailable as failure:
        status = re.search(r" \(?([3-5]\d\d)\b", failure.reason.partition(": POST")[0])
        code = "no_answer" if failure.maybe_done else "unreachable"
        return Answer("later", f"HTTP {status[1]}" if status else code)
    return Answer("sent")


def new_session() -> requests.Session:
    """Return a session for requests to all stores' webhooks; it carries no credentials."""
    return outside.new_session()
