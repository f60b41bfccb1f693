"""Only BigCommerce's own word, for this app and for now, opens a store."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bigcommerce.signatures import (
    InvalidSignedPayload,
    SignedPayload,
    _PayloadUser,
    read_signed_payload,
)

CLIENT = "client-id-for-tests"
SECRET = "a-client-secret-for-tests-which-is-long-enough-for-sha256"


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "aud": CLIENT,
        "iss": "bc",
        "iat": now,
        "nbf": now - 5,
        "exp": now + 86400,
        "jti": "c5f0bcf5-a504-4ae6-8dcc-0e40eaa5a070",
        "sub": "stores/abc123",
        "user": {"id": 9876543, "email": "ana@example.es", "locale": "es-ES"},
        "owner": {"id": 7654321, "email": "eva@example.es"},
        "url": "/orders/250/sequra",
        "channel_id": None,
    } | changes


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in claims().items() if key != name}


def signed(document: dict[str, Any], secret: str = SECRET) -> str:
    return jwt.encode(document, secret, "HS256")


def part(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def by_hand(header: Any, document: Any, key: bytes, digest: Any = hashlib.sha256) -> str:
    """A token as an attacker makes it, whatever the library would refuse to make."""
    message = f"{part(header)}.{part(document)}"
    mac = hmac.new(key, message.encode(), digest).digest()
    return f"{message}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def read(token: str) -> SignedPayload:
    return read_signed_payload(token, client_id=CLIENT, client_secret=SECRET)


def test_payload_is_typed() -> None:
    document = claims(channel_id=3)
    payload = read(signed(document))
    assert payload.store_hash == "abc123"
    assert payload.user == _PayloadUser(9876543, "ana@example.es", "es-ES")
    assert payload.owner == _PayloadUser(7654321, "eva@example.es", "")
    assert (payload.url, payload.channel_id) == ("/orders/250/sequra", 3)
    assert payload.jti == "c5f0bcf5-a504-4ae6-8dcc-0e40eaa5a070"
    assert payload.issued_at.timestamp() == document["iat"]
    assert payload.expires_at.timestamp() == document["exp"]
    assert not payload.is_owner
    assert read(signed(claims(user=claims()["owner"]))).is_owner


@pytest.mark.parametrize("name", ["owner", "url", "channel_id", "jti"])
def test_claims_we_can_live_without(name: str) -> None:
    assert read(signed(without(name))).store_hash == "abc123"


@pytest.mark.parametrize("changes", [{"exp": -30}, {"nbf": 30}, {"iat": 30}])
def test_clocks_may_differ_by_a_minute(changes: dict[str, int]) -> None:
    now = int(time.time())
    document = claims(**{name: now + shift for name, shift in changes.items()})
    assert read(signed(document)).store_hash == "abc123"


@pytest.mark.parametrize("name", ["aud", "exp", "iat", "iss", "nbf", "sub", "user"])
def test_each_required_claim_is_required(name: str) -> None:
    with pytest.raises(InvalidSignedPayload):
        read(signed(without(name)))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-app"},
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "another-app"]},
        {"iss": "evil"},
        {"iss": ["bc"]},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": 10**30},
        {"exp": None},
        {"nbf": 9_999_999_999},
        {"iat": 9_999_999_999},
        {"iat": True, "nbf": None},
        {"sub": "stores/"},
        {"sub": "stores/ABC"},
        {"sub": "stores/abc123\n"},
        {"sub": "stores/abc123/../x"},
        {"sub": "abc123"},
        {"sub": 5},
        {"user": None},
        {"user": {}},
        {"user": {"id": "5"}},
        {"user": {"id": True}},
        {"owner": "eva"},
        {"url": 5},
        {"channel_id": "1"},
    ],
    ids=repr,
)
def test_odd_claims_are_refused_though_signed(changes: dict[str, Any]) -> None:
    document = {**claims(), **changes}
    with pytest.raises(InvalidSignedPayload):
        read(by_hand({"alg": "HS256", "typ": "JWT"}, document, SECRET.encode()))


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
GOOD = signed(claims())
GOOD_PARTS = GOOD.split(".")
CRAFTED = {
    "none": f"{part({'alg': 'none'})}.{part(claims())}.",
    "None": f"{part({'alg': 'None'})}.{part(claims())}.",
    "none with the good signature": f"{part({'alg': 'none'})}.{GOOD.split('.', 1)[1]}",
    "no algorithm": by_hand({"typ": "JWT"}, claims(), SECRET.encode()),
    "HS512": by_hand({"alg": "HS512"}, claims(), SECRET.encode(), hashlib.sha512),
    "HS384": by_hand({"alg": "HS384"}, claims(), SECRET.encode(), hashlib.sha384),
    "hs256": by_hand({"alg": "hs256"}, claims(), SECRET.encode()),
    "RS256": jwt.encode(claims(), KEY, "RS256"),
    "RS256 for its public key": by_hand({"alg": "RS256"}, claims(), PEM),
    "public key as secret": by_hand({"alg": "HS256"}, claims(), PEM),
    "empty secret": by_hand({"alg": "HS256"}, claims(), b""),
    "client id as secret": signed(claims(), CLIENT * 3),
    "key in the header": by_hand(
        {"alg": "HS256", "jwk": {"kty": "oct", "k": "YQ"}, "kid": "/dev/null"}, claims(), b"a"
    ),
    "critical extension": by_hand(
        {"alg": "HS256", "crit": ["b64"], "b64": False}, claims(), SECRET.encode()
    ),
    "another store's payload": ".".join(
        [GOOD_PARTS[0], part(claims(sub="stores/xyz")), GOOD_PARTS[2]]
    ),
    "no signature": GOOD.rpartition(".")[0] + ".",
    "two parts": GOOD.rpartition(".")[0],
    "four parts": f"{GOOD}.x",
    "truncated": GOOD[:-4],
    "header list": by_hand(["HS256"], claims(), SECRET.encode()),
    "payload list": by_hand({"alg": "HS256"}, [claims()], SECRET.encode()),
    "deep payload": f"{part({'alg': 'HS256'})}.{'W1tb' * 1500}.AAAA",
    "empty": "",
    "nonsense": "\ud800é.\x00.$",
    "very long": GOOD + "A" * 100_000,
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_token_is_refused(name: str) -> None:
    with pytest.raises(InvalidSignedPayload):
        read(CRAFTED[name])


def test_token_of_another_secret_is_refused() -> None:
    with pytest.raises(InvalidSignedPayload):
        read(signed(claims(), SECRET + "x"))
