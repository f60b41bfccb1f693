"""What BigCommerce signs: the payload of its callbacks, and its webhooks.

`signed_payload_jwt` comes with /load, /uninstall and /remove_user.
https://developer.bigcommerce.com/docs/integrations/apps/guide/callbacks

A webhook is signed by the Standard Webhooks scheme with the app's client secret. Its age is not
checked: BigCommerce repeats a webhook for 48 hours, and whether its timestamp is then that of the
event or of the attempt is not documented. A webhook is only a pointer, so a replayed one causes one
more reading of an order.
https://developer.bigcommerce.com/docs/integrations/webhooks/https-webhook-overview
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from transport.reading import clean_text

_LEEWAY = 60  # seconds a clock may be wrong
_LONGEST = 8_192  # characters
_REQUIRED = ["aud", "exp", "iat", "iss", "nbf", "sub", "user"]
_SUBJECT = re.compile(r"stores/([a-z0-9]+)")


class InvalidSignedPayload(Exception):
    """Not signed by BigCommerce, not for this app, or not valid now. The message is for the log."""


@dataclass(frozen=True)
class _PayloadUser:
    id: int
    email: str
    locale: str  # BCP 47, "" for the owner


@dataclass(frozen=True)
class SignedPayload:
    """The user who opened the app, the store, and the page of the control panel."""

    store_hash: str
    user: _PayloadUser
    owner: _PayloadUser | None
    url: str  # "/", or an app extension's address: not to be trusted as a redirect
    channel_id: int | None
    jti: str
    issued_at: datetime
    expires_at: datetime

    @property
    def is_owner(self) -> bool:
        return self.owner is not None and self.owner.id == self.user.id


def read_signed_payload(token: str, *, client_id: str, client_secret: str) -> SignedPayload:
    """Return the payload.

    Raise InvalidSignedPayload if BigCommerce did not sign it for this app.
    """
    if len(token) > _LONGEST:
        raise InvalidSignedPayload("longer than any signed payload")
    try:
        return _typed(_verified(token, client_id, client_secret))
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidSignedPayload(f"{type(error).__name__}: {error}") from error


def _verified(token: str, client_id: str, client_secret: str) -> dict[str, Any]:
    """Return the claims when signature, audience, issuer and times are valid."""
    return jwt.decode(
        token,
        client_secret,
        algorithms=["HS256"],
        audience=client_id,
        issuer="bc",
        leeway=_LEEWAY,
        options={"require": _REQUIRED, "strict_aud": True},
    )


def _typed(claims: dict[str, Any]) -> SignedPayload:
    """Return the payload. Raise ValueError or TypeError when a claim is not as documented."""
    subject = _SUBJECT.fullmatch(claims["sub"])
    if subject is None:
        raise ValueError("sub names no store")
    channel_id, url = claims.get("channel_id"), claims.get("url", "/")
    if not isinstance(url, str) or not isinstance(channel_id, int | None):
        raise TypeError("url or channel_id has another type")
    return SignedPayload(
        store_hash=subject[1],
        user=_user(claims["user"]),
        owner=_user(claims["owner"]) if claims.get("owner") else None,
        url=clean_text(url),
        channel_id=channel_id,
        jti=_text(claims.get("jti")),
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def _user(claim: Any) -> _PayloadUser:
    match claim:
        case {"id": int(number), **rest} if not isinstance(number, bool) and -1 < number < 2**63:
            return _PayloadUser(number, _text(rest.get("email")), _text(rest.get("locale")))
        case _:
            raise TypeError("a user has no id")


def _text(claim: Any) -> str:
    return clean_text("" if claim is None else str(claim))


HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_MOST = 16  # signatures in one header: more than one only while a secret is being changed


class InvalidWebhookSignature(Exception):
    """The signature is missing, malformed or wrong. The message names which, for the log."""


def is_signed(headers: Mapping[str, str]) -> bool:
    """Return whether the webhook claims a signature. Then it has to verify."""
    given = _lower(headers)
    return any(name in given for name in HEADERS)


def verify(body: bytes, headers: Mapping[str, str], client_secret: str) -> None:
    """Return if one of the signatures is valid. Raise InvalidWebhookSignature otherwise."""
    given = _lower(headers)
    try:
        identity, timestamp, signatures = (given[name] for name in HEADERS)
    except KeyError as missing:
        raise InvalidWebhookSignature(f"no {missing} header") from missing
    if not identity or not (timestamp.isascii() and timestamp.isdigit()):
        raise InvalidWebhookSignature("malformed webhook-id or webhook-timestamp")
    expected = _digest(identity, timestamp, body, client_secret)
    matches = [hmac.compare_digest(expected, signature) for signature in _decoded(signatures)]
    if not any(matches):
        raise InvalidWebhookSignature("no signature is ours")


def _digest(identity: str, timestamp: str, body: bytes, client_secret: str) -> bytes:
    message = f"{identity}.{timestamp}.".encode("utf-8", "surrogatepass") + body
    return hmac.digest(client_secret.encode(), message, hashlib.sha256)


def _decoded(signatures: str) -> Iterator[bytes]:
    """Yield the v1 signatures of a header such as "v1,abc= v1a,def= v1,ghi="; skip invalid ones."""
    for signature in signatures.split()[:_MOST]:
        version, comma, value = signature.partition(",")
        if version == "v1" and comma:
            try:
                yield base64.b64decode(value.encode("ascii"), validate=True)
            except (binascii.Error, UnicodeError):
                continue


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
