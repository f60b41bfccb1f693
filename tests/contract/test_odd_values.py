"""Values that no form sends, at every address: a clear answer below 500, whoever sends them."""

import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import requests
from django.test import Client

from orders.models import WebhookEvent
from panel.session import _csrf_token
from payments.models import Solicitation
from stores.models import Connection, Merchant, Store
from tests.contract.test_urls import (
    LISTED,
    PANEL,
    PUBLIC,
    UUID,
    entry,
    filled,
    store_with_session,
)
from tests.payments.conftest import MakeSolicitation, make_solicitation, merchant, store
from transaction_log.models import Entry

__all__ = ["make_solicitation", "merchant", "store"]
pytestmark = pytest.mark.django_db

DIGITS = "9" * 5000
JSON_VALUES = [
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "NaN",
    "-Infinity",
    DIGITS,
    f"-{DIGITS}",
    f'"{DIGITS}"',
    '""',
    '" "',
    '"\\u0000"',
    '"\\ud800"',
    '"\\udc00x"',
    '"\\u202e"',
    '"٣"',
    '"1_0"',
    "[]",
    "{}",
    '{"id": 0}',
    '{"\\u0000": 1}',
    '{"\\ud800": "\\ud800"}',
    "[" * 900 + "]" * 900,
    "[" * 20_000 + "]" * 20_000,
    f'"{"a" * 5000}"',
]
TEXTS = [
    "\0",
    "a\0b",
    " ",
    "\u202e",
    "a\nb\r",
    "%00",
    "%",
    "٣",
    "-1",
    "0",
    "1_0",
    "1e400",
    "NaN",
    DIGITS,
    "9" * 19,
    "9" * 25,
    "[" * 3000,
    "'; --",
    "🙂",
    "\ufeff",
    "../..",
    "x" * 9000,
]
RAW = ["%ff%fe", "%ed%a0%bd", "%c0%80", "%00", "%%%", "%u0000"]
NAMES = [
    "checkout_id",
    "store_credit_applied",
    "outstanding_balance",
    "layout",
    "locale",
    "solicitation",
    "product",
    "campaign",
    "terms_accepted",
    "message",
    "where",
    "code",
    "context",
    "scope",
    "signed_payload_jwt",
    "q",
    "done",
    "check",
    "merchant",
    "country",
    "page",
    "query",
    "before",
    "after",
    "since",
    "until",
    "outcome",
    "event",
    "amount",
    "currency",
    "ip",
    "products",
    "digital",
    "days",
    "reason",
    "hour",
    "enabled",
    "environment",
    "allowed_ips",
    "approved",
    "needs_review",
    "cancelled",
    "shipped",
    "kind",
    "id",
    "ids",
    "name",
    "path",
    "theirs",
    "ES",
    "order",
    "order_id",
]
CHARSETS = ["zlib", "bz2", "hex", "rot13", "idna", "undefined", "utf-7", "utf-16", "none", "\x01"]
STORE_FIELDS = {"public_id": UUID}


def broken(answers: Iterator[tuple[object, int]]) -> list[tuple[object, int]]:
    return [(what, status) for what, status in answers if status >= 500]


def asked(name: str) -> set[str]:
    """How an address is asked here; not the page that first reads SeQura's deployments, which are
    not there: its 503 is right."""
    return set() if name == "connection" else set(methods(name).split())


@pytest.fixture
def session() -> str:
    Store.objects.create(hash="shop", **STORE_FIELDS)
    own, session = store_with_session("abc123")
    Entry.objects.create(pk=1, **entry(own))
    return session


def methods(name: str) -> str:
    return (PUBLIC | PANEL)[name]


def client(session: str) -> Client:
    headers = {"User-Agent": "Mozilla/5.0", "X-CSRF-Token": _csrf_token(session)}
    return Client(raise_request_exception=False, headers=headers)


@pytest.mark.parametrize(("route", "name"), LISTED)
def test_odd_queries_never_break(session: str, route: str, name: str) -> None:
    if "GET" not in asked(name):
        return
    browser, path = client(session), filled(route, session)
    queries = [urlencode(dict.fromkeys(NAMES, text), errors="replace") for text in TEXTS]
    queries += ["&".join(f"{one}={raw}" for one in NAMES) for raw in RAW]
    queries += [f"{quote(chr(0))}=1", "=&=&&", "a" * 9000]

    def answers() -> Iterator[tuple[object, int]]:
        for query in queries:
            response = browser.get(f"{path}?{query}")
            yield query[:60], response.status_code

    assert broken(answers()) == []


@pytest.mark.parametrize(("route", "name"), LISTED)
def test_odd_forms_never_break(session: str, route: str, name: str) -> None:
    if "POST" not in asked(name):
        return
    browser, path = client(session), filled(route, session)
    bodies = [urlencode(dict.fromkeys(NAMES, text)) for text in TEXTS if len(text) < 1000]
    bodies += ["&".join(f"{one}={raw}" for one in NAMES) for raw in RAW]
    bodies += ["\0", "&" * 3000, "csrf=" + "%00" * 50]

    form = "application/x-www-form-urlencoded"
    # Only a form's body is read as one: of the other kinds a few bodies say it all.
    typed = [(body, form) for body in bodies]
    typed += [(body, kind) for kind in ("text/plain", "nonsense", "") for body in bodies[::9]]

    def answers() -> Iterator[tuple[object, int]]:
        for body, kind in typed:
            response = browser.generic("POST", path, body.encode(), content_type=kind)
            yield (body[:60], kind), response.status_code

    assert broken(answers()) == []


@pytest.mark.parametrize(("route", "name"), LISTED)
def test_odd_charsets_and_encodings_are_the_senders_mistake(
    session: str, route: str, name: str
) -> None:
    if "POST" not in asked(name):
        return
    browser, path = client(session), filled(route, session)
    part = b'--b\r\nContent-Disposition: form-data; name="order_ref"\r\n\r\nx\r\n--b--\r\n'
    kinds = ("multipart/form-data; boundary=b", "application/x-www-form-urlencoded")

    for charset in CHARSETS:
        for kind in (*kinds, "application/json"):
            typed = f"{kind}; charset={charset}"
            response = browser.generic("POST", path, part, content_type=typed)
            assert 400 <= response.status_code < 500, (typed, response.status_code)
    for encoding in ("gzip", "br", "nonsense", "\x01"):
        response = browser.generic(
            "POST",
            path,
            b"\x1f\x8b\x08",
            "application/json",
            headers={"Content-Encoding": encoding},
        )
        assert response.status_code < 500, encoding


STOREFRONT = ("storefront_payment_methods", "storefront_form", "storefront_errors")
USUAL: dict[str, dict[str, Any]] = {
    "storefront_payment_methods": {"checkout_id": "not-a-checkout!"},
    "storefront_form": {"solicitation": UUID, "product": "pp3"},
    "storefront_errors": {"message": "x"},
}


@pytest.mark.parametrize(("route", "name"), [one for one in LISTED if one[1] in STOREFRONT])
def test_odd_json_never_breaks_the_storefront(session: str, route: str, name: str) -> None:
    browser, path = client(session), filled(route)
    bodies = [value.encode() for value in JSON_VALUES]
    for field in NAMES[: NAMES.index("code")]:
        others = json.dumps({key: one for key, one in USUAL[name].items() if key != field})[1:-1]
        comma = ", " if others else ""
        bodies += [f'{{"{field}": {value}{comma}{others}}}'.encode() for value in JSON_VALUES]
    bodies += [b'{"message": "\xff"}', b"\xff\xfe", b"\xef\xbb\xbf{}", b""]

    def answers() -> Iterator[tuple[object, int]]:
        for body in bodies:
            response = browser.generic("POST", path, body, content_type="application/json")
            yield body[:80], response.status_code

    assert broken(answers()) == []


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_authentic_messages_of_sequra_never_break(
    make_solicitation: MakeSolicitation, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused already: nothing is asked of the other systems."""
    found = make_solicitation(phase="refused", refusal="cart_changed")
    usual = {
        "order_ref": str(found.reference),
        "signature": found.signature,
        "m_signature": found.signature,
        "sq_state": "approved",
        "product_code": "pp3",
        "event": "risk_assessment",
        "risk_level": "low_risk",
    }
    fields = [
        "sq_state",
        "product_code",
        "event",
        "risk_level",
        "email",
        "customer_email",
        "given_names",
        "delivery_address[city]",
        "customer[surnames]",
        "phone",
        text.replace("\0", "") or "x",
    ]

    def answers() -> Iterator[tuple[object, int]]:
        for field in fields:
            for kind in ("notification", "event"):
                response = Client(raise_request_exception=False).post(
                    f"/sequra/{kind}/{found.token}",
                    urlencode({**usual, field: text}),
                    "application/x-www-form-urlencoded",
                )
                yield (field, kind), response.status_code

    assert [one for one in broken(answers()) if one[1] not in (501, 503)] == []
    assert Solicitation.objects.get().risk_level in ("", "low_risk")
    assert (Merchant.objects.count(), Connection.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    "path",
    [
        "/s/%00/",
        "/s/%ff/",
        "/s/%ed%a0%bd/",
        f"/s/{DIGITS}/",
        "/auth%00",
        "/%00",
        "/%ff",
        "/sequra/notification/%00",
        f"/sequra/report/{UUID}/%00",
        f"/return/{UUID}?product=%00",
        "/load?signed_payload_jwt=" + "a." * 100,
        "/webhooks/bigcommerce/%00",
        "/static/%00",
        "/health/%00",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_odd_addresses_never_break(path: str, method: str) -> None:
    assert Client(raise_request_exception=False).generic(method, path).status_code < 500


@pytest.mark.parametrize("number", [0, 2**31, 2**63 - 1, 2**63, 10**25, int("9" * 300)])
@pytest.mark.parametrize(("route", "name"), [one for one in LISTED if "<int" in one[0]])
def test_numbers_beyond_every_row_are_unknown(
    session: str, route: str, name: str, number: int
) -> None:
    browser, path = client(session), filled(route, session, number)
    method = "POST" if "POST" in methods(name) else "GET"

    assert browser.generic(method, path, b"").status_code < 500


def test_an_odd_header_never_breaks() -> None:
    shop = Store.objects.create(hash="shop", public_id=uuid.uuid4())
    for name in ("Origin", "User-Agent", "Accept-Language", "Accept", "Cookie", "X-Request-Id"):
        for text in ("\0", "\xff", "x" * 9000, "ñ", "https://[", "https://ñ\u00ad.example:port"):
            answer = Client(raise_request_exception=False).options(
                f"/storefront/{shop.public_id}/form", headers={name: text}
            )
            assert answer.status_code < 500, (name, text[:10])


# Django reads this header before anything can answer for it; RFC 2231 lets it name a charset.
ODD_TYPES = [
    "text/plain; charset*=nonsense''x",
    "text/plain; x*=undefined''x",
    "application/json; charset*=idna''%ff",
    "application/x-www-form-urlencoded; x*=nonsense''a%3D1",
    "multipart/form-data; boundary*=nonsense''b",
    "multipart/form-data; boundary=" + "b" * 5000,
    "a;" * 4000,
    'a;"' + ";" * 8000,
]


def test_an_odd_content_type_never_breaks(live_app: str) -> None:
    """Through the web server, at every address: and a webhook with one counts."""
    shop = Store.objects.create(hash="shop", **STORE_FIELDS)
    webhook = {"producer": "stores/shop", "scope": "store/order/updated", "data": {"id": 1}}
    secret = {"X-Webhook-Secret": shop.webhook_secret}
    found = []
    with requests.Session() as http:
        for kind in ODD_TYPES:
            for route, name in LISTED:
                for method in asked(name):
                    answer = http.request(
                        method,
                        live_app + filled(route),
                        data=b"a=1" if method == "POST" else None,
                        headers={"Content-Type": kind, "User-Agent": "Mozilla/5.0"},
                        allow_redirects=False,
                        timeout=60,
                    )
                    found.append(((kind[:40], name, method), answer.status_code))
            address = f"{live_app}/webhooks/bigcommerce/{UUID}"
            event = {**webhook, "hash": kind[:30].encode().hex()}
            answer = http.post(
                address, json=event, headers={"Content-Type": kind, **secret}, timeout=60
            )
            found.append(((kind[:40], "webhook", "POST"), answer.status_code))
    assert broken(iter(found)) == []
    assert {status for (_, name, _), status in found if name == "webhook"} == {204}
    assert WebhookEvent.objects.count() == len(ODD_TYPES)
