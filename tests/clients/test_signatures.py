"""Webhooks by the Standard Webhooks scheme; the signature SeQura echoes."""

import base64
import hmac

import pytest

from bigcommerce.signatures import InvalidWebhookSignature, is_signed, verify
from payments.notifications import _signature_matches
from stores.models import new_secret

SECRET = "bc_client_secret_for_tests"
BODY = (
    b'{"scope":"store/order/updated","store_id":"1025646","data":{"type":"order","id":250},'
    b'"hash":"352e4afc6dd3fc85ea26bfdf3f91852604d57528","created_at":1561482670,'
    b'"producer":"stores/abc123"}'
)
# Made with the reference library of the Standard Webhooks specification.
KNOWN = "v1,JivUP62LV4sbhlBTMVsRg130tBBeUmcKY5t9bKGSCA0="
HEADERS = {
    "webhook-id": "msg_test_1",
    "webhook-timestamp": "1700000000",
    "webhook-signature": KNOWN,
}


def sign(identity: str, timestamp: str, body: bytes, secret: str) -> str:
    """Sign as the specification says it: https://www.standardwebhooks.com."""
    made = hmac.digest(secret.encode(), f"{identity}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(made).decode()}"


def test_known_answer_is_ours_and_years_old() -> None:
    assert sign("msg_test_1", "1700000000", BODY, SECRET) == KNOWN
    verify(BODY, HEADERS, SECRET)


def test_header_names_may_be_in_any_case() -> None:
    verify(BODY, {name.title(): value for name, value in HEADERS.items()}, SECRET)


@pytest.mark.parametrize(
    "value",
    [f"v1,AAAA {KNOWN}", f"v1a,xyz {KNOWN} v1,AAAA", f"  {KNOWN}  ", f"v2,{KNOWN[3:]} {KNOWN}"],
)
def test_one_good_signature_among_others_is_enough(value: str) -> None:
    verify(BODY, HEADERS | {"webhook-signature": value}, SECRET)


@pytest.mark.parametrize(
    "value",
    [
        "", " ", ",", "v1", "v1,", "v1,,", f"v1,{KNOWN}", KNOWN[3:], f"v2,{KNOWN[3:]}",
        KNOWN[:-4], f"{KNOWN}=", f"{KNOWN},x", f"v1,x,{KNOWN[3:]}", f"{KNOWN},{KNOWN}",
        "v1,é", "v1,\ud800", "v1,\x00", "v1,not base64!", KNOWN.replace("v1", "V1"), KNOWN.lower(),
        "v1,AAAA " * 10_000,
        " ".join(["v1,AAAA"] * 100 + [KNOWN]),
    ],
)  # fmt: skip
def test_odd_signature_is_refused_and_nothing_else(value: str) -> None:
    with pytest.raises(InvalidWebhookSignature):
        verify(BODY, HEADERS | {"webhook-signature": value}, SECRET)


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_is_needed(name: str) -> None:
    rest = {key: value for key, value in HEADERS.items() if key != name}
    assert is_signed(rest)
    with pytest.raises(InvalidWebhookSignature, match=name):
        verify(BODY, rest, SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg_test_2"}, {"webhook-id": ""}, {"webhook-id": "\ud800"},
        {"webhook-timestamp": "1700000001"}, {"webhook-timestamp": ""},
        {"webhook-timestamp": "١٧٠٠"}, {"webhook-timestamp": "-1"}, {"webhook-timestamp": "soon"},
    ],
)  # fmt: skip
def test_every_signed_part_counts(changes: dict[str, str]) -> None:
    with pytest.raises(InvalidWebhookSignature):
        verify(BODY, HEADERS | changes, SECRET)


@pytest.mark.parametrize("body", [BODY + b" ", b"", b"\xff\xfe\x00", BODY.replace(b"250", b"251")])
def test_another_body_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidWebhookSignature):
        verify(body, HEADERS, SECRET)


def test_body_need_not_be_text() -> None:
    body = b"\xff\xfe\x00"
    signature = sign("id", "1700000000", body, SECRET)
    verify(body, HEADERS | {"webhook-id": "id", "webhook-signature": signature}, SECRET)


def test_another_secret_is_refused() -> None:
    with pytest.raises(InvalidWebhookSignature):
        verify(BODY, HEADERS, base64.b64encode(SECRET.encode()).decode())


def test_webhook_without_the_headers_is_not_signed() -> None:
    assert not is_signed({"X-Webhook-Secret": "s", "Webhook": "x"})


def test_all_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    original = hmac.compare_digest

    def compare(ours: bytes, theirs: bytes) -> bool:
        compared.append(theirs)
        return original(ours, theirs)

    monkeypatch.setattr("hmac.compare_digest", compare)
    verify(BODY, HEADERS | {"webhook-signature": f"{KNOWN} v1,AAAA"}, SECRET)
    assert compared == [base64.b64decode(KNOWN[3:]), b"\x00\x00\x00"]


def test_echoed_signature_matches_itself_alone() -> None:
    stored = new_secret()
    assert _signature_matches(stored, stored)
    for echoed in (
        stored.upper(),
        stored[:-1],
        f"{stored} ",
        new_secret(),
        "",
        None,
        "é",
        "\ud800",
    ):
        assert not _signature_matches(stored, echoed)


@pytest.mark.parametrize("echoed", ["", None, "x"])
def test_empty_stored_signature_matches_nothing(echoed: str | None) -> None:
    assert not _signature_matches("", echoed)
