"""The `signed_payload_jwt` with which BigCommerce calls /load, /uninstall and /remove_user.

https://developer.bigcommerce.com/docs/integrations/apps/guide/callbacks
"""

import re
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
