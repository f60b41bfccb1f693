"""The signature of a webhook, by the Standard Webhooks scheme with the app's client secret.

The age is not checked: BigCommerce repeats a webhook for 48 hours, and whether its timestamp is
then that of the event or of the attempt is not documented. A webhook is only a pointer, so a
replayed one causes one more reading of an order.
https://developer.bigcommerce.com/docs/integrations/webhooks/https-webhook-overview
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping

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
